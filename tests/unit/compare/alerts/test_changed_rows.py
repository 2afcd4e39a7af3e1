"""The current value of an alert, computed from the rows since its change."""

import numpy as np

from mlmonitor import Config, Monitor, Reference
from mlmonitor.compare.alerts.changed_rows import ChangedRows
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.formatting import percent

ROWS = 4_000


def test_the_rows_since_a_change_exclude_those_before_it() -> None:
    """Once the window has only newer rows, it is used as a whole."""
    rows = ChangedRows((1, 2))
    rows.begin(np.array([True]), np.array([[90, 20]]), np.array([[5, 15]]))
    since = rows.count(np.array([[95, 45]]), window=np.array([[95, 45]]))
    np.testing.assert_array_equal(since, [[10, 40]])
    recovered = rows.count(np.array([[395, 45]]), window=np.array([[60, 0]]))
    np.testing.assert_array_equal(recovered, [[60, 0]])


def test_alerts_start_at_the_recorded_time_of_rows_or_now() -> None:
    """A recorded time in the future is replaced by now."""
    clock = RowClock()
    assert clock.read(50.0) == 50.0
    clock.update(np.array([10.0, 30.0, np.nan]))
    assert clock.read(50.0) == 30.0
    assert clock.read(20.0) == 20.0
    clock.update(None)
    assert clock.read(50.0) == 50.0


def draw(rng: np.random.Generator, rows: int, moved: float = 0.0) -> dict[str, np.ndarray]:
    """Draw a number, and another one that is partly missing after a change."""
    gaps = rng.normal(size=rows)
    gaps[rng.random(rows) < moved / 4] = np.nan
    return {"x": rng.normal(size=rows) + moved, "gaps": gaps}


def test_a_firing_alert_shows_the_value_since_its_change() -> None:
    """Over the whole window, a quarter of missing values would be a twentieth."""
    rng = np.random.default_rng(0)
    reference = Reference.fit(draw(rng, ROWS), predictions=np.ones(ROWS), thresholds="asymptotic")
    with Monitor("m", reference=reference, exporters=[], config=Config(check_rows=100)) as monitor:
        for columns in (draw(rng, ROWS), draw(rng, 500, moved=1.0), draw(rng, 500, moved=1.0)):
            monitor.record(columns, np.ones(len(columns["x"])))
            monitor.flush()
        status = monitor.status()
    current = {(alert.field, alert.measure): alert for alert in status.alerts}
    missing, drift = current["gaps", "missing"], current["x", "psi"]
    assert 0.2 < missing.current < 0.3
    assert f"{percent(missing.current)} now" in missing.reason
    assert drift.current > 0.7
    assert status.field("x").psi < 0.3
    assert "'now' covers the rows since each change" in str(status)
