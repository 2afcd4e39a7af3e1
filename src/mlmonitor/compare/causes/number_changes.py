"""Recognise how numbers have changed, from the quantiles of the reference and of the window."""

from typing import Final, NamedTuple

import numpy as np

from mlmonitor.compare.causes.mixtures import estimate_ranks, find_part, fits
from mlmonitor.compare.incidents.incident import Cause
from mlmonitor.formatting import short, signed
from mlmonitor.records import Floats

RANKS: Final = np.linspace(0.1, 0.9, 17)
"""The ranks of the quantiles that are compared; they are symmetric, so that a sign may change."""

_FIT_TOLERANCE = 0.1  # share of the spread between the outer ranks
_LEAST_CHANGE = 0.1  # share of a factor, or of the spread
_PERCENT = 0.15  # relative difference of a factor from 100
_MOST_HOURS = 14  # the largest offset of a time zone
_WHOLE = 0.1  # of an hour
_ERROR = 0.4  # standard error of the mean, in spreads between the outer ranks of normal values
_SIGN = 0.2  # a factor beside a flipped sign that is worth a word
_SWAP_DISTANCE = 0.5  # of the spread: columns closer than that cannot be told apart


_NEAR_FACTOR = 0.07  # relative difference from a factor that is used between units
_SWAP_APART = 0.25  # ranks: two fields agree on the share
_SAME_SHARE = 0.15  # by which the shares of swapped rows may differ in two fields
_MOST_RANKS = 0.5  # of a field of few values that one factor or amount explains exactly
_KNOWN_FACTORS = (100.0, 1_000.0, 10.0, 60.0, 3_600.0, 1e6, 1e4, 12.0, 24.0, 7.0)

_KNOWN = (-1.0, *(exact for known in _KNOWN_FACTORS for exact in (known, 1 / known)))


class FieldTraits(NamedTuple):
    """What is known of a field besides its values.

    hour: an hour in the field's unit, if it holds times. is_share: whether all values of the
    reference are between 0 and 1.
    """

    hour: float | None = None
    is_share: bool = False


class NumberChange(NamedTuple):
    """How values of one field changed, in words that follow its name, and which share of them."""

    cause: Cause
    description: str
    share: float = 1.0


_NO_TRAITS = FieldTraits()
_MANY = 1_000_000


def describe_numbers(
    before: Floats, now: Floats, traits: FieldTraits = _NO_TRAITS, *, rows: int = _MANY
) -> NumberChange | None:
    """Describe the factor, sign or shift that maps quantiles to those of the window, if any.

    before, now: the quantiles at `RANKS`. rows: those behind `now`.
    """
    if not np.isfinite(now).all() or np.ptp(before) == 0:
        return None
    hours = 0 if traits.hour is None else _find_shifted_hours(before, now, traits.hour, rows)
    if hours:
        return NumberChange("shifted", _describe_hours(hours))
    factor = _find_factor(before, now)
    if factor is not None and abs(factor - 1) > _LEAST_CHANGE:
        return NumberChange("scaled", _describe_factor(factor, traits))
    mirrored = _find_factor(before, -now[::-1])
    is_one_sided = abs(float(np.median(before))) > _FIT_TOLERANCE * float(np.ptp(before))
    if mirrored is not None and is_one_sided:
        return NumberChange("scaled", _describe_factor(-mirrored, traits))
    moved = float(np.mean(now - before))
    limit = _FIT_TOLERANCE * float(np.ptp(before))
    is_shifted = float(np.abs(now - before - moved).max()) <= limit
    if is_shifted and abs(moved) > limit:
        return NumberChange("shifted", f"moved by about {signed(_round(moved))}")
    return None


def describe_few(
    before: Floats, now: Floats, traits: FieldTraits = _NO_TRAITS, *, rows: int = _MANY
) -> NumberChange | None:
    """Describe the factor or shift of all values of a field that has only a few of them, if any.

    Its quantiles jump from one value to the next, at ranks that depend on chance, but at most ranks
    they differ by exactly one factor or amount.
    before, now: quantiles at evenly spaced ranks from 0 to 1. rows: those behind `now`.
    """
    if not np.isfinite(now).all() or np.ptp(before) == 0 or traits.hour is not None:
        return None
    with np.errstate(all="ignore"):
        factor, moved = _find_frequent(now / before), _find_frequent(now - before)
    is_scaled = factor is not None and factor > 0 and abs(factor - 1) > _LEAST_CHANGE
    if factor is not None and is_scaled and _fits_exactly(before * factor, now, rows=rows):
        is_known = _round_factor(factor) in _KNOWN
        text = f"multiplied by {short(factor)}"
        return NumberChange("scaled", _describe_factor(factor, traits) if is_known else text)
    if moved and _fits_exactly(before + moved, now, rows=rows):
        return NumberChange("shifted", f"moved by {signed(moved)}")
    return None


def describe_part(
    before: Floats, now: Floats, traits: FieldTraits = _NO_TRAITS, *, rows: int
) -> NumberChange | None:
    """Describe the factor, sign or shift of a part of the values, if one explains all that changed.

    before, now: quantiles at evenly spaced ranks from 0 to 1. rows: those behind `now`.
    """
    low, high = np.quantile(before, [0.1, 0.9])
    spread = float(high - low)
    if not np.isfinite(now).all() or spread == 0:
        return None
    hours = _list_hours(traits.hour)
    factors, shifts = _list_factors(), np.linspace(-10, 10, 201) * spread
    values = [before + hour * (traits.hour or 0.0) for hour in hours]
    values += [np.sort(factor * before) for factor in factors]
    values += [before + moved for moved in shifts]
    points = np.union1d(before, now)
    changed = np.array([estimate_ranks(numbers, points) for numbers in values])
    part = find_part(
        estimate_ranks(before, points),
        estimate_ranks(now, points),
        changed,
        rows=rows,
        preferred=len(hours) or len(_KNOWN),
    )
    if part is None:
        return None
    if part.place < len(hours):
        return NumberChange("shifted", _describe_hours(hours[part.place]), part.share)
    place = part.place - len(hours)
    if place < len(factors):
        return NumberChange("scaled", _describe_factor(factors[place], traits), part.share)
    moved = float(shifts[place - len(factors)])
    return NumberChange("shifted", f"moved by about {signed(_round(moved))}", part.share)


def is_whole(before: Floats, now: Floats, quantiles: tuple[Floats, Floats], *, rows: int) -> bool:
    """Whether all values changed as their quantiles did, and not only a part of them.

    before, now: quantiles at evenly spaced ranks from 0 to 1. quantiles: before and now, at
    `RANKS`, between which the change is taken to be linear. rows: those behind `now`.
    """
    slope, offset = np.polyfit(*quantiles, 1) if np.ptp(quantiles[0]) else (1.0, 0.0)
    mirrored = np.polyfit(quantiles[0], quantiles[1][::-1], 1)
    points = np.union1d(now, slope * before + offset)
    expected = [np.sort(a * before + b) for a, b in ((slope, offset), mirrored)]
    ranks = estimate_ranks(now, points)
    return any(fits(estimate_ranks(values, points), ranks, rows=rows) for values in expected)


def find_swapped_part(
    before: tuple[Floats, Floats], now: tuple[Floats, Floats], *, rows: int
) -> float | None:
    """Return the share of rows in which two fields have each other's values, or None.

    before, now: quantiles at evenly spaced ranks from 0 to 1. rows: those behind `now`.
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
    """Return the one value below or above the range that part of a window has, or None.

    before, now: quantiles at evenly spaced ranks from 0 to 1. The value must fill three ranks in a
    row and lie outside the range. It must be more than half the interquartile range away from the
    range, and from the next value of the window.
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


def _find_factor(before: Floats, now: Floats) -> float | None:
    """Return the positive factor between quantiles, or None if there is none."""
    factor = float(before @ now / (before @ before))
    is_scaled = float(np.abs(now - factor * before).max()) <= _FIT_TOLERANCE * float(np.ptp(now))
    return factor if is_scaled and factor > 0 else None


def _find_frequent(changes: Floats) -> float | None:
    """Return the change at most ranks, or None if they differ."""
    values, counts = np.unique(changes.astype(np.float32), return_counts=True)
    most = int(np.argmax(counts))
    is_frequent = np.isfinite(values[most]) and counts[most] > _MOST_RANKS * changes.size
    return float(values[most]) if is_frequent else None


def _fits_exactly(expected: Floats, now: Floats, *, rows: int) -> bool:
    """Whether a few values are the same, and their shares differ by no more than chance."""
    expected, now = expected.astype(np.float32), now.astype(np.float32)
    points = np.union1d(expected, now)
    return fits(estimate_ranks(expected, points), estimate_ranks(now, points), rows=rows)


def _describe_factor(factor: float, traits: FieldTraits) -> str:
    """Describe a factor, rounded to a factor of a unit conversion if it is close to one."""
    size = _round_factor(abs(factor))
    if factor < 0:
        multiplied = abs(abs(factor) - 1) > _SIGN
        return "with the sign flipped" + (
            f", multiplied by about {short(size)}" if multiplied else ""
        )
    is_percent = traits.is_share and abs(factor / 100 - 1) <= _PERCENT
    text = f"multiplied by about {short(100.0 if is_percent else size)}"
    return f"{text}, as percent for a share" if is_percent else text


def _describe_hours(hours: int) -> str:
    text = f"moved by {signed(hours)} {'hour' if abs(hours) == 1 else 'hours'}"
    return f"{text}, as in another time zone"


def _round_factor(factor: float) -> float:
    for known_factor in _KNOWN_FACTORS:
        for exact in (known_factor, 1 / known_factor):
            if abs(factor / exact - 1) <= _NEAR_FACTOR:
                return exact
    return _round(factor)


def _round(number: float) -> float:
    """Round to two digits, which is what a few hundred rows can show."""
    return float(f"{number:.2g}")


def _list_factors() -> list[float]:
    """Return factors that a part of the values may be multiplied with, frequent ones first."""
    return [*_KNOWN, *np.geomspace(1e-4, 1e4, 185).tolist()]


def _list_hours(hour: float | None) -> list[int]:
    shifts = range(1, _MOST_HOURS + 1)
    return [] if hour is None else [sign * hours for hours in shifts for sign in (1, -1)]


def _find_shifted_hours(before: Floats, now: Floats, hour: float, rows: int) -> int:
    """Return by how many whole hours, up to 14, all values moved; 0 if by none."""
    moved, spread = float(np.mean(now - before)) / hour, float(np.ptp(before))
    hours = round(moved)
    error = _ERROR * spread / hour / np.sqrt(rows)
    tolerated = min(max(_WHOLE, 2 * error), 2 * _WHOLE)
    is_whole = 0 < abs(hours) <= _MOST_HOURS and abs(moved - hours) <= tolerated
    limit = max(hour, _FIT_TOLERANCE * spread)
    is_shifted = float(np.abs(now - before - hours * hour).max()) <= limit
    return hours if is_whole and is_shifted else 0
