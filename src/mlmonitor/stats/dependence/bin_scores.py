"""Directions in which the bins of a field may vary together: location, spread, single bins."""

import math

import numpy as np

from mlmonitor.records import Floats

_LEAST_EVENTS = 30  # minimum rows inside and outside a bin that has its own direction
_SINGLE_BINS = 3  # how many unordered bins have their own direction


def score_directions(shares: Floats, rows: int, *, is_ordered: bool) -> Floats:
    """Return scores of the bins, `[bins, directions]`, of mean 0 and variance 1.

    shares: the share of each bin, missing values last. rows: the number of rows; a bin with few
    rows inside or outside has no direction.
    """
    values = shares[:-1]
    columns = []
    if is_ordered and np.count_nonzero(values) > 1:
        places = (np.cumsum(values) - values / 2) / values.sum()
        line = np.append(_compute_normal_scores(places), 0.0)
        columns += [line, line**2]
    elif not is_ordered:
        frequent = np.argsort(-values, kind="stable")[:_SINGLE_BINS]
        columns += [(np.arange(shares.size) == place) * 1.0 for place in frequent.tolist()]
    columns.append((np.arange(shares.size) == shares.size - 1) * 1.0)
    directions: list[Floats] = []
    for column in columns:
        events = rows * shares[column == 1].sum() if set(np.unique(column)) <= {0, 1} else rows
        if min(events, 2 * rows - events - 1) < _LEAST_EVENTS:
            continue
        centred = column - (shares * column).sum()
        for other in directions if is_ordered else []:
            centred = centred - (shares * centred * other).sum() * other
        variance = float((shares * centred**2).sum())
        if variance > 1e-12:
            directions.append(centred / math.sqrt(variance))
    return np.stack(directions, axis=1) if directions else np.zeros((shares.size, 0))


def _compute_normal_scores(places: Floats) -> Floats:
    """Return approximate normal quantiles of ranks between 0 and 1 (logistic, rescaled)."""
    inside = np.clip(places, 1e-6, 1 - 1e-6)
    scores: Floats = np.log(inside / (1 - inside)) * (math.sqrt(3) / math.pi)
    return scores
