"""The prediction times of a batch job: `record(at=)` determines their cohort."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.testing import ManualClock
from support.references import fit_reference

NOW = datetime(2024, 3, 10, 2, tzinfo=UTC)
ROWS = 60


def job(**options: Any) -> Monitor:
    """A nightly job that only the test drives."""
    values = np.linspace(0, 1, 100)
    reference = fit_reference({"x": values}, predictions=values, actuals=values)
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600, **options)
    clock = ManualClock(NOW.timestamp())
    return Monitor("m", reference=reference, exporters=[], config=config, clock=clock)


def days(count: int) -> list[datetime]:
    """Return a time for each row, on this many days in turn, the last one yesterday."""
    return [NOW - timedelta(days=1 + row % count) for row in range(ROWS)]


@pytest.mark.parametrize(
    "form",
    [
        lambda at: at,
        lambda at: np.array([moment.timestamp() for moment in at]),
        lambda at: [moment.isoformat() for moment in at],
        lambda at: np.array([moment.replace(tzinfo=None) for moment in at], "M8[us]"),
    ],
    ids=["datetimes", "seconds", "texts", "numpy"],
)
def test_rows_count_in_the_cohorts_of_their_recorded_times(form: Any) -> None:
    """Times are datetimes, seconds, texts or numpy's times."""
    ids = [str(row) for row in range(ROWS)]
    with job() as monitor:
        monitor.record({"x": np.linspace(0, 1, ROWS)}, np.zeros(ROWS), ids=ids, at=form(days(3)))
        monitor.label(ids, np.ones(ROWS))
        status = monitor.status()
    assert (status.internal_errors, status.last_error) == (0, None)
    assert [cohort.start.day for cohort in status.cohorts] == [7, 8, 9]
    assert [(c.predicted, c.labelled) for c in status.cohorts] == [(20, 20)] * 3


def test_a_single_time_applies_to_all_rows() -> None:
    """A job may score one day."""
    ids = [str(row) for row in range(ROWS)]
    with job() as monitor:
        at = NOW - timedelta(days=4)
        monitor.record({"x": np.zeros(ROWS)}, np.zeros(ROWS), ids=ids, at=at)
        monitor.label(ids, np.ones(ROWS))
        (cohort,) = monitor.status().cohorts
    assert (cohort.start.day, cohort.predicted) == (6, ROWS)


def test_a_large_batch_recorded_in_slices_keeps_its_times() -> None:
    """Each slice has the times of its rows."""
    rows = 5_000
    at = NOW.timestamp() - 86_400.0 * (1 + np.arange(rows) // 1_000)
    ids = list(map(str, range(rows)))
    with job(buffer_rows=2_048) as monitor:
        monitor.record({"x": np.zeros(rows)}, np.zeros(rows), ids=ids, at=at)
        monitor.label(ids, np.ones(rows))
        status = monitor.status()
    assert [cohort.predicted for cohort in status.cohorts] == [1_000] * 5


def test_rows_without_times_count_as_predicted_now() -> None:
    """The time is that of the monitor's clock."""
    ids = [str(row) for row in range(ROWS)]
    with job() as monitor:
        monitor.record({"x": np.zeros(ROWS)}, np.zeros(ROWS), ids=ids)
        monitor.label(ids, np.ones(ROWS))
        (cohort,) = monitor.status().cohorts
    assert cohort.start.day == NOW.day


@pytest.mark.parametrize("at", [[NOW] * 3, "no time"], ids=["three", "text"])
def test_a_wrong_argument_for_times_is_an_error_and_the_rows_are_kept(at: Any) -> None:
    """They count as predicted now."""
    ids = [str(row) for row in range(ROWS)]
    with job() as monitor:
        monitor.record({"x": np.zeros(ROWS)}, np.zeros(ROWS), ids=ids, at=at)
        monitor.label(ids, np.ones(ROWS))
        status = monitor.status()
    assert status.predictions == ROWS
    assert [cohort.start.day for cohort in status.cohorts] == [NOW.day]
    assert status.internal_errors == 1


@pytest.mark.parametrize(
    "unread",
    [1_000 * NOW.timestamp(), "yesterday", 253402300799.0, [253402300799]],
    ids=["milliseconds", "words", "year 9999", "list"],
)
def test_unreadable_times_count_as_now_and_are_reported(unread: Any) -> None:
    """No row is lost, and the status can still be printed."""
    with job() as monitor:
        monitor.record({"x": [0.1, 0.2]}, [0.1, 0.2], ids=["a", "b"], at=unread)
        monitor.label("a", 1.0, at=unread)
        monitor.record_outcomes([0.5], [0.5], predicted_at=unread)
        status = monitor.status()
    assert [(c.start.day, c.predicted, c.labelled) for c in status.cohorts] == [(10, 3, 2)]
    assert (status.predictions, status.labels["matched"], status.internal_errors) == (2, 2, 3)
    assert "expected seconds since 1970 (not milliseconds)" in (status.last_error or "")


@pytest.mark.parametrize(
    "missing", [float("nan"), np.datetime64("NaT", "s"), [None]], ids=["nan", "nat", "none"]
)
def test_missing_times_count_as_now(missing: Any) -> None:
    """They are treated as not given, without an error."""
    with job() as monitor:
        monitor.record({"x": [0.1]}, [0.1], ids=["a"], at=missing)
        monitor.label("a", 1.0, at=missing)
        status = monitor.status()
    assert [(c.start.day, c.predicted, c.labelled) for c in status.cohorts] == [(10, 1, 1)]
    assert (status.internal_errors, status.last_error) == (0, None)
