"""Profiles from a monitor and recorded by another have the counts of the same rows."""

from typing import Any

import pytest

from mlmonitor import Config, ConfigError, IncompatibleSketch, Monitor, Profile
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.profiled_rows import AT, COLUMNS, FRAME, REFERENCE, ROWS, counts

FEATURES = {name: column for name, column in COLUMNS.items() if name != "prediction"}
WHOLE = Profile.of(FRAME, reference=REFERENCE, segments=["line"], at=AT)


def begin(**options: Any) -> Monitor:
    """Return a monitor of the claims."""
    options.setdefault("exporters", [])
    options.setdefault("segments", ["line"])
    return Monitor("claims", reference=REFERENCE, clock=ManualClock(AT), **options)


def test_the_profile_of_a_service_has_the_counts_of_its_recorded_rows() -> None:
    """They equal those of a profile of the same rows, and the two can be merged."""
    with begin() as monitor:
        monitor.record(FEATURES, COLUMNS["prediction"])
        profile = monitor.profile()
        assert counts(profile) == counts(WHOLE)
        assert profile.last_at == AT
        assert monitor.profile().merge(WHOLE).rows == 2 * ROWS


def test_a_profile_covers_only_the_window() -> None:
    """After 2,000 rows a window of 1,000 rows in slices of 100 has 900."""
    config = Config(window_seconds=None, window_rows=1_000, window_slices=10)
    with begin(config=config, segments=()) as monitor:
        for start in range(0, ROWS, 100):
            own = FRAME.iloc[start : start + 100]
            monitor.record(own.drop(columns="prediction"), own["prediction"])
        profile, window_rows = monitor.profile(), monitor.status().window_rows
    assert profile.rows == window_rows == 900
    last = Profile.of(FRAME.iloc[-900:], reference=REFERENCE, at=AT)
    assert counts(profile) == counts(last)


def test_a_recorded_profile_is_exported_like_its_rows() -> None:
    """Metrics and their values are the same."""
    scores = []
    for records_profile in (True, False):
        exporter = InMemoryExporter()
        with begin(exporters=[exporter]) as monitor:
            if records_profile:
                monitor.record_profile(WHOLE)
            else:
                monitor.record(FEATURES, COLUMNS["prediction"])
            status = monitor.status()
            assert (status.predictions, status.window_rows) == (ROWS, ROWS)
            monitor.flush()
        names = ("mlmonitor.drift.score", "mlmonitor.predictions", "mlmonitor.field.values")
        scores.append(
            {
                (point.metric.name, point.attributes): point.value
                for point in exporter.snapshots[-1].points
                if point.metric.name in names
            }
        )
    assert scores[0] == scores[1]
    assert len(scores[0]) > 20


def test_profiles_and_rows_add_up_in_a_monitor() -> None:
    """A job may record some rows itself."""
    with begin() as monitor:
        half = FRAME.iloc[:1_000]
        monitor.record(half.drop(columns="prediction"), half["prediction"])
        rest = FRAME.iloc[1_000:]
        part = Profile.of(rest, reference=REFERENCE, segments=["line"], at=AT)
        monitor.record_profile(part)
        monitor.record_profile(Profile())
        assert counts(monitor.profile()) == counts(WHOLE)


def test_an_incompatible_profile_is_refused_and_adds_nothing() -> None:
    """It has segments, or the monitor has no reference yet."""
    with begin(segments=()) as monitor:
        with pytest.raises(IncompatibleSketch, match="segments"):
            monitor.record_profile(WHOLE)
        assert monitor.status().predictions == 0
    with Monitor("claims", exporters=[]) as learning:
        with pytest.raises(ConfigError, match="expected a monitor with a reference"):
            learning.record_profile(WHOLE)
        assert learning.profile().rows == 0


def test_a_disabled_monitor_has_an_empty_profile() -> None:
    """It does not accept one either."""
    with begin(config=Config(enabled=False)) as monitor:
        monitor.record_profile(WHOLE)
        assert monitor.profile().rows == 0
