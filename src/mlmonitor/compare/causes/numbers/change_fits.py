"""How well a change of numbers explains the quantiles of later rows, and the change that fits best.

A change is a function of the values, such as a factor. It fits if the ranks of later values among
the changed values of the reference are uniform by Neyman's smooth test: their mean, spread,
skewness and tails are those of uniform ranks. If a factor and a shift both fit, one is preferred
only if it fits clearly better.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.compare.causes.numbers.mixtures import estimate_ranks
from mlmonitor.records import Floats

FITS: Final = 9.4
"""The misfit that one true change in forty exceeds: chi-square, three degrees of freedom."""

UNLIKE: Final = 24.0
"""A change whose misfit is this large on average fits in fewer than one sample in twenty-five."""

UNCHANGED: Final = 13.3
"""The misfit that one unchanged sample in 100 exceeds: chi-square, four degrees of freedom."""

MARGIN: Final = 6.0
"""The difference in misfit that decides between two changes: odds of twenty to one."""

MOST_ROWS: Final = 4_000.0
"""Maximum rows to test with: more would show the errors of the quantiles themselves."""

_REFINEMENTS = 3
_STEPS = np.linspace(-1, 1, 13)
_LEAST_VARIANCE = 1e-9


class Fit(NamedTuple):
    """A change of a share of the values by one amount, and its misfit.

    outside: the misfit to later values outside the reference's range. Nearly all of these belong to
    the changed part and show its shape, even if the part is too small to show in the ranks of all
    values. outside_rows: the number of these values.
    """

    amount: float
    share: float
    misfit: float
    outside: float = 0.0
    outside_rows: float = 0.0


RankChange = Callable[[Floats, Floats | None], Floats]
"""Returns the ranks `[amounts, values]` of values among the reference's, changed by each amount.

The values are those of the later rows if none are given.
"""


class Quantiles(NamedTuple):
    """Quantiles of a reference and of later rows at the same evenly spaced inner ranks.

    rows: the effective number of rows of the comparison, see `join_rows`. ends: the smallest and
    the largest value of the reference.
    """

    before: Floats
    now: Floats
    rows: float
    ends: tuple[float, float] = (-np.inf, np.inf)

    def rank(self, values: Floats) -> Floats:
        """Return the ranks of an array of values, of any shape, among those of the reference."""
        return estimate_ranks(self.before, values)

    def rank_scaled(self, factors: Floats, values: Floats | None = None) -> Floats:
        """Return ranks `[factors, values]` among the reference's values times each factor.

        values: by default those of the later rows.
        """
        ranks = self.rank((self.now if values is None else values) / factors[:, None])
        return np.where(factors[:, None] < 0, 1 - ranks, ranks)

    def rank_shifted(self, amounts: Floats, values: Floats | None = None) -> Floats:
        """Return ranks `[amounts, values]` among the reference's values plus each amount.

        values: by default those of the later rows.
        """
        return self.rank((self.now if values is None else values) - amounts[:, None])

    def measure_misfit(self, ranks: Floats) -> Floats:
        """Return the misfit of ranks `[..., values]`: about 4 on average if they are uniform.

        Source: Neyman, "Smooth test for goodness of fit", 1937, of order four.
        """
        gaps = _average_polynomials(ranks) - _average_polynomials(self.rank(self.before))
        misfit: Floats = min(self.rows, MOST_ROWS) * (gaps**2).sum(axis=-1)
        return misfit


def join_rows(rows: float, reference_rows: float) -> float:
    """Return the effective number of rows of a comparison of two samples."""
    return 1 / (1 / max(rows, 1.0) + 1 / max(reference_rows, 1.0))


def fit_whole(quantiles: Quantiles, rank: RankChange, amounts: Floats, step: float) -> Fit:
    """Return the best-fitting amount for a change of all values, and its misfit.

    amounts: the first guesses. step: the distance between two guesses; if negative, relative to the
    amount.
    """
    best, misfit = 0.0, np.inf
    for _ in range(_REFINEMENTS):
        misfits = quantiles.measure_misfit(rank(amounts, None))
        place = int(np.argmin(misfits))
        if misfits[place] < misfit:
            best, misfit = float(amounts[place]), float(misfits[place])
        amounts, step = _spread_around(best, step), step / _STEPS.size * 2
    return Fit(best, 1.0, misfit)


def fit_part(quantiles: Quantiles, rank: RankChange, amounts: Floats, step: float) -> Fit:
    """Return the best-fitting amount and share for a change of some values, and their misfit.

    amounts, step: as for `fit_whole`; a step of 0 tries only the given amounts.
    """
    before, even = quantiles.rank(quantiles.now), _list_even_ranks(quantiles.now.size)
    best, least = Fit(0.0, 0.0, np.inf), np.inf
    for _ in range(_REFINEMENTS if step else 1):
        ranks = rank(amounts, None)
        changed = ranks - before
        norms = np.maximum((changed**2).sum(axis=1), np.finfo(float).tiny)
        shares = np.clip(changed @ (even - before) / norms, 0.0, 1.0)
        misfits = quantiles.measure_misfit(before + shares[:, None] * changed)
        outside, rows = _measure_outside(quantiles, ranks, rank(amounts, np.array(quantiles.ends)))
        place = int(np.argmin(misfits + outside))
        if misfits[place] + outside[place] < least:
            least = float(misfits[place] + outside[place])
            measured = (column[place] for column in (amounts, shares, misfits, outside))
            amount, share, misfit, beyond = map(float, measured)
            best = Fit(amount, share, misfit, beyond, rows)
        amounts, step = _spread_around(best.amount, step), step / _STEPS.size * 2
    return best


def _measure_outside(quantiles: Quantiles, ranks: Floats, ends: Floats) -> tuple[Floats, float]:
    """Return each change's misfit outside the reference's range, and the rows that are outside.

    ranks: the ranks of the later values among the changed ones. ends: the ranks of both ends of the
    range. The rows are an effective number.
    """
    now, (low, high) = quantiles.now, quantiles.ends
    is_below, is_above = now < low, now > high
    outside = int(np.count_nonzero(is_below) + np.count_nonzero(is_above))
    if not outside:
        return np.zeros(len(ranks)), 0.0
    rows = min(quantiles.rows, MOST_ROWS) * outside / now.size
    inside = (ends[:, 1] - ends[:, 0])[:, None]
    among = np.hstack([ranks[:, is_below], ranks[:, is_above] - inside])
    gaps = _average_polynomials(np.clip(among / np.maximum(1 - inside, 1e-9), 0.0, 1.0))
    return rows * (gaps**2).sum(axis=1), rows


def fit_line(quantiles: Quantiles) -> float:
    """Return the smallest misfit of a linear change of all values, or of their logarithms.

    If another mean and spread of all values fits, there is no reason to assume a changed part.
    """
    misfit = _fit_line(quantiles)
    if min(float(quantiles.before[0]), float(quantiles.now[0])) > 0:
        logarithms = Quantiles(np.log(quantiles.before), np.log(quantiles.now), quantiles.rows)
        misfit = min(misfit, _fit_line(logarithms))
    return misfit


def _fit_line(quantiles: Quantiles) -> float:
    before, now = quantiles.before, quantiles.now
    middle = slice(before.size // 20, -(before.size // 20))
    variance = float(before[middle].var())
    if variance <= _LEAST_VARIANCE * float(np.ptp(before)) ** 2:
        return np.inf
    slope = float(((before - before[middle].mean())[middle] * now[middle]).mean()) / variance
    spread = float(now[middle].std())
    slopes = slope * np.linspace(0.85, 1.15, 13)
    offsets = float(now[middle].mean()) - slopes * float(before[middle].mean())
    moves = spread * np.linspace(-0.15, 0.15, 7)
    lines = [(now - offset - move) / slope
             for slope, offset in zip(slopes.tolist(), offsets.tolist(), strict=True)
             for move in moves.tolist()]  # fmt: skip
    return float(quantiles.measure_misfit(quantiles.rank(np.stack(lines))).min())


def _spread_around(amount: float, step: float) -> Floats:
    width = -step * abs(amount) if step < 0 else step
    around: Floats = amount + width * _STEPS
    return around


def _list_even_ranks(size: int) -> Floats:
    return (np.arange(size) + 0.5) / size


def _average_polynomials(ranks: Floats) -> Floats:
    """Return the means of the normalised Legendre polynomials of degrees 1 to 4, `[..., 4]`."""
    x = 2 * ranks - 1
    square = x * x
    polynomials = (
        np.sqrt(3) * x,
        np.sqrt(5) * (3 * square - 1) / 2,
        np.sqrt(7) * x * (5 * square - 3) / 2,
        3 * (square * (35 * square - 30) + 3) / 8,
    )
    return np.stack([p.mean(axis=-1) for p in polynomials], axis=-1)
