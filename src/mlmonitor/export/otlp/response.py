"""What a destination says to a request, and what that means for the points in it."""

from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

from mlmonitor.export.otlp.rpc_status import rpc_status
from mlmonitor.secret import Secret, redacted

Verdict = Literal["taken", "refused", "too_large", "unreached", "unsure"]

LONGEST_PAUSE_SECONDS = 300.0
"""However long a destination asks for silence, it is asked again after this."""

_SHOWN = 300  # characters of somebody else's words
_UNAVAILABLE = (429, 502, 503, 504)
_FINAL = (400, 413, 415, 422, 500)
_HINTS = {
    400: "it read the request and will not have it",
    401: "it does not know this token; renew it",
    403: "the token lacks a permission; for Dynatrace it needs the scope metrics.ingest",
    404: "there is no OTLP receiver at this path; is it switched on, and is the URL right?",
    405: "there is no OTLP receiver at this path; is it switched on, and is the URL right?",
    413: "the request is too large even so",
    415: "it takes no gzipped protobuf at this path; is this an OTLP address?",
}


_PAGE = "a web page answered, as of a login or a proxy: check the URL, it may take no metrics"


class Answer(NamedTuple):
    """The verdict on one request, with its reason where all is not well.

    taken: also if `rejected` points were refused for good. refused, too_large: nothing was taken,
    and it said so. unreached: nothing can have been taken, for nothing arrived. unsure: it may have
    been taken, for it was sent and no answer came. `is_final`: the same request would be refused
    again. `may_pass`: it may not be, a moment later, and no pause was asked for.
    """

    verdict: Verdict
    rejected: int = 0
    reason: str = ""
    pause_seconds: float = 0.0
    is_final: bool = False
    may_pass: bool = False


def http_answer(
    status: int,
    headers: dict[str, str],
    body: bytes,
    *,
    secrets: list[Secret],
    now_unix_seconds: float,
) -> Answer:
    """What an HTTP answer means; `headers` have names in lower case."""
    if 200 <= status < 300:
        if headers.get("content-type", "").lower().startswith("text/html"):
            return Answer("taken", 0, f"status {status}: {_PAGE}")  # a gateway may say so
        return _partial(body, secrets)
    told = _told(headers, body)
    reason = f"status {status}"
    hint = _hint(status)
    if hint:
        reason += f": {hint}"
    if told:
        reason += f" (it says: {shown(told, secrets)})"
    is_unavailable = status in _UNAVAILABLE
    pause = _pause(headers, now_unix_seconds) if is_unavailable else 0.0
    verdict: Verdict = "too_large" if status == 413 else "refused"
    return Answer(verdict, 0, reason, pause, status in _FINAL, is_unavailable and not pause)


def _hint(status: int) -> str:
    if 300 <= status < 400:
        return "it sends us elsewhere, where we do not go with credentials; give the final URL"
    return _HINTS.get(status, "")


def _partial(body: bytes, secrets: list[Secret]) -> Answer:
    """A success, perhaps a partial one. Gateways may answer in words of their own: 2xx counts."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceResponse,
    )

    try:
        partial = ExportMetricsServiceResponse.FromString(body).partial_success
    except DecodeError:
        return Answer("taken")
    rejected = max(int(partial.rejected_data_points), 0)
    return Answer("taken", rejected, shown(partial.error_message, secrets))


def _told(headers: dict[str, str], body: bytes) -> str:
    """The words of a refusal: a `google.rpc.Status` by the specification, or plain text."""
    if "protobuf" in headers.get("content-type", ""):
        return rpc_status(body).message
    text = body[: 4 * _SHOWN].decode("utf-8", "replace")
    return "" if "<" in text[:64] else text  # a page for people: its status says enough


def shown(text: str, secrets: list[Secret]) -> str:
    """Somebody else's words, on one line, not too many, without our secrets."""
    words = "".join(each if each.isprintable() else " " for each in text[: 8 * _SHOWN])
    return " ".join(redacted(words, secrets).split())[:_SHOWN]


def _pause(headers: dict[str, str], now_unix_seconds: float) -> float:
    """How long it asks to be left alone: `Retry-After`, in seconds or as a date."""
    told = headers.get("retry-after", "").strip()
    try:
        seconds = float(told)
    except ValueError:
        seconds = _until(told, headers.get("date", ""), now_unix_seconds)
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS) if seconds == seconds else 0.0  # noqa: PLR0124 - not NaN


def _until(told: str, date: str, now_unix_seconds: float) -> float:
    """Seconds from the answer's own date, else from ours, to the one told."""
    try:
        then = parsedate_to_datetime(told).timestamp()
    except (ValueError, TypeError):
        return 0.0
    try:
        return then - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return then - now_unix_seconds
