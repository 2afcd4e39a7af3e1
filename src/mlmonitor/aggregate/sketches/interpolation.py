"""Distributions as piecewise linear curves: ascending values, and the rank of each."""

import numpy as np

from mlmonitor.records import Floats

_FAR = 1e307  # differences of smaller numbers cannot overflow


def values_at(expected: Floats, ranks: Floats, values: Floats) -> Floats:
    """Interpolate values at the `expected` ranks, without the overflows of `np.interp`."""
    width = ranks.shape[1]
    upper = np.empty(expected.shape, np.intp)
    for field, (field_ranks, wanted) in enumerate(zip(ranks, expected, strict=True)):
        upper[field] = field_ranks.searchsorted(wanted, side="left")
    np.clip(upper, 1, width - 1, out=upper)
    upper += np.arange(len(ranks))[:, None] * width  # indices into the curves laid end to end
    lower = upper - 1
    low, high, begin = values.take(lower), values.take(upper), ranks.take(lower)
    span = ranks.take(upper) - begin
    share = np.clip((expected - begin) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    return np.clip((1 - share) * low + share * high, low, high)


def ranks_at(expected: Floats, values: Floats, ranks: Floats) -> Floats:
    """Interpolate the ranks of one curve at the `expected` values; NaN for NaN."""
    upper = np.searchsorted(values, expected, side="right")
    inner = np.clip(upper, 1, values.size - 1)
    low, high, begin = values[inner - 1], values[inner], ranks[inner - 1]
    # Use quarters where the difference would overflow, but not always: denormals would vanish.
    unit = np.where((high > _FAR) | (low < -_FAR), 0.25, 1.0)
    span = high * unit - low * unit
    inside = np.clip(expected, low, high) * unit - low * unit
    share = inside / np.where(span > 0, span, 1.0)
    between = begin + share * (ranks[inner] - begin)
    result = np.where(upper == 0, 0.0, np.where(upper == values.size, ranks[-1], between))
    return np.where(np.isnan(expected), np.nan, result)
