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
from mlmonitor.compare.risk.pairs.number_faults import RepairAttempt, try_level, try_parts
from mlmonitor.compare.risk.pairs.recent_pairs import cut_pairs, roll_actuals, shift_actuals
from mlmonitor.records import Counts, Floats, Mask

LEAST_PAIRS: Final = 30
"""Minimum number of pairs that can show a fault."""

LABEL_FAULTS: Final = frozenset(
    {
        *("misaligned_labels", "inverted_scores", "exchanged_classes", "scaled_labels"),
        *("unrelated_labels", "filled"),
    }
)
"""Causes that are repaired in the labels, in their join or in the scores."""

_SHIFTS = (1, -1, 2, -2, 3, -3)
_NEAR_LIMIT = 1.25  # largest loss once the fault is undone, relative to the tolerated loss
_WORSE = 1.5  # smallest loss with the fault, relative to the loss once it is undone
_ERRORS = 3.0  # standard errors by which a loss must exceed the tolerated loss
_RELATED = 0.5  # share of the association at training below which labels are unrelated
_ROLLS = 8
_ASSOCIATED = 128
"""Minimum number of pairs to show that there is no association, in their parts as well."""
_PART_ERRORS = 3.0  # standard errors up to which a part shows no association
_LEAST_SHIFTED = 64
_SHIFT_ERRORS = 4.0  # standard errors by which a shift must be better than a random pairing
_NEAR_PART = 2.0  # largest loss of only the repaired pairs, relative to the tolerated loss


class ToleratedLoss(NamedTuple):
    """The largest mean loss of one measure that is tolerated.

    clipped_limit: the same if each loss is clipped at `scale`.
    """

    measure: str
    limit: float
    clipped_limit: float
    scale: float


UNRELATED: Final = CommonCause(
    "labels unrelated to predictions, as if they were shuffled",
    "unrelated_labels",
    "check how labels are joined with predictions: the performance fell to that of chance, while "
    "neither features nor predictions moved",
)


def list_worse(
    plan: OutcomePlan, block: OutcomeBlock, tolerated: Sequence[ToleratedLoss]
) -> list[ToleratedLoss]:
    """Return the measures whose loss over these pairs significantly exceeds the tolerated loss."""
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
    plan: OutcomePlan,
    block: OutcomeBlock,
    tolerated: Sequence[ToleratedLoss],
    sound: OutcomeBlock | None = None,
) -> list[CommonCause]:
    """Return the faults that, once undone, bring a loss of these pairs back to its limit.

    The fault that leaves the smallest loss is listed first. sound: earlier pairs with a tolerated
    loss.
    """
    judged = [limit for limit in tolerated if limit.measure in ("mae", "accuracy", "brier")]
    losses = [_compute_mean_loss(plan, block, limit.measure) for limit in judged]
    faults: list[tuple[float, CommonCause]] = []
    for attempt in _list_attempts(plan, block, sound):
        for limit, loss in zip(judged, losses, strict=True):
            without = _compute_mean_loss(plan, attempt.block, limit.measure)
            is_restored = without <= _NEAR_LIMIT * limit.limit and loss > _WORSE * without
            if is_restored and _is_beyond_chance(plan, block, attempt, limit):
                faults.append((without / limit.limit, attempt.fault))
                break
    return [fault for _, fault in sorted(faults, key=lambda entry: entry[0])]


def _is_beyond_chance(
    plan: OutcomePlan, block: OutcomeBlock, attempt: RepairAttempt, limit: ToleratedLoss
) -> bool:
    """Whether undoing the fault improved the loss by more than chance explains.

    A shift must be clearly better than a random pairing, because several shifts are tried. After a
    partial repair, the repaired pairs alone must have a small loss, because they were selected.
    """
    if attempt.repaired is not None:
        loss = _compute_mean_loss(plan, attempt.repaired, limit.measure)
        return loss <= _NEAR_PART * limit.limit
    if attempt.fault.cause != "misaligned_labels":
        return True
    without = _compute_mean_loss(plan, attempt.block, limit.measure)
    rolled = roll_actuals(block, block.rows // 2)
    others = np.minimum(_compute_losses(plan, rolled)[limit.measure], limit.scale)
    others = others[np.isfinite(others)]
    error = float(others.std()) / max(others.size, 1) ** 0.5
    return bool(without < float(others.mean()) - _SHIFT_ERRORS * error)


def are_unrelated(
    plan: OutcomePlan, block: OutcomeBlock, tolerated: Sequence[ToleratedLoss]
) -> bool:
    """Whether labels may be independent of predictions, and their association has at least halved.

    Halves and quarters of the pairs must show no association either, because an association whose
    sign changes in the middle is zero on average.
    """
    association = measure_association(plan, block) if block.rows >= _ASSOCIATED else None
    if association is None or not association.may_be_none:
        return False
    for parts in (2, 4):
        size = block.rows // parts
        for place in range(parts):
            rows = slice(block.rows - (place + 1) * size, block.rows - place * size)
            part = measure_association(plan, cut_pairs(block, rows))
            if part is None and parts == 2:
                return False
            if part is not None and part.value > _PART_ERRORS * part.error:
                return False
    trained = max((_imply(plan, block, limit) for limit in tolerated), default=0.0)
    return association.high < _RELATED * trained


def _imply(plan: OutcomePlan, block: OutcomeBlock, limit: ToleratedLoss) -> float:
    """Return the association between labels and predictions whose loss is just tolerated."""
    if limit.measure == "roc_auc":
        return 1.0 - 2 * limit.limit
    if limit.measure not in ("mae", "accuracy", "brier"):
        return 0.0
    offsets = np.linspace(0, block.rows, _ROLLS + 2)[1:-1].astype(np.int64).tolist()
    chance = [
        _compute_mean_loss(plan, roll_actuals(block, rows), limit.measure) for rows in offsets
    ]
    return imply_association(limit.limit, float(np.mean(chance)), measure=limit.measure)


def _list_attempts(
    plan: OutcomePlan, block: OutcomeBlock, sound: OutcomeBlock | None
) -> Iterator[RepairAttempt]:
    for rows in _SHIFTS:
        if block.rows - abs(rows) >= _LEAST_SHIFTED - max(_SHIFTS):
            text = "one row" if abs(rows) == 1 else f"{abs(rows)} rows"
            advice = "join labels and predictions by id, not by position"
            fault = CommonCause(f"labels shifted by {text}", "misaligned_labels", advice)
            yield RepairAttempt(fault, shift_actuals(block, rows))
    if plan.task == "binary":
        advice = "check the order of the classes, and what the score is a probability of"
        fault = CommonCause("scores or classes inverted", "inverted_scores", advice)
        yield RepairAttempt(fault, _invert(plan, block))
    if plan.task == "multiclass":
        yield from _try_exchange(plan, block)
    if plan.task == "regression":
        yield from try_level(block)
        yield from try_parts(block, sound)


def _invert(plan: OutcomePlan, block: OutcomeBlock) -> OutcomeBlock:
    shown = block.predicted_class
    return block._replace(
        predicted_class=np.where((shown == 0) | (shown == 1), 1 - shown, shown),
        scores=1.0 - block.scores if plan.has_probabilities else -block.scores,
    )


def _try_exchange(plan: OutcomePlan, block: OutcomeBlock) -> Iterator[RepairAttempt]:
    """Rename each class of the labels to the class that is predicted most often for it.

    A class that is never predicted keeps its name in the first attempt, and takes part in the
    second.
    """
    table = count_classes(plan, block)
    own = np.arange(len(table))
    used: Mask = table.sum(axis=1) > 0
    is_predicted: Mask = used & (table.sum(axis=0) > 0)
    advice = "check the order of the classes in the labels and in the model's output"
    fault = CommonCause("classes of labels exchanged", "exchanged_classes", advice)
    for is_matched in (is_predicted, used):
        mapped = np.where(used, _match_classes(table, is_matched), own)
        if (mapped == own).all() or np.unique(mapped[used]).size < used.sum():
            continue
        shown = np.where(block.actual_class >= 0, mapped[block.actual_class], -1)
        yield RepairAttempt(fault, block._replace(actual_class=shown))


def _match_classes(table: Counts, is_matched: Mask) -> Counts:
    """Match each of these label classes with a different predicted class, the clearest first."""
    mapped = np.arange(len(table))
    left = set(mapped[is_matched].tolist())
    for code in sorted(left, key=lambda code: -int(table[code].max())):
        choice = max(left, key=lambda name: (int(table[code, name]), name == code))
        mapped[code] = choice
        left.remove(choice)
    return mapped


def _compute_losses(plan: OutcomePlan, block: OutcomeBlock) -> dict[str, Floats]:
    if "brier" in block.means:  # it was computed for the original pairs
        block = block._replace(means={**block.means, **score_losses(plan, block)})
    return measure_losses(plan, block)


def _compute_mean_loss(plan: OutcomePlan, block: OutcomeBlock, measure: str) -> float:
    losses = _compute_losses(plan, block).get(measure, np.empty(0))
    finite = losses[np.isfinite(losses)]
    with np.errstate(over="ignore"):  # the largest floats have an infinite mean
        return float(finite.mean()) if finite.size else np.inf
