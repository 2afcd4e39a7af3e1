"""The e-process computed for one field, row by row, against the columnar one."""

import math

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

from mlmonitor.stats.eprocess import CONCENTRATIONS, EProcess
from mlmonitor.stats.evidence.dirichlet import PRIOR


def log_sequence(prior: np.ndarray, rows: list[int]) -> float:
    """Return the log probability of a sequence of bins under the rule of succession."""
    counts, total = prior.copy(), 0.0
    for row in rows:
        total += math.log(counts[row] / counts.sum())
        counts[row] += 1
    return total


def alternatives(null: np.ndarray) -> list[np.ndarray]:
    """Return alternatives around the null with at least half a count a bin, and a flat one."""
    share, flat = null / null.sum(), np.full(null.size, PRIOR)
    sure = [1 / (1 / c + 1 / null.sum()) for c in CONCENTRATIONS]
    return [*(np.maximum(share * law, PRIOR) for law in sure), flat]


def naive_log_e(reference: np.ndarray, rows: list[int], every: int) -> float:
    """Compute the e-process with all restarts kept and each bet explicit."""
    starts = list(range(0, len(rows) + 1, every))
    terms = [-math.log(len(starts) + 1)]
    for j, start in enumerate(starts):
        null = reference + PRIOR + np.bincount(rows[:start], minlength=reference.size)
        priors = alternatives(null)
        log_sequences = [log_sequence(prior, rows[start:]) for prior in priors]
        gain = logsumexp(log_sequences) - math.log(len(priors)) - log_sequence(null, rows[start:])
        terms.append(gain - math.log((j + 1) * (j + 2)))
    return float(logsumexp(terms))


@pytest.mark.parametrize("bins", [2, 5])
def test_the_e_process_equals_the_documented_likelihood_ratio(
    bins: int, rng: np.random.Generator
) -> None:
    """Counts in blocks give the same evidence as single rows, restarts included."""
    reference = rng.integers(0, 60, (1, bins))
    rows = rng.integers(0, bins, 330)
    evidence = EProcess(reference, np.ones((1, bins), np.bool_), restart_rows=100)
    for start in range(0, 330, 10):
        block = np.bincount(rows[start : start + 10], minlength=bins)[None, :]
        evidence.update(block)
    expected = naive_log_e(reference[0], rows.tolist(), 100)
    assert evidence.log_e()[0] == pytest.approx(expected, rel=1e-9)


def test_dropping_restarts_only_lowers_the_evidence(rng: np.random.Generator) -> None:
    """With eight of sixty restarts kept, the evidence never exceeds that of all restarts."""
    reference = rng.integers(20, 60, (1, 3))
    rows = np.append(rng.integers(0, 3, 400), rng.integers(0, 2, 200))
    evidence = EProcess(reference, np.ones((1, 3), np.bool_), restart_rows=10, kept=8)
    for start in range(0, 600, 10):
        evidence.update(np.bincount(rows[start : start + 10], minlength=3)[None, :])
        if start % 100 == 90:
            bet = naive_log_e(reference[0], rows[: start + 10].tolist(), 10)
            assert evidence.log_e()[0] <= bet + 1e-9


def test_the_marginal_likelihood_is_the_dirichlet_multinomial(
    rng: np.random.Generator,
) -> None:
    """Without restarts, the evidence is a ratio of multivariate beta functions."""
    reference, counts = rng.integers(1, 50, (1, 4)), rng.integers(0, 30, (1, 4))
    evidence = EProcess(reference, np.ones((1, 4), np.bool_), restart_rows=10**9)
    evidence.update(counts)

    def log_beta(a: np.ndarray) -> float:
        return float(gammaln(a).sum() - gammaln(a.sum()))

    null = reference[0] + PRIOR
    priors = alternatives(null)
    gains = [log_beta(prior + counts[0]) - log_beta(prior) for prior in priors]
    gain = logsumexp(gains) - math.log(len(priors)) - log_beta(null + counts[0]) + log_beta(null)
    assert evidence.log_e()[0] == pytest.approx(np.logaddexp(gain, 0) - math.log(2), rel=1e-9)
