"""Declared rules: counted exactly, reported when violated, refused at set-up if contradictory."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Alert, Config, ConfigError, Field, Kind, Monitor, Role
from mlmonitor.compare.quality.rules import Rules
from mlmonitor.records import Block, Schema
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

TRAINING = {
    "age": [30.0, 40.0, 50.0, None],
    "line": ["home", "motor", "home", "motor"],
    "flag": [True, False, True, False],
    "note": ["so it is", "a word or two", "as it was", "nothing"],
    "when": [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)],
}
REFERENCE = fit_reference(TRAINING, predictions=[1.0, 2.0, 3.0, 4.0], schema={"note": "text"})


@given(
    st.lists(st.one_of(st.just(math.nan), st.floats(-10, 10)), min_size=1, max_size=60),
    st.floats(-10, 10),
    st.floats(-10, 10),
)
def test_every_value_beyond_a_bound_is_counted(
    values: list[float], minimum: float, maximum: float
) -> None:
    """The bounds belong to what is allowed; what is no number breaks neither."""
    schema = Schema([Field("x")])
    rules = Rules(schema, [Field("x", minimum=minimum, maximum=maximum)])
    x = np.array([values])
    rules.update(Block(len(values), x, np.zeros((1, 3), np.int64), []))
    assert rules.counts.tolist() == [int((x < minimum).sum()), int((x > maximum).sum())]


def recorded(
    fields: list[Field], *batches: dict[str, Any], predictions: Any = 0.0
) -> tuple[Monitor, list[Alert], InMemoryExporter]:
    """A closed monitor that was given these batches, what it found, and what it sent."""
    alerts: list[Alert] = []
    exporter = InMemoryExporter()
    monitor = Monitor(
        "m",
        reference=REFERENCE,
        exporters=[exporter],
        fields=fields,
        on_alert=alerts.append,
        config=Config(export_interval_seconds=3_600, alpha=1e-9),
    )
    for batch in batches:
        rows = len(next(iter(batch.values())))
        whole = {name: (column * rows)[:rows] for name, column in TRAINING.items()} | batch
        monitor.record(whole, np.full(rows, predictions))
        assert monitor.flush(timeout_seconds=60)
    monitor.close()
    return monitor, alerts, exporter


@pytest.mark.parametrize(
    ("field", "values", "constraint", "count"),
    [
        (Field("age", minimum=0), [-1.0, 0.0, 5.0, None], "minimum", 1),
        (Field("age", maximum=120), [121.0, 120.0, 500.0, 1.0], "maximum", 2),
        (Field("age", nullable=False), [None, math.nan, 1.0, 2.0], "nullable", 2),
        (Field("line", allowed=["home"]), ["home", "boat", "motor", None], "allowed", 2),
        (Field("line", nullable=False), ["home", None, "motor", "home"], "nullable", 1),
        (Field("flag", allowed=[True]), [True, False, 1, 0], "allowed", 2),
        (
            Field("when", minimum=datetime(2024, 1, 2, tzinfo=UTC)),
            TRAINING["when"],
            "minimum",
            1,
        ),
    ],
)
def test_a_broken_rule_is_counted_and_reported(
    field: Field, values: list[object], constraint: str, count: int
) -> None:
    """It is in the counter and the status by constraint, and in an alert without any value."""
    monitor, alerts, exporter = recorded([field], {field.name: values})
    (alert,) = [f for f in alerts if f.measure == constraint]
    assert (alert.field, alert.state, alert.rows) == (field.name, "firing", 4)
    assert (alert.value, alert.threshold, alert.log10_e_value) == (count / 4, 0.0, math.inf)
    series = {"field": field.name, "constraint": constraint}
    assert exporter.value("mlmonitor.field.violations", series) == count
    alert = {"field": field.name, "reason": constraint}
    assert exporter.value("mlmonitor.quality.alert", alert) == 1
    assert monitor.status().violations == {f"{field.name} {constraint}": count}
    assert f"rules broken: {field.name} {constraint} {count}" in str(monitor.status())


def test_a_rule_that_holds_is_exported_at_zero() -> None:
    """Its series exist from the start, and no alert fires."""
    monitor, alerts, exporter = recorded(
        [Field("age", minimum=0), Field("prediction", role=Role.PREDICTION, minimum=0)],
        {"age": [1.0]},
    )
    assert alerts == []
    assert "rules broken" not in str(monitor.status())
    first = exporter.snapshots[0].points
    violations = {
        p.attributes: p.value for p in first if p.metric.name == "mlmonitor.field.violations"
    }
    assert list(violations.values()) == [0, 0]


def test_predictions_can_have_declared_rules() -> None:
    """For example, a price must not be negative."""
    _, alerts, _ = recorded(
        [Field("prediction", role=Role.PREDICTION, minimum=0)], {"age": [1.0]}, predictions=-1.0
    )
    assert [(f.field, f.role, f.measure) for f in alerts] == [
        ("prediction", Role.PREDICTION, "minimum")
    ]


def test_the_alert_on_a_rule_resolves_after_enough_valid_values() -> None:
    """One value in ten was invalid; 200 valid rows in succession resolve the alert."""
    bad, good = {"age": [-1.0] + [1.0] * 9}, {"age": [1.0] * 150}
    fields = [Field("age", minimum=0)]
    _, alerts, _ = recorded(fields, bad, good, bad, good)
    assert [f.state for f in alerts if f.field == "age"] == ["firing"]
    _, alerts, _ = recorded(fields, bad, good, bad, good, good, bad)
    states = [f.state for f in alerts if f.field == "age"]
    assert states == ["firing", "resolved", "firing"]


def test_rows_that_train_a_learned_reference_are_checked_by_the_rules() -> None:
    """Rules apply before there is a reference."""
    config = Config(baseline_rows=100)
    fields = [Field("age", minimum=0, nullable=False), Field("line", minimum=3), Field("nowhere")]
    with Monitor("m", exporters=[], fields=fields, config=config) as monitor:
        columns = {"age": [-1.0, None] + [1.0] * 98, "line": ["home", "motor"] * 50}
        monitor.record(columns, np.zeros(100))
        monitor.flush()
        status = monitor.status()
    assert status.violations == {"age minimum": 1, "age nullable": 1}
    assert status.unmatched_rules == ("line", "nowhere")
    assert "rules for unknown fields: line, nowhere" in str(status)


WRONG: list[tuple[Any, str]] = [
    ([Field("age", minimum=2, maximum=1)], "'age': minimum: expected at most the maximum"),
    ([Field("age", allowed=["a"])], "'age': allowed: expected minimum or maximum"),
    ([Field("line", minimum=1)], "'line': minimum: expected allowed"),
    ([Field("line", minimum=1, allowed=["a"])], "'line': expected allowed, or minimum and maximum"),
    ([Field("nobody", nullable=False)], "'nobody': the reference has no such feature"),
    ([Field("age", role=Role.PREDICTION)], "'age': the reference has no such prediction"),
    ([Field("age", role=Role.KPI)], "'age': role: expected feature, prediction or derived"),
    ([Field("age", minimum=math.nan)], "'age': minimum: expected a finite number"),
    ([Field("age", maximum=math.inf)], "'age': maximum: expected a finite number"),
    ([Field("age", minimum="0")], "'age': minimum: expected a finite number"),  # type: ignore[arg-type]  # on purpose
    ([Field("when", minimum=7)], "'when': minimum: expected a datetime"),
    ([Field("note", nullable=False)], "'note': expected a field derived from it"),
    ([Field("age"), Field("age")], "'age': expected each field once"),
    ([Field("line", allowed=[])], "'line': allowed: expected a list of values"),
    ([Field("line", allowed="home")], "'line': allowed: expected a list of values"),
    (
        [Field("line", allowed=[["home"]])],
        "'line': allowed: expected texts, numbers, booleans or times",
    ),
    ([Field("line", nullable=None)], "'line': nullable: expected True or False"),  # type: ignore[arg-type]  # on purpose
    ([Field("line", kind="word")], "'line': kind: expected one of"),  # type: ignore[arg-type]  # on purpose
    (["age"], "expected Field objects"),
    ("age", "expected a list of them"),
    (Field("age"), "expected a list of them"),
    (7, "expected a list of them"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong_field_declarations_are_refused_at_set_up(fields: Any, message: str) -> None:
    """The message names the field and what was expected."""
    with pytest.raises(ConfigError) as caught:
        Monitor("m", reference=REFERENCE, exporters=[], fields=fields)
    assert str(caught.value).startswith(f"fields: {message}")


def test_a_declared_field_without_rules_has_no_effect() -> None:
    """Its kind is that of the reference."""
    _, alerts, exporter = recorded([Field("line", kind=Kind.NUMERIC)], {"line": ["boat", None]})
    assert [f for f in alerts if f.measure in ("allowed", "nullable")] == []
    with pytest.raises(KeyError):
        exporter.value("mlmonitor.field.violations")
