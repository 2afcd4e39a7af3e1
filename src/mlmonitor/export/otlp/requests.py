"""Split encoded points into requests within given limits."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from mlmonitor.catalog import MetricSpec
from mlmonitor.export.otlp.backends import Limits
from mlmonitor.export.otlp.point_templates import Points
from mlmonitor.export.otlp.protobuf import CUMULATIVE, DELTA, metric_message, request_message
from mlmonitor.gil import yield_gil

_FRAMING = 64
"""Upper bound of the bytes of tags, lengths and temporality, per metric or per request."""


class PointBatch(NamedTuple):
    """Points of one metric that are to be sent; `key` identifies the batch to its sender.

    kind: the field of OTLP's Metric message that holds the points.
    """

    metric: MetricSpec
    kind: str
    points: Points
    key: int

    @property
    def frame(self) -> int:
        """Upper bound of the bytes of a metric in a request, without its points."""
        names = (self.metric.name, self.metric.meaning, self.metric.unit)
        return _FRAMING + sum(len(name.encode()) for name in names)


class Slice(NamedTuple):
    """The rows `begin:end` of a batch."""

    batch: PointBatch
    begin: int
    end: int

    @property
    def size(self) -> int:
        """Number of bytes of these points."""
        edges = self.batch.points.edges
        return int(edges[self.end] - edges[self.begin])


Part = tuple[Slice, ...]
"""The content of one request."""


class Frame(NamedTuple):
    """The resource and scope of every request of a process, and whether its values are deltas."""

    resource: bytes
    scope: bytes
    is_delta: bool

    def encode(self, part: Part) -> bytes:
        """Encode a part as the body of a request."""
        temporality = DELTA if self.is_delta else CUMULATIVE
        encoded = []
        for (metric, kind), slices in groupby(part, key=lambda piece: piece.batch[:2]):
            yield_gil()
            points = [piece.batch.points.cut(piece.begin, piece.end) for piece in slices]
            names = metric.name, metric.meaning, metric.unit
            encoded.append(metric_message(*names, kind, points, temporality))
        return request_message(self.resource, self.scope, encoded)

    @property
    def size(self) -> int:
        """Upper bound of the bytes of a request without points."""
        return len(self.resource) + len(self.scope) + _FRAMING


def split_batches(batches: Sequence[PointBatch], limits: Limits, frame: Frame) -> Iterator[Part]:
    """Split all points into as few requests as possible; a point above the limit gets its own."""
    ordered = sorted(batches, key=lambda batch: (batch.metric.name, batch.kind))
    pieces: list[Slice] = []
    points, size = 0, frame.size
    for batch in ordered:
        begin = 0
        while begin < len(batch.points):
            room = limits.size - size - batch.frame
            end = _reach(batch.points, begin, room, limits.points - points)
            if end == begin and pieces:
                yield tuple(pieces)
                pieces, points, size = [], 0, frame.size
                continue
            piece = Slice(batch, begin, max(end, begin + 1))
            pieces.append(piece)
            points, size = points + piece.end - begin, size + piece.size + batch.frame
            begin = piece.end
    if pieces:
        yield tuple(pieces)


def _reach(points: Points, begin: int, size: int, count: int) -> int:
    """Return the end of the longest run from `begin` within `size` bytes and `count` points."""
    most = points.edges[begin] + max(size, 0)
    by_size = int(points.edges.searchsorted(most, side="right")) - 1
    return max(min(by_size, begin + count, len(points)), begin)


def count_points(part: Part) -> int:
    """Count the points of a part."""
    return sum(piece.end - piece.begin for piece in part)


def split_part(part: Part) -> tuple[Part, Part]:
    """Split a part of two points or more into two of about the same number of points."""
    left: list[Slice] = []
    right: list[Slice] = []
    room = count_points(part) // 2
    for piece in part:
        end = min(piece.end, piece.begin + room)
        room -= end - piece.begin
        if end > piece.begin:
            left.append(piece._replace(end=end))
        if end < piece.end:
            right.append(piece._replace(begin=end))
    return tuple(left), tuple(right)
