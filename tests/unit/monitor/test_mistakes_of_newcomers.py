"""A mistake is answered with the field, what was expected, what arrived and what to do."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlmonitor import Config, Field, Files, Kpi, Metric, Monitor, Otlp, Reference
from support.references import fit_reference

ROWS = 60
COLUMNS: dict[str, Any] = {"age": np.arange(float(ROWS)), "line": ["A", "B"] * (ROWS // 2)}
PREDICTIONS = np.arange(float(ROWS))


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of a number, a category and a prediction."""
    return fit_reference(COLUMNS, predictions=PREDICTIONS)


def fit(features: Any = COLUMNS, **options: Any) -> Callable[[Reference], object]:
    """Return a wrong call of `Reference.fit`."""
    return lambda _reference: Reference.fit(features, **options)


def make(**options: Any) -> Callable[[Reference], object]:
    """Return a wrong creation of a monitor."""
    return lambda reference: Monitor("m", **{"reference": reference, "exporters": [], **options})


def watch(target: Any, **options: Any) -> Callable[[Reference], object]:
    """Return a wrong use of `watch`."""
    return lambda reference: Monitor("m", reference=reference).watch(**options)(target)


def predict_row(row: Any, request_id: str) -> float:
    """Predict from a row, beside an id."""
    return float(bool(row and request_id))


def predict_age(age: float, request_id: str) -> float:
    """Predict from a feature, beside an id."""
    return age if request_id else 0.0


class Unannotated:
    """A callback whose annotations cannot be evaluated, as after imports for type checkers."""

    @property
    def __signature__(self) -> object:
        raise NameError

    def __call__(self, alert: object) -> None:
        """Ignore an alert."""


AT_SET_UP: dict[str, tuple[Callable[[Reference], object], str]] = {
    "no name": (lambda _: Monitor(""), "model: expected a name"),
    "reference is a frame": (
        make(reference=pd.DataFrame(COLUMNS)),
        r"reference: expected a Reference .* got DataFrame",
    ),
    "one exporter": (
        make(exporters=Otlp.collector()),
        r"exporters: expected a list .*Otlp.collector\(\)\], got OtlpExporter",
    ),
    "an exporter that is a class": (
        make(exporters=[Otlp]),
        "exporters: expected a list .* got a list that holds the class Otlp, not an instance",
    ),
    "a webhook that is an address": (
        make(notify=["https://example.com"]),
        "notify: expected a list of webhooks, such as .* got a list that holds str",
    ),
    "a callback that takes nothing": (
        make(on_alert=lambda: None),
        "on_alert: expected a function of alert, got one with other arguments",
    ),
    "a measure of one array": (
        make(metrics=[Metric("hits", lambda predicted: predicted)]),  # type: ignore[arg-type,misc]  # wrong on purpose
        "metrics: 'hits': expected a function of predicted, actual, got one with other arguments",
    ),
    "a figure that is a text": (
        make(kpis=[Kpi("saved", "claimed - paid")]),  # type: ignore[arg-type]  # wrong on purpose
        "kpis: 'saved': expected a function of rows, got str",
    ),
    "a misspelt position": (
        make(features=["agee", "line"]),
        "features: 'agee': the reference has no such feature; did you mean 'age'",
    ),
    "a bound that is a truth": (
        make(fields=[Field("age", minimum=True)]),
        "fields: 'age': minimum: expected a finite number, or a datetime, got bool",
    ),
    "a role that is not there": (
        lambda reference: Monitor("m", reference=reference).accept("age", role="featur"),
        "role: expected one of feature, prediction",
    ),
    "a host that is a text": (
        lambda reference: Monitor("m", reference=reference).serve(port=0, allowed_hosts="a.org"),
        "allowed_hosts: expected a list of names, got one text",
    ),
    "predictions by name": (
        fit(predictions="predicted"),
        r"predictions: expected one .*, got one text: pass the column itself, such as frame\[",
    ),
    "kind that is a type": (
        fit(schema={"age": float}),
        "schema: 'age': expected one of numeric, .* got the class float, not an instance",
    ),
    "an address": (make(exporters="http://c:4318"), "exporters: expected a list .* got str"),
    "config is a dict": (
        make(config={"window_seconds": 600}),
        r"config: expected a Config, such as Config\(window_seconds=600\), got dict",
    ),
    "misspelt option": (lambda _: Config(window_second=60), "did you mean window_seconds"),
    "on_alert is a text": (make(on_alert="mail"), "on_alert: expected a function.* got str"),
    "clock is a number": (make(clock=3), "clock: expected a function of no arguments, got int"),
    "clock is zero": (make(clock=0), "clock: expected a function of no arguments, got int"),
    "features is a text": (make(features="age"), "features: expected a sequence of names"),
    "segments is a text": (make(segments="line"), "segments: expected a sequence of names"),
    "ignore is a text": (make(ignore="age"), "ignore: expected a sequence of names"),
    "segments not fitted": (make(segments=["line"]), r"make it with Reference.fit\(\.\.\., seg"),
    "rules by name": (make(fields={"age": 0}), "fields: expected a list .*Field"),
    "rule of no field": (make(fields=[Field("agee")]), "fields: 'agee': the reference has no"),
    "minimum above": (
        make(fields=[Field("age", minimum=2, maximum=1)]),
        "minimum: expected at most the maximum",
    ),
    "unknown kind": (make(schema={"age": "float"}), "schema: 'age': expected one of numeric"),
    "watched text": (watch("predict"), "watch: expected a function"),
    "watched class": (watch(dict), "got the class dict: watch its method"),
    "unknown output": (watch(len, output="prob"), "output: expected 'value' or 'prob"),
    "names is a text": (watch(len, names="yes"), "names: expected a sequence of names"),
    "features that have defaults": (
        watch(lambda age, line="A": (age, line)),
        r"takes age, line: .*\(features='age'\) if .*\(features=\['age', 'line'\]\) if each",
    ),
    "id_from is a number": (watch(predict_row, id_from=3), "id_from: expected the name .* got int"),
    "id_from is misspelt": (
        watch(predict_row, id_from="reqest_id"),
        "has no argument 'reqest_id'; did you mean 'request_id'",
    ),
    "id_from beside features": (
        watch(predict_age, id_from="claim"),
        "id_from: predict_age has no argument 'claim'; it has: age, request_id",
    ),
    "watched features is a number": (watch(len, features=3), "features: expected .* got int"),
    "no watched features": (watch(len, features=[]), "features: expected .* got none"),
    "prediction is a float": (
        watch(len, prediction=0.5),
        "prediction: expected a key .* got float",
    ),
    "probabilities of one number": (
        watch(predict_row, output="probabilities", id_from="request_id"),
        "output: 'probabilities' is for one number per class, .*: leave output out",
    ),
    "nothing to fit": (fit({}), "features: expected at least one column with at least one row"),
    "one list": (fit([1, 2]), "expected a frame in memory, .* got a list of int"),
    "ragged": (fit({"a": [1, 2], "b": [1]}), "column 'b': expected 2 rows, got 1"),
    "matrix without names": (
        fit(np.ones((9, 3))),
        "names: expected 3, one for each column of the features, got 0: pass names= with 3",
    ),
    "too few names": (
        fit(np.ones((9, 3)), names=["a", "b"]),
        "names: expected 3, one for each column of the features, got 2: pass names= with 3",
    ),
    "lazy frame": (
        fit(pl.LazyFrame({"a": [1, 2]})),
        r"features: expected a frame in memory, got a LazyFrame: collect it first",
    ),
    "too few predictions": (
        fit(predictions=[1.0, 2.0]),
        f"predictions: expected one for each of the {ROWS} rows, got 2",
    ),
    "pairs for numbers": (
        fit(predictions=[[(0.1, 0.9)]] * ROWS),
        f"predictions: expected one for each of the {ROWS} rows, got rows of 1 values",
    ),
    "two shares for three classes": (
        fit(predictions=np.full((ROWS, 2), 0.5), output="probabilities", classes=["a", "b", "c"]),
        "predictions: expected 3 columns, one for each of classes=, got 2",
    ),
    "kind of no column": (fit(schema={"agee": "text"}), "schema: there is no column 'agee'"),
    "text for a moment": (fit(trained_at="2024"), "trained_at: expected a datetime, got str"),
    "segments of no column": (fit(segments=["region"]), "there is no column 'region' among"),
    "season without times": (fit(season="hour_of_day"), "season: expected together with times"),
    "unknown thresholds": (fit(thresholds="exact"), "thresholds: expected 'simulated' or 'asym"),
    "importance of no column": (
        fit(importances={"agee": 1.0}),
        "importances: there is no feature 'agee'; did you mean 'age'",
    ),
    "groups of a frame": (
        fit(pd.DataFrame(COLUMNS).groupby("line")),
        "features: expected a frame in memory, .* got DataFrameGroupBy",
    ),
    "headers as text": (
        lambda _: Otlp.collector("http://c:4318", headers="a=b"),  # type: ignore[arg-type]  # wrong on purpose
        "headers: expected texts by name, such as",
    ),
    "a timeout as text": (
        lambda _: Otlp.collector("http://c:4318", timeout_seconds="5"),  # type: ignore[arg-type]  # wrong on purpose
        "timeout_seconds: expected a number of seconds, more than 0",
    ),
    "a folder that is nothing": (
        lambda _: Files(None),  # type: ignore[arg-type]  # wrong on purpose
        "folder: expected the path of one, got NoneType",
    ),
    "objects": (fit({"a": [object(), object()]}), "column 'a': expected numbers, text, boo"),
    "no scheme": (lambda _: Otlp.collector("collector:4318"), "expected a URL such as http"),
    "port of gRPC": (lambda _: Otlp.collector("http://c:4317"), "4317 is the port of gRPC"),
    "a scraped page": (
        lambda _: Otlp.prometheus("http://host:9090/metrics"),
        "Otlp.prometheus: that page is scraped: give the server's base URL alone, such as http",
    ),
    "Mimir's own metrics": (
        lambda _: Otlp.mimir("http://host:9009/metrics/"),
        "Otlp.mimir: that page is scraped: give the server's base URL alone, such as http",
    ),
    "misspelt field": (
        lambda reference: Monitor("m", reference=reference).status().field("agee"),
        "no feature is called 'agee'; did you mean 'age'?",
    ),
    "forgotten role": (
        lambda reference: Monitor("m", reference=reference).status().field("prediction"),
        "there is one of role='prediction'",
    ),
    "a field of nothing": (
        lambda reference: Monitor("m", reference=reference).status().field("zzz"),
        "no feature is called 'zzz'; there are 'age', 'line'",
    ),
}


@pytest.mark.parametrize(("mistake", "answer"), AT_SET_UP.values(), ids=AT_SET_UP)
def test_a_mistake_at_set_up_is_refused_with_its_remedy(
    mistake: Callable[[Reference], object], answer: str, reference: Reference
) -> None:
    """The exception is raised by the wrong call itself."""
    with pytest.raises((ValueError, TypeError, KeyError), match=answer):
        mistake(reference)


def record(features: Any, predictions: Any, **options: Any) -> Callable[[Monitor], object]:
    """Return a wrong call of `record`."""
    return lambda monitor: monitor.record(features, predictions, **options)


def call(result: Any, row: Any, **options: Any) -> Callable[[Monitor], object]:
    """Return a wrong call of a watched function."""
    return lambda monitor: monitor.watch(**options)(lambda _row: result)(row)


BATCH = "features: expected a frame, columns by name, a two-dimensional array or a list of rows"


def set_in_block(attribute: str, value: object) -> Callable[[Monitor], object]:
    """Return a function that sets an attribute of a block."""

    def observe(monitor: Monitor) -> None:
        with monitor.observe({"age": 1.0, "line": "A"}) as prediction:
            setattr(prediction, attribute, value)

    return observe


WHILE_IT_RUNS: dict[str, tuple[Callable[[Monitor], object], str, int]] = {
    "lazy frame": (
        record(pl.LazyFrame({"age": [1.0, 2.0]}), [1.0, 2.0]),
        "features: expected a frame in memory, got a LazyFrame: collect it first",
        2,
    ),
    "lazy predictions": (
        record({"age": [1.0, 2.0]}, pl.LazyFrame({"p": [1.0, 2.0]})),
        "predictions: expected a frame in memory, got a LazyFrame: collect it first",
        2,
    ),
    "lazy frame to a watched function": (
        call([1.0], pl.LazyFrame({"age": [1.0]})),
        "features: expected a frame in memory, got a LazyFrame: collect it first",
        1,
    ),
    "generator": (
        record(({"age": age} for age in range(3)), [1.0, 2.0, 3.0]),
        f"{BATCH}, got generator: make a list of its rows first",
        3,
    ),
    "number": (record(7, [1.0, 2.0]), f"{BATCH}, got int", 2),
    "text": (record("age", [1.0, 2.0]), f"{BATCH}, got str", 2),
    "features and predictions swapped": (
        record(np.arange(40.0), {"age": np.arange(40.0), "line": ["A"] * 40}),
        f"{BATCH}, got 40 values of one dimension, which are one row here: pass features first",
        0,
    ),
    "one feature without its name": (
        record(np.arange(40.0), np.arange(40.0)),
        "and a single feature by its name, as in {'age': values}",
        40,
    ),
    "ids of customers": (
        record({"age": [1.0] * 9, "line": ["A"] * 9}, [1.0] * 9, ids=["a", "b", "c"] * 3),
        "ids: expected a different id for each prediction, but 6 of 9 rows have one that occurs",
        9,
    ),
    "series": (
        record(pd.Series([1.0, 2.0], name="age"), [1.0, 2.0]),
        f"{BATCH}, got a Series, which is one row here: pass a frame, as in series.to_frame()",
        2,
    ),
    "too few predictions": (
        record({"age": [1.0, 2.0, 3.0]}, [1.0, 2.0]),
        "predictions: expected one for each of the 3 rows, got 2",
        3,
    ),
    "too few ids": (
        record({"age": [1.0, 2.0]}, [1.0, 2.0], ids=["a"]),
        "ids: expected one for each of the 2 rows, got 1",
        2,
    ),
    "ragged": (
        record({"age": [1.0, 2.0], "line": ["A"]}, [1.0, 2.0]),
        "expected a value for each of the 2 rows in every column, but 'line' has 1",
        2,
    ),
    "misspelt part": (
        call({"score": 1.0}, {"age": 1.0}, prediction="scor"),
        (
            "prediction='scor': the result has no such part; it is one dict with 1 named part; "
            "did you mean 'score'?"
        ),
        1,
    ),
    "misspelt value": (
        set_in_block("valeu", 3),
        "observe: expected `value` to be set, got 'valeu'; did you mean 'value'?",
        1,
    ),
    "another name for the value": (
        set_in_block("prediction", 3),
        "observe: expected `value` to be set, got 'prediction'",
        1,
    ),
    "id set in the block": (
        set_in_block("id", "planted@x.example"),
        "observe: `id` is read-only: pass observe(..., prediction_id=...)",
        1,
    ),
    "key that is a value": (
        call({"planted@x.example": 0.3}, {"age": 1.0}, prediction="score"),
        "prediction='score': the result has no such part; it is one dict with 1 named part",
        1,
    ),
    "a function without a result": (
        call(None, {"age": 1.0, "line": "A"}),
        "prediction: expected a value, got None from every call: return the result from the",
        1,
    ),
    "a block without a value": (
        set_in_block("id_", None),
        "observe: expected `value` to be set, got 'id_'",
        1,
    ),
    "a text as row": (
        call(1.0, "age=1"),
        "features: expected one row (a mapping of names to values, or values in the order of the",
        1,
    ),
    "a number as row": (call(1.0, 3.0), "name the argument that holds the row in watch(feat", 1),
    "no row": (call(1.0, None), "got one value or nothing: name the argument that holds", 1),
    "a short row by position": (
        call(1.0, [3.0]),
        "features: expected 2 values by position (age, line), got 1: pass all of them in this",
        1,
    ),
    "a short vector": (call(1.0, np.array([3.0])), "expected 2 values by position", 1),
    "a narrow matrix": (record(np.ones((5, 1)), np.zeros(5)), "expected 2 values by position", 5),
    "an id that is nowhere": (
        call(1.0, {"age": 1.0, "line": "A"}, id_from="claim_number"),
        "id_from: expected 'claim_number' to be an argument or a value of the row, but neither",
        1,
    ),
    "two columns of one name": (
        record(pd.DataFrame(np.ones((5, 2)), columns=["age", "age"]), np.zeros(5)),
        "features: expected each column name once, got 'age' twice: rename one of them",
        5,
    ),
    "a generator as column": (
        record({"age": (age for age in range(3))}, [1.0, 2.0, 3.0]),
        "in every column, but 'age' is a generator: make a list of it first",
        3,
    ),
    "a text as figure": (
        lambda monitor: monitor.kpi("saved", "planted@x.example"),  # type: ignore[arg-type]  # wrong on purpose
        "kpi: 'saved': expected a number, got str",
        0,
    ),
    "one actual for two ids": (
        lambda monitor: monitor.label(["a", "b"], 3.0),
        "label: expected an actual for each of the 2 ids, got one float",
        0,
    ),
    "actuals in two columns": (
        lambda monitor: monitor.label(["a", "b"], pd.DataFrame({"x": [1, 2], "y": [1, 2]})),
        "actuals: expected one column, got a DataFrame of 2 columns: pass one of them, such as",
        0,
    ),
    "outcomes in two columns": (
        lambda monitor: monitor.record_outcomes([1.0], pl.DataFrame({"x": [1], "y": [1]})),
        "actuals: expected one column, got a DataFrame of 2 columns: pass one of them, such as",
        0,
    ),
    "ids without an order": (
        lambda monitor: monitor.label({"a", "b"}, [1.0, 2.0]),
        "order of the values that belong to them, got a set",
        0,
    ),
    "labels by id": (
        lambda monitor: monitor.label({"a": 1.0}, None),
        "order of the values that belong to them, got a dict",
        0,
    ),
    "ids by the name of their column": (
        record({"age": [1.0, 2.0]}, [1.0, 2.0], ids="claim"),
        "ids: expected one for each of the 2 rows, got 1: pass the column itself, not its name",
        2,
    ),
    "one share for two names": (
        call(0.9, {"age": 1.0, "line": "A"}, output="probabilities", names=["no", "yes"]),
        "prediction: expected 2 columns, one for each of names=, got 1: name all of them",
        1,
    ),
    "one prediction for two rows": (
        call([1.0], pd.DataFrame({"age": [1.0, 2.0], "line": ["A", "B"]})),
        "prediction: expected one for each of the 2 rows, got 1",
        2,
    ),
    "two shares for three names": (
        call([0.1, 0.9], {"age": 1.0}, output="probabilities", names=["a", "b", "c"]),
        "prediction: expected 3 columns, one for each of names=, got 2",
        1,
    ),
}


@pytest.mark.parametrize(("mistake", "answer", "rows"), WHILE_IT_RUNS.values(), ids=WHILE_IT_RUNS)
def test_a_mistake_at_run_time_raises_nothing_and_is_the_last_error(
    mistake: Callable[[Monitor], object], answer: str, rows: int, reference: Reference
) -> None:
    """The host continues, its rows are counted, and the status says what to do."""
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        mistake(monitor)
        status = monitor.status()
    assert status.internal_errors == 1
    assert answer in str(status.last_error)
    assert "planted" not in str(status.last_error)
    assert status.predictions == rows


def test_a_model_that_abstains_at_times_is_not_reported_as_a_mistake(reference: Reference) -> None:
    """Once values were seen, a None counts as a missing prediction and a text as an invalid row."""
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        watched = monitor.watch(lambda row: row["age"] if isinstance(row, dict) else 1.0)
        watched({"age": 1.0, "line": "A"})
        monitor.status()
        watched({"age": None, "line": "A"})
        watched("a text")
        status = monitor.status()
    assert (status.predictions, status.internal_errors) == (3, 0)
    assert status.field("prediction", role="prediction").quality["missing"] == 1


def test_a_misspelt_class_is_named_beside_the_class_of_the_reference(
    rng: np.random.Generator,
) -> None:
    """The warning lists the classes that only the reference has and those that only arrive live."""
    reference = fit_reference(
        COLUMNS,
        predictions=rng.dirichlet([1, 1], ROWS),
        output="probabilities",
        classes=["no", "yes"],
    )
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        watched = monitor.watch(output="probabilities", names=["no", "yess"])(lambda _: [0.2, 0.8])
        watched({"age": 1.0, "line": "A"})
        warning = monitor.status().reference_warning
    assert warning is not None
    assert "only there: prediction.yes; only here: prediction.yess" in warning


def test_a_series_is_read_as_one_row_if_there_is_one_prediction(reference: Reference) -> None:
    """A row taken from a frame with `iloc` can be recorded unchanged."""
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(pd.DataFrame(COLUMNS).iloc[0], 1.0)
        status = monitor.status()
    assert (status.predictions, status.internal_errors) == (1, 0)
    assert status.field("age").count == 1


def test_positional_values_are_read_as_features_in_the_order_of_the_reference(
    reference: Reference,
) -> None:
    """A function of `*args` names no feature, so the names come from the reference."""

    def predict(*values: Any) -> float:
        return float(values[0])

    with Monitor("m", reference=reference, exporters=[]) as monitor:
        watched = monitor.watch(predict)
        watched(30.0, "A")
        status = monitor.status()
    assert (status.predictions, status.internal_errors) == (1, 0)
    assert status.field("age").count == status.field("line").count == 1


def test_an_id_inside_the_row_needs_no_argument_of_that_name(reference: Reference) -> None:
    """`id_from` is accepted although the signature has a parameter with a similar name."""

    def predict(row: Any, request: str = "") -> float:
        return float(row["age"]) if request is not None else 0.0

    with Monitor("m", reference=reference, exporters=[]) as monitor:
        watched = monitor.watch(id_from="request_id")(predict)
        watched({"age": 3.0, "line": "A", "request_id": "r-1"})
        monitor.status()
        monitor.label("r-1", 3.0)
        assert monitor.status().labels["matched"] == 1


def test_a_misspelt_value_raises_nothing_if_the_monitor_is_switched_off() -> None:
    """A program that runs with the monitor on must also run with it off."""
    monitor = Monitor("m", exporters=[], config=Config(enabled=False))
    set_in_block("valeu", 3)(monitor)
    with monitor.observe({"age": 1.0}) as prediction:
        prediction.value = 2.0
    assert prediction.value == 2.0
    assert monitor.status().internal_errors == 0


@pytest.mark.parametrize(
    "actuals",
    [pd.DataFrame({"y": [1.0, 2.0]}), pl.DataFrame({"y": [1.0, 2.0]}), pa.table({"y": [1.0, 2.0]})],
    ids=["pandas", "polars", "pyarrow"],
)
def test_a_frame_of_one_column_is_read_as_that_column(actuals: Any, reference: Reference) -> None:
    """Queries return actuals and ids in such frames."""
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        ids = pd.DataFrame({"id": ["a", "b"]})
        monitor.record({"age": [1.0, 2.0], "line": ["A", "B"]}, [1.0, 2.0], ids=ids)  # type: ignore[arg-type]  # a frame is no sequence
        monitor.label(ids, actuals)
        monitor.record_outcomes([1.0, 2.0], actuals)
        status = monitor.status()
    assert status.last_error is None
    assert status.labels["matched"] == 4


def test_labels_that_match_no_prediction_are_logged_once_with_the_remedy(
    reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    """Predictions without ids cannot be labelled; a count alone would not tell the user so."""
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(COLUMNS, PREDICTIONS)
        monitor.label([str(row) for row in range(20)], PREDICTIONS[:20])
    (warning,) = [r.getMessage() for r in caplog.records if "labels" in r.getMessage()]
    assert warning.startswith("m: none of 20 labels has found its prediction: give predictions the")
    assert "record(ids=...)" in warning


def test_a_callback_whose_signature_cannot_be_read_is_accepted(reference: Reference) -> None:
    """Some callables have no readable signature; checking them must not raise."""
    callback = Unannotated()
    with pytest.raises(NameError):
        inspect.signature(callback)
    with Monitor("m", reference=reference, exporters=[], on_alert=callback) as monitor:
        assert monitor.status().internal_errors == 0
