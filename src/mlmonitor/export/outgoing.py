"""One snapshot on its way to one destination: in its form, in parts, each settled by itself.

Imports OpenTelemetry's messages: import it where something is sent, not before.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from mlmonitor.catalog import Metric
from mlmonitor.export.base import Mask, Snapshot, there
from mlmonitor.export.deltas import Delta, Ledger
from mlmonitor.export.dialect import resource_of, spoken
from mlmonitor.export.profile import Limits, Profile
from mlmonitor.export.request import Batch, Frame, Part, count, halves, parts
from mlmonitor.export.sheet import Points, written
from mlmonitor.export.wire import resource_message, scope_message
from mlmonitor.records import Counts

SCOPE = "mlmonitor"


class Sender:
    """What one destination knows of one process: its resource, and what it has acknowledged."""

    def __init__(
        self, profile: Profile, resource: Mapping[str, str], first: Snapshot, version: str
    ) -> None:
        self._profile = profile
        service = resource.get("service.name", first.service)
        told = resource_of(resource.items(), profile, service=service, instance=first.instance)
        scope = scope_message(SCOPE, version)
        self._frame = Frame(resource_message(told), scope, profile.is_delta)
        self._ledger = Ledger()
        self._last_time_ns = first.start_unix_ns

    def outgoing(self, snapshot: Snapshot) -> "Outgoing":
        """A snapshot, ready to be sent."""
        made = Outgoing(self._frame, snapshot.time_unix_ns)
        for family in spoken(snapshot.families, self._profile):
            if family.metric.kind == "gauge":
                made.add(
                    family.metric, written(family, 0, snapshot.time_unix_ns), there(family.values)
                )
            elif self._profile.is_delta:
                made.add_delta(self._ledger.delta(family, born_ns=self._last_time_ns))
            else:
                found = written(family, snapshot.start_unix_ns, snapshot.time_unix_ns)
                made.add(family.metric, found, there(family.values))
        self._last_time_ns = snapshot.time_unix_ns
        return made


class Outgoing:
    """The points of one snapshot; what is new of them is settled part by part."""

    def __init__(self, frame: Frame, time_ns: int) -> None:
        self._frame, self._time_ns = frame, time_ns
        self._batches: list[Batch] = []
        self._deltas: dict[int, tuple[Delta, Counts]] = {}

    def add(self, metric: Metric, points: Points, rows: Mask) -> None:
        """Take in some rows of a family's points."""
        key = len(self._batches)
        self._batches.append(Batch(metric, points.only(rows), key))

    def add_delta(self, delta: Delta) -> None:
        """Take in what is new of a family."""
        self._deltas[len(self._batches)] = delta, np.flatnonzero(delta.rows)
        self.add(
            delta.family.metric, written(delta.family, delta.start_ns, self._time_ns), delta.rows
        )

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

    def count(self, part: Part) -> int:
        """How many points a part has."""
        return count(part)

    def halves(self, part: Part) -> tuple[Part, Part]:
        """A part as two."""
        return halves(part)
