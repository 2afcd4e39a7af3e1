"""Recognise how a numeric field with few distinct values has changed."""

import numpy as np

from mlmonitor.compare.causes.numbers.mixtures import estimate_ranks, fits
from mlmonitor.compare.causes.numbers.number_words import (
    KNOWN,
    NO_TRAITS,
    FieldTraits,
    NumberChange,
    describe_factor,
    round_factor,
)
from mlmonitor.formatting import short, signed
from mlmonitor.records import Floats

LEAST_CHANGE = 0.1
"""A factor closer to 1 than this is not a change of units."""

_MOST_RANKS = 0.5  # share of the ranks that one factor or amount must explain exactly
_MANY = 1_000_000


def describe_few(
    before: Floats, now: Floats, traits: FieldTraits = NO_TRAITS, *, rows: int = _MANY
) -> NumberChange | None:
    """Describe how all values of a field with few distinct values were scaled or shifted.

    Quantiles of such a field jump between values, at ranks that depend on chance. At most ranks,
    however, they have changed by exactly the same factor or amount; otherwise None is returned.

    before, now: quantiles at evenly spaced ranks from 0 to 1. rows: the number of rows behind
    `now`.
    """
    if not np.isfinite(now).all() or np.ptp(before) == 0 or traits.hour is not None:
        return None
    with np.errstate(all="ignore"):
        factor, moved = _find_frequent(now / before), _find_frequent(now - before)
    is_scaled = factor is not None and factor > 0 and abs(factor - 1) > LEAST_CHANGE
    if factor is not None and is_scaled and _fits_exactly(before * factor, now, rows=rows):
        is_known = round_factor(factor) in KNOWN
        text = f"multiplied by {short(factor)}"
        words = describe_factor(factor, traits) if is_known else text
        return NumberChange("scaled", words, amount=factor)
    if moved and _fits_exactly(before + moved, now, rows=rows):
        return NumberChange("shifted", f"moved by {signed(moved)}", amount=moved)
    return None


def _find_frequent(changes: Floats) -> float | None:
    """Return the change at more than half of the ranks; None if there is none."""
    values, counts = np.unique(changes.astype(np.float32), return_counts=True)
    most = int(np.argmax(counts))
    is_frequent = np.isfinite(values[most]) and counts[most] > _MOST_RANKS * changes.size
    return float(values[most]) if is_frequent else None


def _fits_exactly(expected: Floats, now: Floats, *, rows: int) -> bool:
    """Whether the values are the same, and their shares differ by no more than chance."""
    expected, now = expected.astype(np.float32), now.astype(np.float32)
    points = np.union1d(expected, now)
    return fits(estimate_ranks(expected, points), estimate_ranks(now, points), rows=rows)
