"""Recognise merged and exchanged categories, from their counts in the window.

A change is recognised only if it explains the counts, and no other change explains them nearly as
well. One of these alternatives is that a single category became rarer or more frequent, while the
rest kept their proportions.
"""

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

import numpy as np

from mlmonitor.records import Counts, Floats
from mlmonitor.stats.dependence.effect_tests import chi_square_scale

_LEAST_SHARE = 0.02  # smallest share in the reference of a category whose loss can be detected
_LEAST_ROWS = 10  # expected rows of such a category
_LEAST_COMPARED = 100
_LEAST_EXCHANGED = 200
_MOST_ROWS = 1_000  # more would show the reference's sampling noise and minor other changes
_DEVIATIONS = 2.5  # largest excess of a true change's chi-square over its mean, in deviations
_MARGIN = 6.0  # smallest distance to the chi-square of any other change of this kind
_MARGIN_OF_MIX = 2.5  # the same for one category that is rarer or more frequent by itself
_UNLIKE = 30.0  # smallest distance to the chi-square of the original order, for an exchange
_LEAST_STAYING = 3  # smallest number of categories besides the two of a move
_MOST_EXCHANGED = 6  # categories whose orders are all tried


class MovedShare(NamedTuple):
    """The share of all rows that moved from the category at `place` to the one at `target`."""

    place: int
    target: int
    share: float


def are_merged(before: Floats, now: Counts) -> bool:
    """Whether one category is gone and exactly one other has grown by its rows.

    before: the shares of the reference. now: the rows of the same categories. All others must be as
    frequent as before, except for chance. With only two categories, the loss of one does not show
    that they were merged.
    """
    rows = int(now.sum())
    gone = np.flatnonzero((now == 0) & (before >= _LEAST_SHARE) & (before * rows >= _LEAST_ROWS))
    if gone.size != 1:
        return False
    lost = int(gone[0])
    grown = [place for place in range(before.size) if place != lost and now[place]]
    merged = [_measure_misfit(_move(before, lost, place), now) for place in grown]
    mixed = _measure_misfit(_scale(before, lost, 0.0), now)
    best, *others = sorted(merged)
    is_only = mixed >= best + _MARGIN_OF_MIX and min(others, default=np.inf) >= best + _MARGIN
    return _fits(best, before) and is_only


def find_moved_share(before: Floats, now: Counts) -> MovedShare | None:
    """Return the share of rows that changed category, if one move explains all changes.

    before, now: as for `are_merged`, followed by new categories. None if a move between another
    pair of categories, or a change of one category alone, explains the counts equally well. A move
    to a known category needs at least three others that stayed: of two or three categories, one
    always grows by what another loses.
    """
    rows = int(now.sum())
    if rows < _LEAST_COMPARED:
        return None
    is_telling = np.count_nonzero(before >= _LEAST_SHARE) >= 2 + _LEAST_STAYING
    shares = now / rows
    lost = before - shares
    limits = 3 * np.sqrt(before * (1 - before) / rows)
    moves: list[tuple[float, MovedShare]] = []
    for place in np.flatnonzero((lost >= _LEAST_SHARE) & (lost > limits)).tolist():
        for target in range(before.size):
            if target != place and (is_telling or target == before.size - 1):
                move = MovedShare(place, target, float(lost[place]))
                moves.append((_measure_misfit(_move(before, *move), now), move))
    if not moves:
        return None
    (best, move), *others = sorted(moves)
    rivals = [misfit for misfit, _ in others]
    rivals += [_measure_misfit(rival, now) for rival in _list_scaled(before, shares)]
    is_evident = _fits(best, before) and min(rivals) >= best + _MARGIN
    return move if is_evident else None


def are_exchanged(before: Floats, now: Counts) -> bool:
    """Whether categories have exchanged their shares: another order of the shares fits better.

    False for more than six categories or fewer than two hundred rows.
    """
    rows = int(now.sum())
    frequent = np.flatnonzero(before >= _LEAST_SHARE)
    if rows < _LEAST_EXCHANGED or not 2 <= frequent.size <= _MOST_EXCHANGED:
        return False
    if now[frequent].sum() < (1 - _LEAST_SHARE) * rows:
        return False
    expected, counts = before[frequent] / before[frequent].sum(), now[frequent]
    shares = counts / counts.sum()
    orders = [expected[list(order)] for order in permutations(range(frequent.size))]
    misfits = np.array([_measure_misfit(order, counts) for order in orders])
    best = float(misfits.min())
    rivals = [_measure_misfit(rival, counts) for rival in _list_scaled(expected, shares)]
    is_other = misfits[0] >= best + _UNLIKE and min(rivals) >= best + _MARGIN_OF_MIX
    fitting = int((misfits <= best + _MARGIN).sum())
    return _fits(best, expected) and is_other and fitting <= frequent.size


def _list_scaled(before: Floats, shares: Floats) -> Iterator[Floats]:
    """Yield, for each category, the shares if only it changed and the rest kept their ratios."""
    for place in range(before.size):
        yield _scale(before, place, float(shares[place]))


def _scale(before: Floats, place: int, share: float) -> Floats:
    """Return the shares once a category has this share, and the others keep their proportions."""
    others = max(1 - float(before[place]), np.finfo(float).tiny)
    scaled: Floats = before * (1 - share) / others
    scaled[place] = share
    return scaled


def _move(before: Floats, place: int, target: int, share: float | None = None) -> Floats:
    """Return the shares after a share of the rows, by default a whole category, has moved."""
    moved = before.copy()
    share = float(before[place]) if share is None else share
    moved[place] -= share
    moved[target] += share
    return moved


def _measure_misfit(expected: Floats, now: Counts) -> float:
    """Return Pearson's chi-square of counts; expected counts are at least half a row."""
    rows = max(int(now.sum()), 1)
    gaps = now / rows - expected
    size = min(rows, _MOST_ROWS)
    return float(size * (gaps**2 / np.maximum(expected, 0.5 / size)).sum())


def _fits(misfit: float, shares: Floats) -> bool:
    """Whether chance explains a misfit; the shares give the degrees of freedom."""
    freedom = np.array([max(np.count_nonzero(shares) - 2.0, 1.0)])
    return misfit <= float(freedom[0] * chi_square_scale(freedom, _DEVIATIONS)[0])
