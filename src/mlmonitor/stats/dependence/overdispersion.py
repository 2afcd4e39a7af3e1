"""Design effects of blocks and of groups of rows, measured from the bins of their values."""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.dependence.bin_scores import score_directions
from mlmonitor.stats.dependence.effect_tests import EffectEstimate, EffectTest

FEWEST_BLOCKS = 10
"""A design effect of blocks is measured only if there are at least this many."""

FEWEST_DAYS = 7
"""A design effect of days is measured only if there are at least this many."""

_COMPARED_ROWS = 4  # the longest blocks whose rows are compared in pairs instead of counted
_UNRESOLVED_SHARE = 0.5  # too short if this share of the variance lies between the longest blocks
_SORTED_STEPS = 0.2  # rows are sorted if at most this share of variance is between neighbours


class EffectCurve(NamedTuple):
    """The design effect of runs of consecutive rows, by the number of rows in a run.

    effects: never decreasing, and never below 1. is_resolved: False if there are too few rows to
    show their dependence, or if they are sorted by this field; sorted rows have effects of 1,
    because their order says nothing about later rows.
    """

    rows: Floats
    effects: Floats
    is_resolved: bool


def block_effects(  # noqa: PLR0913 - what rows have, by keyword
    cells: Counts,
    width: int,
    *,
    is_ordered: bool,
    expected: Floats | None = None,
    days: Counts | None = None,
    known_effect: float = 1.0,
    fields: int = 1,
    is_evident: bool = False,
) -> EffectCurve:
    """Measure the design effect of blocks of 2, 4, 8, ... consecutive rows.

    The design effect of a block length is the variance of a block's count, divided by the variance
    for as many independent rows. It is measured for all bins together and, if bins are ordered, for
    their location and spread, otherwise for single frequent bins. The largest significant effect
    counts, but only if one is evident, see `EffectTest`. Beyond the longest blocks, the effect is
    assumed to grow once more by its last increase, which is its limit if blocks of that length are
    nearly independent.

    cells: the bin of each row, in order of arrival; the last of `width` bins, missing values, has
        no order.
    expected: the shares of the bins in each row's season, see `season_shares`; by default the
        shares in all rows.
    days: the number of each row's day, ascending.
    known_effect: the design effect of declared groups. An effect that does not exceed it
        significantly is explained by the groups and counts as 1, because the largest of many
        estimates from few long blocks exceeds it by chance, by up to half.
    fields: how many fields of the model are measured.
    is_evident: whether another field of the same rows has an evident effect.

    Promise: if rows are independent, the effects of all fields are 1 in nineteen of twenty models.
    Price: about 4 ms for 100,000 rows of ten bins.
    Source: Kish, "Survey sampling", 1965, for design effects; Rao and Scott, "The analysis of
        categorical data from complex sample surveys", 1981, for tables of counts.
    """
    shares = np.bincount(cells, minlength=width) / max(cells.size, 1)
    scores = score_directions(shares, cells.size, is_ordered=is_ordered)
    test = EffectTest(fields, known_effect, is_evident=is_evident)
    blocks = _measure_blocks(cells, shares, scores, expected, test)
    points = blocks.points
    if blocks.is_sorted:
        points = [(rows_in_block, 1.0) for rows_in_block, _ in points]
        test = EffectTest(fields, known_effect, is_evident=is_evident)
    if days is not None and np.unique(days).size >= FEWEST_DAYS:
        size, estimate = _measure_day_effect(cells, width, days, shares, scores, expected)
        points.append((size, test.find_significant(estimate, is_declared=True)))
    if not test.is_evident:
        points = [(rows_in_block, 1.0) for rows_in_block, _ in points]
    return _extend_curve(points, is_resolved=blocks.is_resolved)


class _BlockEffects(NamedTuple):
    """The effect of each block length as `(rows, effect)`, and what the longest blocks show."""

    points: list[tuple[float, float]]
    is_resolved: bool
    is_sorted: bool


def _measure_blocks(
    cells: Counts, shares: Floats, scores: Floats, expected: Floats | None, test: EffectTest
) -> _BlockEffects:
    """Measure blocks of doubling length as long as there are `FEWEST_BLOCKS` of them."""
    points, share_between, is_sorted = [(1.0, 1.0)], 0.0, False
    along = scores[cells] if expected is None else scores[cells] - expected @ scores
    table, length = _BlockTable(cells, shares, expected), 2
    while cells.size // length >= FEWEST_BLOCKS:
        along = _pair_sums(along)
        squares = table.join_pairs()
        estimate = _estimate(along, squares, np.full(len(along), float(length)), shares, scores)
        points.append((float(length), test.find_significant(estimate)))
        share_between = float(estimate.effects[:-1].max(initial=0.0)) / length
        is_sorted = share_between > _UNRESOLVED_SHARE and _is_sorted(along, estimate)
        length *= 2
    is_resolved = len(points) > 1 and share_between < _UNRESOLVED_SHARE
    return _BlockEffects(points, is_resolved, is_sorted)


class _BlockTable:
    """Counts of bins in blocks of 2, 4, 8, ... consecutive rows."""

    def __init__(self, cells: Counts, shares: Floats, expected: Floats | None) -> None:
        self._cells, self._wanted, self._length = cells, expected, 1
        self._counts: Floats | None = None
        self._weights = np.divide(1.0, shares, out=np.zeros(shares.size), where=shares > 0)

    def join_pairs(self) -> float:
        """Double the length of the blocks.

        Return the sum over blocks and bins of `(count - expected count)**2 / share`.
        """
        self._length *= 2
        if self._wanted is None and self._length <= _COMPARED_ROWS:
            return self._compare_rows()
        self._counts = self._count() if self._counts is None else _pair_sums(self._counts)
        if self._wanted is None:
            squares = float(_sum_squares(self._counts) @ self._weights)
            return squares - len(self._counts) * self._length**2
        self._wanted = _pair_sums(self._wanted)
        return float(_sum_squares(self._counts - self._wanted) @ self._weights)

    def _compare_rows(self) -> float:
        """Return the sum of `join_pairs` by comparing pairs of rows: faster for short blocks."""
        length = self._length
        cells = self._cells[: self._cells.size // length * length]
        squares = float(self._weights[cells].sum())
        for first, second in combinations([cells[place::length] for place in range(length)], 2):
            squares += 2 * float(self._weights[first[first == second]].sum())
        return squares - cells.size * length

    def _count(self) -> Floats:
        """Count the bins of each block, `[blocks, bins]`."""
        blocks, width = self._cells.size // self._length, self._weights.size
        places = np.repeat(np.arange(blocks), self._length) * width
        places += self._cells[: places.size]
        counts = np.bincount(places, minlength=blocks * width)
        return counts.reshape(blocks, width).astype(np.float64)


def _sum_squares(table: Floats) -> Floats:
    sums: Floats = np.einsum("ij,ij->j", table, table)
    return sums


def _is_sorted(along: Floats, estimate: EffectEstimate) -> bool:
    """Whether neighbouring blocks differ far less than distant ones, as in sorted rows.

    Source: von Neumann, "Distribution of the ratio of the mean square successive difference to the
        variance", 1941.
    """
    line = along[:, int(np.argmax(estimate.effects[:-1]))]
    steps = float((np.diff(line) ** 2).mean()) / 2
    return steps < _SORTED_STEPS * float(line.var())


def _extend_curve(points: list[tuple[float, float]], *, is_resolved: bool) -> EffectCurve:
    """Return the curve through points, with a last point at which its growth ends."""
    lengths, measured = np.array(sorted(points)).T
    effects = np.maximum.accumulate(measured)
    if len(effects) > 1:
        growth = 0.0
        if effects[-2] > 1:
            growth = min(effects[-1] - effects[-2], effects[-1] / 2)
        lengths = np.append(lengths, 4 * lengths[-1])
        effects = np.append(effects, effects[-1] + growth)
    return EffectCurve(lengths, effects, is_resolved)


def _measure_day_effect(
    cells: Counts,
    width: int,
    days: Counts,
    shares: Floats,
    scores: Floats,
    expected: Floats | None,
) -> tuple[float, EffectEstimate]:
    """Return the mean day size in rows, averaged over rows, and the design effects of days."""
    day = np.unique(days, return_inverse=True)[1]
    sizes = np.bincount(day).astype(np.float64)
    counts = np.bincount(day * width + cells, minlength=sizes.size * width).reshape(-1, width)
    wanted = sizes[:, None] * shares
    if expected is not None:
        starts = np.flatnonzero(np.diff(day, prepend=-1))
        wanted = np.add.reduceat(expected, starts, axis=0)
    estimate = _estimate_table(counts - wanted, sizes, shares, scores)
    return float((sizes**2).sum() / sizes.sum()), estimate


def group_effect(
    cells: Counts, width: int, groups: Counts, *, is_ordered: bool, fields: int = 1
) -> tuple[float, float]:
    """Measure how rows of one group depend on each other.

    Return the intraclass correlation, from 0 to 1, and the mean group size, averaged over rows. The
    correlation is the largest significant one over the directions of `block_effects`.
    groups: the number of each row's group, from 0. fields: as for `block_effects`.
    Source: Kish, 1965: a design effect of `1 + (size - 1) correlation`; Donner and Eliasziw, 1994.
    """
    rows = cells.size
    sizes = np.bincount(groups).astype(np.float64)
    size = float((sizes**2).sum() / max(rows, 1))
    shares = np.bincount(cells, minlength=width) / max(rows, 1)
    if rows == 0 or size <= 1 or np.count_nonzero(sizes) < FEWEST_BLOCKS:
        return 0.0, max(size, 1.0)
    table = np.bincount(groups * width + cells, minlength=sizes.size * width)
    present = sizes > 0
    counts = table.reshape(-1, width)[present].astype(np.float64)
    sizes = sizes[present]
    centred = counts - sizes[:, None] * shares
    scores = score_directions(shares, rows, is_ordered=is_ordered)
    test = EffectTest(fields)
    estimate = _estimate_table(centred, sizes, shares, scores)
    effect = test.find_significant(estimate, is_declared=True)
    if not test.is_evident:
        return 0.0, size
    return float(min((effect - 1) / (size - 1), 1.0)), size


def _pair_sums(units: Floats) -> Floats:
    half = len(units) // 2
    sums: Floats = units[: 2 * half : 2] + units[1 : 2 * half : 2]
    return sums


def _estimate_table(
    centred: Floats, sizes: Floats, shares: Floats, scores: Floats
) -> EffectEstimate:
    """Estimate design effects from centred counts, `[units, bins]`; a unit is a day or a group."""
    present = shares > 0
    squares = float((_sum_squares(centred)[present] / shares[present]).sum())
    return _estimate(centred @ scores, squares, sizes, shares, scores)


def _estimate(
    along: Floats, squares: float, sizes: Floats, shares: Floats, scores: Floats
) -> EffectEstimate:
    """Estimate the design effect in each direction and, last, that of all bins together.

    along: the sum of each unit's centred scores, `[units, directions]`. squares: the sum over units
    and bins of the squared centred counts, divided by the bin's share.
    """
    units, rows = len(along), float(sizes.sum())
    present = shares > 0
    bins = int(np.count_nonzero(present))
    correction = units / max(units - 1.0, 1.0) / rows
    whole = squares * correction / max(bins - 1, 1)
    of_directions = _sum_squares(along) * correction
    size = rows / units
    # Rare bins make the sums of squares vary more than those of normal variables.
    excess = np.maximum((shares[:, None] * scores**4).sum(axis=0) - 3, 0.0) / size
    freedom = (units - 1) * 2 / (2 + excess)
    tails = float((1 / shares[present]).sum()) - bins**2 - 2 * bins + 2
    spread = 2 * (bins - 1) + max(tails, 0.0) / size
    of_whole = (units - 1) * 2 * max(bins - 1, 1) ** 2 / max(spread, 1.0)
    return EffectEstimate(np.append(of_directions, whole), np.append(freedom, of_whole))
