"""Faults of numeric labels: in another unit, moved by an amount, or partly wrong."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.formatting import short
from mlmonitor.records import Floats, Mask

_UNIT: Final = 8.0
"""A factor at least as large is a change of units, not of prices."""

_SAME_UNIT: Final = (0.8, 1.25)
"""Factors between these two are not reported."""

EITHER: Final = " times or "
"""Part of a title with a factor and an amount, between which more pairs may decide."""

_ERRORS: Final = 3.0
"""Standard errors by which one explanation must be better than another."""

_LEAST_MIXED: Final = 128
"""Minimum number of pairs to show a fault in a part of them, and its share."""

_LEAST_SHARE: Final = 0.05
_LEAST_PART: Final = 10
_RARE: Final = 0.25  # a value was rare if it had less than this share of its current frequency
_UNIT_ADVICE: Final = (
    "check units and currency of labels and predictions, or whether prices changed"
)


class RepairAttempt(NamedTuple):
    """The pairs with one fault undone.

    repaired: only the pairs that had the fault; None if all had it.
    """

    fault: CommonCause
    block: OutcomeBlock
    repaired: OutcomeBlock | None = None


def try_level(block: OutcomeBlock) -> Iterator[RepairAttempt]:
    """Try to divide all actuals by the factor that fits best, or to move them by an amount.

    A title names both if chance may decide which of them fits better.
    """
    predicted, actual = _select_pairs(block)
    with np.errstate(all="ignore"):
        factor = float(predicted @ actual / (predicted @ predicted))
        moved = float((actual - predicted).mean()) if actual.size else np.nan
        # Both are compared in the unit of the actuals: a division makes any error smaller.
        gains = np.abs(predicted + moved - actual) - np.abs(factor * predicted - actual)
        gain, error = float(gains.mean()), float(gains.std()) / max(gains.size, 1) ** 0.5
    if not np.isfinite((factor, moved, gain, error)).all():
        return
    is_factor = not 1 / _UNIT < factor < _UNIT or gain > _ERRORS * error
    if factor < 0:
        title = "predictions have the opposite sign of the labels"
        advice = "check the sign of predictions and labels"
        fault = CommonCause(title, "inverted_scores", advice)
        yield RepairAttempt(fault, block._replace(actual=block.actual / factor))
    elif factor and is_factor:
        if not _SAME_UNIT[0] < factor < _SAME_UNIT[1]:
            yield RepairAttempt(_name_factor(factor), block._replace(actual=block.actual / factor))
    elif moved:
        fault = _name_amount(moved, factor if gain >= -_ERRORS * error else None)
        yield RepairAttempt(fault, block._replace(actual=block.actual - moved))


def _name_factor(factor: float) -> CommonCause:
    is_unit = not 1 / _UNIT < factor < _UNIT
    title = f"labels multiplied by about {short(factor)}"
    return CommonCause(title, "scaled_labels" if is_unit else "scaled", _UNIT_ADVICE)


def _name_amount(moved: float, factor: float | None) -> CommonCause:
    """Describe an amount, and the factor that explains the labels equally well, if given."""
    amount = f"{short(abs(moved))} {'more' if moved > 0 else 'less'}"
    if factor is not None:
        title = f"labels are about {short(factor)}{EITHER}{amount}"
        return CommonCause(title, "scaled", _UNIT_ADVICE)
    advice = "check what the labels contain that they did not at training, such as fees or tax"
    return CommonCause(f"labels are about {amount} than before", "shifted", advice)


def try_parts(block: OutcomeBlock, sound: OutcomeBlock | None) -> Iterator[RepairAttempt]:
    """Try to undo a fault in part of the actuals: one filler value, or another unit.

    sound: earlier pairs with a tolerated loss, in which a filler must have been rare.
    """
    predicted, actual = _select_pairs(block)
    if actual.size >= _LEAST_MIXED:
        if sound is not None:
            yield from _try_fill(block, actual, _select_pairs(sound)[1])
        yield from _try_unit_of_part(block, predicted, actual)


def _try_fill(block: OutcomeBlock, actual: Floats, before: Floats) -> Iterator[RepairAttempt]:
    values, counts = np.unique(actual, return_counts=True)
    place = int(counts.argmax())
    value, share = float(values[place]), float(counts[place]) / actual.size
    was_rare = before.size > 0 and float((before == value).mean()) <= _RARE * share
    if share >= _LEAST_SHARE and counts[place] >= _LEAST_PART and was_rare:
        advice = "send missing labels as missing: ask who fills them"
        fault = CommonCause(f"about {share:.0%} of the labels are {short(value)}", "filled", advice)
        is_filled = block.actual == value
        yield RepairAttempt(fault, _keep(block, ~is_filled))


def _try_unit_of_part(
    block: OutcomeBlock, predicted: Floats, actual: Floats
) -> Iterator[RepairAttempt]:
    with np.errstate(all="ignore"):
        ratios = actual / predicted
        far = [ratios[(ratios >= _UNIT) & np.isfinite(ratios)]]
        far.append(ratios[(ratios > 0) & (ratios <= 1 / _UNIT)])
        ratio = max(far, key=len)
        if ratio.size < _LEAST_PART:
            return
        factor = float(np.median(ratio))
        error = np.abs(block.predicted - block.actual)
        is_scaled: Mask = np.abs(block.predicted - block.actual / factor) < error
    share = float(is_scaled.sum()) / actual.size
    if is_scaled.sum() >= _LEAST_PART and _LEAST_SHARE <= share <= 1 - _LEAST_SHARE:
        title = f"about {share:.0%} of the labels multiplied by about {short(factor)}"
        advice = "check units and currency of labels: a part of them has another one"
        undone = block._replace(actual=np.where(is_scaled, block.actual / factor, block.actual))
        fault = CommonCause(title, "scaled_labels", advice)
        yield RepairAttempt(fault, undone, _keep(undone, is_scaled))


def _select_pairs(block: OutcomeBlock) -> tuple[Floats, Floats]:
    is_pair = np.isfinite(block.predicted) & np.isfinite(block.actual)
    return block.predicted[is_pair], block.actual[is_pair]


def _keep(block: OutcomeBlock, is_kept: Mask) -> OutcomeBlock:
    """Return some pairs of numbers; classes and scores, which regressions lack, are left out."""
    return block._replace(predicted=block.predicted[is_kept], actual=block.actual[is_kept])
