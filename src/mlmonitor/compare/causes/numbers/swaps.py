"""Recognise swapped fields and fillers, from the quantiles of the reference and of the window."""

from typing import Final

import numpy as np

from mlmonitor.compare.causes.numbers.mixtures import estimate_ranks, find_part
from mlmonitor.records import Floats

RANKS: Final = np.linspace(0.1, 0.9, 17)
"""The ranks of the quantiles of fields that may be swapped."""

_FIT_TOLERANCE = 0.1  # share of the spread between the outer ranks
_SWAP_DISTANCE = 0.5  # share of the spread; columns closer than that are too similar to judge
_SWAP_APART = 0.25  # smallest change of ranks; low, because two fields must agree on the share
_SAME_SHARE = 0.15  # largest difference of the shares of swapped rows in two fields


def find_swapped_part(
    before: tuple[Floats, Floats], now: tuple[Floats, Floats], *, rows: int
) -> float | None:
    """Return the share of rows in which two fields have each other's values, or None.

    before, now: quantiles at evenly spaced ranks from 0 to 1. rows: the number of rows behind
    `now`.
    """
    shares = []
    for own, other, values in ((*before, now[0]), (before[1], before[0], now[1])):
        if not np.isfinite(values).all():
            return None
        points = np.union1d(np.union1d(own, other), values)
        ranks, changed = estimate_ranks(own, points), estimate_ranks(other, points)
        now_ranks = estimate_ranks(values, points)
        part = find_part(ranks, now_ranks, changed[None], rows=rows, preferred=1, apart=_SWAP_APART)
        if part is None:
            return None
        shares.append(part.share)
    is_one_share = abs(shares[0] - shares[1]) <= _SAME_SHARE
    return sum(shares) / 2 if is_one_share else None


def are_swapped(before: tuple[Floats, Floats], now: tuple[Floats, Floats]) -> bool:
    """Whether each of two fields has the quantiles of the other, and not its own."""
    spread = max(float(np.ptp(before[0])), float(np.ptp(before[1])))
    apart = float(np.abs(before[0] - before[1]).max())
    if not apart > _SWAP_DISTANCE * spread:
        return False
    return _fits(before[1], now[0]) and _fits(before[0], now[1])


def find_filler(before: Floats, now: Floats, *, low: float, high: float) -> float | None:
    """Return the value outside the reference's range that fills part of a window, or None.

    before, now: quantiles at evenly spaced ranks from 0 to 1. low, high: the reference's range. The
    value must fill three ranks in a row. It must be more than half the interquartile range away
    from the range, and from the next value of the window.
    """
    if now.size < 4 or not np.isfinite(now).all():
        return None
    reach = 0.5 * float(np.quantile(before, 0.75) - np.quantile(before, 0.25))
    for value, inner in ((now[0], now[1:3]), (now[-1], now[-3:-1])):
        others = now[now != value]
        is_outside = value < low - reach or value > high + reach
        is_one_value = bool((inner == value).all())
        if is_outside and is_one_value and others.size:
            gap = float(np.abs(others - value).min())
            return float(value) if gap > reach else None
    return None


def _fits(before: Floats, now: Floats) -> bool:
    """Whether quantiles agree, within a tenth of their spread."""
    return float(np.abs(now - before).max()) <= _FIT_TOLERANCE * 2 * float(np.ptp(before))
