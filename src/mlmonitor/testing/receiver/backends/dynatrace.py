"""Dynatrace's OTLP endpoint, as documented: there is no emulator to compare with.

Sources, all on docs.dynatrace.com: "About OTLP metrics ingest" (types, limits, names),
"OpenTelemetry metrics ingest API" (statuses), "OTLP API endpoints" (protobuf over HTTP only), and
for the names of reasons the community article "Why are my OpenTelemetry metrics not ingested?".
Reasons without a documented name have names of our own, which are marked below.
"""

import hmac
import math
from collections.abc import Sequence
from itertools import pairwise

from mlmonitor.testing.receiver.backends.backend import (
    PROTOBUF,
    Head,
    Judgement,
    Refusal,
    Stored,
    unread,
)
from mlmonitor.testing.receiver.backends.dynatrace_dimensions import (
    METRIC_KEY_LENGTHS,
    MOST_DIMENSIONS,
    RESOURCE_DIMENSIONS,
    dimensions,
    metric_key,
)
from mlmonitor.testing.receiver.decoding import (
    Explicit,
    Exponential,
    MetricHead,
    Payload,
    Value,
    WirePoint,
)

MOST_BYTES = 4_000_000
MOST_POINTS = 15_000
MOST_BUCKETS = 12
LONGEST_UNIT = 63
OLDEST_SECONDS = 3_600
NEWEST_SECONDS = 600

CUMULATIVE_SUM = "UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM"
CUMULATIVE_HISTOGRAM = "UNSUPPORTED_METRIC_TYPE_CUMULATIVE_HISTOGRAM"
SUMMARY = "UNSUPPORTED_METRIC_TYPE_SUMMARY"
BUCKETS_INVALID = "HISTOGRAM_BUCKET_INVALID"
TOO_MANY_DIMENSIONS = "DIMENSION_COUNT_EXCEEDED"
# Ours: the documentation describes these cases without naming them.
NO_TEMPORALITY = "UNSUPPORTED_METRIC_TYPE_UNSPECIFIED_TEMPORALITY"
NO_SUM = "HISTOGRAM_SUM_MISSING"
KEY_INVALID = "METRIC_KEY_INVALID"
KEY_RESERVED = "METRIC_KEY_RESERVED"
VALUE_INVALID = "METRIC_VALUE_INVALID"
TIME_INVALID = "TIMESTAMP_OUT_OF_RANGE"
TOO_MANY_POINTS = "DATA_POINT_COUNT_EXCEEDED"


def type_fault(metric: MetricHead) -> str | None:
    """Return why a metric's type is refused; None for deltas, gauges and non-monotonic sums."""
    if metric.kind == "summary":
        return SUMMARY
    if metric.temporality == "unspecified":
        return NO_TEMPORALITY
    if metric.temporality == "cumulative" and metric.kind != "sum":
        return CUMULATIVE_HISTOGRAM
    if metric.temporality == "cumulative" and metric.is_monotonic:
        return CUMULATIVE_SUM
    return None


def key_fault(name: str) -> str | None:
    """Return why a metric's name is refused, if it is.

    A key needs 2 to 255 characters, at least one valid, and must not be in Dynatrace's namespace
    `dt.`. Dropping a key of another length is an assumption: its treatment is not documented.
    """
    key = metric_key(name)
    if key is None or len(key) not in METRIC_KEY_LENGTHS:
        return KEY_INVALID
    return KEY_RESERVED if key.startswith("dt.") else None


def value_fault(value: Value, *, is_managed: bool) -> str | None:
    """Return why a number, or a histogram's sum or buckets, is refused; None if accepted."""
    if isinstance(value, int | float):
        return None if math.isfinite(value) else VALUE_INVALID
    if not isinstance(value, Explicit | Exponential):
        return VALUE_INVALID
    if value.sum is None:
        return NO_SUM
    if not math.isfinite(value.sum):
        return VALUE_INVALID
    return bucket_fault(value, is_managed=is_managed) if isinstance(value, Explicit) else None


def bucket_fault(value: Explicit, *, is_managed: bool) -> str | None:
    """Return why buckets are refused; None if their bounds are finite and ascending.

    Dynatrace Managed also refuses bounds below zero, and is documented to store 12 buckets. That it
    refuses more is an assumption. Whether either rule holds for SaaS is not documented.
    """
    bounds = value.bounds
    is_sorted = all(low < high for low, high in pairwise(bounds))
    if not is_sorted or not all(math.isfinite(bound) for bound in bounds):
        return BUCKETS_INVALID
    if bounds and len(value.counts) != len(bounds) + 1:
        return BUCKETS_INVALID
    is_beyond = len(bounds) + 1 > MOST_BUCKETS or any(bound < 0 for bound in bounds)
    return BUCKETS_INVALID if is_managed and is_beyond else None


def time_fault(time_ns: int, *, now: float) -> str | None:
    """Return why a time is refused: over an hour old or ten minutes ahead, as in the line protocol.

    It is an assumption that these limits also hold for OTLP.
    """
    age = now - time_ns / 1e9
    return None if -NEWEST_SECONDS <= age <= OLDEST_SECONDS else TIME_INVALID


class Dynatrace:
    """Accepts deltas over HTTP in protobuf; reports refused points in a partial success.

    token: the token that clients must send as `Authorization: Api-Token ...` (or `Bearer ...`);
        None requires nothing. It is never shown.
    is_managed: also apply the rules on histograms that only Dynatrace Managed documents.
    resource_dimensions: resource attributes that become dimensions.
    """

    path = "/api/v2/otlp/v1/metrics"
    most_bytes = MOST_BYTES

    def __init__(
        self,
        token: str | None = None,
        *,
        is_managed: bool = True,
        resource_dimensions: Sequence[str] = RESOURCE_DIMENSIONS,
    ) -> None:
        self._token = token
        self._is_managed, self._resource_dimensions = is_managed, resource_dimensions

    def refusal(self, head: Head) -> Refusal | None:
        """Return 401 for a missing token, 403 for a wrong token, 415 for anything but protobuf."""
        problem = unread(head, types=(PROTOBUF,), encodings=("gzip",))
        if self._token is not None:
            scheme, _, sent = head.headers.get("authorization", "").partition(" ")
            if scheme not in ("Api-Token", "Bearer") or not sent:
                return Refusal(401, "no token")
            if not hmac.compare_digest(sent.encode(), self._token.encode()):
                return Refusal(403, "token without the scope metrics.ingest")
        return Refusal(415, problem) if problem else None

    def judge(self, payload: Payload, *, now: float) -> Judgement:
        """Accept the valid points; the status is 400 only if no point is valid.

        The 400 for a request with too many points is an assumption: the documentation says only
        that such a request is dropped.
        """
        judgement = Judgement()
        if len(payload.points) > MOST_POINTS:
            judgement.status, judgement.message = 400, f"Reason: {TOO_MANY_POINTS}"
            judgement.refused[TOO_MANY_POINTS] = len(payload.points)
            return judgement
        errors: dict[str, None] = {}
        for point in payload.points:
            reason = self._judge(judgement, point, now)
            if reason is not None:
                judgement.refused[reason] += 1
                errors[f"Metric dropped: {point.metric.name!r} - Reason: {reason}"] = None
        judgement.rejected = judgement.refused.total()
        if errors:
            opening = "The following issues were encountered while ingesting OTLP metrics:"
            judgement.message = "\n".join([opening, "Errors:", *errors])
            judgement.status = 200 if judgement.stored else 400
        return judgement

    def _judge(self, judgement: Judgement, point: WirePoint, now: float) -> str | None:
        """Store a point, or return why it is refused."""
        if point.is_absent:
            judgement.warnings["point without a recorded value ignored"] += 1
            return None
        reason = (
            type_fault(point.metric)
            or key_fault(point.metric.name)
            or value_fault(point.value, is_managed=self._is_managed)
            or time_fault(point.time_ns, now=now)
        )
        if reason is not None:
            return reason
        result = dimensions(point, self._resource_dimensions)
        if len(result.kept) > MOST_DIMENSIONS:
            return TOO_MANY_DIMENSIONS
        judgement.warnings.update(result.notes)
        key = metric_key(point.metric.name) or ""
        if key != point.metric.name:
            judgement.warnings[f"metric key changed: {point.metric.name!r} to {key!r}"] += 1
        if len(point.metric.unit) > LONGEST_UNIT:
            judgement.warnings[f"unit dropped, it is too long: {key!r}"] += 1
        judgement.stored.append(Stored(point, key, tuple(sorted(result.kept.items()))))
        return None
