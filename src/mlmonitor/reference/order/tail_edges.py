"""Extra bin edges in heavy tails, where bins of equal mass are too wide."""

import numpy as np

from mlmonitor.aggregate.sketches.bins import quantile_edges
from mlmonitor.records import Floats

_HEAVY = 6.0  # the ratio is 2.0 for a normal, 2.9 for an exponential, 14 for a lognormal law
_LEAST_ROWS = 25  # rows in an outer bin
_LEAST_SHARE = 0.005
_RANKS = (0.5, 0.9, 0.995)


def add_tail_edges(edges: Floats, ordered: Floats, *, tolerance: float) -> Floats:
    """Add a bin edge in each heavy tail of ascending values.

    A tail is heavy if the 99.5% quantile is more than six times as far from the median as the 90%
    quantile. A few values with wrong units would hide in the outermost bin of equal mass, which is
    very wide. Beyond the new edge are 25 rows, or 0.5% of the rows if that is more. If all values
    have the same sign, an edge near zero is added too, for values that are too small by a factor.
    Promise: the edges of values without heavy tails are unchanged.
    """
    if not edges.size or ordered.size < 100 * _LEAST_ROWS:
        return edges
    share = max(_LEAST_ROWS / ordered.size, _LEAST_SHARE)
    added = [edges]
    mirrored = -ordered[::-1]
    is_heavy, is_heavy_below = _is_heavy(ordered), _is_heavy(mirrored)
    if is_heavy or (is_heavy_below and ordered[-1] < 0):
        added.append(_place_outer_edge(ordered, share, tolerance, edges[-1]))
    if is_heavy_below or (is_heavy and ordered[0] > 0):
        added.append(-_place_outer_edge(mirrored, share, tolerance, -edges[0]))
    return np.unique(np.concatenate(added))


def _is_heavy(ordered: Floats) -> bool:
    middle, near, far = np.quantile(ordered, _RANKS, method="inverted_cdf")
    with np.errstate(over="ignore"):
        return bool(near > middle and far - middle > _HEAVY * (near - middle))


def _place_outer_edge(ordered: Floats, share: float, tolerance: float, last: float) -> Floats:
    """Return the edge with this share of the values above it; empty if it is not above `last`."""
    start = int(ordered.size * (1 - 2 * share))
    edges = quantile_edges(ordered[start:], bins=2, tolerance=tolerance)
    is_outer = (edges > last) & (edges < ordered[-1])
    outer: Floats = edges[is_outer][:1]
    return outer
