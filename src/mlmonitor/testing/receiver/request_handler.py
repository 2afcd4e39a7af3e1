"""How a receiver handles a request, over either transport."""

import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mlmonitor.errors import ConfigError
from mlmonitor.testing.receiver.backends.backend import JSON, Backend, Head, Judgement, Refusal
from mlmonitor.testing.receiver.backends.otlp_validity import fault as fault_of
from mlmonitor.testing.receiver.decoding import NotOtlp, decode
from mlmonitor.testing.receiver.faults import (
    OVER_GRPC,
    Fault,
    PartialSuccess,
    Policy,
    Refuse,
    planned,
)
from mlmonitor.testing.receiver.ledger import Ledger, Request

GRPC_CODES = {
    200: "OK",
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

OK = 200
TOO_LARGE = "request too large"
REJECTED = "rejected by the script"


class ServerAnswer(NamedTuple):
    """The answer: an HTTP status, and a message for errors and partial successes."""

    status: int | str
    message: str = ""
    rejected: int = 0


class RequestHandler:
    """Judges requests one at a time, records them in the ledger, and draws scripted faults."""

    def __init__(self, backend: Backend, clock: Callable[[], float], *, is_grpc: bool) -> None:
        self.backend: Backend = backend
        self.ledger: Ledger = Ledger()
        self._clock, self._is_grpc = clock, is_grpc
        self._lock = threading.Lock()
        self._policy: Policy = planned([])
        self._number = 0
        self._next: list[Fault] = []

    def script(self, faults: "Iterable[Fault | None] | Policy") -> None:
        """Plan the faults of the next requests; a policy gets their numbers, starting at 0."""
        chosen = faults if callable(faults) else [self.checked(fault) for fault in faults]
        with self._lock:
            self._policy, self._number = planned(chosen), 0

    def next(self, fault: Fault) -> None:
        """Queue a fault before the planned faults, and after those that `next` queued earlier."""
        checked = self.checked(fault)
        with self._lock:
            if checked is not None:
                self._next.append(checked)

    def checked(self, fault: Fault | None) -> Fault | None:
        """Return the fault; raise ConfigError if this transport does not support it."""
        if fault is None:
            return None
        if self._is_grpc and not isinstance(fault, OVER_GRPC):
            raise ConfigError(f"{type(fault).__name__}: has no meaning over gRPC")
        if isinstance(fault, Refuse) and isinstance(fault.code, str) and not self._is_grpc:
            raise ConfigError("Refuse.code: expected an HTTP status, not the name of a gRPC code")
        return fault

    def draw(self) -> Fault | None:
        """Draw the fault of the request that has just arrived, if any."""
        with self._lock:
            if self._next:
                return self._next.pop(0)
            number, self._number = self._number, self._number + 1
            return self.checked(self._policy(number))

    def lost(self, status: int, reason: str) -> None:
        """Record a request to an unknown path or method."""
        refused = Judgement(refused=Counter([reason]))
        self.ledger.write(Request(0, 0, 0, status, reason, ""), refused)

    def missed(self, fault: Fault, wire: bytes = b"", *, status: int | str | None = None) -> None:
        """Record a request whose fault kept all of its points from being stored."""
        fault_name = type(fault).__name__
        self.ledger.write(Request(len(wire), len(wire), 0, status, "", fault_name))

    def handle(
        self, head: Head, wire: bytes, fault: Fault | None, *, is_answered: bool
    ) -> ServerAnswer:
        """Judge a request, store its accepted points and record it; return the answer."""
        with self._lock:
            body, refusal = self._read_body(head, wire)
            judgement, points = Judgement(), 0
            if refusal is None:
                judgement, points, refusal = self._judge(head, body)
            if refusal is not None:
                judgement.status, judgement.message = refusal.status, refusal.message
                judgement.refused[refusal.reason] += 1
            elif isinstance(fault, PartialSuccess) and judgement.status == OK:
                _reject(judgement, fault)
            answer = ServerAnswer(judgement.status, judgement.message, judgement.rejected)
            fault_name = "" if fault is None else type(fault).__name__
            status: int | str = grpc_code(answer.status) if self._is_grpc else answer.status
            row = Request(
                len(wire),
                len(body),
                points,
                status if is_answered else None,
                answer.message,
                fault_name,
            )
            self.ledger.write(row, judgement)
        return answer

    def _read_body(self, head: Head, wire: bytes) -> tuple[bytes, Refusal | None]:
        refusal = self.backend.refusal(head)
        if refusal is not None:
            return wire, refusal._replace(message=refusal.message or refusal.reason)
        most = self.backend.most_bytes
        try:
            body = inflated(wire, head.encoding, most=most)
        except zlib.error:
            return wire, Refusal(400, "body not compressed as it says", "cannot be decompressed")
        if len(body) > most:
            return body, Refusal(413, TOO_LARGE, f"larger than {most} bytes, uncompressed")
        return body, None

    def _judge(self, head: Head, body: bytes) -> tuple[Judgement, int, Refusal | None]:
        try:
            payload = decode(body, is_json=head.content_type == JSON)
        except NotOtlp as error:
            return Judgement(), 0, Refusal(400, "not OTLP", str(error))
        judgement = self.backend.judge(payload, now=self._clock())
        for stored in judgement.stored:
            problem = fault_of(stored.point)
            if problem is not None:
                judgement.warnings[f"accepted, but not valid OTLP: {problem}"] += 1
        return judgement, len(payload.points), None


def grpc_code(status: int | str) -> str:
    """Return the name of the gRPC code for an HTTP status; a name is returned unchanged."""
    return GRPC_CODES.get(status, "UNKNOWN") if isinstance(status, int) else status


def inflated(wire: bytes, encoding: str, *, most: int) -> bytes:
    """Decompress at most `most + 1` bytes of the body, because a small request may expand hugely.

    Raises:
        zlib.error: the body has another compression, or is truncated.
    """
    if not encoding:
        return wire
    reader = zlib.decompressobj(wbits=31 if encoding == "gzip" else 15)
    body = reader.decompress(wire, most + 1)
    if not reader.eof and len(body) <= most:
        raise zlib.error("cut short")
    return body


def _reject(judgement: Judgement, fault: PartialSuccess) -> None:
    """Turn the last `fault.rejected` accepted points into refused points."""
    kept = max(len(judgement.stored) - fault.rejected, 0)
    judgement.refused[REJECTED] += len(judgement.stored) - kept
    del judgement.stored[kept:]
    judgement.rejected += fault.rejected
    judgement.message = fault.message
