"""False alarms and delays of the e-process, in streams whose truth is known.

Rates are judged by binomial intervals: a bound that holds can be told from one that does not, and
no index that the code itself once printed is pinned.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom

from mlmonitor.compare.evidence import Evidence
from mlmonitor.compare.level import Level
from mlmonitor.records import Floats

ALPHA = 0.01
FIELDS = 20
BINS = 10
LOOK_ROWS = 50
LEVEL = Level(alpha=ALPHA, fields=FIELDS, tolerance=0.0).drift_log_e
"""What evidence of drift has to reach in each of the fields, which share their part of alpha."""


def shapes() -> Floats:
    """Bin shares of continuous, discrete, zero-inflated and categorical fields."""
    tenths = np.full(BINS, 0.1)
    discrete = np.array([0.36, 0.27, 0.18, 0.09, 0.05, 0.03, 0.02, 0, 0, 0])
    inflated = np.array([0.7, *[0.3 / 9] * 9])
    zipf = 1 / np.arange(1, BINS + 1) ** 2
    return np.array([tenths, discrete, inflated, zipf / zipf.sum()])


def tilted(shares: Floats, psi: float) -> Floats:
    """Shares that are moved along the bins by exactly this population stability index."""
    slope = np.linspace(-1, 1, shares.size)

    def moved(by: float) -> Floats:
        new = shares * np.exp(by * slope)
        return new / new.sum()

    def distance(by: float) -> float:
        new = moved(by)
        return float(((new - shares) * np.log(new / shares)).sum()) - psi

    return moved(brentq(distance, 0.0, 5.0))


def delays(psi: float, rng: np.random.Generator, *, streams: int = 60) -> Floats:
    """Rows until a change of this size is found after 50,000 clean rows, one of 20 fields."""
    shares = np.full(BINS, 0.1)
    reference = rng.multinomial(5_000, shares, streams)
    evidence = Evidence(reference, np.ones((streams, BINS), np.bool_))
    for _ in range(100):
        evidence.update(rng.multinomial(500, shares, streams))
    assert not (evidence.log_e() >= LEVEL).any()
    moved, found = tilted(shares, psi), np.full(streams, np.inf)
    for rows in range(LOOK_ROWS, 10_000, LOOK_ROWS):
        evidence.update(rng.multinomial(LOOK_ROWS, moved, streams))
        found[(evidence.log_e() >= LEVEL) & np.isinf(found)] = rows
        if np.isfinite(found).all():
            break
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("rows", [1_000, 5_000, 50_000])
def test_without_drift_at_most_one_stream_in_a_hundred_ever_alarms(
    rows: int, rng: np.random.Generator
) -> None:
    """Looked at every 50 rows for 100,000 rows, whatever the reference and the field's kind."""
    streams = 200
    shares = np.repeat(shapes(), streams // 4, axis=0)
    reference = rng.multinomial(rows, shares)
    evidence = Evidence(reference, np.ones((streams, BINS), np.bool_))
    highest = np.full(streams, -np.inf)
    for _ in range(100_000 // LOOK_ROWS):
        evidence.update(rng.multinomial(LOOK_ROWS, shares))
        highest = np.maximum(highest, evidence.log_e())
    alarms = int(np.count_nonzero(highest >= np.log(1 / ALPHA)))
    # More than this many would be met once in a thousand runs if the bound just held.
    assert alarms <= binom.ppf(0.999, streams, ALPHA)


@pytest.mark.parametrize(("psi", "rows"), [(0.27, 300), (0.11, 700), (0.02, 2_800)])
def test_a_change_after_fifty_thousand_clean_rows_is_found_soon(
    psi: float, rows: int, rng: np.random.Generator
) -> None:
    """The median delay in one of twenty fields at a level of 1 % for all of them together."""
    assert np.median(delays(psi, rng)) <= rows


def test_the_evidence_ends_up_small_where_nothing_happens(rng: np.random.Generator) -> None:
    """On average an e-value under the null is at most one."""
    streams = 2_000
    shares = np.full(BINS, 0.1)
    evidence = Evidence(rng.multinomial(2_000, shares, streams), np.ones((streams, BINS), np.bool_))
    for _ in range(20):
        evidence.update(rng.multinomial(250, shares, streams))
    e_values = np.exp(evidence.log_e())
    spread = e_values.std() / np.sqrt(streams)
    assert e_values.mean() <= 1 + 4 * spread


def test_the_loudest_stretch_begins_where_the_change_is(rng: np.random.Generator) -> None:
    """Of 20,000 rows of which the last 2,000 changed, the stretch holds about those."""
    shares = np.full(BINS, 0.1)
    evidence = Evidence(rng.multinomial(5_000, shares, 1), np.ones((1, BINS), np.bool_))
    for _ in range(36):
        evidence.update(rng.multinomial(500, shares, 1))
    for _ in range(4):
        evidence.update(rng.multinomial(500, tilted(shares, 0.11), 1))
    assert 1_000 <= evidence.stretch().rows[0] <= 4_000


def test_forgetting_a_field_leaves_the_others(rng: np.random.Generator) -> None:
    """A forgotten field is as new; its neighbour keeps its evidence."""
    shares = np.full(BINS, 0.1)
    evidence = Evidence(rng.multinomial(5_000, shares, 2), np.ones((2, BINS), np.bool_))
    for _ in range(10):
        evidence.update(rng.multinomial(500, tilted(shares, 0.27), 2))
    before = evidence.log_e()
    evidence.forget(np.array([True, False]))
    after = evidence.log_e()
    assert after[0] == pytest.approx(0.0)
    assert after[1] == before[1] > 20
