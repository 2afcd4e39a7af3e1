"""Evidence from PSI alone: it approximates that of the e-process, and holds at any time."""

import numpy as np
import pytest
from scipy import stats

from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.evidence.psi_evidence import MIXTURE_ROWS, log_psi_evidence

SHARES = np.full(10, 0.1)
HARD_LAWS = {
    "ten equal bins": SHARES,
    "Zipf": 1 / np.arange(1, 31),
    "one in a thousand": np.array([1.0, 999.0]),
    "zero-inflated": np.array([95.0, 1, 1, 1, 1, 1]),
}


def test_psi_evidence_equals_the_bayes_factor_of_normal_shares() -> None:
    """The factor is computed for two bins from the normal densities of scipy."""
    reference, current = np.array([[50_000, 50_000]]), np.array([[10_400, 9_600]])
    noise = 1 / 100_000 + 1 / 20_000
    z = (0.52 - 0.5) / 0.5
    expected = stats.norm.logpdf(z, scale=np.sqrt(noise + 1 / MIXTURE_ROWS))
    expected -= stats.norm.logpdf(z, scale=np.sqrt(noise))
    assert log_psi_evidence(reference, current)[0] == pytest.approx(expected, rel=0.01)


def test_psi_evidence_is_close_to_the_evidence_of_the_counts() -> None:
    """The shift is relevant; the e-process mixes further alternatives."""
    rng = np.random.default_rng(3)
    reference = rng.multinomial(5_000, SHARES, 50)
    current = rng.multinomial(4_000, SHARES * np.linspace(0.8, 1.2, 10), 50)
    process = EProcess(reference, np.ones_like(reference, np.bool_))
    process.update(current)
    ratio = log_psi_evidence(reference, current) / process.log_e()
    assert np.median(ratio) == pytest.approx(1, abs=0.2)


def test_dependent_rows_give_less_evidence() -> None:
    """If ten rows count as one, the evidence is that of a tenth of the rows."""
    reference, current = np.full((1, 10), 5_000), np.arange(400, 600, 20)[None, :] * 10
    fewer = log_psi_evidence(reference // 10, current // 10)
    assert log_psi_evidence(reference, current, 10.0) == pytest.approx(fewer, rel=0.02)


def test_windows_without_rows_give_no_evidence() -> None:
    """Both the reference and the live window may be empty."""
    table = np.array([[0, 0], [0, 0]]), np.array([[0, 0], [5, 5]])
    assert (log_psi_evidence(*table) == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("rows", [500, 5_000, 50_000])
@pytest.mark.parametrize("law", HARD_LAWS)
def test_without_drift_few_streams_ever_exceed_the_limit(law: str, rows: int) -> None:
    """Evaluated 150 times in 100,000 rows, the rate is consistent with at most 2%."""
    rng = np.random.default_rng(5)
    streams, shares = 400, HARD_LAWS[law] / HARD_LAWS[law].sum()
    reference = rng.multinomial(rows, shares, streams)
    counts, highest, seen = np.zeros_like(reference), np.zeros(streams), 0
    for target in np.unique(np.geomspace(100, 100_000, 150).astype(int)).tolist():
        counts += rng.multinomial(target - seen, shares, streams)
        highest, seen = np.maximum(highest, log_psi_evidence(reference, counts)), target
    exceeding = int((highest >= np.log(100)).sum())
    assert exceeding <= stats.binom.ppf(0.999, streams, 0.02)
