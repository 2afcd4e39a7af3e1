"""Recognise how numbers have changed, from the quantiles of the reference and of the window."""

from typing import Final, NamedTuple

import numpy as np

from mlmonitor.compare.incidents.incident import Cause
from mlmonitor.formatting import short, signed
from mlmonitor.records import Floats

RANKS: Final = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
"""The ranks of the quantiles that are compared; they are symmetric, so that a sign may change."""

_FIT_TOLERANCE = 0.1  # share of the spread between the outer ranks
_LEAST_CHANGE = 0.1  # share of a factor, or of the spread
_PERCENT = 0.15  # relative difference of a factor from 100
_MOST_HOURS = 14  # the largest offset of a time zone
_WHOLE = 0.1  # of an hour
_SIGN = 0.2  # a factor beside a flipped sign that is worth a word
_SWAP_DISTANCE = 0.5  # of the spread: columns closer than that cannot be told apart


class NumberChange(NamedTuple):
    """How all values of one field changed, in words that follow its name."""

    cause: Cause
    description: str


def describe_numbers(
    before: Floats, now: Floats, *, hour: float | None = None, is_share: bool = False
) -> NumberChange | None:
    """Describe the factor, sign or shift that maps quantiles to those of the window, if any.

    before, now: the quantiles at `RANKS`. hour: an hour in the field's unit, if it holds times.
    is_share: whether all values of the reference are between 0 and 1.
    """
    if not np.isfinite(now).all() or np.ptp(before) == 0:
        return None
    hours = 0 if hour is None else _find_shifted_hours(before, now, hour)
    if hours:
        text = f"moved by {signed(hours)} {'hour' if abs(hours) == 1 else 'hours'}"
        return NumberChange("shifted", f"{text}, as in another time zone")
    factor = _find_factor(before, now)
    if factor is not None and abs(factor - 1) > _LEAST_CHANGE:
        size = f"multiplied by about {short(factor)}"
        is_percent = is_share and abs(factor / 100 - 1) <= _PERCENT
        return NumberChange("scaled", f"{size}, as percent for a share" if is_percent else size)
    mirrored = _find_factor(before, -now[::-1])
    is_one_sided = abs(float(np.median(before))) > _FIT_TOLERANCE * float(np.ptp(before))
    if mirrored is not None and is_one_sided:
        size = f", multiplied by about {short(mirrored)}" if abs(mirrored - 1) > _SIGN else ""
        return NumberChange("scaled", f"with the sign flipped{size}")
    moved = float(np.median(now - before))
    limit = _FIT_TOLERANCE * float(np.ptp(before))
    is_shifted = float(np.abs(now - before - moved).max()) <= limit
    if is_shifted and abs(moved) > limit:
        return NumberChange("shifted", f"moved by about {signed(moved)}")
    return None


def are_swapped(before: tuple[Floats, Floats], now: tuple[Floats, Floats]) -> bool:
    """Whether each of two fields has the quantiles of the other, and not its own."""
    spread = max(float(np.ptp(before[0])), float(np.ptp(before[1])))
    apart = float(np.abs(before[0] - before[1]).max())
    if not apart > _SWAP_DISTANCE * spread:
        return False
    return _fits(before[1], now[0]) and _fits(before[0], now[1])


def find_filler(before: Floats, now: Floats, *, low: float, high: float) -> float | None:
    """Return the one value below or above the range that part of a window has, or None.

    before, now: quantiles at evenly spaced ranks from 0 to 1. The value must fill three ranks in a
    row, outside the range and beyond it by half of the distance between the quartiles.
    """
    if now.size < 4 or not np.isfinite(now).all():
        return None
    reach = 0.5 * float(np.quantile(before, 0.75) - np.quantile(before, 0.25))
    for value, inner in ((now[0], now[1:3]), (now[-1], now[-3:-1])):
        is_outside = value < low - reach or value > high + reach
        is_one_value = bool((inner == value).all())
        if is_outside and is_one_value and not bool((now == value).all()):
            return float(value)
    return None


def _fits(before: Floats, now: Floats) -> bool:
    """Whether quantiles agree, within a tenth of their spread."""
    return float(np.abs(now - before).max()) <= _FIT_TOLERANCE * 2 * float(np.ptp(before))


def _find_factor(before: Floats, now: Floats) -> float | None:
    """Return the positive factor between quantiles, or None if there is none."""
    factor = float(before @ now / (before @ before))
    is_scaled = float(np.abs(now - factor * before).max()) <= _FIT_TOLERANCE * float(np.ptp(now))
    return factor if is_scaled and factor > 0 else None


def _find_shifted_hours(before: Floats, now: Floats, hour: float) -> int:
    """Return by how many whole hours, up to 14, all values moved; 0 if by none."""
    moved = float(np.median(now - before)) / hour
    hours = round(moved)
    is_whole = 0 < abs(hours) <= _MOST_HOURS and abs(moved - hours) <= _WHOLE
    limit = max(hour, _FIT_TOLERANCE * float(np.ptp(before)))
    is_shifted = float(np.abs(now - before - hours * hour).max()) <= limit
    return hours if is_whole and is_shifted else 0
