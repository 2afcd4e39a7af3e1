"""Recognise merged and exchanged categories, from their counts in the window."""

from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Counts, Floats

_LEAST_SHARE = 0.02  # of the rows: a category that is gone
_LEAST_ROWS = 10  # of it that were to be expected
_LEAST_COMPARED = 100
_DEVIATIONS = 3.0
_LEAST_STAYING = 3  # categories beside the two of a move
_OFFSET = 0.01  # share of the rows by which a category may differ besides chance
_MUCH_NEARER = 0.4  # of the distance in their own order
_MOST_EXCHANGED = 6  # categories whose orders are all tried


class MovedShare(NamedTuple):
    """The share of all rows that moved from one category to another, which are given by place."""

    place: int
    target: int
    share: float


def are_merged(before: Floats, now: Counts) -> bool:
    """Whether one category is gone and exactly one other has grown by its rows.

    before: the shares of the reference. now: the rows of the same categories. The others are as
    frequent as before, within chance.
    """
    rows = int(now.sum())
    gone = np.flatnonzero((now == 0) & (before >= _LEAST_SHARE) & (before * rows >= _LEAST_ROWS))
    if gone.size != 1:
        return False
    lost = int(gone[0])
    shares = now / rows
    grown = [place for place in range(before.size) if place != lost and now[place]]
    merged = [place for place in grown if _agree(_merge(before, lost, place), shares, rows)]
    return len(merged) == 1


def find_moved_share(before: Floats, now: Counts) -> MovedShare | None:
    """Return the share of rows that changed category, if one move explains all changes.

    before, now: as for `are_merged`; the last place is that of new categories. Exactly one pair of
    categories must fit. A move to a known category says something only beside others that stayed:
    of two or three categories one always grows by what another loses.
    """
    rows = int(now.sum())
    if rows < _LEAST_COMPARED:
        return None
    is_telling = np.count_nonzero(before >= _LEAST_SHARE) >= 2 + _LEAST_STAYING
    shares = now / rows
    lost = before - shares
    limits = _DEVIATIONS * np.sqrt(before * (1 - before) / rows)
    moves = []
    for place in np.flatnonzero((lost >= _LEAST_SHARE) & (lost > limits)).tolist():
        for target in range(before.size):
            moved = before.copy()
            moved[place] -= lost[place]
            moved[target] += lost[place]
            is_candidate = target != place and (is_telling or target == before.size - 1)
            if is_candidate and _agree(moved, shares, rows):
                moves.append(MovedShare(place, target, float(lost[place])))
    return moves[0] if len(moves) == 1 else None


def are_exchanged(before: Floats, now: Counts) -> bool:
    """Whether categories have exchanged their shares: another order fits, and their own does not.

    Only for at most six categories, in at least a hundred rows.
    """
    rows = int(now.sum())
    frequent = np.flatnonzero(before >= _LEAST_SHARE)
    if rows < _LEAST_COMPARED or not 2 <= frequent.size <= _MOST_EXCHANGED:
        return False
    shares, expected = now[frequent] / rows, before[frequent]
    if now[frequent].sum() < (1 - _LEAST_SHARE) * rows or _agree(expected, shares, rows):
        return False
    orders = np.array(list(permutations(range(frequent.size))))
    distances = np.abs(expected[orders] - shares).max(axis=1)
    is_near = distances <= _MUCH_NEARER * float(np.abs(expected - shares).max())
    fitting = int((is_near & _agree(expected[orders], shares, rows)).sum())
    return 0 < fitting <= frequent.size


def _merge(before: Floats, lost: int, place: int) -> Floats:
    """Return the shares once the category `lost` counts as another."""
    merged = before.copy()
    merged[place] += merged[lost]
    merged[lost] = 0
    return merged


def _agree(expected: Floats, shares: Floats, rows: int) -> NDArray[np.bool_]:
    """Whether all shares of a row differ by no more than chance plus one in a hundred rows."""
    limits = _DEVIATIONS * np.sqrt(expected * (1 - expected) / rows) + _OFFSET
    agreeing: NDArray[np.bool_] = np.all(np.abs(shares - expected) <= limits, axis=-1)
    return agreeing
