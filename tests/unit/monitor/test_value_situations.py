"""Values as users bring them: training data and live rows agree on what one value is."""

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlmonitor import ConfigError, Field, Monitor, Reference, SchemaError
from mlmonitor.formats.reference import CategoricalReference, NumericReference
from mlmonitor.records import Quality
from support.references import fit_reference

ROWS = 300
RNG = np.random.default_rng(7)
NUMBERS = {"x": RNG.normal(size=ROWS)}
WHEN = [dt.datetime.fromisoformat(f"2024-01-0{1 + day % 4}T12:00:00") for day in range(ROWS)]

DATETIMES: dict[str, Callable[[], Any]] = {
    "a frame of unit us": lambda: pd.DataFrame({"c": WHEN}),
    "a frame of unit ns": lambda: pd.DataFrame({"c": pd.Series(WHEN).astype("M8[ns]")}),
    "a frame with a zone": lambda: pd.DataFrame(
        {"c": pd.Series(WHEN).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")}
    ),
    "a frame over arrow": lambda: pd.DataFrame(
        {"c": pd.Series(WHEN).astype("timestamp[us][pyarrow]")}
    ),
    "polars": lambda: pl.DataFrame({"c": WHEN}),
    "arrow": lambda: pa.table({"c": WHEN}),
    "a numpy column": lambda: {"c": np.array(WHEN, "M8[ns]")},
    "a list": lambda: {"c": WHEN},
    "rows": lambda: [{"c": when} for when in WHEN],
    "rows of timestamps": lambda: [{"c": pd.Timestamp(when)} for when in WHEN],
    "records": lambda: pd.DataFrame({"c": pd.Series(WHEN).astype("M8[ns]")}).to_records(
        index=False
    ),
}
OBJECTS: dict[str, list[Any]] = {
    "decimals": [Decimal(at % 3) for at in range(ROWS)],
    "fractions": [Fraction(at % 3, 2) for at in range(ROWS)],
    "scalars of numpy": [np.int8(at % 3) for at in range(ROWS)],
    "ids": [uuid.UUID(int=at % 3) for at in range(ROWS)],
    "times of day": [dt.time(at % 3) for at in range(ROWS)],
    "periods": [pd.Period(ordinal=at % 3, freq="M") for at in range(ROWS)],
    "intervals of pd.cut": list(pd.cut(pd.Series(np.arange(ROWS) % 9), 3)),
    "durations": [dt.timedelta(hours=at % 3) for at in range(ROWS)],
    "bytes": [b"ab"[at % 2 : at % 2 + 1] for at in range(ROWS)],
    "scalars of arrow": [pa.scalar(at % 3) for at in range(ROWS)],
}


@pytest.fixture
def monitors() -> Iterator[list[Monitor]]:
    """Return a list of monitors, all of which are closed after the test."""
    opened: list[Monitor] = []
    yield opened
    for monitor in opened:
        monitor.close()


def watch(monitors: list[Monitor], reference: Reference | None, **options: Any) -> Monitor:
    """Return a monitor that exports nothing."""
    monitors.append(Monitor("m", reference=reference, exporters=[], **options))
    return monitors[-1]


def qualities(monitor: Monitor, features: Any) -> dict[Quality, int]:
    """Record features and return the quality counts of the feature `c`."""
    monitor.record(features, None)
    monitor.flush()
    quality = monitor.status().field("c").quality
    return {kind: count for kind, count in quality.items() if count}


def record_predictions(monitors: list[Monitor], predictions: Any, **options: Any) -> Monitor:
    """Record predictions with a monitor whose reference was fitted on them; return the monitor."""
    reference = fit_reference(NUMBERS, predictions=predictions, output=options["output"])
    monitor = watch(monitors, reference)
    monitor.record(NUMBERS, predictions, **options)
    monitor.flush()
    return monitor


@pytest.mark.parametrize("live", DATETIMES)
@pytest.mark.parametrize("trained", ["a frame of unit us", "a frame of unit ns", "a list"])
def test_categorical_datetimes_have_the_same_name_at_fit_and_live(
    monitors: list[Monitor], trained: str, live: str
) -> None:
    """Whatever type holds the datetime, the reference recognises its category."""
    reference = fit_reference(DATETIMES[trained](), schema={"c": "categorical"})
    quality = qualities(watch(monitors, reference), DATETIMES[live]())
    assert quality == {Quality.VALID: ROWS}


@pytest.mark.parametrize("live", ["rows of timestamps", "a frame with a zone", "records"])
def test_datetimes_can_define_segments_in_every_form(monitors: list[Monitor], live: str) -> None:
    """No row falls into the rest because its day is named differently than in the reference."""
    reference = fit_reference(DATETIMES["a list"](), segments=["c"])
    monitor = watch(monitors, reference, segments=["c"])
    monitor.record(DATETIMES[live](), None)
    monitor.flush()
    segments = monitor.status().segments
    assert segments["__other__"].predictions == 0
    assert sum(segment.predictions for segment in segments.values()) == ROWS


@pytest.mark.parametrize("form", ["rows", "column", "frame"])
@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_that_represent_one_value_are_categories(
    monitors: list[Monitor], kind: str, form: str
) -> None:
    """Decimals, UUIDs, times, intervals and the like have the same name at fit and live."""
    values = OBJECTS[kind]
    live = {
        "rows": [{"c": value} for value in values],
        "column": {"c": values},
        "frame": pd.DataFrame({"c": pd.Series(values, dtype=object)}),
    }
    reference = fit_reference({"c": values}, schema={"c": "categorical"})
    assert qualities(watch(monitors, reference), live[form]) == {Quality.VALID: ROWS}


def test_decimals_and_fractions_that_are_0_or_1_count_as_booleans(monitors: list[Monitor]) -> None:
    """A boolean field accepts equal numbers of any type."""
    reference = fit_reference({"c": [True, False] * 50})
    live = {"c": [Decimal(1), Fraction(0), np.float32(1), np.uint8(0)]}
    assert qualities(watch(monitors, reference), live) == {Quality.VALID: 4}


@pytest.mark.parametrize(
    ("column", "kind", "missing"),
    [
        (pd.Series([1, 2] * 50, dtype="Int64"), "numeric", 0),
        (pd.array([1, None] * 50, dtype="Int64"), "numeric", 50),
        (pd.array([1.5, None] * 50, dtype="Float64"), "numeric", 50),
        (pd.array([True, None] * 50, dtype="boolean"), "boolean", 50),
        (pd.array(["a", None] * 50, dtype="string"), "categorical", 50),
        (pd.Categorical(["a", None] * 50), "categorical", 50),
        (pl.Series([1, None] * 50), "numeric", 50),
        (pa.array([1, None] * 50), "numeric", 50),
        (pa.array(["a", None] * 50).dictionary_encode(), "categorical", 50),
    ],
    ids=[
        "Int64",
        "Int64 with gaps",
        "Float64",
        "boolean",
        "string",
        "category",
        "polars",
        "arrow",
        "dictionary",
    ],
)
def test_a_nullable_column_is_read_alike_in_a_dict_and_in_a_frame(
    monitors: list[Monitor], column: Any, kind: str, missing: int
) -> None:
    """Its gaps are missing values, and the rest keep their kind."""
    reference = fit_reference({"c": column})
    (entry,) = reference.content.fields
    assert (entry.kind, entry.missing) == (kind, missing)
    quality = qualities(watch(monitors, reference), {"c": column})
    assert quality.get(Quality.MISSING, 0) == missing
    assert set(quality) <= {Quality.VALID, Quality.MISSING}


@pytest.mark.parametrize("make", [lambda v: pd.Series(v, dtype="Int64"), pl.Series, pa.array])
def test_ids_of_64_bits_beside_gaps_stay_exact(make: Callable[[Any], Any]) -> None:
    """As floats, 2**53 and 2**53 + 1 would be the same id."""
    ids = [2**53, 2**53 + 1, None] * 50
    (entry,) = fit_reference({"c": make(ids)}, schema={"c": "categorical"}).content.fields
    assert isinstance(entry, CategoricalReference)
    assert {*entry.categories} == {str(2**53), str(2**53 + 1)}


def test_dates_and_durations_of_a_records_array_are_not_read_as_integers() -> None:
    """`df.to_records()` holds nanoseconds, which stand for dates and seconds."""
    hours = np.arange(ROWS) % 5
    frame = pd.DataFrame(
        {
            "when": pd.Series(WHEN).astype("M8[ns]"),
            "took": pd.to_timedelta(hours, unit="h").astype("m8[ns]"),
        }
    )
    when, took = fit_reference(frame.to_records(index=False)).content.fields
    assert (when.kind, took.kind) == ("datetime", "numeric")
    assert isinstance(when, NumericReference)
    assert isinstance(took, NumericReference)
    assert took.mean == pytest.approx(float(hours.mean()) * 3_600)
    assert when.max == dt.datetime(2024, 1, 4, 12, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize("later", [["a"], [1.5], [True], [WHEN[0]]], ids=repr)
def test_a_column_that_was_all_missing_is_reported_and_accepts_any_value_later(
    monitors: list[Monitor], caplog: pytest.LogCaptureFixture, later: list[Any]
) -> None:
    """The fit reports it; values that arrive later are valid and lower the missing rate."""
    with caplog.at_level(logging.WARNING, logger="mlmonitor"):
        reference = fit_reference({**NUMBERS, "c": [None] * ROWS})
    assert "all values are missing in 'c'" in caplog.text
    live = {**NUMBERS, "c": later * ROWS}
    monitor = watch(monitors, reference)
    assert qualities(monitor, live) == {Quality.VALID: ROWS}
    assert monitor.status().field("c").psi > 1
    reasons = {alert.field: alert.reason for alert in monitor.status().alerts}
    assert reasons["c"] == "missing: 100% before, 0% now"


@pytest.mark.parametrize("output", ["value", "probabilities"])
def test_a_list_of_arrays_is_read_output_by_output(monitors: list[Monitor], output: str) -> None:
    """scikit-learn's `predict_proba` returns such a list for several outputs."""
    proba = [RNG.dirichlet([1, 1], ROWS), RNG.dirichlet([1, 1, 1], ROWS)]
    monitor = record_predictions(monitors, proba, output=output)
    names = [f.name for f in monitor.status().fields if f.name.startswith("prediction")]
    columns = {
        f"prediction.{i}.{j}" for i, matrix in enumerate(proba) for j in range(matrix.shape[1])
    }
    labels = {"prediction.0", "prediction.1"} if output == "probabilities" else set()
    assert {*names} == columns | labels
    assert monitor.status().internal_errors == 0
    mean = monitor.status().field("prediction.1.2", role="prediction").mean
    assert mean == pytest.approx(float(proba[1][:, 2].mean()))


@pytest.mark.parametrize(
    "classes", [np.array([0, 1, 2]), np.array(["a", "b", "c"]), pd.Index([5, 6, 7])], ids=str
)
def test_classes_may_be_an_array_of_the_type_of_the_actuals(
    monitors: list[Monitor], classes: Any
) -> None:
    """`classes=model.classes_` and `names=model.classes_` both work with integer actuals."""
    proba = RNG.dirichlet([1, 1, 1], ROWS)
    actuals = np.asarray(classes)[RNG.integers(0, 3, ROWS)]
    reference = fit_reference(
        NUMBERS, predictions=proba, output="probabilities", classes=classes, actuals=actuals
    )
    entries = {entry.name: entry for entry in reference.content.fields}
    label, actual = entries["prediction"], entries["actual"]
    assert isinstance(label, CategoricalReference)
    assert isinstance(actual, CategoricalReference)
    assert {*label.categories} == {*actual.categories} == {str(name) for name in classes}
    monitor = watch(monitors, reference)
    monitor.record(NUMBERS, proba, output="probabilities", names=classes)
    with monitor.observe({"x": 1.0}, output="probabilities", names=classes) as prediction:
        prediction.value = [0.2, 0.3, 0.5]
    monitor.flush()
    assert monitor.status().internal_errors == 0
    assert (
        monitor.status().field("prediction", role="prediction").quality[Quality.VALID] == ROWS + 1
    )


def test_boolean_classes_match_boolean_actuals() -> None:
    """The `classes_` of a binary classifier may be `[False, True]`."""
    reference = fit_reference(
        NUMBERS,
        predictions=RNG.dirichlet([1, 1], ROWS),
        output="probabilities",
        classes=np.array([False, True]),
        actuals=RNG.random(ROWS) > 0.5,
    )
    entries = {entry.name: entry for entry in reference.content.fields}
    for name in ("prediction", "actual"):
        entry = entries[name]
        assert isinstance(entry, CategoricalReference)
        assert {*entry.categories} == {"false", "true"}


def test_actuals_that_name_no_class_are_refused() -> None:
    """Positions instead of names are the usual mistake; the message says how to convert them."""
    with pytest.raises(SchemaError, match="expected names of classes"):
        fit_reference(
            NUMBERS,
            predictions=RNG.dirichlet([1, 1], ROWS),
            output="probabilities",
            classes=["no", "yes"],
            actuals=RNG.integers(0, 2, ROWS),
        )


def test_two_columns_for_three_names_are_an_error_that_states_both_numbers(
    monitors: list[Monitor],
) -> None:
    """The rows are counted; the last error states what was expected and what arrived."""
    monitor = watch(monitors, None)
    names = ["a", "b", "c"]
    monitor.record(NUMBERS, RNG.dirichlet([1, 1], ROWS), output="probabilities", names=names)
    monitor.flush()
    assert "expected 3 columns, one for each of names=, got 2" in str(monitor.status().last_error)
    assert monitor.status().predictions == ROWS


@pytest.mark.parametrize(
    ("result", "parts"),
    [
        ({"score": 1.0, "label": "x"}, "is one dict with 2 named parts; did you mean 'score'?"),
        ([1.0, 2.0], "is one list of 2"),
    ],
    ids=repr,
)
def test_a_missing_key_of_a_result_is_reported_with_the_number_of_keys_and_a_close_match(
    monitors: list[Monitor], result: Any, parts: str
) -> None:
    """Other keys are not listed, because they may hold personal data."""
    monitor = watch(monitors, None)
    assert monitor.watch(prediction="scor")(lambda _row: result)({"x": 1.0}) is result
    error = str(monitor.status().last_error)
    assert "prediction='scor'" in error
    assert parts in error


def test_ambiguous_arguments_of_a_watched_function_must_be_declared(
    monitors: list[Monitor],
) -> None:
    """`def predict(age, line)` is refused at decoration; the message shows both declarations."""

    def predict(age, line):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as users write it
        return age

    with pytest.raises(ConfigError, match=r"features=\['age', 'line'\]"):
        watch(monitors, None).watch(predict)


def test_arguments_annotated_as_values_are_read_as_one_feature_each(
    monitors: list[Monitor],
) -> None:
    """An argument annotated as a number or a text cannot be a row."""
    reference = fit_reference({"age": [1.0, 2.0] * 50, "line": ["a", "b"] * 50})
    monitor = watch(monitors, reference)

    @monitor.watch
    def predict(age: float, line: str = "a", model: object = None) -> float:
        return age

    predict(1.0, "b")
    predict(age=2.0)
    monitor.flush()
    status = monitor.status()
    for name in ("age", "line"):
        assert status.field(name).quality[Quality.VALID] == 2
    assert not {"age", "line", "model"} & {*status.unknown_fields}


@pytest.mark.parametrize(
    ("rule", "violations"),
    [
        (Field("when", minimum=pd.Timestamp("2024-01-01", tz="UTC")), 1),
        (Field("when", minimum=np.datetime64("2024-01-01", "ns")), 1),  # type: ignore[arg-type]  # read all the same
        (Field("took", maximum=dt.timedelta(hours=5)), 1),  # type: ignore[arg-type]  # as above
        (Field("line", allowed=np.array(["a", "b"])), 1),  # type: ignore[arg-type]  # as above
        (Field("line", allowed=pd.Index(["a", "b"])), 1),
        (Field("day", allowed=pd.date_range("2024-01-01", periods=3)), 1),
    ],
    ids=repr,
)
def test_rules_read_bounds_and_allowed_values_in_the_same_way_as_rows(
    monitors: list[Monitor], rule: Field, violations: int
) -> None:
    """Timestamps, durations, arrays and indexes are accepted in rules, too."""
    reference = fit_reference(
        {
            "when": WHEN,
            "took": [dt.timedelta(hours=at % 5) for at in range(ROWS)],
            "line": ["a", "b"] * (ROWS // 2),
            "day": [dt.date(2024, 1, 1 + at % 3) for at in range(ROWS)],
        },
        schema={"day": "categorical"},
    )
    monitor = watch(monitors, reference, fields=[rule])
    live = {
        "when": pd.to_datetime(["2023-01-01", "2024-01-02"]),
        "took": pd.to_timedelta([1, 30], unit="h"),
        "line": ["a", "z"],
        "day": pd.to_datetime(["2024-01-01", "2024-02-02"]),
    }
    monitor.record(live, None)
    monitor.flush()
    assert sum(monitor.status().violations.values()) == violations
