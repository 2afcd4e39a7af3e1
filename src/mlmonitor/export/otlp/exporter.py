"""OTLP, made and sent by ourselves: every point arrives in the form its destination takes.

Of OpenTelemetry only the protocol's messages are needed, imported at the first export, in the
worker: `import mlmonitor` does not pay for it.
"""

import os
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlmonitor.environment import resource_from_environment
from mlmonitor.errors import ExportError, ExportRefused, ExportTimeout
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.export.otlp.backends import BackendProfile, Limits
from mlmonitor.export.otlp.response import Answer
from mlmonitor.secret import Secret

if TYPE_CHECKING:
    from mlmonitor.export.otlp.encoder import Outgoing, Sender

_SMALLEST_BYTES = 16 * 1024  # a request that is refused as too large is halved down to this
_FIRST_FAULTS = ("unreached", "unsure")
_MOMENT_SECONDS = 0.25  # after which whoever was unavailable is asked once more


class Transport(Protocol):
    """What carries requests; it raises nothing for what the other side does."""

    def post(self, body: bytes, headers: Mapping[str, Secret], *, now: float) -> Answer:
        """Send one request and read its answer."""

    def rest(self) -> None:
        """Until the next export."""

    def close(self) -> None:
        """Let go of connections."""


class Access(NamedTuple):
    """How a destination is reached: its address as it is shown, and what makes the connection."""

    address: str
    connect: Callable[[], Transport]
    headers: Callable[[], Mapping[str, Secret]]


@dataclass
class _Process:
    """What belongs to one process: sockets, and what was acknowledged, do not survive a fork."""

    transport: Transport
    size: int
    pid: int = field(default_factory=os.getpid)
    lock: Lock = field(default_factory=Lock)
    senders: "dict[str, Sender]" = field(default_factory=dict)
    silent_until: float = 0.0


class OtlpExporter:
    """Sends snapshots to one OTLP endpoint, in the form of its `profile`. Made by `Otlp`.

    Promise: a failed export loses nothing, for totals are all there is to send, and a delta is what
        is new since the last acknowledgement; a part of a snapshot that is refused leaves the other
        parts alone; there is no queue. Headers may hold credentials: they are in no repr, log or
        error. A forked child connects anew and owes nothing for its parent.
    Price: for each process that is told of, a ledger of what was acknowledged, if deltas are sent.
    """

    def __init__(self, profile: BackendProfile, access: Access) -> None:
        self.profile: BackendProfile = profile
        self._access = access
        self._begin()
        _exporters.add(self)

    def _begin(self) -> None:
        """What belongs to this process alone."""
        self._process = _Process(self._access.connect(), self.profile.limits.size)

    @property
    def name(self) -> str:
        """What the destination is called in metrics and logs."""
        return self.profile.name

    @property
    def sends_births(self) -> bool:
        """Whether new series have to be sent as zero first: deltas begin at zero anyway."""
        return not self.profile.is_delta

    @property
    def wants_fine_durations(self) -> bool:
        """Whether latencies are sent in exponential buckets."""
        return self.profile.durations == "exponential"

    @property
    def keeps_exemplars(self) -> bool:
        """Whether traces are sent along with values."""
        return self.profile.keeps_exemplars

    def __repr__(self) -> str:
        return f"Otlp.{self.name}({self._access.address!r})"

    def send(self, snapshot: Snapshot) -> Delivered:
        """Deliver in as many requests as it takes; raise ExportError where nothing was taken."""
        if self._process.pid != os.getpid():  # a server that forks without Python's knowledge
            self._begin()
        process = self._process
        with process.lock, unobserved():
            if snapshot.now < process.silent_until:
                raise ExportError(f"{self!r} asked to be left alone for a while")
            try:
                return self._deliver(process, snapshot)
            finally:
                process.transport.rest()

    def close(self, *, timeout_seconds: float) -> None:
        """Let go of connections."""
        del timeout_seconds
        self._process.transport.close()

    def be_reborn(self) -> None:
        """In a forked child: connect anew, and owe nothing."""
        self._begin()

    def _deliver(self, process: _Process, snapshot: Snapshot) -> Delivered:
        outgoing = self._outgoing(process, snapshot)
        headers = self._access.headers()
        tally, has_waited = Tally(), False
        queue = deque(outgoing.parts(Limits(self.profile.limits.points, process.size)))
        while queue:
            part = queue.popleft()
            body = outgoing.body(part)
            answer = process.transport.post(body, headers, now=snapshot.now)
            points = outgoing.count(part)
            if answer.verdict == "too_large" and points > 1 and len(body) > _SMALLEST_BYTES:
                process.size = max(min(process.size, len(body) // 2), _SMALLEST_BYTES)
                queue.extendleft(reversed(outgoing.halves(part)))
                continue
            if answer.may_pass and not has_waited:
                has_waited = True
                time.sleep(_MOMENT_SECONDS)
                queue.appendleft(part)
                continue
            if self._is_settled(answer):
                outgoing.settle(part)
            tally.add(answer, points, is_settled=self._is_settled(answer))
            process.silent_until = snapshot.now + answer.pause_seconds
            if answer.verdict in _FIRST_FAULTS or answer.pause_seconds:
                # Whoever did not answer this will not answer the rest: it waits for the next time.
                tally.failed += sum(map(outgoing.count, queue))
                break
        return tally.delivered(repr(self))

    def _outgoing(self, process: _Process, snapshot: Snapshot) -> "Outgoing":
        sender = process.senders.get(snapshot.instance)
        if sender is None:
            from importlib.metadata import version

            from mlmonitor.export.otlp.encoder import Sender

            resource = resource_from_environment(os.environ, service=snapshot.service)
            sender = Sender(self.profile, resource, snapshot, version("mlmonitor-sdk"))
            process.senders[snapshot.instance] = sender
        return sender.outgoing(snapshot)

    def _is_settled(self, answer: Answer) -> bool:
        """Whether what was sent is not to be sent again."""
        if answer.verdict == "unsure":
            return self.profile.is_delta and self.profile.ambiguous == "advance"
        return answer.verdict == "taken"


@dataclass
class Tally:
    """Points of one export by what became of them, and the first reason told."""

    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    possibly_lost: int = 0
    reason: str = ""
    is_timeout: bool = False
    is_final: bool = True

    def add(self, answer: Answer, points: int, *, is_settled: bool) -> None:
        """Count one request of so many points."""
        if answer.verdict == "taken":
            rejected = min(answer.rejected, points)
            self.rejected += rejected
            self.accepted += points - rejected
        elif is_settled:
            self.possibly_lost += points
        else:
            self.failed += points
        self.reason = self.reason or answer.reason
        self.is_timeout = self.is_timeout or answer.verdict == "unsure"
        self.is_final = self.is_final and answer.is_final

    def delivered(self, destination: str) -> Delivered:
        """The outcome; raises ExportError where nothing was taken, and nothing may have been."""
        told = f"{destination}: {self.reason}" if self.reason else ""
        if self.failed and not (self.accepted or self.rejected or self.possibly_lost):
            if self.is_final:
                raise ExportRefused(told)
            raise (ExportTimeout if self.is_timeout else ExportError)(told)
        return Delivered(self.accepted, self.rejected, self.failed, self.possibly_lost, told)


_exporters: "weakref.WeakSet[OtlpExporter]" = weakref.WeakSet()


def _rebear_all() -> None:
    for exporter in list(_exporters):
        exporter.be_reborn()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_rebear_all)

_SUPPRESSING = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")


@contextmanager
def unobserved() -> Iterator[None]:
    """What is sent here makes no span and no metric of the host's own instrumentation.

    Else each export would be something to export. Only looked up if the host has OpenTelemetry.
    """
    context = sys.modules.get("opentelemetry.context")
    if context is None:
        yield
        return
    keys = ["suppress_instrumentation"]
    keys += [key for name in _SUPPRESSING if (key := getattr(context, name, None)) is not None]
    quiet = context.get_current()
    for key in keys:
        quiet = context.set_value(key, True, quiet)  # noqa: FBT003 - theirs
    token = context.attach(quiet)
    try:
        yield
    finally:
        context.detach(token)
