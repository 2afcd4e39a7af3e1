"""Watched calls: the host sees no difference, and everything is counted."""

import asyncio
import contextvars
import functools
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mlmonitor import Config, ConfigError, Monitor, Reference, Status
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.records import Quality, Role
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

ROW = {"a": 1.0, "b": 2.0}
NAN = float("nan")


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of two numbers and a prediction."""
    x = np.linspace(-10.0, 10.0, 500)
    return fit_reference({"a": x, "b": x}, predictions=x)


@pytest.fixture
def monitor(
    reference: Reference, exporter: InMemoryExporter, clock: ManualClock
) -> Iterator[Monitor]:
    """A monitor whose worker does not poll; `status` reads what was recorded."""
    config = Config(poll_interval_seconds=3600, export_interval_seconds=3600)
    with Monitor(
        "m", reference=reference, exporters=[exporter], config=config, clock=clock
    ) as monitor:
        yield monitor


def quality(status: Status, name: str, role: Role = Role.FEATURE) -> dict[Quality, int]:
    """Return the counts of a field by quality, without zeros."""
    return {kind: n for kind, n in status.field(name, role=role).quality.items() if n}


def predictions(status: Status) -> dict[Quality, int]:
    """Return the counts of the prediction by quality, without zeros."""
    return quality(status, "prediction", Role.PREDICTION)


def double(features: dict[str, float]) -> float:
    """Return twice the first feature."""
    return 2 * features["a"]


def test_a_decorated_function_keeps_its_name_and_signature(monitor: Monitor) -> None:
    """Name, docstring, module, signature and result are those of the function."""
    watched = monitor.watch(double)
    assert watched(ROW) == 2.0
    assert (watched.__name__, watched.__doc__) == (double.__name__, double.__doc__)
    assert watched.__module__ == double.__module__
    assert inspect.signature(watched) == inspect.signature(double)
    assert watched.__wrapped__ is double  # type: ignore[attr-defined]  # set by functools


class Service:
    """A class with methods of every kind."""

    monitor: Monitor

    def make(self) -> dict[str, Callable[..., Any]]:
        """Return one callable of each kind, all watched by the class's monitor."""
        watch = self.monitor.watch

        class Model:
            @watch
            def method(self, features: Any) -> float:
                return float(features["a"])

            @classmethod
            @watch
            def inner_class(cls, features: Any) -> float:
                return float(features["a"])

            @watch
            @classmethod
            def outer_class(cls, features: Any) -> float:
                return float(features["a"])

            @staticmethod
            @watch
            def inner_static(features: Any) -> float:
                return float(features["a"])

            @watch
            @staticmethod
            def outer_static(features: Any) -> float:
                return float(features["a"])

            def bound(self, features: Any) -> float:
                return float(features["a"])

            def __call__(self, features: Any) -> float:
                return float(features["a"])

        model = Model()
        return {
            "method": model.method,
            "class method": model.inner_class,
            "watched class method": model.outer_class,
            "static method": model.inner_static,
            "watched static method": Model.outer_static,
            "bound": watch(model.bound),
            "object": watch(model),
            "partial": watch(functools.partial(Model.bound, model)),
            "lambda": watch(lambda features: features["a"]),
        }


@pytest.mark.parametrize("by_name", [False, True], ids=["by position", "by name"])
def test_every_kind_of_callable_is_watched(monitor: Monitor, by_name: bool) -> None:  # noqa: FBT001 - both ways
    """Methods, objects, partials and lambdas are counted with their features."""
    service = Service()
    service.monitor = monitor
    kinds = service.make()
    for function in kinds.values():
        assert (function(features=ROW) if by_name else function(ROW)) == 1.0
    status = monitor.status()
    assert status.predictions == len(kinds)
    assert quality(status, "a") == {Quality.VALID: len(kinds)}
    assert status.internal_errors == 0


def test_a_builtin_is_watched(monitor: Monitor) -> None:
    """If a function has no signature, its last argument is assumed to hold the features."""
    assert monitor.watch(max)(0.5, 0.25) == 0.5
    assert monitor.status().predictions == 1


def test_each_of_two_stacked_decorators_records_the_call(monitor: Monitor) -> None:
    """Watching twice counts twice, also with another decorator in between."""

    def passing(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return call

    watched = monitor.watch(passing(monitor.watch(double)))
    assert watched(ROW) == 2.0
    assert quality(monitor.status(), "a") == {Quality.VALID: 2}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_generator_functions_are_refused_at_decoration(monitor: Monitor, is_async: bool) -> None:  # noqa: FBT001 - both ways
    """Async generators, partials of generators and callable objects that yield are refused, too."""

    class Plain:
        def __call__(self, features: Any) -> Iterator[float]:
            yield features["a"]

    class Async:
        async def __call__(self, features: Any) -> AsyncIterator[float]:
            yield features["a"]

    kind = Async if is_async else Plain
    for generator in (kind(), kind().__call__, functools.partial(kind.__call__, kind())):
        with pytest.raises(ConfigError, match="generator"):
            monitor.watch(generator)


@pytest.mark.parametrize(
    "kind", [ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError, StopIteration]
)
def test_an_exception_of_the_host_passes_unchanged(
    monitor: Monitor, kind: type[BaseException]
) -> None:
    """The same object is raised, and counted by its type."""
    error = kind("reason")

    @monitor.watch
    def fail(features: Any) -> float:
        raise error

    with pytest.raises(kind) as caught:
        fail(ROW)
    assert caught.value is error
    assert error.__context__ is None
    status = monitor.status()
    assert status.errors == {kind.__name__: 1}
    assert (status.predictions, status.internal_errors) == (0, 0)
    assert quality(status, "a") == {Quality.VALID: 1}
    assert predictions(status) == {}


def test_a_call_with_wrong_arguments_fails_as_without_watching(monitor: Monitor) -> None:
    """The TypeError is the function's own, and no failed call is counted."""
    watched = monitor.watch(double)
    for wrong in (watched, lambda: watched(ROW, ROW), lambda: watched(nothing=ROW)):  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="double"):
            wrong()
    assert monitor.status().errors == {}


ONE_PARAMETER: dict[str, Callable[..., Any]] = {
    "of its own name": lambda row: row["a"],
    "of a name that the wrapper uses": lambda result: result["a"],
    "of another such name": lambda tap: tap["a"],
    "with a default": lambda row=ROW: row["a"],
    "and others": lambda row, factor=1.0: row["a"] * factor,
    "a partial": functools.partial(lambda row, factor: row["a"] * factor, factor=1.0),
    "decorated": functools.wraps(lambda row: row)(
        lambda *args, **kwargs: _first(args, kwargs)["a"]
    ),
}


def _first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs["row"]


@pytest.mark.parametrize("name", ONE_PARAMETER)
def test_a_watched_function_accepts_positional_and_keyword_arguments(
    monitor: Monitor, name: str
) -> None:
    """The parameter may have any name, including the names that the wrapper uses."""
    function = ONE_PARAMETER[name]
    parameter = next(iter(inspect.signature(function).parameters))
    watched = monitor.watch(function)
    assert watched(ROW) == watched(**{parameter: ROW}) == ROW["a"]
    status = monitor.status()
    assert (status.predictions, status.internal_errors) == (2, 0)
    assert quality(status, "a") == {Quality.VALID: 2}
    assert inspect.signature(watched) == inspect.signature(function)


def test_a_wrapper_passes_arguments_that_its_copied_signature_does_not_show(
    monitor: Monitor,
) -> None:
    """A decorator below may accept more arguments than the function does."""

    @functools.wraps(double)
    def traced(*args: Any, **kwargs: Any) -> float:
        kwargs.pop("trace", None)
        return double(*args, **kwargs)

    assert monitor.watch(traced)(ROW, trace=True) == double(ROW)  # type: ignore[call-arg]
    assert monitor.status().predictions == 1


def test_a_watched_bound_method_accepts_its_argument_by_position_and_by_keyword(
    monitor: Monitor,
) -> None:
    """It behaves like the model's own method."""

    class Model:
        def predict(self, row: dict[str, float]) -> float:
            return row["a"]

    watched = monitor.watch(Model().predict)
    assert watched(ROW) == watched(row=ROW) == ROW["a"]
    assert monitor.status().predictions == 2


def test_features_are_recorded_as_given_to_the_call(
    monitor: Monitor,
) -> None:
    """Changes by the function or its caller come too late."""

    @monitor.watch
    def spoil(features: Any) -> float:
        if isinstance(features, pd.DataFrame):
            features.loc[:, "a"] = "spoilt"
        elif isinstance(features, dict):
            features.clear()
        else:
            features[:] = [NAN, NAN]
        return 1.0

    rows = [dict(ROW), np.array([1.0, 2.0]), [1.0, 2.0]]
    for row in rows:
        spoil(row)
    spoil(pd.DataFrame([ROW]).astype(object))
    status = monitor.status()
    assert quality(status, "a") == {Quality.VALID: 4}
    assert status.field("a").mean == 1.0


@pytest.mark.parametrize("make", [list, np.array, pd.Series, lambda x: {"score": x}])
def test_results_changed_after_the_call_are_recorded_as_returned(
    monitor: Monitor, make: Callable[[list[float]], Any]
) -> None:
    """The caller may change its result afterwards."""
    select = "score" if isinstance(make([1.0]), dict) else None
    watched = monitor.watch(prediction=select)(lambda _: result)
    result = make([1.0, 2.0])
    assert watched(np.ones((2, 2))) is result
    values = result["score"] if isinstance(result, dict) else result
    values[0] = values[1] = 9.0
    assert monitor.status().field("prediction", role=Role.PREDICTION).max == 2.0


def test_a_failing_output_selection_is_an_internal_error_and_a_missing_prediction(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    """The host gets its result and the row is kept; the error contains no value."""
    watched = monitor.watch(prediction="score")(double)
    with caplog.at_level(logging.WARNING, logger="mlmonitor"):
        assert watched(ROW) == 2.0
    status = monitor.status()
    assert (status.internal_errors, status.predictions) == (1, 1)
    assert quality(status, "a") == {Quality.VALID: 1}
    assert predictions(status) == {Quality.MISSING: 1}


class Hostile(dict[str, float]):
    """Features that raise whatever is done with them."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def keys(self) -> Any:
        """Raise, as every other method does."""
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]  # not even that


def test_features_that_raise_do_not_affect_the_call_or_other_rows(monitor: Monitor) -> None:
    """The call is made and counted; its row is unreadable, and other rows are not."""
    watched = monitor.watch(lambda _: 1.0)
    watched(ROW)
    assert watched(Hostile()) == 1.0
    watched(ROW)
    status = monitor.status()
    assert status.predictions == 3
    assert quality(status, "a") == {Quality.VALID: 2, Quality.WRONG_TYPE: 1}
    assert predictions(status) == {Quality.VALID: 3}
    assert status.internal_errors == 1


BAD_ROWS: list[tuple[Any, dict[Quality, int]]] = [
    ({"b": 1.0}, {Quality.MISSING: 1}),
    ({"a": None, "b": 1.0}, {Quality.MISSING: 1}),
    ({"a": NAN, "b": 1.0}, {Quality.MISSING: 1}),
    ({"a": float("inf"), "b": 1.0}, {Quality.NONFINITE: 1}),
    ({"a": 10**400, "b": 1.0}, {Quality.NONFINITE: 1}),
    ({"a": "1.5", "b": 1.0}, {Quality.WRONG_TYPE: 1}),
    ({"a": [1.5], "b": 1.0}, {Quality.WRONG_TYPE: 1}),
    ({"a": {"x": 1}, "b": 1.0}, {Quality.WRONG_TYPE: 1}),
    ({"a": object(), "b": 1.0}, {Quality.WRONG_TYPE: 1}),
    ({1: 2, None: 3, ("a",): 4}, {Quality.MISSING: 1}),
    ({}, {Quality.MISSING: 1}),
    ((), {}),
    (None, {Quality.WRONG_TYPE: 1}),
    ("text", {Quality.WRONG_TYPE: 1}),
    (7, {Quality.WRONG_TYPE: 1}),
    ([None, 1.0], {Quality.MISSING: 1}),
    (["x", 1.0], {Quality.WRONG_TYPE: 1}),
    (np.array([np.nan, 1.0]), {Quality.MISSING: 1}),
    (np.array(["x", "y"]), {Quality.WRONG_TYPE: 1}),
    (np.ma.array([5.0, 1.0], mask=[1, 0]), {Quality.MISSING: 1}),
    (np.zeros((1, 2, 3)), {Quality.WRONG_TYPE: 1}),
    (pd.DataFrame({"a": ["x"], "b": [1.0]}), {Quality.WRONG_TYPE: 1}),
]


@pytest.mark.parametrize("bad", range(len(BAD_ROWS)))
def test_invalid_calls_are_counted_by_reason_beside_valid_neighbours(
    monitor: Monitor, bad: int
) -> None:
    """Any input is counted without an internal error."""
    features, expected = BAD_ROWS[bad]
    watched = monitor.watch(lambda _: 1.0)
    for row in (ROW, features, ROW):
        assert watched(row) == 1.0
    status = monitor.status()
    assert quality(status, "a") == {Quality.VALID: 2} | expected
    assert (status.internal_errors, status.dropped) == (0, 0)


def test_invalid_rows_of_a_batch_do_not_affect_other_rows(monitor: Monitor) -> None:
    """Each row of a recorded list, and each prediction, is read on its own."""
    rows = [features for features, _ in BAD_ROWS if isinstance(features, dict)]
    results = [*[1.0] * (len(rows) - 3), "x", None, NAN]
    monitor.record([ROW, *rows, ROW, None, 5], [1.0, *results, 1.0, 1.0, 1.0])
    status = monitor.status()
    assert quality(status, "a") == {
        Quality.VALID: 2,
        Quality.MISSING: 6,
        Quality.NONFINITE: 2,
        Quality.WRONG_TYPE: 5,
    }
    assert predictions(status) == {
        Quality.VALID: len(rows) + 1,
        Quality.MISSING: 2,
        Quality.WRONG_TYPE: 1,
    }
    assert status.internal_errors == 0
    assert status.unknown_fields == {"1": 1, "None": 1, "('a',)": 1}


def test_a_column_of_the_wrong_length_does_not_affect_other_columns(monitor: Monitor) -> None:
    """Its values have a wrong type, the error names it, and the other columns are kept."""
    monitor.record({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0]}, [1.0, 2.0, 3.0])
    status = monitor.status()
    assert status.internal_errors == 1
    assert (
        "features: expected a value for each of the 3 rows in every column, but 'b' has 2"
        in str(status.last_error)
    )
    assert quality(status, "a") == {Quality.VALID: 3}
    assert quality(status, "b") == {Quality.WRONG_TYPE: 3}
    assert predictions(status) == {Quality.VALID: 3}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ([0.5] * 500, 500),
        (np.zeros(9), 9),
        (np.zeros((500, 2)), 500),
        (0.5, 1),
        (pd.Series([0.5] * 4), 4),
        (pd.DataFrame({"prediction": [0.5] * 4}), 4),
        ([], 0),
    ],
    ids=["list", "array", "matrix", "value", "series", "frame", "none"],
)
@pytest.mark.parametrize("is_frame", [True, False])
def test_predictions_that_are_not_one_per_row_are_missing_and_reported(
    monitor: Monitor,
    given: Any,
    missing: int,
    is_frame: bool,  # noqa: FBT001 - both ways
) -> None:
    """The rows are recorded, and the error has the expected and the actual number."""
    columns = {"a": [1.0] * 10, "b": [2.0] * 10}
    monitor.record(pd.DataFrame(columns) if is_frame else columns, given)
    status = monitor.status()
    assert quality(status, "a") == {Quality.VALID: 10}
    assert predictions(status) == {Quality.MISSING: 10}
    assert str(status.last_error) == (
        f"SchemaError: predictions: expected one for each of the 10 rows, got {missing}"
    )


@pytest.mark.parametrize(
    "result",
    [
        pd.DataFrame({"score": [0.7]}),
        {"predictions": [0.7]},
        {"score": 0.7},
        np.array([[0.7]]),
    ],
    ids=["frame", "list by name", "value by name", "matrix"],
)
def test_a_single_output_of_any_name_is_the_prediction(monitor: Monitor, result: object) -> None:
    """The reference has one prediction and the model returns one value a row."""
    monitor.watch(lambda _: result)(ROW)
    status = monitor.status()
    assert status.field("prediction", role="prediction").mean == pytest.approx(0.7)
    assert (status.unknown_fields, status.internal_errors) == ({}, 0)


def test_an_output_with_another_name_than_in_the_reference_is_unknown(
    exporter: InMemoryExporter,
) -> None:
    """A named output is matched by its name, even if there is only one."""
    reference = fit_reference({"a": [1.0, 2.0]}, predictions=pd.DataFrame({"low": [1.0, 2.0]}))
    with Monitor("m", reference=reference, exporters=[exporter]) as monitor:
        monitor.record({"a": [1.0, 2.0]}, {"high": [1.0, 2.0]})
        assert monitor.status().unknown_fields == {"prediction.high": 2}
        monitor.record({"a": [1.0, 2.0]}, [1.0, 2.0])
        assert monitor.status().field("prediction.low", role="prediction").count == 2


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.coo_array, sparse.lil_matrix])
def test_a_sparse_row_is_read_by_position(exporter: InMemoryExporter, kind: Any) -> None:
    """Zeros are included, in a call and in a batch; its attributes are not features."""
    reference = fit_reference(np.eye(2), names=["a", "b"], predictions=[0.0, 1.0])
    with Monitor("m", reference=reference, exporters=[exporter]) as monitor:
        monitor.watch(lambda _: 1.0)(kind([[0.0, 3.0]]))
        monitor.record(kind([[0.0, 3.0], [0.0, 0.0]]), [1.0, 1.0])
        status = monitor.status()
        assert (status.field("a").mean, status.field("b").mean) == (0.0, 2.0)
        assert (status.predictions, status.unknown_fields, status.internal_errors) == (3, {}, 0)


def test_a_sparse_matrix_too_large_to_be_read_is_reported(monitor: Monitor) -> None:
    """Its row counts as unreadable, because it would become a dense array in the host's thread."""
    monitor.watch(lambda _: 1.0)(sparse.csr_matrix((1, 100_001)))
    status = monitor.status()
    assert quality(status, "a") == {Quality.WRONG_TYPE: 1}
    assert status.unknown_fields == {}
    assert "expected a sparse matrix of at most 100,000 values" in str(status.last_error)


def test_an_output_of_the_wrong_length_does_not_affect_the_valid_output(monitor: Monitor) -> None:
    """The error names the output that does not fit."""
    monitor.record(
        {"a": [1.0] * 3, "b": [1.0] * 3}, {"prediction": [1.0, 2.0, 3.0], "spread": [1.0]}
    )
    status = monitor.status()
    assert status.predictions == 3
    assert "predictions: " in str(status.last_error)
    assert "'spread' has 1" in str(status.last_error)


@pytest.mark.parametrize(
    "empty",
    [[], {"a": [], "b": []}, np.empty((0, 2)), pd.DataFrame(ROW, [])],
    ids=["list", "columns", "matrix", "frame"],
)
def test_an_empty_batch_records_nothing(monitor: Monitor, empty: Any) -> None:
    """There are no predictions and no internal errors."""
    monitor.record(empty, [])
    monitor.watch(lambda _: [])(empty if not isinstance(empty, dict) else [])
    status = monitor.status()
    assert (status.predictions, status.internal_errors) == (0, 0)
    assert quality(status, "a") == {}


def test_a_row_of_a_hundred_thousand_unknown_fields_is_counted(monitor: Monitor) -> None:
    """The known fields are recorded, and the table of unknown names stays small."""
    monitor.watch(lambda _: 1.0)(ROW | {str(at): 1.0 for at in range(100_000)})
    status = monitor.status()
    assert quality(status, "a") == {Quality.VALID: 1}
    assert sum(status.unknown_fields.values()) == 100_000
    assert len(status.unknown_fields) < 100


def test_nested_calls_have_ids_of_their_own(monitor: Monitor) -> None:
    """In a recursion, the outer id is current again when the inner call returns."""
    seen: list[tuple[int, str, str]] = []

    @monitor.watch
    def predict(features: Any, depth: int) -> float:
        before = monitor.prediction_id
        if depth:
            predict(features, depth - 1)
        seen.append((depth, before, monitor.prediction_id))
        return 1.0

    predict(ROW, 5)
    assert all(before == after for _, before, after in seen)
    assert len({before for _, before, _ in seen}) == 6
    with pytest.raises(LookupError):
        _ = monitor.prediction_id


def test_after_an_inner_call_raises_the_outer_id_is_current_again(monitor: Monitor) -> None:
    """A failed call closes like any other."""

    @monitor.watch
    def fail(features: Any) -> float:
        raise ValueError("reason")

    with monitor.observe(ROW) as outer:
        with pytest.raises(ValueError, match="reason"):
            fail(ROW)
        assert monitor.prediction_id == outer.id


def test_calls_of_two_monitors_are_not_mixed_up(monitor: Monitor, reference: Reference) -> None:
    """Each monitor has its own open call and its own id for it."""
    config = Config(poll_interval_seconds=3600)
    with Monitor("other", reference=reference, exporters=[], config=config) as other:

        @monitor.watch
        @other.watch
        def predict(features: Any) -> tuple[str, str]:
            return monitor.prediction_id, other.prediction_id

        first, second = predict(ROW)
        assert first != second
        assert (monitor.status().predictions, other.status().predictions) == (1, 1)


@pytest.mark.parametrize("given", ["r-7", 7], ids=["text", "number"])
def test_an_id_given_by_the_caller_is_used(monitor: Monitor, given: object) -> None:
    """It is read as text, inside the call and when its label arrives."""
    ids: list[str] = []

    @monitor.watch(features="features", id_from="request")
    def predict(features: Any, *, request: Any) -> float:
        ids.append(monitor.prediction_id)
        return 1.0

    predict(ROW, request=given)
    assert ids == [str(given)]
    with monitor.observe(ROW, prediction_id="r-8") as observed:
        observed.value = 1.0
    assert observed.id == "r-8"
    monitor.label([str(given), "r-8", "r-9"], [1.0, 1.0, 1.0])
    monitor.status()
    assert monitor.status().labels["matched"] == 2


def test_an_id_read_after_the_block_finds_its_prediction(monitor: Monitor) -> None:
    """The worker had already read the prediction when the id was requested."""
    with monitor.observe(ROW) as observed:
        observed.value = 1.5
    monitor.status()
    monitor.label(observed.id, 1.0)
    monitor.status()
    assert monitor.status().labels["matched"] == 1


def test_an_id_read_late_belongs_to_the_value_at_the_end_of_the_block(monitor: Monitor) -> None:
    """Later changes of the value do not count, and the prediction waits once."""
    result = {"prediction": 1.5}
    with monitor.observe(ROW) as observed:
        observed.value = result
    result["prediction"] = 99.0
    asked = observed.id
    assert observed.id == asked
    monitor.status()
    waiting = monitor._worker.pipeline.state.pending
    assert len(waiting) == 1
    matches = waiting.match(LabelEntry([asked], [1.0]))
    assert matches.columns["predicted"].tolist() == [1.5]


def test_a_failed_block_has_an_id_but_waits_for_no_label(monitor: Monitor) -> None:
    """There is no prediction to which a label could belong."""
    observed = monitor.observe(ROW)
    with pytest.raises(ValueError, match="reason"), observed:
        raise ValueError("reason")
    monitor.status()
    assert observed.id
    monitor.status()
    assert len(monitor._worker.pipeline.state.pending) == 0


def test_predictions_whose_id_was_never_read_do_not_wait_for_labels(monitor: Monitor) -> None:
    """Reading the id later makes the prediction wait from then on."""
    blocks = [monitor.observe(ROW) for _ in range(10)]
    for observed in blocks:
        with observed:
            observed.value = 1.0
    assert monitor.status().predictions == 10
    waiting = monitor._worker.pipeline.state.pending
    assert len(waiting) == 0


def test_a_block_without_a_value_records_a_missing_prediction(monitor: Monitor) -> None:
    """The row is counted."""
    with monitor.observe(ROW):
        pass
    assert predictions(monitor.status()) == {Quality.MISSING: 1}


def test_an_exception_in_a_block_is_raised_and_counted(monitor: Monitor) -> None:
    """A block that fails after its value was set has no prediction."""
    error = ValueError("reason")

    def block() -> None:
        with monitor.observe(ROW) as observed:
            observed.value = 1.0
            raise error

    with pytest.raises(ValueError, match="reason") as caught:
        block()
    assert caught.value is error
    status = monitor.status()
    assert status.errors == {"ValueError": 1}
    assert predictions(status) == {}


def test_features_that_raise_do_not_affect_a_block(monitor: Monitor) -> None:
    """The block runs, and its row is unreadable."""
    with monitor.observe(Hostile()) as observed:
        observed.value = 1.0
    status = monitor.status()
    assert quality(status, "a") == {Quality.WRONG_TYPE: 1}
    assert predictions(status) == {Quality.VALID: 1}


def test_an_id_that_cannot_be_converted_to_text_is_replaced(monitor: Monitor) -> None:
    """The failed conversion is an internal error, and the prediction gets a generated id."""

    class Untold(str):
        __slots__ = ()

        def __str__(self) -> str:
            raise RuntimeError

    with monitor.observe(ROW, prediction_id=Untold("r")) as observed:
        observed.value = 1.0
    assert len(observed.id) == 36
    assert (monitor.status().predictions, monitor.status().internal_errors) == (1, 1)


def test_a_block_entered_twice_is_recorded_twice(monitor: Monitor) -> None:
    """Even a block nested in itself raises nothing."""
    observed = monitor.observe(ROW)
    with observed, observed:
        observed.value = 1.0
    assert monitor.status().predictions == 2


def test_a_block_may_end_in_another_context(monitor: Monitor) -> None:
    """Async fixtures do this; another open block in that context stays open."""
    observed = monitor.observe(ROW)
    contextvars.copy_context().run(observed.__enter__)
    with monitor.observe(ROW) as other:
        observed.__exit__(None, None, None)
        assert monitor.prediction_id == other.id
    assert monitor.status().predictions == 2


def test_a_full_or_broken_queue_does_not_affect_the_call(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a record cannot be queued, the host has its result and an internal error is counted."""

    def broken(_entry: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(monitor._inbox.calls.__class__, "put", lambda _self, entry: broken(entry))
    assert monitor.watch(double)(ROW) == 2.0
    assert monitor.status().internal_errors == 1


def run(coroutine: Any) -> Any:
    """Run a coroutine in a new event loop and return its result."""
    return asyncio.run(coroutine)


def test_a_watched_coroutine_function_remains_one(monitor: Monitor) -> None:
    """Async functions, methods, objects and partials are awaited and then recorded."""

    class Model:
        async def predict(self, features: Any) -> float:
            await asyncio.sleep(0)
            return features["a"]

        async def __call__(self, features: Any) -> float:
            return await self.predict(features)

    model = Model()
    kinds = [
        monitor.watch(model.predict),
        monitor.watch(model),
        monitor.watch(functools.partial(Model.predict, model)),
    ]
    for watched in kinds:
        assert inspect.iscoroutinefunction(watched)
        assert run(watched(ROW)) == 1.0
    assert predictions(monitor.status()) == {Quality.VALID: len(kinds)}


def test_a_hundred_tasks_have_a_hundred_ids(monitor: Monitor) -> None:
    """Concurrent calls in one loop each see their own id before and after waiting."""

    @monitor.watch
    async def predict(features: Any, delay: int) -> tuple[str, str]:
        before = monitor.prediction_id
        await asyncio.sleep(delay % 7 / 1_000)
        return before, monitor.prediction_id

    async def main() -> list[tuple[str, str]]:
        return await asyncio.gather(*(predict(ROW, at) for at in range(100)))

    completed = run(main())
    assert all(before == after for before, after in completed)
    assert len({before for before, _ in completed}) == 100
    assert monitor.status().predictions == 100


def test_a_cancelled_call_is_counted_as_cancelled(monitor: Monitor) -> None:
    """The caller gets the cancellation, which is counted as CancelledError."""

    @monitor.watch
    async def predict(features: Any) -> float:
        await asyncio.sleep(60)
        return 1.0

    async def main() -> None:
        task = asyncio.create_task(predict(ROW))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert monitor.status().errors == {"CancelledError": 1}


def test_a_call_that_was_never_awaited_is_not_recorded(monitor: Monitor) -> None:
    """A coroutine that is closed before it ran leaves nothing."""

    @monitor.watch
    async def predict(features: Any) -> float:
        return 1.0

    predict(ROW).close()  # type: ignore[attr-defined]  # a coroutine
    status = monitor.status()
    assert (status.predictions, status.errors) == (0, {})


def test_async_blocks_behave_like_plain_blocks(monitor: Monitor) -> None:
    """`async with` records value, id and failure, also in many tasks at once."""

    async def one(value: float) -> str:
        async with monitor.observe(ROW) as observed:
            await asyncio.sleep(0)
            assert monitor.prediction_id == observed.id
            observed.value = value
            if value > 90:
                raise LookupError
        return observed.id

    async def main() -> list[Any]:
        return await asyncio.gather(*map(one, map(float, range(100))), return_exceptions=True)

    ids = run(main())
    status = monitor.status()
    assert len({one_id for one_id in ids if isinstance(one_id, str)}) == 91
    assert status.errors == {"LookupError": 9}
    assert status.predictions == 91


@pytest.mark.parametrize("given", [{}, {"request": None}, {"request": NAN}], ids=repr)
def test_calls_with_an_empty_id_argument_get_generated_ids(
    monitor: Monitor, given: dict[str, Any]
) -> None:
    """Each call gets its own id, by which its label is matched."""
    ids: list[str] = []

    @monitor.watch(features="features", id_from="request")
    def predict(features: Any, request: Any = None) -> float:
        ids.append(monitor.prediction_id)
        return 1.0

    for _ in range(3):
        predict(ROW, **given)
    assert len({*ids, ""}) == 4
    monitor.label(ids, [1.0, 1.0, 1.0])
    monitor.status()
    assert monitor.status().labels["matched"] == 3


def test_none_among_the_ids_of_a_batch_is_not_an_id(monitor: Monitor) -> None:
    """It does not become the text "None"."""

    @monitor.watch(features="rows", id_from="ids")
    def predict(rows: Any, ids: Any) -> list[float]:
        return [1.0] * len(rows)

    predict([ROW, ROW], [None, "two"])
    monitor.record([ROW, ROW], [1.0, 1.0], ids=[None, "four"])
    monitor.label(["None", "two", "four"], [1.0, 1.0, 1.0])
    monitor.status()
    labels = monitor.status().labels
    assert (labels["matched"], labels["unknown"]) == (2, 1)


@pytest.mark.parametrize("by", ["told inside", "held by the feature"])
def test_a_prediction_is_found_by_the_id_read_inside_and_by_that_in_its_features(
    monitor: Monitor, by: str
) -> None:
    """If a feature holds the id, the generated id works as well."""
    ids = []

    @monitor.watch(id_from="request")
    def predict(features: Any) -> float:
        ids.append(monitor.prediction_id)
        return 1.0

    predict({**ROW, "request": "r-1"})
    monitor.label(ids[0] if by == "told inside" else "r-1", 1.0)
    monitor.status()
    assert monitor.status().labels["matched"] == 1


def test_an_array_in_a_row_that_the_function_changes_is_never_recorded(monitor: Monitor) -> None:
    """The array is shared with the caller, so it has a wrong type whatever it contains."""

    @monitor.watch
    def predict(features: Any) -> float:
        features["a"][...] = 99.0
        return 1.0

    predict({"a": np.array(1.0), "b": 2.0})
    assert quality(monitor.status(), "a") == {Quality.WRONG_TYPE: 1}


@pytest.mark.parametrize("kind", [tuple, list, np.array, lambda row: np.array([row])])
def test_rows_without_names_are_learned_by_position(
    exporter: InMemoryExporter, clock: ManualClock, kind: Callable[..., Any]
) -> None:
    """Positions without names become x0, x1, ... from the first row on."""
    config = Config(poll_interval_seconds=3600, export_interval_seconds=3600, baseline_rows=50)
    with Monitor("m", exporters=[exporter], config=config, clock=clock) as monitor:
        predict = monitor.watch(len)
        for at in range(120):
            predict(kind([float(at % 50), at % 50 / 2]))
        status = monitor.status()
        assert status.is_reference_learned
        assert not status.unknown_fields
        assert quality(status, "x1") == {Quality.VALID: 120}
