"""Describes how the values of a numeric field changed, or returns None if rows do not show it."""

from typing import Final, Literal, NamedTuple

import numpy as np

from mlmonitor.compare.causes.numbers.change_fits import (
    FITS,
    MARGIN,
    MOST_ROWS,
    UNCHANGED,
    UNLIKE,
    Fit,
    Quantiles,
    fit_line,
    fit_part,
    fit_whole,
)
from mlmonitor.compare.causes.numbers.few_values import LEAST_CHANGE
from mlmonitor.compare.causes.numbers.number_words import (
    KNOWN,
    NO_TRAITS,
    FieldTraits,
    NumberChange,
    describe_amount,
    describe_factor,
    describe_hours,
    describe_overall,
    round_number,
)
from mlmonitor.formatting import short, signed
from mlmonitor.records import Floats

_MOST_HOURS = 14  # the largest offset of a time zone
_PER_PARAMETER = 2.0  # decrease of the misfit that one more parameter must give
_OF_KNOWN = 8.0  # added misfit up to which a usual factor, a flipped sign or whole hours wins
_LEAST_PART, _LEAST_OTHER = 0.02, 0.2  # smallest shares changed by a usual and by another factor
_EVIDENT = 0.06  # smallest product of a part's share and the ranks that its values move
_APART, _MIDDLE, _FAR = 0.35, 0.6, 0.85
"""Ranks that a part's values must move: by an expected change, another factor, another shift."""

_LEAST_OUTSIDE = 10  # rows with values outside the reference's range, to show a part's shape
_NEARLY_ALL = 0.9
_LEAST_ROWS = 25

_SCALES: Final = np.geomspace(1e-4, 1e4, 185)
_SHIFTS: Final = np.linspace(-10, 10, 161)
_RATIO = float(_SCALES[1] / _SCALES[0]) - 1


_Kind = Literal["scaled", "mirrored", "shifted", "hours"]


class _Candidate(NamedTuple):
    """A change that may have happened: its fit, the penalised misfit, and whether it is usual."""

    kind: _Kind
    fit: Fit
    score: float
    is_known: bool = False

    @property
    def fits(self) -> bool:
        """Whether chance explains the misfit; the limit is higher for a usual change."""
        is_usual = self.is_known and self.fit.share == 1.0
        limit = UNCHANGED if is_usual else FITS
        return self.fit.misfit <= limit and self.fit.outside <= limit

    @property
    def family(self) -> _Kind:
        """The kind, except that whole hours count as a shift."""
        return "shifted" if self.kind == "hours" else self.kind


def describe_change(
    before: Floats,
    now: Floats,
    traits: FieldTraits = NO_TRAITS,
    *,
    rows: float = MOST_ROWS,
    can_be_whole: bool = True,
) -> NumberChange | None:
    """Describe the factor, sign or shift of all values or of a share of them, if one is evident.

    before, now: quantiles at evenly spaced ranks from 0 to 1. rows: the effective number of rows,
    see `join_rows`. can_be_whole: whether all rows behind `now` arrived since the change. A factor
    is only named if no shift fits equally well. A changed part is only named if no other mean and
    spread of all values fits equally well.
    """
    low, high = np.quantile(before, [0.1, 0.9])
    if not np.isfinite(now).all() or high == low or rows < _LEAST_ROWS:
        return None
    ends = float(before[0]), float(before[-1])
    quantiles = Quantiles(before[1:-1], now[1:-1], rows, ends)
    same = quantiles.measure_misfit(quantiles.rank(quantiles.now))
    if float(same) <= UNCHANGED:
        return None
    spread = float(high - low)
    wholes = _list_wholes(quantiles, spread, traits)
    parts = _list_parts(quantiles, spread, traits)
    if can_be_whole and any(whole.fits for whole in wholes):
        return _describe_whole(quantiles, wholes, parts, traits)
    return _describe_part(quantiles, wholes, parts, traits)


def has_same_change(before: Floats, now: Floats, change: NumberChange, *, rows: float) -> bool:
    """Whether all values of a field changed by the amount found in another field.

    before, now, rows: as for `describe_change`, which costs much more. change: the change of the
    other field.
    """
    if not np.isfinite([change.amount, *now]).all() or before[0] == before[-1]:
        return False
    quantiles = Quantiles(before[1:-1], now[1:-1], rows)
    around = change.amount * np.linspace(0.9, 1.1, 21)
    is_factor = change.cause == "scaled"
    rank = quantiles.rank_scaled if is_factor else quantiles.rank_shifted
    return float(quantiles.measure_misfit(rank(around)).min()) <= FITS


def describe_spread(before: Floats, now: Floats, *, rows: float) -> str | None:
    """Describe how the middle of a field's values moved, without a cause.

    Parameters as for `describe_change`. None if the middle half is as before.
    """
    quarters = [0.25, 0.5, 0.75]
    if not np.isfinite(now).all() or rows < _LEAST_ROWS:
        return None
    (low, middle, high), (now_low, now_middle, now_high) = (
        np.quantile(values, quarters).tolist() for values in (before, now)
    )
    width = high - low
    if width <= 0:
        return None
    parts = []
    noise = 3 / np.sqrt(rows)  # three standard errors of a median are about this many widths
    if abs(now_middle - middle) > noise * width:
        parts.append(f"the median moved by {signed(round_number(now_middle - middle))}")
    ratio = (now_high - now_low) / width
    if abs(ratio - 1) > 1.2 * noise:
        parts.append(f"the middle half is {short(round_number(ratio))} times as wide")
    return " and ".join(parts) or None


def _list_wholes(quantiles: Quantiles, spread: float, traits: FieldTraits) -> list[_Candidate]:
    """Return the best factor, negative factor, shift, and shift by whole hours of all values."""
    before, now = quantiles.before, quantiles.now
    with np.errstate(all="ignore"):
        ratio = float(np.median(now) / np.median(before))
    guess = [ratio] if np.isfinite(ratio) and ratio > 0 else []
    factors = np.append(_SCALES, guess)
    amounts = np.append(_SHIFTS * spread, float(np.median(now) - np.median(before)))
    step = float(_SHIFTS[1] - _SHIFTS[0]) * spread
    scaled = fit_whole(quantiles, quantiles.rank_scaled, factors, -_RATIO)
    mirrored = fit_whole(quantiles, quantiles.rank_scaled, -factors, -_RATIO)
    shifted = fit_whole(quantiles, quantiles.rank_shifted, amounts, step)
    wholes = [
        _score_factor(quantiles, "scaled", scaled),
        _score_factor(quantiles, "mirrored", mirrored),
        _Candidate("shifted", shifted, shifted.misfit + _PER_PARAMETER),
    ]
    if traits.hour is not None:
        hours = np.array(_list_hours(), np.float64) * traits.hour
        misfits = quantiles.measure_misfit(quantiles.rank_shifted(hours))
        best = Fit(float(hours[np.argmin(misfits)]), 1.0, float(misfits.min()))
        wholes.append(_Candidate("hours", best, best.misfit - _OF_KNOWN, is_known=True))
    return wholes


def _score_factor(quantiles: Quantiles, kind: _Kind, fit: Fit) -> _Candidate:
    """Return the fitted factor, or a usual factor close to it if that fits nearly as well."""
    for usual in KNOWN:
        if abs(fit.amount / usual - 1) <= LEAST_CHANGE:
            misfit = float(quantiles.measure_misfit(quantiles.rank_scaled(np.array([usual])))[0])
            if misfit <= fit.misfit + _OF_KNOWN:
                exact = Fit(usual, 1.0, misfit)
                return _Candidate(kind, exact, misfit - _OF_KNOWN, is_known=True)
    return _Candidate(kind, fit, fit.misfit + _PER_PARAMETER)


def _describe_whole(
    quantiles: Quantiles,
    wholes: list[_Candidate],
    parts: list[_Candidate],
    traits: FieldTraits,
) -> NumberChange | None:
    """Describe the best change of all values, or two if another kind fits nearly as well."""
    best = min(wholes, key=lambda whole: whole.score)
    if any(p.score < best.score and p.fit.share < _NEARLY_ALL for p in parts if not p.is_known):
        return _describe_part(quantiles, wholes, parts, traits)
    rivals = [whole for whole in wholes if whole.family != best.family]
    rival = min(rivals, key=lambda whole: whole.score)
    is_factor, amount = best.family != "shifted", best.fit.amount
    if not best.fits or (is_factor and abs(amount - 1) <= LEAST_CHANGE):
        return None
    if rival.fits and rival.score < best.score + MARGIN:
        return _describe_either(best, rival)
    if best.is_known or _would_show_half(quantiles, best):
        words = describe_factor(amount, traits) if is_factor else _describe_shift(best, traits)
        return NumberChange("scaled" if is_factor else "shifted", words, amount=amount)
    words = describe_overall(amount) if is_factor else f"{describe_amount(amount)} overall"
    return NumberChange("unknown", words)


def _describe_shift(candidate: _Candidate, traits: FieldTraits) -> str:
    if candidate.kind == "hours":
        return describe_hours(round(candidate.fit.amount / (traits.hour or 1.0)))
    return describe_amount(candidate.fit.amount)


def _describe_either(best: _Candidate, rival: _Candidate) -> NumberChange | None:
    """Describe a factor and a shift that explain the values equally well."""
    amounts = {candidate.family: candidate.fit.amount for candidate in (best, rival)}
    factor, amount = amounts.get("scaled"), amounts.get("shifted")
    if factor is None or amount is None:
        return None
    words = f"{describe_amount(amount)}, or {describe_overall(factor)}: both fit"
    return NumberChange("unknown", words)


def _would_show_half(quantiles: Quantiles, best: _Candidate) -> bool:
    """Whether the rows could distinguish this change from twice the change in half of them."""
    before, amount = quantiles.before, best.fit.amount
    if best.kind == "mirrored":
        return True
    is_factor = best.kind == "scaled"
    changed = before * amount**2 if is_factor else before + 2 * amount
    half = Quantiles(before, np.sort(np.concatenate([before, changed])), quantiles.rows)
    around = amount * np.geomspace(0.5, 2.0, 41) if is_factor else amount * np.linspace(0, 2, 41)
    rank = half.rank_scaled if is_factor else half.rank_shifted
    return float(half.measure_misfit(rank(around)).min()) > UNLIKE


def _describe_part(
    quantiles: Quantiles,
    wholes: list[_Candidate],
    parts: list[_Candidate],
    traits: FieldTraits,
) -> NumberChange | None:
    """Describe the change of part of the values, if it fits better than all other explanations."""
    best = min(parts, key=lambda part: part.score)
    if not best.fits or not _is_evident(quantiles, best):
        return None
    rivals = [part.score for part in parts if part.family != best.family]
    rivals += [fit_line(quantiles) + 2 * _PER_PARAMETER]
    rivals += [whole.score for whole in wholes]
    if min(rivals) < best.score + MARGIN:
        return None
    share = best.fit.share
    if best.kind == "shifted":
        words = f"{describe_amount(best.fit.amount)}, or belong to a new kind of rows"
        return NumberChange("unknown", words, share)
    if best.kind == "hours":
        return NumberChange("shifted", _describe_shift(best, traits), share)
    return NumberChange("scaled", describe_factor(best.fit.amount, traits), share)


def _list_parts(quantiles: Quantiles, spread: float, traits: FieldTraits) -> list[_Candidate]:
    step = float(_SHIFTS[1] - _SHIFTS[0]) * spread
    scaled = fit_part(quantiles, quantiles.rank_scaled, _SCALES, -_RATIO)
    shifted = fit_part(quantiles, quantiles.rank_shifted, _SHIFTS * spread, step)
    usual = fit_part(quantiles, quantiles.rank_scaled, np.array(KNOWN), 0.0)
    is_flipped = usual.amount < 0
    kind: _Kind = "mirrored" if is_flipped else "scaled"
    parts = [
        _score_part("scaled", scaled, 2 * _PER_PARAMETER),
        _score_part("shifted", shifted, 2 * _PER_PARAMETER),
        _score_part(kind, usual, _PER_PARAMETER - is_flipped * _OF_KNOWN, is_known=True),
    ]
    if traits.hour is not None:
        hours = np.array(_list_hours(), np.float64) * traits.hour
        fit = fit_part(quantiles, quantiles.rank_shifted, hours, 0.0)
        parts.append(_score_part("hours", fit, _PER_PARAMETER - _OF_KNOWN, is_known=True))
    return parts


def _score_part(kind: _Kind, fit: Fit, cost: float, *, is_known: bool = False) -> _Candidate:
    return _Candidate(kind, fit, fit.misfit + fit.outside + cost, is_known=is_known)


def _is_evident(quantiles: Quantiles, part: _Candidate) -> bool:
    """Whether a part is large enough, and has moved its values far enough.

    A new group of rows looks like values that were moved, so an unexpected shift must move its
    values beyond most others.
    """
    rank = quantiles.rank_shifted if part.family == "shifted" else quantiles.rank_scaled
    moved = rank(np.array([part.fit.amount]), None)[0] - quantiles.rank(quantiles.now)
    distance = float(np.abs(moved).max())
    needed = _FAR if part.kind == "shifted" else _APART if part.is_known else _MIDDLE
    least = _LEAST_PART if part.is_known or part.kind == "shifted" else _LEAST_OTHER
    is_large = part.fit.share >= least and part.fit.share * distance >= _EVIDENT
    shown = 0 if part.family == "shifted" else _LEAST_OUTSIDE * (1 if part.is_known else 2)
    return is_large and distance >= needed and part.fit.outside_rows >= shown


def _list_hours() -> list[int]:
    shifts = range(1, _MOST_HOURS + 1)
    return [sign * hours for hours in shifts for sign in (1, -1)]
