"""Prometheus 3 with `--web.enable-otlp-receiver` and no feature flags: a request is all or nothing.

Source: prometheus/prometheus 3.14, `storage/remote/write_otlp_handler.go` (statuses, rollback) and
`storage/remote/otlptranslator/prometheusremotewrite` (what cannot be translated).
"""

from mlmonitor.testing.receiver.backends.backend import (
    JSON,
    PROTOBUF,
    Head,
    Judgement,
    Refusal,
    Stored,
    unread,
)
from mlmonitor.testing.receiver.backends.prometheus_names import labels, metric_name
from mlmonitor.testing.receiver.backends.prometheus_samples import SampleHead, samples
from mlmonitor.testing.receiver.decoding import Exponential, Payload, WirePoint

MOST_BYTES = 64 * 1024 * 1024
"""Prometheus itself has no limit; this one protects the receiver."""
LOWEST_SCALE = -4

BAD_TEMPORALITY = "invalid temporality and type combination"
BAD_NAME = "name cannot be translated"
BAD_LABEL = "label name cannot be translated"
BAD_SCALE = "exponential histogram's scale is below -4"
EMPTY = "empty data points"


def translation_fault(point: WirePoint, name: str | None) -> str | None:
    """Return why a point cannot be translated (its temporality, name or scale), or None.

    Exponential histograms may have scales above 8, which Prometheus reduces to 8.
    """
    metric = point.metric
    if metric.kind not in ("gauge", "summary") and metric.temporality != "cumulative":
        return BAD_TEMPORALITY
    if name is None:
        return BAD_NAME
    if isinstance(point.value, Exponential) and point.value.scale < LOWEST_SCALE:
        return BAD_SCALE
    return None


class Prometheus:
    """Accepts cumulative points in order; one invalid point makes the whole request fail.

    Not imitated: `target_info` and queries.
    """

    path = "/api/v1/otlp/v1/metrics"
    most_bytes = MOST_BYTES

    def __init__(self) -> None:
        self._series = SampleHead()

    def refusal(self, head: Head) -> Refusal | None:
        """Return 400 for anything but protobuf or JSON, plain or compressed with gzip."""
        problem = unread(head, types=(PROTOBUF, JSON), encodings=("gzip",))
        return Refusal(400, problem) if problem else None

    def judge(self, payload: Payload, *, now: float) -> Judgement:
        """Accept all points or none: 400 for samples out of order, 500 for other invalid points."""
        judgement, batch = Judgement(), self._series.batch()
        if payload.empty:
            judgement.refused[EMPTY] = len(payload.empty)
        is_out_of_order = False
        for point in payload.points:
            name = metric_name(point.metric, with_suffixes=True)
            reason = translation_fault(point, name)
            if reason is None and name is not None:
                reason = self._put(batch, judgement, point, name, now)
                is_out_of_order |= reason not in (None, BAD_LABEL)
            if reason is not None:
                judgement.refused[reason] += 1
        if judgement.refused:
            return _roll_back(judgement, status=400 if is_out_of_order else 500)
        self._series.absorb(batch)
        return judgement

    def _put(
        self, batch: SampleHead, judgement: Judgement, point: WirePoint, name: str, now: float
    ) -> str | None:
        point_labels = labels(point)
        if point_labels is None:
            return BAD_LABEL
        for sample in samples(point, name, point_labels.kept):
            reason = batch.fault(sample, now=now)
            if reason is not None:
                return reason
            batch.put(sample)
        judgement.warnings.update(point_labels.notes)
        judgement.stored.append(Stored(point, name, tuple(sorted(point_labels.kept.items()))))
        return None


def _roll_back(judgement: Judgement, *, status: int) -> Judgement:
    """Refuse the valid points of a request as well: Prometheus rolls back the whole request."""
    judgement.status, judgement.message = status, "\n".join(judgement.refused)
    if judgement.stored:
        judgement.refused["rolled back with the request"] = len(judgement.stored)
    judgement.stored.clear()
    judgement.warnings.clear()
    return judgement
