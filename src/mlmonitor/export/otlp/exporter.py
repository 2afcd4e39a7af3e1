"""Our own OTLP exporter: each destination gets points in the form it accepts.

The messages of the protocol are OpenTelemetry's. They are imported at the first export, in the
worker, so `import mlmonitor` is not slower.
"""

import os
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlmonitor.capture.trace_context import suppress_instrumentation
from mlmonitor.environment.library_version import library_version
from mlmonitor.environment.standard_variables import resource_from_environment
from mlmonitor.errors import ConfigError, ExportError
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.export.otlp.backends import BackendProfile, Limits
from mlmonitor.export.otlp.response import Answer
from mlmonitor.export.otlp.tally import UNANSWERED, ExportTally
from mlmonitor.secret import Secret

if TYPE_CHECKING:
    from mlmonitor.export.otlp.encoder import Outgoing, Sender

_SMALLEST_BYTES = 16 * 1024  # a smaller request is not split further
_ENDS_EXPORT = ("unreached", *UNANSWERED)
_RETRY_SECONDS = 0.25  # before the only retry within an export


class Transport(Protocol):
    """Sends requests. A server's answer or failure is returned as an `Answer`, never raised."""

    def post(self, body: bytes, headers: Mapping[str, Secret], *, now: float) -> Answer:
        """Send one request and read its answer."""

    def limit(self, seconds: float) -> None:
        """Wait at most this long for each later answer."""

    def rest(self) -> None:
        """Release connections that are not needed until the next export."""

    def close(self) -> None:
        """Close connections."""


class Access(NamedTuple):
    """The address of a destination as it is shown, and how to connect and get the headers."""

    address: str
    connect: Callable[[], Transport]
    headers: Callable[[], Mapping[str, Secret]]


@dataclass
class _Process:
    """The sockets and acknowledged totals of one process; a forked child starts with new ones."""

    transport: Transport
    size: int
    pid: int = field(default_factory=os.getpid)
    lock: Lock = field(default_factory=Lock)
    senders: "dict[str, Sender]" = field(default_factory=dict)
    silent_until: float = 0.0


class OtlpExporter:
    """Sends snapshots to one OTLP endpoint, in the form of its `profile`. Made by `Otlp`.

    Promise: a failed export loses nothing: totals are sent again, and a delta is the difference
        from the last acknowledgement. There is no queue. If a part of a snapshot is refused, the
        other parts are still sent. Headers may hold credentials: no repr, log or error shows them.
        A forked child opens its own connection and does not send its parent's counts.
    Price: if deltas are sent, the acknowledged totals of each reporting process.
    """

    def __init__(self, profile: BackendProfile, access: Access) -> None:
        self.profile: BackendProfile = profile
        self._access = access
        self._start_process()
        _exporters.add(self)

    def _start_process(self) -> None:
        self._process = _Process(self._access.connect(), self.profile.limits.size)

    @property
    def name(self) -> str:
        """The name of the destination in metrics and logs."""
        return self.profile.name

    @property
    def sends_zero_points(self) -> bool:
        """Whether new series are sent as zero first; deltas do not need it."""
        return not self.profile.is_delta

    @property
    def wants_fine_durations(self) -> bool:
        """Whether latencies are sent in exponential buckets."""
        return self.profile.durations == "exponential"

    @property
    def keeps_exemplars(self) -> bool:
        """Whether exemplars are sent."""
        return self.profile.keeps_exemplars

    def __repr__(self) -> str:
        return f"Otlp.{self.name}({self._access.address!r})"

    def send(self, snapshot: Snapshot) -> Delivered:
        """Deliver a snapshot in one or more requests; raise ExportError if nothing was stored."""
        if self._process.pid != os.getpid():  # a fork made in C, which Python does not report
            self._start_process()
        process = self._process
        with process.lock, suppress_instrumentation():
            if snapshot.now < process.silent_until:
                raise ExportError(f"{self!r} asked for a pause, which is not over")
            try:
                return self._deliver(process, snapshot)
            finally:
                process.transport.rest()

    def limit_sends(self, timeout_seconds: float) -> None:
        """Limit the duration of every later request of this process."""
        self._process.transport.limit(timeout_seconds)

    def close(self, *, timeout_seconds: float) -> None:
        """Close connections."""
        del timeout_seconds
        self._process.transport.close()

    def restart_after_fork(self) -> None:
        """Start with a new connection and no acknowledged totals; called in a forked child."""
        self._start_process()

    def _deliver(self, process: _Process, snapshot: Snapshot) -> Delivered:
        headers = self._read_headers()
        outgoing = self._prepare(process, snapshot)
        tally, has_retried = ExportTally(self.profile.is_delta), False
        queue = deque(outgoing.parts(Limits(self.profile.limits.points, process.size)))
        while queue:
            part = queue.popleft()
            body = outgoing.body(part)
            answer = process.transport.post(body, headers, now=snapshot.now)
            points = outgoing.count(part)
            if answer.kind == "too_large" and points > 1 and len(body) > _SMALLEST_BYTES:
                process.size = max(min(process.size, len(body) // 2), _SMALLEST_BYTES)
                queue.extendleft(reversed(outgoing.split(part)))
                continue
            if answer.may_pass and not has_retried:
                has_retried = True
                time.sleep(_RETRY_SECONDS)
                queue.appendleft(part)
                continue
            if self._is_settled(answer):
                outgoing.settle(part)
            tally.add(answer, points, is_settled=self._is_settled(answer))
            process.silent_until = snapshot.now + answer.pause_seconds
            if answer.kind in _ENDS_EXPORT or answer.pause_seconds:
                # The rest would fail for the same reason, so it waits for the next export.
                tally.failed += sum(map(outgoing.count, queue))
                break
        return tally.deliver(repr(self))

    def _read_headers(self) -> Mapping[str, Secret]:
        try:
            return self._access.headers()
        except ConfigError as error:  # a new token or a variable with invalid characters
            raise ExportError(f"{self!r}: {error}") from None

    def _prepare(self, process: _Process, snapshot: Snapshot) -> "Outgoing":
        sender = process.senders.get(snapshot.instance)
        if sender is None:
            from mlmonitor.export.otlp.encoder import Sender

            resource = resource_from_environment(os.environ, service=snapshot.service)
            sender = Sender(self.profile, resource, snapshot, library_version())
            process.senders[snapshot.instance] = sender
        return sender.prepare(snapshot)

    def _is_settled(self, answer: Answer) -> bool:
        """Whether the points of a request count as delivered, so that they are not sent again."""
        if answer.kind in UNANSWERED:
            return self.profile.is_delta and self.profile.ambiguous == "advance"
        return answer.kind == "stored"


_exporters: "weakref.WeakSet[OtlpExporter]" = weakref.WeakSet()


def _restart_all() -> None:
    for exporter in list(_exporters):
        exporter.restart_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all)
