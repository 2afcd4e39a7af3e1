"""Recognise that part of the values of a field has changed, from ranks alone."""

from typing import Final, NamedTuple

import numpy as np

from mlmonitor.records import Floats

_KS = 1.36  # the Kolmogorov-Smirnov statistic that one sample in twenty exceeds
_OFFSET = 0.01  # difference of ranks that is tolerated besides chance
_MOST_BEFORE = 0.05  # largest share that a stuck value may have had before
_EVIDENT = 2.5  # how far a part must move the ranks, relative to the tolerated difference

APART: Final = 0.5
"""The smallest change of ranks: values that move less overlap too much with the others."""

FAR: Final = 0.9
"""The smallest change of ranks by a candidate that is not preferred."""


class Part(NamedTuple):
    """A changed part of the values: the index of the change's candidate, and the share."""

    place: int
    share: float


def estimate_ranks(values: Floats, points: Floats) -> Floats:
    """Return the share of sorted values below each point; values equal to it count half."""
    below = np.searchsorted(values, points, side="left")
    up_to = np.searchsorted(values, points, side="right")
    ranks: Floats = (below + up_to) / (2 * values.size)
    return ranks


def find_part(
    before: Floats,
    now: Floats,
    changed: Floats,
    *,
    rows: int,
    preferred: int = 0,
    apart: float = APART,
) -> Part | None:
    """Return the candidate that explains `now` as a mixture of changed and other values, or None.

    before, now: ranks of some points among values of the reference and of these rows. changed:
    `[candidates, points]`, ranks once a candidate has changed all values. preferred: how many of
    the first candidates to prefer: the best of them is chosen even if another fits slightly better.
    A change must explain all that exceeds chance, and move the values that it changes away from the
    others: by `apart` ranks if it is preferred, otherwise by `FAR`, because one of many changes
    fits almost any shape.
    Source: the share that minimises the squared distance between distribution functions, which is
        Cramér's distance, and a Kolmogorov-Smirnov test of the fit.
    """
    limit = _find_limit(rows)
    directions, difference = changed - before, now - before
    norms = np.maximum((directions**2).sum(axis=1), np.finfo(float).tiny)
    shares = np.clip(directions @ difference / norms, 0.0, 1.0)
    unexplained = np.abs(difference - shares[:, None] * directions).max(axis=1)
    distances = np.abs(directions).max(axis=1)
    needed = np.where(np.arange(len(changed)) < preferred, apart, max(apart, FAR))
    is_evident = (distances >= needed) & (shares * distances >= _EVIDENT * limit)
    unexplained = np.where(is_evident & (unexplained <= limit), unexplained, np.inf)
    best = float(unexplained.min(initial=np.inf))
    if not np.isfinite(best):
        return None
    likely = unexplained[:preferred]
    is_likely = float(likely.min(initial=np.inf)) <= best + limit / 4
    place = int(np.argmin(likely if is_likely else unexplained))
    return Part(place, float(shares[place]))


def measure_point(before: Floats, now: Floats, *, rows: int) -> float:
    """Return the share of rows with one value that was rare before, if nothing else has changed.

    before, now: quantiles at evenly spaced ranks from 0 to 1. rows: the number of rows behind
    `now`. 0 if the proportions of the other values have changed, as when all values of a field with
    few distinct ones are scaled.
    """
    values, counts = np.unique(now[np.isfinite(now)], return_counts=True)
    if values.size == 0:
        return 0.0
    most = int(np.argmax(counts))
    point, share = values[most], float(counts[most] / now.size)
    if np.count_nonzero(before == point) > _MOST_BEFORE * before.size:
        return 0.0
    points = np.union1d(before, now)
    others = estimate_ranks(before, points)
    at_point = np.where(points == point, 0.5, points > point)
    expected = others + share * (at_point - others)
    return share if fits(expected, estimate_ranks(now, points), rows=rows) else 0.0


def fits(expected: Floats, now: Floats, *, rows: int) -> bool:
    """Whether ranks differ by no more than chance."""
    return bool(np.abs(expected - now).max() <= _find_limit(rows))


def _find_limit(rows: int) -> float:
    return float(_KS / np.sqrt(max(rows, 1)) + _OFFSET)
