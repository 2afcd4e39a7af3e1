"""Seasonal references: fitted, saved, and compared with live rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, ConfigError, FormatError, Monitor, Reference, SchemaError
from mlmonitor.compare.baseline import Baseline, season_counts, season_rows
from mlmonitor.compare.count_table import profile_counts
from mlmonitor.records import Role
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

START = datetime(2026, 6, 1, tzinfo=UTC)
ROLES = (Role.FEATURE, Role.PREDICTION)


def hours_of(rows: int, rng: np.random.Generator, weeks: int = 1) -> np.ndarray:
    """Draw times spread over some weeks."""
    return START.timestamp() + rng.uniform(0, weeks * 7 * 86_400, rows)


def traffic(moments: np.ndarray, rng: np.random.Generator, moved: float = 0.0) -> dict[str, Any]:
    """Draw amounts that are large by day, and a line that is frequent at night."""
    phase = np.sin(2 * np.pi * moments / 86_400)
    return {
        "amount": rng.normal(2 * phase + moved, 1.0),
        "line": np.where(rng.random(moments.size) < 0.5 + 0.4 * phase, "motor", "home"),
    }


def as_dates(moments: np.ndarray) -> np.ndarray:
    """Convert seconds to numpy's datetimes."""
    return (moments * 1e6).astype("M8[us]")


def fit(rng: np.random.Generator, **options: Any) -> Reference:
    """Fit a reference to four weeks."""
    moments = hours_of(20_000, rng, weeks=4)
    columns = traffic(moments, rng)
    season = {"times": as_dates(moments), "season": "hour_of_day"}
    return fit_reference(columns, predictions=columns["amount"], **{**season, **options})


def test_the_counts_of_all_seasons_add_up_to_those_of_the_field(rng: np.random.Generator) -> None:
    """They use the same bins, with missing values last, for numbers and categories."""
    moments = hours_of(3_000, rng)
    columns = traffic(moments, rng)
    columns["amount"][::7] = np.nan
    columns["line"] = columns["line"].astype(object)
    columns["line"][::5] = None
    reference = fit_reference(columns, times=as_dates(moments), season="hour_of_week")
    entries = reference.entries([Role.FEATURE])
    plan = reference.plan([Role.FEATURE], deviations=3.0)
    baseline = Baseline.from_entries(entries, plan)
    np.testing.assert_array_equal(season_counts(entries, plan).sum(axis=1), baseline.counts)
    hours = ((moments - START.timestamp()) // 3_600).astype(int) % 168
    np.testing.assert_array_equal(
        baseline.by_season.sum(axis=2), [np.bincount(hours, minlength=168)] * 2
    )
    at = hours == 17
    assert baseline.by_season[0, 17, -1] == np.isnan(columns["amount"][at]).sum()


def test_a_reference_is_saved_with_its_seasons_and_damage_is_refused(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """Each season is a line of the file, and contradictions are refused."""
    reference = fit(rng, season_timezone="Europe/Amsterdam", segments=["line"])
    path = tmp_path / "reference.json"
    reference.save(path)
    again = Reference.load(path)
    assert again == reference
    assert again.season is not None
    assert (again.season.name, again.season.timezone) == ("hour_of_day", "Europe/Amsterdam")
    text = path.read_text(encoding="utf-8")
    for old, new, named in (
        ('"season": "hour_of_day"', '"season": null', "seasons"),
        ('"season": "hour_of_day"', '"season": "hour_of_week"', "seasons"),
        (reference.content.fields[0].seasons[3], "1 2 3", "seasons"),
        (reference.content.fields[0].seasons[3], "a b", "seasons"),
    ):
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(FormatError, match=named):
            Reference.load(path)


def test_times_may_be_given_in_chunks_like_their_rows(rng: np.random.Generator) -> None:
    """They are an iterator, as predictions may be."""
    moments = hours_of(2_000, rng)
    columns = traffic(moments, rng)
    whole = fit_reference(columns, times=as_dates(moments), season="hour_of_day")
    parts = [slice(0, 700), slice(700, 2_000)]
    chunked = fit_reference(
        iter([{k: v[part] for k, v in columns.items()} for part in parts]),
        times=iter([as_dates(moments)[part] for part in parts]),
        season="hour_of_day",
    )
    assert [e.seasons for e in chunked.content.fields] == [e.seasons for e in whole.content.fields]


@pytest.mark.parametrize(
    ("options", "error", "named"),
    [
        ({"times": None}, ConfigError, "season: expected together with times"),
        ({"season": "hour"}, ConfigError, "hour_of_week"),
        ({"season_timezone": "Nowhere"}, ConfigError, "season_timezone"),
        ({"times": ["2026-01-01"] * 5}, SchemaError, "times: expected one for each"),
        ({"times": [None] * 20_000}, SchemaError, "20,000 have none"),
        ({"segments": ["region"]}, SchemaError, "no column 'region'"),
        ({"max_segments": 0}, ConfigError, "max_segments"),
    ],
)
def test_invalid_times_seasons_and_segments_are_refused(
    options: dict[str, Any], error: type[Exception], named: str, rng: np.random.Generator
) -> None:
    """The error is raised by the fit, and says what was expected."""
    with pytest.raises(error, match=named):
        fit(rng, **options)


def test_the_reference_of_a_window_is_the_mixture_of_its_hours() -> None:
    """It is weighted by the window's rows, and as uncertain as the hours it consists of."""
    reference = fit_reference(
        {"flag": [True] * 90 + [False] * 10 + [True] * 10 + [False] * 30},
        times=["2026-06-01T05:00"] * 100 + ["2026-06-01T06:00"] * 40,
        season="hour_of_day",
    )
    baseline = Baseline.from_entries(
        reference.entries([Role.FEATURE]), reference.plan([Role.FEATURE], deviations=3.0)
    )

    def against(**rows: int) -> tuple[float, float]:
        weights = np.zeros((1, 24), np.int64)
        for hour, count in rows.items():
            weights[0, int(hour[1:])] = count
        expected = baseline.for_rows(weights)[0]
        return float(expected[1] / expected.sum()), float(expected.sum())

    assert against(h5=7) == pytest.approx((0.9, 100))
    assert against(h6=7) == pytest.approx((0.25, 40))
    assert against(h5=5, h6=5) == pytest.approx((0.575, 1 / (0.25 / 100 + 0.25 / 40)))
    assert against(h5=100, h6=40) == pytest.approx((100 / 140, 140))
    assert against(h9=3) == pytest.approx((100 / 140, 1))
    assert baseline.for_rows(np.zeros((1, 24), np.int64)).sum() == 0


def serve(
    monitor: Monitor,
    clock: ManualClock,
    rng: np.random.Generator,
    *,
    hours: int,
    moved: float = 0.0,
) -> None:
    """Record a hundred rows every quarter of an hour."""
    for _ in range(hours * 4):
        columns = traffic(np.full(100, clock()), rng, moved)
        monitor.record(columns, columns["amount"])
        monitor.status()
        clock.advance(900)


def monitor_of(reference: Reference, clock: ManualClock) -> Monitor:
    """Return a monitor whose window is an hour and a half."""
    config = Config(window_seconds=5_400, window_slices=6, export_interval_seconds=86_400)
    return Monitor(
        "m", reference=reference, exporters=[InMemoryExporter()], config=config, clock=clock
    )


@pytest.mark.slow
def test_seasonal_traffic_counts_as_drift_only_after_a_real_change(
    rng: np.random.Generator,
) -> None:
    """Two days fire no alert, and a shift is detected within a thousand rows."""
    clock = ManualClock(START.timestamp())
    with monitor_of(fit(rng), clock) as monitor:
        serve(monitor, clock, rng, hours=48)
        status = monitor.status()
        assert status.alerts == ()
        assert not any(field.has_moved for field in status.fields)
        assert monitor.reference is not None
        serve(monitor, clock, rng, hours=2, moved=0.7)
        status = monitor.status()
        assert {field.field for field in status.alerts} == {"amount", "prediction"}
        assert status.field("amount").has_moved


def test_without_seasons_seasonal_traffic_counts_as_drift(rng: np.random.Generator) -> None:
    """Nights differ from days, which is why the option exists."""
    clock = ManualClock(START.timestamp())
    with monitor_of(fit(rng, times=None, season=None), clock) as monitor:
        serve(monitor, clock, rng, hours=8)
        assert {alert.field for alert in monitor.status().alerts} >= {"amount", "line"}


@pytest.mark.slow
def test_few_seasonal_windows_exceed_their_threshold(rng: np.random.Generator) -> None:
    """Hours with few training rows, whose thresholds are high, are included."""
    clock = ManualClock(START.timestamp())
    passed = looked = 0
    reference = fit(rng)
    with monitor_of(reference, clock) as monitor:
        for _ in range(72):
            serve(monitor, clock, rng, hours=1)
            for field in monitor.status().fields:
                assert field.psi is not None
                assert field.psi_threshold is not None
                looked += 1
                passed += field.psi > field.psi_threshold
    assert passed <= 0.04 * looked  # one in a hundred, and windows that overlap


def test_rows_and_predictions_are_counted_in_their_season(
    rng: np.random.Generator,
) -> None:
    """A failed call has a season but no prediction."""
    clock = ManualClock((START + timedelta(hours=5)).timestamp())
    with monitor_of(fit(rng), clock) as monitor:

        @monitor.watch
        def predict(features: dict[str, Any]) -> float:
            return 1.0 / features["amount"]

        for amount in (1.0, 2.0):
            predict({"amount": amount, "line": "motor"})
        with pytest.raises(ZeroDivisionError):
            predict({"amount": 0.0, "line": "motor"})
        monitor.status()
        population = monitor._worker.pipeline.traffic.population
        assert population is not None
        total = population.window.total()
        rows = season_rows(total)
        assert rows[:, 5].tolist() == profile_counts(total).sum(axis=1).tolist()
        assert rows.sum(axis=1).tolist() == rows[:, 5].tolist()
        assert sorted(rows[:, 5].tolist()) == [2, 3, 3]
