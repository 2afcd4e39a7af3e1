"""False alerts of segments with known distributions; all their fields share one alpha."""

import numpy as np
import pytest

from mlmonitor.stats.eprocess import EProcess
from support.cases import short_form
from support.rates import highest_rate

ALPHA = 0.01
FIELDS = 4
BINS = 10


@pytest.mark.parametrize("rows", short_form([0, 5, 30, 200], 30))
def test_at_most_one_small_segment_in_twenty_alerts_without_drift(
    rows: int, rng: np.random.Generator
) -> None:
    """Bins are those of all rows, so a small segment has many empty ones, which is no change."""
    streams = 400
    laws = [np.full(BINS, 0.1), np.array([0.9, 0.1, *[0.0] * 8]), np.eye(BINS)[3]]
    laws.append(np.array([0.3, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.01, 0.005, 0.005]))
    shares = np.repeat(laws, streams // len(laws), axis=0)
    reference = rng.multinomial(rows, shares)
    evidence = EProcess(reference, np.ones(reference.shape, np.bool_))
    most = np.full(streams, -np.inf)
    for _ in range(200):
        evidence.update(rng.multinomial(50, shares))
        most = np.maximum(most, evidence.log_e())
    alerts = int((most >= np.log(1 / ALPHA)).sum())
    assert highest_rate(alerts, streams) <= 0.05
