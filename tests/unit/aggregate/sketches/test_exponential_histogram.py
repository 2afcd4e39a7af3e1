"""Exponential buckets: the bucket of each value, and the width of buckets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch

positive = st.floats(1e-9, 1e9)


def bounds(sketch: ExponentialSketch) -> list[tuple[float, float]]:
    """Return the lower and upper limit of each non-empty bucket."""
    base = 2.0 ** (2.0**-sketch.scale)
    places = (sketch.offset + np.flatnonzero(sketch.counts)).tolist()
    return [(base**place, base ** (place + 1)) for place in places]


@given(st.lists(positive, min_size=1, max_size=50))
def test_every_value_lies_between_the_limits_of_its_bucket(values: list[float]) -> None:
    """The lower limit is excluded and the upper one included, up to rounding."""
    sketch = ExponentialSketch.from_values(np.array(values))
    assert sketch.count == len(values)
    edges = bounds(sketch)
    for value in values:
        assert any(low * (1 - 1e-9) < value <= high * (1 + 1e-9) for low, high in edges)


@pytest.mark.parametrize("power", range(-20, 20))
def test_powers_of_two_are_upper_limits_of_their_buckets(power: int) -> None:
    """Buckets are `(base^i, base^(i + 1)]` exactly, at every scale."""
    value = 2.0**power
    sketch = ExponentialSketch.from_values(np.array([value]))
    assert sketch.offset == (power << sketch.scale) - 1
    wide = ExponentialSketch.from_values(np.array([value, 2.0**-1_000, 2.0**1_000]))
    places = (wide.offset + np.flatnonzero(wide.counts)).tolist()
    assert places == [(at * 256 - 1) >> (8 - wide.scale) for at in (-1_000, power, 1_000)]


@pytest.mark.parametrize(("decades", "width"), [(1, 0.022), (2, 0.045), (5, 0.091)])
def test_exponential_buckets_are_as_narrow_as_promised(
    decades: int, width: float, rng: np.random.Generator
) -> None:
    """Values span one, two or five decades."""
    values = 10 ** rng.uniform(0, decades, 10_000)
    sketch = ExponentialSketch.from_values(values)
    assert 2.0 ** (2.0**-sketch.scale) - 1 <= width


def test_an_exponential_histogram_fits_the_whole_range_of_floats() -> None:
    """The smallest and the largest float need the coarsest scale."""
    values = np.array([5e-324, 1.7e308, 0.0, np.nan, np.inf, -1.0])
    sketch = ExponentialSketch.from_values(values)
    assert sketch.scale == ExponentialSketch.MIN_SCALE
    assert (sketch.zeros, sketch.count) == (2, 4)
    assert (sketch.min, sketch.max) == (-1.0, 1.7e308)


def test_an_exponential_histogram_of_no_values_has_no_buckets() -> None:
    """Its memory is small."""
    assert ExponentialSketch.from_values(np.empty(0)).used.size == 0
    assert ExponentialSketch().nbytes <= 1_400
