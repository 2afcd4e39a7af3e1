"""A season is found where there is one, and only there."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from mlmonitor import Monitor, Reference
from mlmonitor.errors import ConfigError
from mlmonitor.stats.dependence.season_search import FoundSeason, find_season
from mlmonitor.testing import streams


def search(stream: streams.Stream) -> FoundSeason:
    """Search the season of all columns of a stream that began on a Wednesday, UTC."""
    hours = ((stream.times // 3_600).astype(np.int64) + 72) % 168
    scores = [np.stack([c, c**2 - 1], axis=1) for c in stream.columns.values()]
    return find_season(hours, stream.times, scores)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (partial(streams.seasonal, daily=0.2), "hour_of_day"),
        (partial(streams.seasonal, daily=0.2, weekend=0.3), "hour_of_week"),
        (partial(streams.seasonal, daily=0.0, weekend=0.3), "hour_of_week"),
    ],
)
def test_a_season_in_the_training_rows_is_found(
    make: Callable[..., streams.Stream], name: str, seed: int
) -> None:
    """Training covers forty days of 500 rows."""
    match = search(make(20_000, seed=seed))
    assert (match.name, match.outcome, match.days) == (name, "found", 40)
    assert len(match.fields) == 5


@pytest.mark.parametrize(
    "make",
    [
        streams.independent,
        streams.sorted_batches,
        partial(streams.grouped, size=20),
        partial(streams.autoregressive, correlation=0.9),
        partial(streams.varying_days, deviation=0.2),
    ],
)
def test_noise_is_rarely_mistaken_for_a_season(
    make: Callable[..., streams.Stream],
) -> None:
    """At most one in ten references of five fields finds one, also if rows are dependent."""
    names = [search(make(20_000, seed=seed, rows_per_day=500)).name for seed in range(10)]
    if make is streams.sorted_batches:  # a batch a day, sorted: its hours do differ
        assert set(names) == {"hour_of_day"}
    else:
        assert sum(name is not None for name in names) <= 1


@pytest.mark.parametrize(("rows", "outcome"), [(900, "too_short"), (3_000, "too_short")])
def test_a_search_over_too_few_days_says_so(rows: int, outcome: str) -> None:
    """Two days cannot show a daily season, nor six days a weekly one."""
    season = search(streams.independent(rows, seed=1, rows_per_day=500))
    assert (season.name, season.outcome) == (None, outcome)


def test_a_daily_season_is_found_in_a_few_days() -> None:
    """A weekly one could not be found in so few days."""
    assert search(streams.seasonal(2_500, seed=1)).name == "hour_of_day"


def fit(stream: streams.Stream, **options: object) -> Reference:
    """Fit a reference that searches for its season."""
    return Reference.fit(
        dict(stream.columns),
        predictions=np.zeros(stream.rows),
        times=stream.times.astype("datetime64[s]"),
        season="auto",
        thresholds="asymptotic",
        **options,  # type: ignore[arg-type]  # of `fit`
    )


def test_a_reference_uses_the_season_that_it_finds() -> None:
    """It behaves like a declared season; the status says that it was found."""
    stream = streams.seasonal(6_000, seed=1)
    reference = fit(stream)
    assert reference.season is not None
    assert reference.season.name == "hour_of_day"
    declared = Reference.fit(
        dict(stream.columns),
        predictions=np.zeros(stream.rows),
        times=stream.times.astype("datetime64[s]"),
        season="hour_of_day",
        thresholds="asymptotic",
    )
    assert [e.seasons for e in reference.content.fields] == [
        e.seasons for e in declared.content.fields
    ]
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        assert "found at fit" in str(monitor.status())


def test_a_fit_on_too_few_days_logs_that_no_season_was_searched(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The status says so as well."""
    reference = fit(streams.independent(1_000, seed=1, rows_per_day=500))
    assert reference.season is None
    assert "2 days are too few" in caplog.text
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        assert "too short to see a weekly season" in str(monitor.status())


def test_a_time_zone_that_does_not_exist_is_refused() -> None:
    """The error is the same if the season is searched instead of declared."""
    with pytest.raises(ConfigError, match="season_timezone"):
        fit(streams.independent(1_000, seed=1), season_timezone="Nowhere")
