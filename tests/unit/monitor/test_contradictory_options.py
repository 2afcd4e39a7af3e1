"""Options that contradict each other or the reference are refused when a monitor is created.

A misspelt column that need not be a feature shows only in the rows: it is counted, logged once, and
in the status.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlmonitor import Config, ConfigError, Field, Kpi, Metric, Monitor, Objective, Reference
from support.references import fit_reference

ROWS = 60
COLUMNS: dict[str, Any] = {
    "age": np.arange(float(ROWS)),
    "line": ["home", "motor"] * (ROWS // 2),
    "customer_id": [str(row // 3) for row in range(ROWS)],
}
PREDICTIONS = np.arange(float(ROWS))


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of a number, a category and a prediction, with grouped rows."""
    return fit_reference(COLUMNS, predictions=PREDICTIONS, groups="customer_id")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "groups of another column": (
        {"groups": "account"},
        "groups: the groups of the reference are those of 'customer_id', not of 'account'",
    ),
    "a list of groups": ({"groups": ["customer_id"]}, "groups: expected the name .* got list"),
    "a kind of no field": (
        {"schema": {"Age": "numeric"}},
        "schema: 'Age': the reference has no such field; did you mean 'age'",
    ),
    "one edge without a list": ({"buckets": {"age": 5}}, "buckets: 'age': expected asc.* got int"),
    "edges as text": ({"buckets": {"age": "5"}}, "buckets: 'age': expected asc.* got str"),
    "an edge that is text": ({"buckets": {"age": ["5"]}}, "got str among them"),
    "an edge that is a truth": ({"buckets": {"age": [True]}}, "got bool among them"),
    "no edge": ({"buckets": {"age": []}}, "1 to 100 of them, got 0"),
    "an edge that is NaN": ({"buckets": {"age": [1, np.nan]}}, "got one that is not finite"),
    "edges that fall": ({"buckets": {"age": [2, 1]}}, "got a number below the one before it"),
    "the same edge twice": ({"buckets": {"age": [1, 1]}}, "got the same number twice"),
    "edges in a set": ({"buckets": {"age": {1, 2}}}, "got set"),
    "fields without edges": ({"buckets": ["age"]}, "buckets: expected edges by feature.* got list"),
    "buckets of a category": (
        {"buckets": {"line": [1]}},
        "buckets: 'line': expected a numeric feature, but it is categorical in the reference",
    ),
    "buckets of the prediction": ({"buckets": {"prediction": [1]}}, "kept by prediction anyway"),
    "no list of names": ({"ignore": None}, "ignore: expected a sequence of names, got NoneType"),
    "the same name twice": ({"ignore": ["a", "a"]}, "expected each name once, got 'a' twice"),
    "an empty name": ({"ignore": [""]}, "ignore: expected names, got an empty text"),
    "one measure": ({"metrics": Metric("a", max)}, "metrics: expected a list.* got Metric"),
    "a measure by name": ({"metrics": ["mae"]}, "metrics: expected Metric objects.* got str"),
    "a measure without a function": ({"metrics": [Metric("a", 3)]}, "metrics: 'a': .* got int"),  # type: ignore[arg-type]  # wrong on purpose
    "a measure that is there": ({"metrics": [Metric("mae", max)]}, "metrics: 'mae': expected a na"),
    "a misspelt measure": (
        {"objectives": [Objective("accurracy", minimum=0.9)]},
        "objectives: no measure 'accurracy'; did you mean 'accuracy'",
    ),
    "one figure": ({"kpis": Kpi("a", len)}, r"kpis: expected a list, such as \[Kpi"),  # type: ignore[arg-type]  # wrong on purpose
    "a rule of a misspelt field": (
        {"fields": [Field("agee")]},
        "fields: 'agee': the reference has no such feature; did you mean 'age'",
    ),
    "a rule of an ignored field": (
        {"fields": [Field("age", minimum=0)], "ignore": ["age"]},
        "fields: 'age' is among ignore, so its values are not read",
    ),
    "a rule of another kind": (
        {"fields": [Field("age", kind="categorical")]},  # type: ignore[arg-type]  # a text is a kind
        "fields: 'age': kind: it is numeric in the reference, not categorical",
    ),
    "a bound of categories": (
        {"fields": [Field("x", kind="categorical", minimum=0)], "reference": None},  # type: ignore[arg-type]  # as above
        "fields: 'x': minimum: expected allowed, because its values are categorical",
    ),
    "a class for a rule": ({"fields": [Field]}, "got the class Field, not an instance"),
    "a class for a config": (
        {"config": Config},
        "config: .* got the class Config, not an inst",
    ),
    "a reference as name": ({"model": Config()}, "model: expected a name, such as .* got Config"),
    "a blank name": ({"model": " "}, "model: expected a name, such as .* got an empty text"),
}


@pytest.mark.parametrize(("options", "answer"), REFUSED.values(), ids=REFUSED)
def test_an_option_that_contradicts_the_reference_or_itself_is_refused(
    options: dict[str, Any], answer: str, reference: Reference
) -> None:
    """The error is raised before a row is recorded, with the option and what was expected."""
    with pytest.raises(ConfigError, match=answer):
        Monitor(**{"model": "m", "reference": reference, "exporters": [], **options})


THREE_BUCKETS = {"(-inf, 20]": 21, "(20, 40]": 20, "(40, inf)": 19}


@pytest.mark.parametrize(
    ("edges", "rows"),
    [
        ([20], {"(-inf, 20]": 21, "(20, inf)": 39}),
        ((20, 40), THREE_BUCKETS),
        (np.array([20, 40]), THREE_BUCKETS),
        (range(20, 50, 20), THREE_BUCKETS),
        (pd.Series([20, 40]), THREE_BUCKETS),
    ],
    ids=["one edge", "tuple", "array", "range", "Series"],
)
def test_edges_of_buckets_may_be_in_any_sequence(
    edges: Any, rows: dict[str, int], reference: Reference
) -> None:
    """One edge makes two buckets, numpy's numbers are allowed, and rows are in their buckets."""
    with Monitor("m", reference=reference, exporters=[], buckets={"age": edges}) as monitor:
        monitor.record_outcomes(PREDICTIONS, PREDICTIONS + 1.0, features=COLUMNS)
        by_age = monitor.status().performance.by("age")
    assert {name: bucket["mae"].count for name, bucket in by_age.items()} == rows


def test_declared_columns_that_no_row_has_are_logged_once_with_a_similar_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They need not be features of the reference, so only the rows can show it."""
    own = fit_reference({"age": COLUMNS["age"]}, predictions=PREDICTIONS)
    with Monitor(
        "m", reference=own, exporters=[], groups="custmer_id", buckets={"amount": [1, 2]}
    ) as monitor:
        for _ in range(2):
            monitor.record(COLUMNS, PREDICTIONS)
            monitor.flush(timeout_seconds=20)
        status = monitor.status()
    assert status.absent_columns == {
        "groups custmer_id (there is customer_id)": 2 * ROWS,
        "buckets amount": 2 * ROWS,
    }
    text = "groups custmer_id (there is customer_id) 120, buckets amount 120"
    assert text in " ".join(str(status).split())
    (warning,) = [r.getMessage() for r in caplog.records if "declared column" in r.getMessage()]
    assert "none of 60 rows has a value of a declared column: groups custmer_id" in warning
    assert "correct the name in the option, or pass the column" in warning


def test_a_declared_column_that_most_rows_have_is_not_reported(
    caplog: pytest.LogCaptureFixture, reference: Reference
) -> None:
    """A row may have no customer, and a first call may lack the column."""
    caplog.set_level(logging.WARNING, "mlmonitor")
    with Monitor("m", reference=reference, exporters=[], groups="customer_id") as monitor:
        predict = monitor.watch(lambda row: row["age"])
        predict({"age": 1.0, "line": "home"})
        monitor.flush(timeout_seconds=20)
        for row in range(20):
            predict({"age": 1.0, "line": "home", "customer_id": str(row) if row % 4 else None})
        monitor.flush(timeout_seconds=20)
        assert monitor.status().absent_columns == {}
    assert not [r for r in caplog.records if "declared column" in r.getMessage()]


def test_missing_groups_are_reported_if_the_reference_has_them(
    caplog: pytest.LogCaptureFixture, reference: Reference
) -> None:
    """Rows without a group count as independent, so more false alerts fire."""
    rows = {"age": COLUMNS["age"], "line": COLUMNS["line"], "customerid": COLUMNS["customer_id"]}
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(rows, PREDICTIONS)
        absent = monitor.status().absent_columns
    name = "groups of the reference customer_id (there is customerid)"
    assert absent == {name: ROWS}
    (warning,) = [r.getMessage() for r in caplog.records if "declared column" in r.getMessage()]
    assert name in warning


def _record(monitor: Monitor) -> None:
    monitor.record(COLUMNS, PREDICTIONS)


def _record_outcomes(monitor: Monitor) -> None:
    monitor.record_outcomes(PREDICTIONS, PREDICTIONS, features=COLUMNS)


@pytest.mark.parametrize("record", [_record, _record_outcomes])
def test_buckets_of_a_column_without_numbers_are_reported(
    record: Callable[[Monitor], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A misspelt column and one of texts leave all rows without a bucket."""
    edges = {"agee": [20], "line": [1], "age": [20]}
    with Monitor("m", exporters=[], buckets=edges) as monitor:
        record(monitor)
        absent = monitor.status().absent_columns
    assert absent == {
        "buckets agee (there is age)": ROWS,
        "buckets line (its values are not numbers: split by them with segments=)": ROWS,
    }
    assert [r for r in caplog.records if "buckets line" in r.getMessage()]


def test_columns_declared_for_learning_are_reported_if_no_row_has_them() -> None:
    """Without a reference, only the rows can show that a kind or a segment is misspelt."""
    with Monitor(
        "m",
        exporters=[],
        segments=["lin"],
        schema={"agee": "numeric"},
        config=Config(baseline_rows=ROWS),
    ) as monitor:
        monitor.record(COLUMNS, PREDICTIONS)
        absent = monitor.status().absent_columns
    assert absent == {"segments lin (there is line)": ROWS, "schema agee (there is age)": ROWS}
