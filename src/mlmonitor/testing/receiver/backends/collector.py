"""An OpenTelemetry collector: accepts all valid OTLP, in either temporality."""

from mlmonitor.testing.receiver.backends.backend import (
    JSON,
    PROTOBUF,
    Head,
    Judgement,
    Refusal,
    Stored,
    unread,
)
from mlmonitor.testing.receiver.backends.otlp_validity import fault
from mlmonitor.testing.receiver.decoding import Payload, WirePoint, as_text

MOST_BYTES = 20 * 1024 * 1024
"""`max_request_body_size` of the collector's HTTP server, by default."""


class Collector:
    """Keeps every valid point under the name and attributes that it was sent with.

    Stricter than the real collector, which forwards invalid points too: this one refuses them and
    reports a partial success.
    """

    path = "/v1/metrics"
    most_bytes = MOST_BYTES

    def refusal(self, head: Head) -> Refusal | None:
        """Return 415 for anything but protobuf or JSON, plain or compressed, as OTLP specifies."""
        problem = unread(head, types=(PROTOBUF, JSON), encodings=("gzip", "deflate"))
        return Refusal(415, problem) if problem else None

    def judge(self, payload: Payload, *, now: float) -> Judgement:
        """Accept valid points; report the others in a partial success."""
        del now
        judgement = Judgement()
        for point in payload.points:
            problem = fault(point)
            if problem is None:
                judgement.stored.append(Stored(point, point.metric.name, labels(point)))
            else:
                judgement.refused[problem] += 1
        judgement.rejected = judgement.refused.total()
        judgement.message = "; ".join(judgement.refused)
        return judgement


def labels(point: WirePoint) -> tuple[tuple[str, str], ...]:
    """Return the identity of a series: all attributes of its resource, scope and point."""
    source = point.source
    return (
        *sorted((f"resource.{key}", as_text(value)) for key, value in source.resource),
        ("scope.name", source.scope[0]),
        ("scope.version", source.scope[1]),
        *sorted((key, as_text(value)) for key, value in point.attributes),
    )
