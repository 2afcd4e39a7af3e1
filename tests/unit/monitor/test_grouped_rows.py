"""Rows of one customer depend on each other: declared groups, and the reference's order."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, Monitor, Reference
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.testing import InMemoryExporter, ManualClock

ROWS, SIZE = 4_000, 20


def rows_of_customers(rng: np.random.Generator, *, first: int, rows: int = ROWS) -> dict[str, Any]:
    """Draw customers of twenty rows each, whose ages are highly correlated."""
    customer = np.arange(first, first + rows) // SIZE
    ages = rng.normal(size=rows // SIZE + 1)[customer - customer[0]]
    return {
        "customer_id": np.array([f"c{number}" for number in customer.tolist()]),
        "age": ages + 0.3 * rng.normal(size=rows),
        "income": rng.normal(size=rows),
    }


def shuffle(rng: np.random.Generator, rows: dict[str, Any]) -> dict[str, Any]:
    """Shuffle the rows."""
    order = rng.permutation(len(rows["age"]))
    return {name: values[order] for name, values in rows.items()}


def fit(rows: dict[str, Any], **options: Any) -> Reference:
    """Fit a reference without simulated thresholds."""
    return Reference.fit(
        rows, predictions=np.zeros(len(rows["age"])), thresholds="asymptotic", **options
    )


def watch(
    reference: Reference, rows: dict[str, Any], **options: Any
) -> tuple[list[Alert], Monitor, ManualClock]:
    """Return the alerts of a monitor that has seen these rows, the monitor and its clock."""
    clock, alerts = ManualClock(), []
    monitor = Monitor(
        "m",
        reference=reference,
        exporters=options.pop("exporters", []),
        clock=clock,
        on_alert=alerts.append,
        config=Config(check_rows=200, check_interval_seconds=0),
        **options,
    )
    for start in range(0, len(rows["age"]), 200):
        part = {name: values[start : start + 200] for name, values in rows.items()}
        monitor.record(part, np.zeros(len(part["age"])))
        clock.advance(5)
        monitor.flush(timeout_seconds=20)
    return alerts, monitor, clock


@pytest.mark.parametrize("is_array", [True, False])
def test_the_column_of_groups_is_not_a_feature(rng: np.random.Generator, *, is_array: bool) -> None:
    """It is a column or an array, and the reference stores sizes and correlations, no names."""
    rows = rows_of_customers(rng, first=0)
    groups: Any = rows.pop("customer_id") if is_array else "customer_id"
    content = fit(rows, groups=groups).content
    assert content.grouped is not None
    assert (content.grouped.groups, content.grouped.size) == (ROWS // SIZE, SIZE)
    assert content.grouped.field == (None if is_array else "customer_id")
    by_name = {entry.name: entry.dependence for entry in content.fields}
    assert by_name.keys() == {"age", "income", "prediction"}
    assert by_name["age"].correlation > 0.7
    assert by_name["income"].correlation == 0
    assert "c17" not in content.model_dump_json()


@pytest.mark.parametrize("is_shuffled", [True, False])
def test_dependent_rows_fire_no_alert_and_the_status_has_their_effective_number(
    rng: np.random.Generator, *, is_shuffled: bool
) -> None:
    """Declared groups may be in any order, in the reference and in service."""
    reference = rows_of_customers(rng, first=0)
    later = rows_of_customers(rng, first=10**6, rows=8_000)
    if is_shuffled:
        reference, later = shuffle(rng, reference), shuffle(rng, later)
    alerts, monitor, _ = watch(fit(reference, groups="customer_id"), later)
    status = monitor.status()
    monitor.close()
    assert alerts == []
    age = status.field("age")
    assert age.effective_rows is not None
    assert 200 < age.effective_rows < 1_200
    assert status.field("income").effective_rows > 4_000
    assert "rows come in groups: 1,000 count as" in str(status)
    assert status.unknown_fields == {}


def test_a_change_of_all_customers_is_still_detected(rng: np.random.Generator) -> None:
    """It is one standard deviation, and needs more rows than if they were independent."""
    later = rows_of_customers(rng, first=10**6)
    later["age"] = later["age"] + 1
    reference = fit(rows_of_customers(rng, first=0), groups="customer_id")
    alerts, monitor, _ = watch(reference, later)
    monitor.close()
    alert = next(a for a in alerts if a.field == "age" and a.measure == "psi")
    assert alert.is_dependence_known
    assert alert.effective_rows is not None
    assert alert.effective_rows < alert.rows / 2
    assert f"{alert.rows:,} rows that count as" in str(alert)


def test_dependence_of_consecutive_rows_is_estimated_without_declared_groups(
    rng: np.random.Generator,
) -> None:
    """In the reference, the rows of a customer follow one another."""
    reference, later = (
        {name: values for name, values in rows.items() if name != "customer_id"}
        for rows in (rows_of_customers(rng, first=0), rows_of_customers(rng, first=10**6))
    )
    alerts, monitor, _ = watch(fit(reference), later)
    text = str(monitor.status())
    monitor.close()
    assert alerts == []
    assert "rows depend on each other: 1,000 count as" in text


def test_an_alert_says_if_the_dependence_of_its_rows_is_unknown(rng: np.random.Generator) -> None:
    """A shuffled reference looks like one of independent rows."""
    reference = shuffle(rng, rows_of_customers(rng, first=0))
    del reference["customer_id"]
    later = rows_of_customers(rng, first=10**6, rows=1_000)
    del later["customer_id"]
    later["age"] = later["age"] + 2
    alerts, monitor, _ = watch(fit(reference), later)
    status = str(monitor.status())
    monitor.close()
    alert = next(a for a in alerts if a.field == "age" and a.measure == "psi")
    assert not alert.is_dependence_known
    assert "(dependence unknown)" in str(alert)
    advice = "if rows depend on each other, fit with groups= or at least 7 days of times="
    assert str(alert).endswith(advice)
    assert status.count(advice) == 1


def test_groups_declared_only_for_the_monitor_count_as_one_row_each(
    rng: np.random.Generator,
) -> None:
    """The reference has no correlation within groups, so it is assumed to be complete."""
    rows = shuffle(rng, rows_of_customers(rng, first=0))
    reference = fit({name: values for name, values in rows.items() if name != "customer_id"})
    later = rows_of_customers(rng, first=10**6)
    _, monitor, _ = watch(reference, later, groups="customer_id")
    income = monitor.status().field("income")
    monitor.close()
    assert income.effective_rows == pytest.approx(ROWS / SIZE, rel=0.3)


def test_the_number_of_effective_rows_is_exported(rng: np.random.Generator) -> None:
    """It is a gauge of each field, which adds up over a fleet."""
    exporter = InMemoryExporter()
    reference = fit(rows_of_customers(rng, first=0), groups="customer_id")
    later = rows_of_customers(rng, first=10**6, rows=1_000)
    _, monitor, _ = watch(reference, later, exporters=[exporter])
    status = monitor.status()
    monitor.close()
    exported = exporter.value("mlmonitor.drift.effective_rows", {"field": "age"})
    assert exported == pytest.approx(status.field("age").effective_rows)


def test_a_learned_reference_learns_its_groups(rng: np.random.Generator) -> None:
    """The column of the groups is not learned as a feature."""
    later = rows_of_customers(rng, first=0, rows=3_000)
    clock = ManualClock()
    with Monitor("m", exporters=[], clock=clock, groups="customer_id") as monitor:
        monitor.record(later, np.zeros(3_000))
        status = monitor.status()
        assert monitor.reference is not None
        assert monitor.reference.content.grouped is not None
    assert {field.name for field in status.fields} == {"age", "income", "prediction"}
    assert status.alerts == ()


@pytest.mark.parametrize("groups", ["", 5, ["customer_id"]])
def test_groups_of_a_monitor_must_be_the_name_of_a_column(groups: Any) -> None:
    """Anything else is refused at construction."""
    with pytest.raises(ConfigError, match="groups: expected the name of the column"):
        Monitor("m", groups=groups, exporters=[])


def test_groups_that_do_not_fit_the_rows_are_refused(rng: np.random.Generator) -> None:
    """The column is missing, or its length is wrong."""
    rows = rows_of_customers(rng, first=0)
    with pytest.raises(SchemaError, match="groups: there is no column 'client'"):
        fit(rows, groups="client")
    with pytest.raises(SchemaError, match="groups: expected one for each of the 4000 rows"):
        fit(rows, groups=[1, 2, 3])


def test_the_status_explains_groups_that_the_reference_does_not_have() -> None:
    """It says that their column is not compared and that a group counts as one row."""
    x, customer = np.arange(200.0), [f"c{row % 20}" for row in range(200)]
    reference = Reference.fit({"x": x, "customer": customer}, thresholds="asymptotic")
    with Monitor("m", reference=reference, exporters=[], groups="customer") as monitor:
        monitor.record({"x": x, "customer": customer}, x)
        text = " ".join(str(monitor.status()).split())
    assert "customer names the groups, so it is not compared as a feature" in text
    assert "all rows of one customer count as one row: fit it with groups=" in text
