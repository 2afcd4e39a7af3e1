"""The samples into which Prometheus translates a point, and its rules for their order in a series.

Source: Prometheus `storage/remote/otlptranslator/prometheusremotewrite` (classic and native
histograms, summaries) and `tsdb/head_append.go` (order), with the defaults of 3.x: no out-of-order
window, timestamps in milliseconds.
"""

import math
from collections import ChainMap
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from mlmonitor.testing.receiver.decoding import Explicit, Exponential, Summary, WirePoint, is_same

Identity = tuple[tuple[str, str], ...]

AHEAD_MS = 10 * 60 * 1000
"""Timestamps further ahead of the server's clock are refused (`maxAheadTime`)."""
BEHIND_MS = 60 * 60 * 1000
"""Samples further behind the newest sample are refused: half of the head's two hours."""

OUT_OF_ORDER = "out of order sample"
DUPLICATE = "duplicate sample for timestamp"
TOO_OLD = "out of bounds"
TOO_NEW = "out of bounds: timestamp is too far in the future"


class PrometheusSample(NamedTuple):
    """One value of one series; `value` is only compared for equality."""

    series: Identity
    time_ms: int
    value: Any


def samples(point: WirePoint, name: str, labels: dict[str, str]) -> Iterator[PrometheusSample]:
    """Yield the samples of a point: several for a classic histogram or a summary.

    A point without a recorded value is a stale marker in each of its series.
    """
    for suffix, extra, value in _list_values(point):
        series = tuple(sorted({"__name__": f"{name}{suffix}", **labels, **extra}.items()))
        yield PrometheusSample(
            series, point.time_ns // 1_000_000, "stale" if point.is_absent else value
        )


def _list_values(point: WirePoint) -> Iterator[tuple[str, dict[str, str], Any]]:
    value = point.value
    if isinstance(value, Explicit):
        yield from _list_classic(value)
    elif isinstance(value, Summary):
        for quantile, amount in value.quantiles:
            yield "", {"quantile": _format_number(quantile)}, amount
        yield from (("_sum", {}, value.sum), ("_count", {}, value.count))
    elif isinstance(value, Exponential):
        yield "", {}, value
    else:
        yield "", {}, math.nan if value is None else float(value)


def _list_classic(value: Explicit) -> Iterator[tuple[str, dict[str, str], Any]]:
    if value.sum is not None:
        yield "_sum", {}, value.sum
    yield "_count", {}, value.count
    for bound, below in zip(value.bounds, accumulate(value.counts), strict=False):
        yield "_bucket", {"le": _format_number(bound)}, below
    yield "_bucket", {"le": "+Inf"}, value.count


def _format_number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


class SampleHead:
    """The newest sample of every series; decides which samples are in order.

    A request's samples are put into an overlay (`batch`), which is absorbed or dropped as a whole.
    """

    def __init__(self) -> None:
        self.newest: ChainMap[Identity, PrometheusSample] = ChainMap()
        self.newest_ms: int | None = None
        self.size: int = 0

    def batch(self) -> "SampleHead":
        """Return an overlay: a head that reads this head's samples but does not change them."""
        head = SampleHead()
        head.newest = self.newest.new_child()
        head.newest_ms, head.size = self.newest_ms, self.size
        return head

    def absorb(self, batch: "SampleHead") -> None:
        """Add the samples of an overlay, made by `batch`, to this head."""
        self.newest.update(batch.newest.maps[0])
        self.newest_ms, self.size = batch.newest_ms, batch.size

    def fault(self, sample: PrometheusSample, *, now: float) -> str | None:
        """Return why a sample is refused; None if it is newer, or repeats the newest sample."""
        if sample.time_ms > now * 1000 + AHEAD_MS:
            return TOO_NEW
        newest = self.newest.get(sample.series)
        if newest is not None and sample.time_ms <= newest.time_ms:
            if sample.time_ms < newest.time_ms:
                return OUT_OF_ORDER
            return None if is_same(sample.value, newest.value) else DUPLICATE
        if self.newest_ms is not None and sample.time_ms < self.newest_ms - BEHIND_MS:
            return TOO_OLD
        return None

    def put(self, sample: PrometheusSample) -> None:
        """Store a sample; `fault` must have returned None for it."""
        self.size += sample.series not in self.newest
        self.newest[sample.series] = sample
        self.newest_ms = max(sample.time_ms, self.newest_ms or sample.time_ms)
