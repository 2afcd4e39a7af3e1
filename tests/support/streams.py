"""Named streams that have broken sketches before; they are seeded, so failures are repeatable."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ROWS = 20_480


def _zoom_in(rng: np.random.Generator, rows: int) -> Floats:
    """Return values of alternating sign that approach zero: new centroids fall between old ones."""
    return np.geomspace(1e6, 1e-6, rows) * np.where(np.arange(rows) % 2, -1.0, 1.0)


def _step(rng: np.random.Generator, rows: int) -> Floats:
    """Draw values around 0 for nine tenths of the rows, then values around 100."""
    level = np.where(np.arange(rows) < rows * 9 // 10, 0.0, 100.0)
    return rng.normal(size=rows) + level


def _two_humps(rng: np.random.Generator, rows: int) -> Floats:
    """Draw values around zero or around a billion at random, and none in between."""
    return rng.normal(size=rows) + 1e9 * rng.integers(0, 2, rows)


def _zero_inflated(rng: np.random.Generator, rows: int) -> Floats:
    """Draw zeros for 70% of the rows, and lognormal values otherwise."""
    return np.where(rng.random(rows) < 0.7, 0.0, rng.lognormal(3.0, 1.0, rows))


STREAMS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "sorted": lambda rng, rows: np.sort(rng.normal(size=rows)),
    "reversed": lambda rng, rows: np.sort(rng.normal(size=rows))[::-1].copy(),
    "constant": lambda _, rows: np.full(rows, 0.1),
    "two-point": lambda rng, rows: np.where(rng.random(rows) < 0.3, -1.0, 1.0),
    "normal": lambda rng, rows: rng.normal(size=rows),
    "lognormal": lambda rng, rows: rng.lognormal(0.0, 3.0, rows),
    "cauchy": lambda rng, rows: rng.standard_cauchy(rows),
    "pareto": lambda rng, rows: rng.pareto(0.5, rows),
    "denormal": lambda rng, rows: rng.integers(-1_000, 1_000, rows) * 5e-324,
    "signed-huge": lambda rng, rows: rng.uniform(-1e300, 1e300, rows),
    "zoom-in": _zoom_in,
    "step": _step,
    "bimodal": lambda rng, rows: 1e9 * rng.integers(0, 2, rows),
    "two-humps": _two_humps,
    "zero-inflated": _zero_inflated,
    "small-integers": lambda rng, rows: rng.poisson(3.0, rows).astype(np.float64),
    "sine": lambda _, rows: np.sin(np.arange(rows) * 0.01),
}
"""The functions that draw the streams, from a random generator and a number of rows."""


def stream(name: str, *, rows: int = ROWS) -> Floats:
    """Return the stream of that name, the same in every run."""
    return STREAMS[name](np.random.default_rng(list(name.encode())), rows)
