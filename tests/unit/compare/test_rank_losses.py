"""Losses of pairs, whose mean is one minus ROC AUC for any split into blocks."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.compare.risk.rank_losses import RankLosses
from mlmonitor.records import Counts, Floats
from mlmonitor.reference.training_losses.rank_pairs import pair_training_rows

PLAN = OutcomePlan("binary", ("0", "1"), 1, has_scores=True)


def block_of(scores: Floats, actual: Counts) -> OutcomeBlock:
    """Return pairs of scores and classes."""
    nothing = np.full(scores.size, np.nan)
    return OutcomeBlock(nothing, nothing, actual, actual, scores[None], {})


def draw(seed: int, rows: int) -> tuple[Floats, Counts]:
    """Draw scores with ties and gaps, one in ten of them positive."""
    rng = np.random.default_rng(seed)
    actual = (rng.random(rows) < 0.1).astype(np.int64)
    return np.round(rng.normal(size=rows) + actual, 1), actual


@pytest.mark.parametrize("rows", [1, 7, 200, 40_000])
def test_the_mean_loss_is_one_minus_roc_auc_for_blocks_of_any_size(
    rows: int,
) -> None:
    """Negatives wait for the next positive, and only positives have a loss."""
    scores, actual = draw(1, 40_000)
    ranks = RankLosses(PLAN)
    losses = np.concatenate(
        [
            ranks.measure(block_of(scores[start : start + rows], actual[start : start + rows]))
            for start in range(0, 40_000, rows)
        ]
    )
    assert 1 - np.nanmean(losses) == pytest.approx(roc_auc_score(actual, scores), abs=0.015)
    assert np.isnan(losses[actual == 0]).all()


def test_the_mean_loss_of_training_rows_does_not_depend_on_their_order() -> None:
    """They may even be sorted by class."""
    scores, actual = draw(2, 40_000)
    order = np.argsort(actual)
    training = pair_training_rows(PLAN, block_of(scores[order], actual[order]))
    assert 1 - training.mean() == pytest.approx(roc_auc_score(actual, scores), abs=0.015)


def test_rows_without_a_score_or_class_are_not_paired() -> None:
    """The last of three positives has no negative left."""
    scores = np.array([0.9, 0.2, np.nan, 0.4, 0.1, 0.3, 0.5])
    actual = np.array([1, 0, 0, 1, -1, 1, 0])
    losses = RankLosses(PLAN).measure(block_of(scores, actual))
    np.testing.assert_array_equal(losses, [0.0, np.nan, np.nan, 1.0, np.nan, np.nan, np.nan])
