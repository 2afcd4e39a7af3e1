"""Add histograms, and convert exponential histograms to explicit bounds."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlmonitor.testing.receiver.decoding import Explicit, Exponential


@dataclass(frozen=True, slots=True)
class HistogramTotal:
    """A histogram with explicit bounds: `counts` has one more bucket `(a, b]` than `bounds`.

    `sum`, `min` and `max` are None if any of the added histograms lacks them.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum: float | None
    min: float | None
    max: float | None


Distribution = Explicit | Exponential


def plus(one: Distribution, other: Distribution) -> Distribution:
    """Return the sum of both histograms.

    Raises:
        ValueError: one is explicit and the other is not, or their bounds differ.
    """
    extent = (
        None if one.sum is None or other.sum is None else one.sum + other.sum,
        _pick_reported(min, one.min, other.min, has_one=one.count > 0, has_other=other.count > 0),
        _pick_reported(max, one.max, other.max, has_one=one.count > 0, has_other=other.count > 0),
    )
    count = one.count + other.count
    if isinstance(one, Explicit) and isinstance(other, Explicit):
        if one.bounds != other.bounds:
            raise ValueError("histograms of different bounds do not add up: ask for one of them")
        counts = tuple(a + b for a, b in zip(one.counts, other.counts, strict=True))
        return Explicit(one.bounds, counts, count, *extent)
    if isinstance(one, Exponential) and isinstance(other, Exponential):
        scale = min(one.scale, other.scale)
        zeros = one.zero_count + other.zero_count
        positive = _pack_side(
            _count_buckets(one, scale, "positive") + _count_buckets(other, scale, "positive")
        )
        negative = _pack_side(
            _count_buckets(one, scale, "negative") + _count_buckets(other, scale, "negative")
        )
        return Exponential(scale, zeros, positive, negative, count, *extent)
    raise ValueError("explicit and exponential histograms do not add up: ask for one of them")


def total(value: Distribution) -> HistogramTotal:
    """Convert a histogram of either kind to one with explicit bounds."""
    if isinstance(value, Explicit):
        extent = (value.count, value.sum, value.min, value.max)
        return HistogramTotal(value.bounds, value.counts, *extent)
    edges = list(_list_edges(value))
    bounds = tuple(edge for edge, _ in edges)
    counts = (*(count for _, count in edges), 0)
    return HistogramTotal(bounds, counts, value.count, value.sum, value.min, value.max)


def _list_edges(value: Exponential) -> Iterator[tuple[float, int]]:
    """Yield ascending upper bounds, each with the count between the previous bound and itself.

    Positive buckets include their upper bound, negative buckets their lower bound.
    """
    base = 2.0 ** (2.0**-value.scale)
    offset, counts = value.negative
    if counts:
        yield -(base ** (offset + len(counts))), 0
        for index in range(len(counts) - 1, -1, -1):
            yield -(base ** (offset + index)), counts[index]
    offset, counts = value.positive
    yield base**offset if counts else 0.0, value.zero_count
    for index, count in enumerate(counts):
        yield base ** (offset + index + 1), count


def _count_buckets(value: Exponential, scale: int, side: str) -> "Counter[int]":
    """Return one side's counts by bucket index, after reducing the histogram to `scale`."""
    offset, counts = getattr(value, side)
    by_index: Counter[int] = Counter()
    for index, count in enumerate(counts, offset):
        by_index[index >> (value.scale - scale)] += count
    return by_index


def _pack_side(counts: "Counter[int]") -> tuple[int, tuple[int, ...]]:
    if not counts:
        return 0, ()
    low, high = min(counts), max(counts)
    return low, tuple(counts[index] for index in range(low, high + 1))


def _pick_reported(
    pick: Callable[[float, float], float],
    one: float | None,
    other: float | None,
    *,
    has_one: bool,
    has_other: bool,
) -> float | None:
    """Return the extreme that `pick` selects, or None if a non-empty histogram reports none."""
    if not has_one or not has_other:
        return other if has_other else one
    return None if one is None or other is None else pick(one, other)
