"""Requests of any size expected: points on the wire, cut into parts and put into their frames."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from mlmonitor.catalog import Metric
from mlmonitor.export.otlp.backends import Limits
from mlmonitor.export.otlp.point_templates import Points
from mlmonitor.export.otlp.protobuf import CUMULATIVE, DELTA, metric_message, request_message
from mlmonitor.gil import yield_gil

_FRAMING = 64
"""Bytes that tags, lengths and temporality take at most, for a metric or around all of them."""


class Batch(NamedTuple):
    """Points of one metric that are to be sent; `key` tells their sender which they are.

    kind: the field of OTLP's metric that holds them.
    """

    metric: Metric
    kind: str
    points: Points
    key: int

    @property
    def frame(self) -> int:
        """Bytes that a request takes at most for the metric, points aside."""
        names = (self.metric.name, self.metric.meaning, self.metric.unit)
        return _FRAMING + sum(len(name.encode()) for name in names)


class Slice(NamedTuple):
    """The rows of a batch from `begin` to before `end`."""

    batch: Batch
    begin: int
    end: int

    @property
    def size(self) -> int:
        """Bytes of these points."""
        edges = self.batch.points.edges
        return int(edges[self.end] - edges[self.begin])


Part = tuple[Slice, ...]
"""What goes into one request."""


class Frame(NamedTuple):
    """What every request of a process begins with, and whether its values are deltas."""

    resource: bytes
    scope: bytes
    is_delta: bool

    def body(self, part: Part) -> bytes:
        """The request of a part, as bytes."""
        temporality = DELTA if self.is_delta else CUMULATIVE
        found = []
        for (metric, kind), slices in groupby(part, key=lambda each: each.batch[:2]):
            yield_gil()
            points = [each.batch.points.cut(each.begin, each.end) for each in slices]
            names = metric.name, metric.meaning, metric.unit
            found.append(metric_message(*names, kind, points, temporality))
        return request_message(self.resource, self.scope, found)

    @property
    def size(self) -> int:
        """Bytes of a request without points."""
        return len(self.resource) + len(self.scope) + _FRAMING


def parts(batches: Sequence[Batch], limits: Limits, frame: Frame) -> Iterator[Part]:
    """All points in as few requests as the limits allow; one too large for them goes alone."""
    ordered = sorted(batches, key=lambda batch: (batch.metric.name, batch.kind))
    taken: list[Slice] = []
    points, size = 0, frame.size
    for batch in ordered:
        begin = 0
        while begin < len(batch.points):
            room = limits.size - size - batch.frame
            end = _reach(batch.points, begin, room, limits.points - points)
            if end == begin and taken:
                yield tuple(taken)
                taken, points, size = [], 0, frame.size
                continue
            one = Slice(batch, begin, max(end, begin + 1))
            taken.append(one)
            points, size = points + one.end - begin, size + one.size + batch.frame
            begin = one.end
    if taken:
        yield tuple(taken)


def _reach(points: Points, begin: int, size: int, count: int) -> int:
    """The end of the longest run from `begin` of at most so many bytes and points."""
    most = points.edges[begin] + max(size, 0)
    by_size = int(points.edges.searchsorted(most, side="right")) - 1
    return max(min(by_size, begin + count, len(points)), begin)


def count(part: Part) -> int:
    """How many points a part has."""
    return sum(each.end - each.begin for each in part)


def halves(part: Part) -> tuple[Part, Part]:
    """A part of two points or more as two of about the same number of points."""
    left: list[Slice] = []
    right: list[Slice] = []
    expected = count(part) // 2
    for each in part:
        end = min(each.end, each.begin + expected)
        expected -= end - each.begin
        if end > each.begin:
            left.append(each._replace(end=end))
        if end < each.end:
            right.append(each._replace(begin=end))
    return tuple(left), tuple(right)
