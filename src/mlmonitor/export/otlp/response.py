"""Read the answer to a request: whether its points were stored, and whether to try again."""

from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

from mlmonitor.export.otlp.rpc_status import parse_rpc_status
from mlmonitor.secret import Secret, redact

AnswerKind = Literal["stored", "refused", "too_large", "unreached", "closed", "timed_out"]

LONGEST_PAUSE_SECONDS = 300.0
"""The longest pause before a retry, even if the destination asks for a longer one."""

_QUOTED_CHARACTERS = 300  # characters of a server's message
_UNAVAILABLE = (429, 502, 503, 504)
_FINAL = (400, 413, 415, 422, 500)
_HINTS = {
    400: "it read the request and refuses it",
    401: "it does not know this token; renew it",
    403: "the token lacks a permission; for Dynatrace it needs the scope metrics.ingest",
    404: "there is no OTLP receiver at this path; is it switched on, and is the URL right?",
    405: "there is no OTLP receiver at this path; is it switched on, and is the URL right?",
    413: "the request is too large even after halving",
    415: "it accepts no gzipped protobuf at this path; is this an OTLP address?",
}


_PAGE = "it sent a web page, as a login or a proxy does: check the URL, it may store no metrics"


class Answer(NamedTuple):
    """The outcome of one request, with the reason if something is wrong.

    kind: `stored`: accepted, except for `rejected` points, which are refused permanently.
    `refused`, `too_large`: the destination stored nothing and said so. `unreached`: nothing was
    sent. `closed`, `timed_out`: the request was sent and may have been stored, but the connection
    was closed without an answer, or no answer arrived in time.
    is_final: the same request would be refused again.
    may_pass: the cause may be temporary, and the destination did not ask for a pause.
    """

    kind: AnswerKind
    rejected: int = 0
    reason: str = ""
    pause_seconds: float = 0.0
    is_final: bool = False
    may_pass: bool = False


def read_answer(
    status: int,
    headers: dict[str, str],
    body: bytes,
    *,
    secrets: list[Secret],
    now_unix_seconds: float,
) -> Answer:
    """Read an HTTP answer; `headers` have names in lower case."""
    if 200 <= status < 300:
        if headers.get("content-type", "").lower().startswith("text/html"):
            return Answer("stored", 0, f"status {status}: {_PAGE}")  # perhaps from a gateway
        return _read_success(body, secrets)
    words = _read_refusal(headers, body)
    reason = f"status {status}"
    hint = _find_hint(status)
    if hint:
        reason += f": {hint}"
    if words:
        reason += f" (it says: {quote(words, secrets)})"
    is_unavailable = status in _UNAVAILABLE
    pause = _read_pause(headers, now_unix_seconds) if is_unavailable else 0.0
    kind: AnswerKind = "too_large" if status == 413 else "refused"
    return Answer(kind, 0, reason, pause, status in _FINAL, is_unavailable and not pause)


def _find_hint(status: int) -> str:
    if 300 <= status < 400:
        return "it redirects to another host, which gets no credentials; give the final URL"
    return _HINTS.get(status, "")


def _read_success(body: bytes, secrets: list[Secret]) -> Answer:
    """Read a full or partial success; if the body is not OTLP, the status decides."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceResponse,
    )

    try:
        partial = ExportMetricsServiceResponse.FromString(body).partial_success
    except DecodeError:
        return Answer("stored")
    rejected = max(int(partial.rejected_data_points), 0)
    return Answer("stored", rejected, quote(partial.error_message, secrets))


def _read_refusal(headers: dict[str, str], body: bytes) -> str:
    """Read the message of a refusal: a `google.rpc.Status`, as OTLP specifies, or plain text."""
    if "protobuf" in headers.get("content-type", ""):
        return parse_rpc_status(body).message
    text = body[: 4 * _QUOTED_CHARACTERS].decode("utf-8", "replace")
    return "" if "<" in text[:64] else text  # not an HTML page


def quote(text: str, secrets: list[Secret]) -> str:
    """Quote a server's message on one line, truncated and without our secrets."""
    bounded = text[: 8 * _QUOTED_CHARACTERS]
    words = "".join(letter if letter.isprintable() else " " for letter in bounded)
    return " ".join(redact(words, secrets).split())[:_QUOTED_CHARACTERS]


def _read_pause(headers: dict[str, str], now_unix_seconds: float) -> float:
    """Return the pause in seconds that `Retry-After` asks for, as a number or as a date."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _count_seconds_until(text, headers.get("date", ""), now_unix_seconds)
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS) if seconds == seconds else 0.0  # noqa: PLR0124 - not NaN


def _count_seconds_until(text: str, date: str, now_unix_seconds: float) -> float:
    """Return the seconds until a date, counted from the answer's `Date`, or from our clock."""
    try:
        then = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return 0.0
    try:
        return then - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return then - now_unix_seconds
