"""Faults of labels or predictions that explain a loss: shifted rows, inverted scores, units."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan, score_losses
from mlmonitor.aggregate.outcomes.row_losses import measure_losses
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.risk.recent_pairs import cut_pairs, shift_actuals
from mlmonitor.formatting import short

LEAST_PAIRS: Final = 30
"""Fewer pairs show no fault."""

_SHIFTS = (1, -1, 2, -2, 3, -3)
_NEAR_LIMIT = 1.25  # times the loss that is tolerated: as small as without the fault
_WORSE = 1.5  # times as large as when the fault is undone


class _Attempt(NamedTuple):
    """The pairs with one fault undone."""

    fault: CommonCause
    block: OutcomeBlock


def find_label_fault(
    plan: OutcomePlan, block: OutcomeBlock, *, measure: str, limit: float
) -> CommonCause | None:
    """Return the fault that, once undone, brings the loss of these pairs back to its limit.

    measure: the one that alerts. limit: the mean loss that is tolerated, before clipping.
    """
    if block.rows < LEAST_PAIRS or measure not in ("mae", "accuracy", "brier"):
        return None
    loss = _compute_mean_loss(plan, block, measure)
    for fault, undone in _list_attempts(plan, block):
        without = _compute_mean_loss(plan, undone, measure)
        if without <= _NEAR_LIMIT * limit and loss > _WORSE * without:
            return fault
    return None


def _list_attempts(plan: OutcomePlan, block: OutcomeBlock) -> Iterator[_Attempt]:
    for rows in _SHIFTS:
        if block.rows - abs(rows) >= LEAST_PAIRS:
            text = "one row" if abs(rows) == 1 else f"{abs(rows)} rows"
            advice = "join labels and predictions by id, not by position"
            fault = CommonCause(f"labels shifted by {text}", "misaligned_labels", advice)
            yield _Attempt(fault, shift_actuals(block, rows))
    if plan.task == "binary":
        advice = "check the order of the classes, and what the score is a probability of"
        fault = CommonCause("scores or classes inverted", "inverted_scores", advice)
        yield _Attempt(fault, _invert(plan, block))
    if plan.task == "regression":
        yield from _try_scale(block)


def _invert(plan: OutcomePlan, block: OutcomeBlock) -> OutcomeBlock:
    shown = block.predicted_class
    return block._replace(
        predicted_class=np.where((shown == 0) | (shown == 1), 1 - shown, shown),
        scores=1.0 - block.scores if plan.has_probabilities else -block.scores,
    )


def _try_scale(block: OutcomeBlock) -> Iterator[_Attempt]:
    """Multiply all predictions by the factor that fits best."""
    is_pair = np.isfinite(block.predicted) & np.isfinite(block.actual)
    predicted, actual = block.predicted[is_pair], block.actual[is_pair]
    with np.errstate(all="ignore"):
        factor = float(predicted @ actual / (predicted @ predicted))
    if not np.isfinite(factor) or 0.8 < factor < 1.25:
        return
    fault = CommonCause(
        f"labels multiplied by about {short(factor)}",
        "scaled",
        "check units and currency of labels and predictions",
    )
    if factor < 0:
        title = "predictions have the opposite sign of the labels"
        advice = "check the sign of predictions and labels"
        fault = CommonCause(title, "inverted_scores", advice)
    yield _Attempt(fault, block._replace(predicted=factor * block.predicted))


def _compute_mean_loss(plan: OutcomePlan, block: OutcomeBlock, measure: str) -> float:
    if measure == "brier":  # the block's own is that of the pairs as they arrived
        block = block._replace(means={**block.means, **score_losses(plan, block)})
    losses = measure_losses(plan, block)[measure]
    finite = losses[np.isfinite(losses)]
    return float(finite.mean()) if finite.size else np.inf


def newest_pairs(block: OutcomeBlock | None, rows: int) -> OutcomeBlock | None:
    """Return the newer half of the pairs that an alert is about; the older ones may be right."""
    return None if block is None else cut_pairs(block, slice(-max(rows // 2, LEAST_PAIRS), None))
