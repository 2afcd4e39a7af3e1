"""OTLP over gRPC: one unary call per request, with bytes that are already encoded."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmonitor.errors import MissingExtra, import_extra
from mlmonitor.export.otlp.response import (
    LONGEST_PAUSE_SECONDS,
    Answer,
    AnswerKind,
    quote,
    read_answer,
)
from mlmonitor.export.otlp.rpc_status import parse_rpc_status
from mlmonitor.export.transport.grpc_targets import GrpcTarget
from mlmonitor.export.transport.http import Trust
from mlmonitor.secret import Secret

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

_UNANSWERED: dict[str, AnswerKind] = {
    "DEADLINE_EXCEEDED": "timed_out",
    "CANCELLED": "closed",
    "UNKNOWN": "closed",
    "INTERNAL": "closed",
    "ABORTED": "closed",
    "UNAVAILABLE": "unreached",
}
_TOO_LARGE = re.compile(r"larger than max|too large|exceeds", re.IGNORECASE)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # the wording of BoringSSL, which gRPC is built with
_DETAILS = "grpc-status-details-bin"


class GrpcTransport:
    """Sends requests over one channel and reads the answers; a server's failure is not raised.

    Needs the extra `grpc`. `post` returns within `timeout_seconds`.
    """

    def __init__(
        self, target: GrpcTarget, trust: Trust, *, timeout_seconds: float, is_gzip: bool
    ) -> None:
        self._target, self._trust = target, trust
        self._timeout_seconds, self._is_gzip = timeout_seconds, is_gzip
        self._channel: Any = None
        self._call: Any = None

    def post(self, body: bytes, headers: Mapping[str, Secret], *, now: float) -> Answer:
        """Send one request and read its answer; `now` is in seconds since 1970."""
        try:
            grpc: Any = import_extra("grpc", extra="grpc")
            if self._channel is None:
                self._channel = self._open(grpc)
                self._call = self._channel.unary_unary(METHOD)  # bytes in, bytes out
        except (MissingExtra, OSError) as error:
            return Answer("unreached", 0, _describe_setup(error))
        secrets = list(headers.values())
        try:
            answer = self._call(
                body,
                timeout=self._timeout_seconds,
                metadata=[(name.lower(), value) for name, value in headers.items()],
                compression=grpc.Compression.Gzip if self._is_gzip else None,
            )
        except grpc.RpcError as error:
            return _read_refusal(error, secrets)
        return read_answer(200, {}, answer, secrets=secrets, now_unix_seconds=now)

    def limit(self, seconds: float) -> None:
        """Wait at most this long for each later answer."""
        self._timeout_seconds = min(self._timeout_seconds, seconds)

    def rest(self) -> None:
        """Do nothing: a channel reconnects by itself."""

    def close(self) -> None:
        """Close the channel; the next request opens a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _open(self, grpc: Any) -> Any:
        if self._target.is_plain:
            return grpc.insecure_channel(self._target.address)
        trust = self._trust
        paths = (trust.ca_file, trust.client_key, trust.client_certificate)
        pems = (None if path is None else Path(path).read_bytes() for path in paths)
        return grpc.secure_channel(self._target.address, grpc.ssl_channel_credentials(*pems))


def _describe_setup(error: Exception) -> str:
    if isinstance(error, MissingExtra):
        return f"{error}; nothing was sent"
    path = getattr(error, "filename", None)
    return f"the certificate file {path} cannot be read; nothing was sent"


def _read_refusal(error: Any, secrets: list[Secret]) -> Answer:
    code, details = error.code().name, quote(error.details() or "", secrets)
    reason = f"{code} {details}".strip()
    if _UNTRUSTED in details:
        reason = f"{code} its certificate is not trusted; pass ca_file"
    if code == "DEADLINE_EXCEEDED":
        reason = f"{code}: no connection or no answer in time"
    if code == "RESOURCE_EXHAUSTED" and _TOO_LARGE.search(details):
        return Answer("too_large", 0, reason)
    return Answer(_UNANSWERED.get(code, "refused"), 0, reason, _read_pause(error))


def _read_pause(error: Any) -> float:
    """Return the pause in seconds that the server asks for."""
    trailing = dict(error.trailing_metadata() or ())
    pause = parse_rpc_status(trailing.get(_DETAILS, b"")).pause_seconds
    return min(max(pause, 0.0), LONGEST_PAUSE_SECONDS)
