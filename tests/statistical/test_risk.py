"""Harmful drift: how often evidence passes without a change, for losses of several laws."""

import numpy as np
import pytest
from scipy.stats import binom

from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.records import Floats
from mlmonitor.stats.sequential.risk_process import RiskProcess

pytestmark = pytest.mark.slow

MONTHS, DAYS, LABELS = 400, 30, 100
ALPHA = 0.05


def draw(rng: np.random.Generator, law: str, rows: int) -> tuple[str, Floats]:
    """Losses of a law, and the measure that they belong to."""
    if law == "heavy":
        return "mae", rng.lognormal(0, 1.5, rows)
    if law == "exponential":
        return "mae", rng.exponential(1, rows)
    return "accuracy", (rng.random(rows) < float(law)).astype(np.float64)


@pytest.mark.parametrize("law", ["heavy", "exponential", "0.01", "0.3"])
def test_months_without_a_change_hardly_ever_have_evidence_of_one(law: str) -> None:
    """Looked at every day, without any tolerance, beside a reference of their own."""
    rng = np.random.default_rng(17)
    passed = 0
    for _ in range(MONTHS):
        measure, losses = draw(rng, law, 1_000)
        bins = LossBins.fit(measure, losses)
        reference = bins.count_losses(losses)[:-1].astype(np.int64)
        process = RiskProcess(bins.values, reference, tolerance=0.0)
        totals = np.zeros(len(bins.values) + 1)
        for _ in range(DAYS):
            totals += bins.count_losses(draw(rng, law, LABELS)[1])
            if process.evaluate(totals).log_e >= np.log(1 / ALPHA):
                passed += 1
                break
    assert passed <= binom.ppf(0.999, MONTHS, ALPHA)
