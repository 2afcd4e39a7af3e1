"""Distributions as curves through points: values that ascend, and how many lie at or below each."""

import numpy as np

from mlmonitor.records import Floats

_FAR = 1e307  # four times this overflows


def values_at(expected: Floats, ranks: Floats, values: Floats) -> Floats:
    """Values of curves at some ranks. Not `np.interp`: its slopes overflow, or vanish."""
    at = np.zeros(expected.shape, np.intp)
    for field, (known, asked) in enumerate(zip(ranks, expected, strict=True)):
        at[field] = known.searchsorted(asked, side="left")
    at = np.clip(at, 1, ranks.shape[1] - 1)
    low, high, begin, end = (
        np.take_along_axis(curve, place, axis=1)
        for curve, place in ((values, at - 1), (values, at), (ranks, at - 1), (ranks, at))
    )
    span = end - begin
    share = np.clip((expected - begin) / np.where(span > 0, span, 1.0), 0.0, 1.0)
    return np.clip((1 - share) * low + share * high, low, high)


def ranks_at(expected: Floats, values: Floats, ranks: Floats) -> Floats:
    """Ranks of a curve at some values."""
    at = np.searchsorted(values, expected, side="right")
    inner = np.clip(at, 1, values.size - 1)
    low, high, begin = values[inner - 1], values[inner], ranks[inner - 1]
    # In quarters where the difference is beyond all floats; not always, for a denormal has none.
    unit = np.where((high > _FAR) | (low < -_FAR), 0.25, 1.0)
    span = high * unit - low * unit
    inside = np.clip(expected, low, high) * unit - low * unit
    share = inside / np.where(span > 0, span, 1.0)
    between = begin + share * (ranks[inner] - begin)
    found = np.where(at == 0, 0.0, np.where(at == values.size, ranks[-1], between))
    return np.where(np.isnan(expected), np.nan, found)
