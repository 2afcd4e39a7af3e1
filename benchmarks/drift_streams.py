"""Streams whose truth is known, the same for us and for our peers. numpy alone."""

import numpy as np
from numpy.typing import NDArray

ROWS = 20_000
REFERENCE_ROWS = 5_000
FIELDS = 20
SHIFT_AT = 10_000
SHIFT = 0.34
"""In standard deviations of a normal field: a population stability index of about 0.11."""


def rows(seed: int, count: int) -> NDArray[np.float64]:
    """`[count, fields]`: a quarter each normal, lognormal, counts, and mostly zero."""
    rng = np.random.default_rng(seed)
    quarter = FIELDS // 4
    normal = rng.normal(size=(count, quarter))
    lognormal = rng.lognormal(size=(count, quarter))
    counts = rng.poisson(3.0, size=(count, quarter)).astype(np.float64)
    zeros = np.maximum(rng.random((count, quarter)) - 0.7, 0.0)
    return np.hstack([normal, lognormal, counts, zeros])


def reference() -> NDArray[np.float64]:
    """What the model was trained on."""
    return rows(0, REFERENCE_ROWS)


def calm(stream: int) -> NDArray[np.float64]:
    """A stream that never drifts."""
    return rows(1_000 + stream, ROWS)


def shifted(stream: int) -> NDArray[np.float64]:
    """A stream of which the first field shifts half-way."""
    values = rows(2_000 + stream, ROWS)
    values[SHIFT_AT:, 0] += SHIFT
    return values
