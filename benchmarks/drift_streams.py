"""Streams with known drift, the same for mlmonitor and other tools; needs only numpy."""

import numpy as np
from numpy.typing import NDArray

ROWS = 20_000
REFERENCE_ROWS = 5_000
FIELDS = 20
SHIFT_AT = 10_000
SHIFT = 0.34
"""In standard deviations of a normal field: a population stability index of about 0.11."""


def rows(seed: int, count: int) -> NDArray[np.float64]:
    """Draw `[count, fields]`: normal, lognormal, counts and mostly zero, a quarter each."""
    rng = np.random.default_rng(seed)
    quarter = FIELDS // 4
    normal = rng.normal(size=(count, quarter))
    lognormal = rng.lognormal(size=(count, quarter))
    counts = rng.poisson(3.0, size=(count, quarter)).astype(np.float64)
    zeros = np.maximum(rng.random((count, quarter)) - 0.7, 0.0)
    return np.hstack([normal, lognormal, counts, zeros])


def reference() -> NDArray[np.float64]:
    """Return the training rows."""
    return rows(0, REFERENCE_ROWS)


def calm(stream: int) -> NDArray[np.float64]:
    """Return a stream without drift."""
    return rows(1_000 + stream, ROWS)


def shifted(stream: int) -> NDArray[np.float64]:
    """Return a stream whose first field shifts at row `SHIFT_AT`, half-way."""
    values = rows(2_000 + stream, ROWS)
    values[SHIFT_AT:, 0] += SHIFT
    return values
