"""One snapshot on its way to one destination: in its form, in parts, each settled by itself.

Imports OpenTelemetry's messages: import it where something is sent, not before.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from mlmonitor.catalog import Metric
from mlmonitor.export.base import Family, Histograms, Snapshot, there
from mlmonitor.export.otlp.acknowledged import AcknowledgedTotals, Delta
from mlmonitor.export.otlp.backends import BackendProfile, Limits
from mlmonitor.export.otlp.dialect import resource_of, translate
from mlmonitor.export.otlp.point_templates import Points, encode_points, exponential
from mlmonitor.export.otlp.protobuf import exemplar_field, resource_message, scope_message
from mlmonitor.export.otlp.requests import Batch, Frame, Part, count, halves, parts
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts

SCOPE = "mlmonitor"


class Sender:
    """What one destination knows of one process: its resource, and what it has acknowledged."""

    def __init__(
        self, profile: BackendProfile, resource: Mapping[str, str], first: Snapshot, version: str
    ) -> None:
        self._profile = profile
        service = resource.get("service.name", first.service)
        told = resource_of(resource.items(), profile, service=service, instance=first.instance)
        scope = scope_message(SCOPE, version)
        self._frame = Frame(resource_message(told), scope, profile.is_delta)
        self._ledger = AcknowledgedTotals()
        self._last_time_ns = first.start_unix_ns
        self._told_ns = 0  # exemplars up to here are known to the destination

    def outgoing(self, snapshot: Snapshot) -> "Outgoing":
        """A snapshot, ready to be sent."""
        start_ns, time_ns = snapshot.start_unix_ns, snapshot.time_unix_ns
        made = Outgoing(self._frame, time_ns)
        for family in translate(snapshot.families, self._profile):
            yield_gil()
            if family.metric.kind != "gauge" and self._profile.is_delta:
                made.add_delta(self._ledger.delta(family, born_ns=self._last_time_ns))
                continue
            is_fine = self._is_fine(family)
            kind = "exponential_histogram" if is_fine else _KINDS[family.metric.kind]
            points = (exponential if is_fine else encode_points)(family, start_ns, time_ns)
            made.add(family, kind, points.with_more(self._exemplars(family, kind)))
        told = (each.time_ns for family in snapshot.families for _, each in family.exemplars)
        made.on_settled = partial(self._told_until, max(told, default=0))
        self._last_time_ns = time_ns
        return made

    def _exemplars(self, family: Family, kind: str) -> dict[int, bytes]:
        """What a family's points get of exemplars that have not been acknowledged yet, by row."""
        found: dict[int, bytes] = {}
        if self._profile.keeps_exemplars:
            for row, exemplar in family.exemplars:
                if exemplar.time_ns > self._told_ns:
                    found[row] = found.get(row, b"") + exemplar_field(kind, exemplar)
        return found

    def _told_until(self, time_ns: int) -> None:
        self._told_ns = max(self._told_ns, time_ns)

    def _is_fine(self, family: Family) -> bool:
        is_wanted = self._profile.durations == "exponential"
        return (
            is_wanted and isinstance(family.values, Histograms) and family.values.fine is not None
        )


_KINDS = {"gauge": "gauge", "counter": "sum", "histogram": "histogram"}


class Outgoing:
    """The points of one snapshot; what is new of them is settled part by part."""

    def __init__(self, frame: Frame, time_ns: int) -> None:
        self._frame, self._time_ns = frame, time_ns
        self._batches: list[Batch] = []
        self._deltas: dict[int, tuple[Delta, Counts]] = {}
        self._open = 0  # points that are not settled
        self.on_settled: Callable[[], object] = bool
        """Called when the last of all parts has been settled."""

    def add(self, family: Family, kind: str, points: Points) -> None:
        """Take in the points of a family that have a value."""
        told = points.only(there(family.values))
        self._append(family.metric, kind, told)

    def add_delta(self, delta: Delta) -> None:
        """Take in what is new of a family."""
        key, metric = len(self._batches), delta.family.metric
        points = encode_points(delta.family, delta.start_ns, self._time_ns).only(delta.rows)
        self._deltas[key] = delta, np.flatnonzero(delta.rows)
        self._append(metric, _KINDS[metric.kind], points)

    def _append(self, metric: Metric, kind: str, points: Points) -> None:
        self._batches.append(Batch(metric, kind, points, len(self._batches)))
        self._open += len(points)

    def parts(self, limits: Limits) -> Iterator[Part]:
        """Everything, in parts within the limits."""
        return parts(self._batches, limits, self._frame)

    def body(self, part: Part) -> bytes:
        """The request of a part."""
        return self._frame.body(part)

    def settle(self, part: Part) -> None:
        """Book a part as taken."""
        for batch, begin, end in part:
            if batch.key in self._deltas:
                delta, rows = self._deltas[batch.key]
                delta.settle(rows[begin:end], time_ns=self._time_ns)
        self._open -= count(part)
        if not self._open:
            self.on_settled()

    def count(self, part: Part) -> int:
        """How many points a part has."""
        return count(part)

    def halves(self, part: Part) -> tuple[Part, Part]:
        """A part as two."""
        return halves(part)
