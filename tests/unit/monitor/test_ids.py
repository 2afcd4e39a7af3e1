"""Columns of ids are reported instead of being compared in vain."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, Monitor, Reference
from mlmonitor.status.reference_text import shown
from support.references import fit_reference

ROWS = 5_000
TELLS = "ids? not compared: customer; declare it as text, or ignore it"


def ids(start: int, count: int) -> dict[str, list[str]]:
    """Draw one customer id a row, and attributes of customers."""
    return {
        "customer": [f"c-{start + at:07}" for at in range(count)],
        "line": ["home", "motor"] * (count // 2),
    }


@pytest.fixture
def reference() -> Reference:
    """A reference with more ids than it stores."""
    return fit_reference(ids(0, ROWS))


def test_a_column_of_ids_is_reported_at_fit(reference: Reference) -> None:
    """It is named in the printed reference and in the command's output; other columns are not."""
    assert reference.id_like == ("customer",)
    assert "ids? customer" in repr(reference)
    assert TELLS in shown(reference)


@pytest.mark.parametrize("most", [6, 50])
def test_codes_that_partly_occur_often_are_not_ids(most: int, rng: np.random.Generator) -> None:
    """There are many postcodes, and some are frequent."""
    codes = [f"p{at}" for at in rng.integers(0, 5_000, ROWS)] + ["p1"] * most
    assert fit_reference({"code": codes}).id_like == ()


@pytest.mark.parametrize("rows", [1_000, ROWS])
def test_an_id_field_that_stops_varying_is_reported_as_constant(rows: int) -> None:
    """New ids are expected, and a single id in all rows is not."""
    alerts: list[Alert] = []
    config = Config(check_rows=100, check_interval_seconds=0)
    with Monitor(
        "m", reference=fit_reference(ids(0, rows)), config=config, on_alert=alerts.append
    ) as monitor:
        for at in range(10):
            monitor.record(ids(100_000 + at * 100, 100), np.zeros(100))
            monitor.flush(timeout_seconds=20)
        status = monitor.status()
        assert status.field("customer").distinct == pytest.approx(1_000, rel=0.1)
        assert TELLS in str(status)
        assert [f.measure for f in alerts] == []
        for _ in range(3):
            one: dict[str, Any] = ids(0, 100) | {"customer": ["unknown"] * 100}
            monitor.record(one, np.zeros(100))
            monitor.flush(timeout_seconds=20)
    assert ("customer", "constant") in {(f.field, f.measure) for f in alerts}
    assert ("line", "constant") not in {(f.field, f.measure) for f in alerts}


def test_times_that_only_advance_are_reported_once_and_fire_no_alert() -> None:
    """All later rows are outside the reference's range; missing ones are still counted."""
    start = np.datetime64("2024-01-01T00:00:00")
    when = start + np.arange(ROWS).astype("m8[h]")
    reference = fit_reference({"when": when})
    assert (reference.id_like, reference.advancing) == ((), ("when",))
    assert "only advances? when" in repr(reference)
    assert "only advances: when: no alert" in shown(reference)
    alerts: list[Alert] = []
    with Monitor("m", reference=reference, exporters=[], on_alert=alerts.append) as monitor:
        monitor.record({"when": when + np.timedelta64(ROWS, "h")}, np.zeros(ROWS))
        status = str(monitor.status())
        assert [alert for alert in alerts if alert.field == "when"] == []
        assert "only advances: when: no alert" in status
        assert "ids?" not in status
        monitor.record({"when": [None] * ROWS}, np.zeros(ROWS))
        monitor.flush()
    assert "missing" in {alert.measure for alert in alerts if alert.field == "when"}


@pytest.mark.parametrize("first", [1, 48_000, 7_000_000], ids=["small", "middle", "long"])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_serial_numbers_are_reported_once_and_fire_no_alert(
    first: int,
    is_shuffled: bool,  # noqa: FBT001 - parametrized
    rng: np.random.Generator,
) -> None:
    """Later orders have higher numbers, which is no change; a constant one still alerts."""
    order = first + np.arange(ROWS)
    order[7] = order[8]  # one was sent again
    trained = rng.permutation(order)[: ROWS * 4 // 5] if is_shuffled else order
    reference = fit_reference({"order": trained})
    assert (*reference.id_like, *reference.advancing) == ("order",)
    assert "order" in repr(reference)
    alerts: list[Alert] = []
    with Monitor("m", reference=reference, exporters=[], on_alert=alerts.append) as monitor:
        monitor.record({"order": order + ROWS}, np.zeros(ROWS))
        status = str(monitor.status())
        assert [alert for alert in alerts if alert.field == "order"] == []
        assert status.count("order:") + status.count("in order:") >= 1
        assert "incident" not in status
        monitor.record({"order": np.full(ROWS, first)}, np.zeros(ROWS))
        monitor.flush()
    assert {alert.measure for alert in alerts if alert.field == "order"} == {"constant"}


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.integers(0, 100_000, 2_000),
        lambda rng: rng.permutation(2_000) / 2,
        lambda rng: rng.permutation(2_000) * 1_000,
        lambda rng: np.repeat(rng.permutation(1_000), 2),
    ],
    ids=["independent", "with fractions", "far apart", "each twice"],
)
def test_numbers_that_are_not_assigned_in_sequence_are_not_serial_numbers(
    draw: Any, rng: np.random.Generator
) -> None:
    """Amounts are often all different too."""
    reference = fit_reference({"amount": draw(rng)})
    assert (reference.id_like, reference.advancing) == ((), ())


def log_of(kind: str, rng: np.random.Generator) -> Any:
    """Return the times of a year of rows, as services log them."""
    start = np.datetime64("2023-01-01T00:00:00.000000")
    match kind:
        case "fractions of seconds":
            return start + np.cumsum(rng.integers(1, 10**9, ROWS)).astype("m8[us]")
        case "fractions, shuffled":
            return start + rng.permutation(np.arange(ROWS) * 1_234_567).astype("m8[us]")
        case "days that recur, in order":
            return (start + (np.arange(ROWS) // 8).astype("m8[D]")).astype("M8[D]")
        case "days that recur, nearly in order":
            days = np.sort(rng.integers(0, 300, ROWS))
            days[rng.integers(0, ROWS, 5)] = 0
            return (start + days.astype("m8[D]")).astype("M8[D]")
        case _:
            hours = np.sort(rng.integers(0, 24 * 100, ROWS))
            return [time.item() for time in start + hours.astype("m8[h]")]


@pytest.mark.parametrize(
    "kind",
    [
        "fractions of seconds",
        "fractions, shuffled",
        "days that recur, in order",
        "days that recur, nearly in order",
        "hours that recur, as datetimes",
    ],
)
def test_times_of_a_log_are_recognised_in_every_form(kind: str, rng: np.random.Generator) -> None:
    """They have fractions, whole days or another order; the next year is no drift."""
    when = log_of(kind, rng)
    reference = fit_reference({"when": when})
    assert (reference.id_like, reference.advancing) == ((), ("when",))
    alerts: list[Alert] = []
    with Monitor("m", reference=reference, exporters=[], on_alert=alerts.append) as monitor:
        later = np.array(when, "M8[us]") + np.timedelta64(366, "D")
        monitor.record({"when": later}, np.zeros(len(later)))
        monitor.flush()
    assert alerts == []


def test_a_few_dates_in_order_are_compared() -> None:
    """Ten quarters with many rows each are fewer than twenty different times."""
    quarters = np.repeat(np.datetime64("2020-01-01") + 91 * np.arange(10).astype("m8[D]"), 50)
    assert fit_reference({"quarter": quarters}).advancing == ()


def test_dates_that_recur_are_compared(rng: np.random.Generator) -> None:
    """Dates of birth do not advance from row to row."""
    born = np.datetime64("1950-01-01") + rng.integers(0, 3_000, ROWS).astype("m8[D]")
    reference = fit_reference({"born": born})
    assert (reference.id_like, reference.advancing) == ((), ())
    alerts: list[Alert] = []
    with Monitor("m", reference=reference, exporters=[], on_alert=alerts.append) as monitor:
        monitor.record({"born": born + np.timedelta64(9_000, "D")}, np.zeros(ROWS))
        monitor.flush()
    assert {"psi", "out_of_range"} <= {alert.measure for alert in alerts}
