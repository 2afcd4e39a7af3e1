"""OTLP over gRPC: one unary call a request, with bytes that are already made."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlmonitor.errors import import_extra
from mlmonitor.export.otlp.response import LONGEST_PAUSE_SECONDS, Answer, http_answer, shown
from mlmonitor.export.otlp.rpc_status import rpc_status
from mlmonitor.export.transport.http import Trust
from mlmonitor.secret import Secret

METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

_UNSURE = {"DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL", "ABORTED"}
_TOO_LARGE = re.compile(r"larger than max|too large|exceeds", re.IGNORECASE)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  # as BoringSSL says it, which gRPC is built with
_DETAILS = "grpc-status-details-bin"


class GrpcTransport:
    """Sends requests over one channel, and reads the answers; never raises for what a server does.

    Needs the extra `grpc`. An answer comes within `timeout_seconds`.
    """

    def __init__(
        self, target: str, trust: Trust, *, timeout_seconds: float, is_gzip: bool, is_plain: bool
    ) -> None:
        self._target = urlsplit(target).netloc if "://" in target else target
        self._trust, self._is_plain = trust, is_plain
        self._timeout_seconds, self._is_gzip = timeout_seconds, is_gzip
        self._channel: Any = None
        self._call: Any = None

    def post(self, body: bytes, headers: Mapping[str, Secret], *, now: float) -> Answer:
        """Send one request. `now` is the time in seconds since 1970."""
        grpc: Any = import_extra("grpc", extra="grpc")
        if self._channel is None:
            self._channel = self._open(grpc)
            self._call = self._channel.unary_unary(METHOD)  # no serialisers: bytes in, bytes out
        secrets = list(headers.values())
        try:
            answer = self._call(
                body,
                timeout=self._timeout_seconds,
                metadata=[(name.lower(), value) for name, value in headers.items()],
                compression=grpc.Compression.Gzip if self._is_gzip else None,
            )
        except grpc.RpcError as error:
            return _refusal(error, secrets)
        return http_answer(200, {}, answer, secrets=secrets, now_unix_seconds=now)

    def rest(self) -> None:
        """Nothing: a channel mends itself."""

    def close(self) -> None:
        """Let go of the channel; the next request opens a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _open(self, grpc: Any) -> Any:
        if self._is_plain:
            return grpc.insecure_channel(self._target)
        trust = self._trust
        paths = (trust.ca_file, trust.client_key, trust.client_certificate)
        pems = (None if path is None else Path(path).read_bytes() for path in paths)
        return grpc.secure_channel(self._target, grpc.ssl_channel_credentials(*pems))


def _refusal(error: Any, secrets: list[Secret]) -> Answer:
    code, details = error.code().name, shown(error.details() or "", secrets)
    reason = f"{code} {details}".strip()
    if _UNTRUSTED in details:
        reason = f"{code} its certificate is not trusted; pass ca_file"
    if code == "RESOURCE_EXHAUSTED" and _TOO_LARGE.search(details):
        return Answer("too_large", 0, reason)
    if code == "UNAVAILABLE":
        return Answer("unreached", 0, reason, _pause(error))
    return Answer("unsure" if code in _UNSURE else "refused", 0, reason, _pause(error))


def _pause(error: Any) -> float:
    """How long the server asks to be left alone."""
    trailing = dict(error.trailing_metadata() or ())
    asked = rpc_status(trailing.get(_DETAILS, b"")).pause_seconds
    return min(max(asked, 0.0), LONGEST_PAUSE_SECONDS)
