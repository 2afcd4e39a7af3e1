"""Further edges in the tails of heavy-tailed values, where bins of equal mass are too wide."""

import numpy as np

from mlmonitor.aggregate.sketches.bins import quantile_edges
from mlmonitor.records import Floats

_HEAVY = 6.0  # 2.0 for a normal law, 2.9 for an exponential one, 14 for a lognormal one of sigma 2
_LEAST_ROWS = 25  # in an outer bin
_LEAST_SHARE = 0.005
_RANKS = (0.5, 0.9, 0.995)


def add_tail_edges(edges: Floats, ordered: Floats, *, tolerance: float) -> Floats:
    """Add an edge in each heavy tail of ascending values.

    A tail is heavy if the 99.5% quantile is more than six times as far from the median as the 90%
    quantile. An error of units in a few rows of such a field stays in its outermost bin of equal
    mass, in which it changes little. The new edge leaves 25 rows beyond it, or 0.5% if they are
    more. Heavy-tailed values that are all positive, or all negative, also have one near zero: there
    values end up that were divided.
    Promise: other values keep their edges.
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
    """Return the edge beyond which this share of the values is; none if it is not beyond `last`."""
    start = int(ordered.size * (1 - 2 * share))
    edges = quantile_edges(ordered[start:], bins=2, tolerance=tolerance)
    is_outer = (edges > last) & (edges < ordered[-1])
    outer: Floats = edges[is_outer][:1]
    return outer
