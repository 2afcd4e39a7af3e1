"""Alternatives in which an ordered field has shifted as a whole, or has a heavier tail."""

import numpy as np
import pytest
from scipy import stats

from mlmonitor.stats.eprocess import CONCENTRATIONS, EProcess
from mlmonitor.stats.evidence.tilts import (
    TAIL_FACTOR,
    TILTS,
    location_scores,
    tilt_factors,
)

BINS = 10
EQUAL = np.append(np.full(BINS, 500), 0)[None, :]
ORDERED = np.array([True])


def normal_shares(shift: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the shares of a shifted normal field in the deciles before the shift."""
    edges = stats.norm.ppf(np.arange(1, BINS) / BINS)
    return np.append(np.diff([0.0, *stats.norm.cdf(edges - shift), 1.0]), 0.0)


def test_location_scores_have_mean_0_and_variance_1_and_missing_values_none() -> None:
    """Bins may have any shares; an unordered field has scores of 0."""
    reference = np.array([[5, 100, 40, 0, 300, 55], [1, 2, 3, 4, 5, 6]])
    scores = location_scores(reference, np.array([True, False]))
    values = reference[0, :-1] / reference[0, :-1].sum()
    assert values @ scores[0, :-1] == pytest.approx(0, abs=1e-12)
    assert values @ scores[0, :-1] ** 2 == pytest.approx(1)
    assert scores[0, -1] == 0
    assert not scores[1].any()


def test_a_constant_field_has_no_location_scores() -> None:
    """A field without rows has none either."""
    assert not location_scores(np.array([[0, 90, 0, 1], [0, 0, 0, 0]]), np.ones(2, np.bool_)).any()


@pytest.mark.parametrize("shift", TILTS)
def test_a_tilt_is_a_shift_of_a_normal_field(shift: float) -> None:
    """The shift is by that many standard deviations, to a hundredth in each bin."""
    factors = tilt_factors(EQUAL, ORDERED)[TILTS.index(shift), 0]
    tilted = factors[:-1] / factors[:-1].sum()
    assert tilted == pytest.approx(normal_shares(shift)[:-1], abs=0.015)


@pytest.mark.parametrize(
    ("values", "grown"),
    [
        ([5_000, 5_000, 5_000, 4_975, 25], [(4,), (4,)]),
        ([25, 4_975, 5_000, 5_000, 5_000], [(0,), (0,)]),
        ([25, 4_975, 5_000, 4_975, 25], [(0,), (4,)]),
    ],
    ids=["above", "below", "on both sides"],
)
def test_a_bin_in_a_heavy_tail_grows_in_two_alternatives(
    values: list[int], grown: list[tuple[int, ...]]
) -> None:
    """All other bins stay equal in these; the other two alternatives shift the whole field."""
    factors = tilt_factors(np.array([[*values, 7]]), ORDERED)[:, 0]
    assert [tuple(np.flatnonzero(law != 1).tolist()) for law in factors[2:]] == grown
    assert np.unique(factors[2:]).tolist() == [1, TAIL_FACTOR]
    assert (np.diff(factors[0, :-1]) < 0).all()
    assert (np.diff(factors[1, :-1]) > 0).all()


def test_the_evidence_is_a_mixture_of_dirichlet_multinomial_distributions() -> None:
    """Expected values come from scipy; half of the mixture is tilted."""
    counts = np.append(np.arange(10, 30, 2), 3)[None, :]
    tilts = tilt_factors(EQUAL, ORDERED)
    process = EProcess(EQUAL, np.ones_like(EQUAL, np.bool_), tilts=tilts)
    process.update(counts)
    null = EQUAL[0] + 0.5
    laws = [np.full(BINS + 1, 0.5)]
    laws += [np.maximum(null * c / (null.sum() + c), 0.5) for c in CONCENTRATIONS]
    for factors in tilts[:, 0]:
        tilted = null * factors
        laws.append(np.maximum(tilted * null.sum() / tilted.sum(), 0.5))
    weights = np.array([1 / 6] * 3 + [1 / 8] * 4)
    log_p = stats.dirichlet_multinomial.logpmf
    rows = int(counts.sum())
    gains = [log_p(counts[0], law, rows) - log_p(counts[0], null, rows) for law in laws]
    expected = np.log(0.5 * (weights @ np.exp(gains)) + 0.5)
    assert process.log_e()[0] == pytest.approx(expected)


def test_tilts_add_evidence_for_a_shift_and_cost_little_for_other_changes() -> None:
    """After 500 rows, tilts add over 3 to the log evidence of a shift and cost others at most 1."""
    rng = np.random.default_rng(6)
    reference = np.hstack(
        [rng.multinomial(5_000, np.full(BINS, 0.1), 200), np.zeros((200, 1), int)]
    )
    present = np.ones_like(reference, np.bool_)
    gained = {}
    for name, shares in {
        "shift": normal_shares(0.25),
        "other": [*np.tile([0.06, 0.14], 5), 0],
    }.items():
        counts = rng.multinomial(500, shares, 200)
        log_e = []
        for tilts in (None, tilt_factors(reference, np.ones(200, np.bool_))):
            process = EProcess(reference, present, tilts=tilts)
            process.update(counts)
            log_e.append(process.log_e())
        gained[name] = float(np.median(log_e[1] - log_e[0]))
    assert gained["shift"] > 3
    assert gained["other"] > -1
