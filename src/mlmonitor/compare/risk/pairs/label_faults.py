"""Faults of labels or predictions that explain a loss: shifted rows, inverted scores, units."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan, score_losses
from mlmonitor.aggregate.outcomes.row_losses import measure_losses
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.risk.pairs.label_association import (
    count_classes,
    imply_association,
    measure_association,
)
from mlmonitor.compare.risk.pairs.recent_pairs import roll_actuals, shift_actuals
from mlmonitor.formatting import short
from mlmonitor.records import Floats

LEAST_PAIRS: Final = 30
"""Fewer pairs show no fault."""

LABEL_FAULTS: Final = frozenset(
    {
        *("misaligned_labels", "inverted_scores", "exchanged_classes", "scaled_labels"),
        "unrelated_labels",
    }
)
"""Causes that are repaired in the labels, in their join or in the scores."""

_SHIFTS = (1, -1, 2, -2, 3, -3)
_NEAR_LIMIT = 1.25  # times the loss that is tolerated: as small as without the fault
_WORSE = 1.5  # times as large as when the fault is undone
_UNIT = 8.0  # a factor as large as this is one of units, not of prices
_ERRORS = 3.0  # standard errors by which a loss is beyond what is tolerated
_RELATED = 0.5  # of the association at training
_ROLLS = 8


class ToleratedLoss(NamedTuple):
    """What one measure may be: its mean loss, and the same with losses clipped at `scale`."""

    measure: str
    limit: float
    clipped_limit: float
    scale: float


class _Attempt(NamedTuple):
    """The pairs with one fault undone."""

    fault: CommonCause
    block: OutcomeBlock


UNRELATED: Final = CommonCause(
    "labels unrelated to predictions, as if they were shuffled",
    "unrelated_labels",
    "check how labels are joined with predictions: the performance fell to that of chance, while "
    "neither features nor predictions moved",
)


def list_worse(
    plan: OutcomePlan, block: OutcomeBlock, tolerated: Sequence[ToleratedLoss]
) -> list[ToleratedLoss]:
    """Return the measures whose loss over these pairs is beyond what is tolerated."""
    losses = _compute_losses(plan, block)
    worse = []
    for limit in tolerated:
        clipped = np.minimum(losses.get(limit.measure, np.empty(0)), limit.scale)
        clipped = clipped[np.isfinite(clipped)]
        if clipped.size >= LEAST_PAIRS:
            error = float(clipped.std()) / clipped.size**0.5
            if float(clipped.mean()) - _ERRORS * error > limit.clipped_limit:
                worse.append(limit)
    return worse


def list_faults(
    plan: OutcomePlan, block: OutcomeBlock, tolerated: Sequence[ToleratedLoss]
) -> Iterator[CommonCause]:
    """Yield the faults that, once undone, bring a loss of these pairs back to its limit."""
    judged = [limit for limit in tolerated if limit.measure in ("mae", "accuracy", "brier")]
    losses = [_compute_mean_loss(plan, block, limit.measure) for limit in judged]
    for fault, undone in _list_attempts(plan, block):
        for limit, loss in zip(judged, losses, strict=True):
            without = _compute_mean_loss(plan, undone, limit.measure)
            if without <= _NEAR_LIMIT * limit.limit and loss > _WORSE * without:
                yield fault
                break


def are_unrelated(
    plan: OutcomePlan, block: OutcomeBlock, tolerated: Sequence[ToleratedLoss]
) -> bool:
    """Whether labels may follow predictions by chance alone, and less than half as at training."""
    association = measure_association(plan, block)
    if association is None or not association.may_be_none:
        return False
    trained = max((_imply(plan, block, limit) for limit in tolerated), default=0.0)
    return association.high < _RELATED * trained


def _imply(plan: OutcomePlan, block: OutcomeBlock, limit: ToleratedLoss) -> float:
    """Return the association that the tolerated loss implies."""
    if limit.measure == "roc_auc":
        return 1.0 - 2 * limit.limit
    if limit.measure not in ("mae", "accuracy", "brier"):
        return 0.0
    offsets = np.linspace(0, block.rows, _ROLLS + 2)[1:-1].astype(np.int64).tolist()
    chance = [
        _compute_mean_loss(plan, roll_actuals(block, rows), limit.measure) for rows in offsets
    ]
    return imply_association(limit.limit, float(np.mean(chance)), measure=limit.measure)


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
    if plan.task == "multiclass":
        yield from _try_exchange(plan, block)
    if plan.task == "regression":
        yield from _try_scale(block)


def _invert(plan: OutcomePlan, block: OutcomeBlock) -> OutcomeBlock:
    shown = block.predicted_class
    return block._replace(
        predicted_class=np.where((shown == 0) | (shown == 1), 1 - shown, shown),
        scores=1.0 - block.scores if plan.has_probabilities else -block.scores,
    )


def _try_exchange(plan: OutcomePlan, block: OutcomeBlock) -> Iterator[_Attempt]:
    """Give each class of the labels the name that is predicted most often for it."""
    table = count_classes(plan, block)
    mapped = np.where(table.any(axis=1), table.argmax(axis=1), np.arange(len(table)))
    used = np.flatnonzero(table.any(axis=1))
    if (mapped[used] == used).all() or np.unique(mapped[used]).size < used.size:
        return
    advice = "check the order of the classes in the labels and in the model's output"
    fault = CommonCause("classes of labels exchanged", "exchanged_classes", advice)
    shown = np.where(block.actual_class >= 0, mapped[block.actual_class], -1)
    yield _Attempt(fault, block._replace(actual_class=shown))


def _try_scale(block: OutcomeBlock) -> Iterator[_Attempt]:
    """Divide all actuals by the factor that fits best."""
    is_pair = np.isfinite(block.predicted) & np.isfinite(block.actual)
    predicted, actual = block.predicted[is_pair], block.actual[is_pair]
    with np.errstate(all="ignore"):
        factor = float(predicted @ actual / (predicted @ predicted))
    if not np.isfinite(factor) or 0.8 < factor < 1.25 or factor == 0:
        return
    is_unit = not 1 / _UNIT < factor < _UNIT
    fault = CommonCause(
        f"labels multiplied by about {short(factor)}",
        "scaled_labels" if is_unit else "scaled",
        "check units and currency of labels and predictions, or whether prices changed",
    )
    if factor < 0:
        title = "predictions have the opposite sign of the labels"
        advice = "check the sign of predictions and labels"
        fault = CommonCause(title, "inverted_scores", advice)
    yield _Attempt(fault, block._replace(actual=block.actual / factor))


def _compute_losses(plan: OutcomePlan, block: OutcomeBlock) -> dict[str, Floats]:
    if "brier" in block.means:  # the block's own is that of the pairs as they arrived
        block = block._replace(means={**block.means, **score_losses(plan, block)})
    return measure_losses(plan, block)


def _compute_mean_loss(plan: OutcomePlan, block: OutcomeBlock, measure: str) -> float:
    losses = _compute_losses(plan, block).get(measure, np.empty(0))
    finite = losses[np.isfinite(losses)]
    with np.errstate(over="ignore"):  # the largest floats have an infinite mean
        return float(finite.mean()) if finite.size else np.inf
