"""Seasonal traffic without a change raises few alerts, though plain evidence would."""

import numpy as np
import pytest

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.seasonal_eprocess import SeasonalEProcess
from support.rates import highest_rate

ALPHA = 0.01
FIELDS = 20
BINS = 10
LOOK_ROWS = 100
HOUR_ROWS = 400
SLOPE = np.linspace(-1, 1, BINS)


def load(seasons: int) -> Floats:
    """Return the traffic by hour: nine times as much in the evening as in the morning."""
    load: Floats = 1 + 0.8 * np.sin(2 * np.pi * (np.arange(seasons) - 6) / 24)
    return load


LAWS = np.array(
    [
        np.full(BINS, 0.1),
        [0.36, 0.27, 0.18, 0.09, 0.05, 0.03, 0.02, 0, 0, 0],
        [0.7, *[0.3 / 9] * 9],
        np.eye(BINS)[3],
    ]
)
"""Of continuous, discrete and zero-inflated fields, and of one that is constant."""


def shares(seasons: int, tilt: float = 0.0, law: Floats = LAWS[0]) -> Floats:
    """Return bin shares that lean one way by day and the other by night; `tilt` is added."""
    lean = 0.6 * np.sin(2 * np.pi * np.arange(seasons) / 24)[:, None] + tilt
    tilted = law * np.exp(lean * SLOPE)
    normed: Floats = tilted / tilted.sum(axis=1, keepdims=True)
    return normed


def references(laws: Floats, rows: int, rng: np.random.Generator) -> Counts:
    """Draw counts `[streams, seasons, bins]` of training rows with the same traffic by hour."""
    seasons = laws.shape[1]
    drawn = rng.poisson(rows * load(seasons) / load(seasons).sum(), laws.shape[:2])
    counts: Counts = rng.multinomial(drawn, laws)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seasons", "rows"), [(24, 200), (24, 5_000), (168, 1_000), (168, 5_000), (168, 50_000)]
)
def test_seasonal_traffic_rarely_alerts_although_it_nearly_always_would_without_seasons(
    seasons: int, rows: int, rng: np.random.Generator
) -> None:
    """At most one stream in ten alerts in a week of checks, with few and with many rows an hour."""
    streams = 100
    laws = np.repeat([shares(seasons, law=law) for law in LAWS], streams // len(LAWS), axis=0)
    reference = references(laws, rows, rng)
    present = np.ones((streams, BINS), np.bool_)
    seasonal = SeasonalEProcess(reference, present)
    plain = EProcess(reference.sum(axis=1), present)
    most, most_plain = np.full(streams, -np.inf), np.full(streams, -np.inf)
    for hour in range(168):
        seasonal.begin_season(hour % seasons)
        for _ in range(int(HOUR_ROWS * load(seasons)[hour % seasons]) // LOOK_ROWS):
            counts = rng.multinomial(LOOK_ROWS, laws[:, hour % seasons])
            seasonal.update(counts)
            plain.update(counts)
            most = np.maximum(most, seasonal.log_e())
            most_plain = np.maximum(most_plain, plain.log_e())
    alerts = int((most >= np.log(1 / ALPHA)).sum())
    assert highest_rate(alerts, streams) <= 0.105, most.reshape(len(LAWS), -1).max(axis=1)
    breathes = np.repeat([not np.isin(1.0, law) for law in LAWS], streams // len(LAWS))
    assert (most_plain[breathes] >= np.log(1 / ALPHA)).mean() > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seasons", "rows", "tilt", "most"),
    [(24, 5_000, 0.5, 1_500), (24, 5_000, 0.25, 6_000), (168, 50_000, 0.5, 4_000)],
)
def test_a_shift_of_all_hours_is_detected_on_top_of_the_seasons(
    seasons: int, rows: int, tilt: float, most: int, rng: np.random.Generator
) -> None:
    """The PSI is 0.1 or 0.025 after three clean days, at the level of one of 20 fields."""
    streams, level = 40, np.log(FIELDS / ALPHA)
    evidence = SeasonalEProcess(
        references(np.repeat(shares(seasons)[None], streams, axis=0), rows, rng),
        np.ones((streams, BINS), np.bool_),
    )
    start, seen = 72 + 9, 0
    delays = np.full(streams, np.inf)
    for hour in range(start + 48):
        evidence.begin_season(hour % seasons)
        law = shares(seasons, tilt if hour >= start else 0.0)[hour % seasons]
        for _ in range(int(HOUR_ROWS * load(seasons)[hour % seasons]) // LOOK_ROWS):
            evidence.update(rng.multinomial(LOOK_ROWS, law, streams))
            passed = evidence.log_e() >= level
            seen += LOOK_ROWS * (hour >= start)
            assert seen or not passed.any()
            delays[passed & np.isinf(delays)] = seen
    assert np.median(delays) <= most
    assert np.isfinite(delays).all()
