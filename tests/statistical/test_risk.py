"""Harmful drift: how often evidence passes without a change, for several kinds of losses."""

import numpy as np
import pytest
from scipy.stats import binom

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.estimated.expected_losses import split_losses
from mlmonitor.compare.risk.rank_losses import RankLosses
from mlmonitor.records import Floats
from mlmonitor.reference.training_losses.rank_pairs import pair_training_rows
from mlmonitor.stats.sequential.risk_process import RiskProcess

pytestmark = pytest.mark.slow

MONTHS, DAYS, LABELS = 400, 30, 100
ALPHA = 0.05


def draw(rng: np.random.Generator, law: str, rows: int) -> tuple[str, Floats]:
    """Draw losses of one kind, and return the measure that they belong to."""
    if law == "heavy":
        return "mae", rng.lognormal(0, 1.5, rows)
    if law == "exponential":
        return "mae", rng.exponential(1, rows)
    return "accuracy", (rng.random(rows) < float(law)).astype(np.float64)


@pytest.mark.parametrize("law", ["heavy", "exponential", "0.01", "0.3"])
def test_months_without_a_change_rarely_give_evidence_of_one(law: str) -> None:
    """Each month has its own reference and is checked every day, without a tolerance."""
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


def draw_groups(rng: np.random.Generator, groups: int) -> Floats:
    """Draw ten rows a group with a common error rate, which is one in five on average."""
    share = rng.beta(0.4, 1.6, groups)  # correlation 1/3 within a group
    wrong: Floats = (rng.random((groups, 10)) < share[:, None]).astype(np.float64).ravel()
    return wrong


@pytest.mark.parametrize(("design_effect", "holds"), [(1.0, False), (4.0, True)])
def test_grouped_rows_give_false_evidence_unless_they_count_as_fewer_rows(
    *, design_effect: float, holds: bool
) -> None:
    """Ten rows a group with a correlation of one third count as a quarter of as many rows."""
    rng = np.random.default_rng(18)
    passed, months = 0, 200
    bins = LossBins("accuracy", 1.0)
    for _ in range(months):
        reference = bins.count_losses(draw_groups(rng, 100))[:-1].astype(np.int64)
        process = RiskProcess(bins.values, reference, tolerance=0.0)
        totals = np.zeros(3)
        for _ in range(DAYS):
            totals += bins.count_losses(draw_groups(rng, LABELS // 10))
            evidence = process.evaluate(totals, design_effect=design_effect)
            if evidence.log_e >= np.log(1 / ALPHA):
                passed += 1
                break
    assert (passed <= binom.ppf(0.999, months, ALPHA)) == holds, passed


def test_expected_losses_rarely_exceed_the_threshold_without_a_change() -> None:
    """A calibration of twenty bins is fitted to a new sample each month, without a tolerance."""
    rng = np.random.default_rng(19)
    passed, bins = 0, LossBins("accuracy", 1.0)
    for _ in range(MONTHS):
        scores = rng.random(1_000)
        is_positive = rng.random(1_000) < scores
        cells = (scores * 20).astype(np.int64)
        rates = np.bincount(cells, is_positive, 20) / np.maximum(
            np.bincount(cells, minlength=20), 1
        )
        expected = np.where(np.arange(20) >= 10, 1 - rates, rates)
        wrong = (is_positive != (scores >= 0.5)).astype(np.float64)
        process = RiskProcess(
            bins.values, bins.count_losses(wrong)[:-1].astype(np.int64), tolerance=0.0
        )
        totals = np.zeros(3)
        for _ in range(DAYS):
            losses = expected[rng.integers(0, 20, LABELS)]
            totals += split_losses(bins, losses, np.ones(LABELS))
            if process.evaluate(totals).log_e >= np.log(1 / ALPHA):
                passed += 1
                break
    assert passed <= binom.ppf(0.999, MONTHS, ALPHA)


def test_shuffled_labels_of_a_rare_class_are_found_within_500_labels_in_most_streams() -> None:
    """One label in ten is positive; twenty days of 200 labels without a change raise no alert."""
    rng, delays = np.random.default_rng(20), []
    plan = OutcomePlan("binary", ("0", "1"), 1, has_scores=True)
    threshold = np.log(6 / (0.02 * 0.01))
    for _ in range(40):
        bins, ranks = LossBins("roc_auc", 1.0), RankLosses(plan)
        trained = pair_training_rows(plan, draw_scores(rng, 4_000))
        process = RiskProcess(
            bins.values, bins.count_losses(trained)[:-1].astype(np.int64), tolerance=0.02
        )
        totals, delay = np.zeros(len(bins.values) + 1), 0
        for day in range(40):
            block = draw_scores(rng, 200, is_shuffled=day >= 20)
            totals += bins.count_losses(ranks.measure(block))
            is_found = process.evaluate(totals).log_e >= threshold
            assert not (is_found and day < 20)
            delay += 200 * (day >= 20)
            if is_found:
                break
        delays.append(delay)
    assert np.median(delays) <= 500
    assert np.quantile(delays, 0.9) <= 1_000


def draw_scores(rng: np.random.Generator, rows: int, *, is_shuffled: bool = False) -> OutcomeBlock:
    """Draw scores whose area under the curve is 0.9, with their classes."""
    actual = (rng.random(rows) < 0.1).astype(np.int64)
    scores, nothing = rng.normal(size=rows) + 1.8 * actual, np.full(rows, np.nan)
    actual = rng.permutation(actual) if is_shuffled else actual
    return OutcomeBlock(nothing, nothing, actual, actual, scores[None], {})
