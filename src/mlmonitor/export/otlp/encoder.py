"""Encode one snapshot for one destination, in parts that are acknowledged independently.

This module imports OpenTelemetry's messages, so import it only in code that sends.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from mlmonitor.catalog import MetricSpec
from mlmonitor.export.base import Family, Histograms, Snapshot, has_point
from mlmonitor.export.otlp.acknowledged import AcknowledgedTotals, Delta
from mlmonitor.export.otlp.backends import BackendProfile, Limits
from mlmonitor.export.otlp.dialect import build_resource, translate
from mlmonitor.export.otlp.point_templates import Points, encode_exponential, encode_points
from mlmonitor.export.otlp.protobuf import exemplar_field, resource_message, scope_message
from mlmonitor.export.otlp.requests import (
    Frame,
    Part,
    PointBatch,
    count_points,
    split_batches,
    split_part,
)
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts

SCOPE = "mlmonitor"


class Sender:
    """Encodes the snapshots of one process for one destination, and tracks acknowledged totals."""

    def __init__(
        self, profile: BackendProfile, resource: Mapping[str, str], first: Snapshot, version: str
    ) -> None:
        self._profile = profile
        service = resource.get("service.name", first.service)
        attributes = build_resource(
            resource.items(), profile, service=service, instance=first.instance
        )
        encoded = resource_message(attributes, is_limited=profile.limits_resource)
        self._frame = Frame(encoded, scope_message(SCOPE, version), profile.is_delta)
        self._ledger = AcknowledgedTotals()
        self._last_time_ns = first.start_unix_ns
        self._exemplars_until_ns = 0  # exemplars up to this time are acknowledged

    def prepare(self, snapshot: Snapshot) -> "Outgoing":
        """Encode the points of a snapshot, as totals or as deltas."""
        start_ns, time_ns = snapshot.start_unix_ns, snapshot.time_unix_ns
        outgoing = Outgoing(self._frame, time_ns)
        for family in translate(snapshot.families, self._profile):
            yield_gil()
            if family.metric.kind != "gauge" and self._profile.is_delta:
                outgoing.add_delta(self._ledger.delta(family, first_ns=self._last_time_ns))
                continue
            is_fine = self._is_fine(family)
            kind = "exponential_histogram" if is_fine else _KINDS[family.metric.kind]
            points = (encode_exponential if is_fine else encode_points)(family, start_ns, time_ns)
            outgoing.add(family, kind, points.with_more(self._encode_exemplars(family, kind)))
        times = (
            exemplar.time_ns for family in snapshot.families for _, exemplar in family.exemplars
        )
        outgoing.on_settled = partial(self._acknowledge_exemplars, max(times, default=0))
        self._last_time_ns = time_ns
        return outgoing

    def _encode_exemplars(self, family: Family, kind: str) -> dict[int, bytes]:
        """Encode those exemplars of a family that are not acknowledged yet; return them by row."""
        encoded: dict[int, bytes] = {}
        if self._profile.keeps_exemplars:
            for row, exemplar in family.exemplars:
                if exemplar.time_ns > self._exemplars_until_ns:
                    encoded[row] = encoded.get(row, b"") + exemplar_field(kind, exemplar)
        return encoded

    def _acknowledge_exemplars(self, time_ns: int) -> None:
        self._exemplars_until_ns = max(self._exemplars_until_ns, time_ns)

    def _is_fine(self, family: Family) -> bool:
        is_wanted = self._profile.durations == "exponential"
        return (
            is_wanted and isinstance(family.values, Histograms) and family.values.fine is not None
        )


_KINDS = {"gauge": "gauge", "counter": "sum", "histogram": "histogram"}


class Outgoing:
    """The encoded points of one snapshot, which are sent and acknowledged in parts."""

    def __init__(self, frame: Frame, time_ns: int) -> None:
        self._frame, self._time_ns = frame, time_ns
        self._batches: list[PointBatch] = []
        self._deltas: dict[int, tuple[Delta, Counts]] = {}
        self._open = 0  # points in parts that are not settled
        self.on_settled: Callable[[], object] = bool
        """Called when all parts have been settled."""

    def add(self, family: Family, kind: str, points: Points) -> None:
        """Add the points of a family that have a value."""
        self._append(family.metric, kind, points.select(has_point(family.values)))

    def add_delta(self, delta: Delta) -> None:
        """Add the points of a delta that have to be sent."""
        key, metric = len(self._batches), delta.family.metric
        points = encode_points(delta.family, delta.start_ns, self._time_ns).select(delta.rows)
        self._deltas[key] = delta, np.flatnonzero(delta.rows)
        self._append(metric, _KINDS[metric.kind], points)

    def _append(self, metric: MetricSpec, kind: str, points: Points) -> None:
        self._batches.append(PointBatch(metric, kind, points, len(self._batches)))
        self._open += len(points)

    def parts(self, limits: Limits) -> Iterator[Part]:
        """Split all points into parts within the limits."""
        return split_batches(self._batches, limits, self._frame)

    def body(self, part: Part) -> bytes:
        """Encode a part as the body of a request."""
        return self._frame.encode(part)

    def settle(self, part: Part) -> None:
        """Record that a part was stored."""
        for batch, begin, end in part:
            if batch.key in self._deltas:
                delta, rows = self._deltas[batch.key]
                delta.settle(rows[begin:end], time_ns=self._time_ns)
        self._open -= count_points(part)
        if not self._open:
            self.on_settled()

    def count(self, part: Part) -> int:
        """Count the points of a part."""
        return count_points(part)

    def split(self, part: Part) -> tuple[Part, Part]:
        """Split a part into two."""
        return split_part(part)
