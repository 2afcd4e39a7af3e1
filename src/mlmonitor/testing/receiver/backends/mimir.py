"""Mimir with its default limits: it stores valid points and reports the others.

Source: grafana/mimir `pkg/distributor/otel.go` (statuses, partial success), `pkg/util/validation/
limits.go` (limits). Names are translated without suffixes, which is Mimir's default.
"""

from typing import NamedTuple

from mlmonitor.testing.receiver.backends.backend import (
    JSON,
    PROTOBUF,
    Head,
    Judgement,
    Refusal,
    Stored,
    unread,
)
from mlmonitor.testing.receiver.backends.prometheus_backend import (
    BAD_LABEL,
    EMPTY,
    translation_fault,
)
from mlmonitor.testing.receiver.backends.prometheus_names import labels, metric_name
from mlmonitor.testing.receiver.backends.prometheus_samples import (
    TOO_NEW,
    PrometheusSample,
    SampleHead,
    samples,
)
from mlmonitor.testing.receiver.decoding import Payload, WirePoint

MOST_BYTES = 100 * 1024 * 1024
"""An assumption: the limit on the size of an OTLP request is not confirmed."""
MOST_LABELS = 30
LONGEST_LABEL_NAME = 1_024
LONGEST_LABEL_VALUE = 2_048
MOST_SERIES = 150_000

TOO_MANY_LABELS = "too many label names in a series"
NAME_TOO_LONG = "label name too long"
VALUE_TOO_LONG = "label value too long"
TOO_MANY_SERIES = "per-user series limit exceeded"


def label_fault(sample: PrometheusSample) -> str | None:
    """Return which limit a sample exceeds, if any.

    Mimir allows 30 labels including the metric name, and 1,024 bytes per name, 2,048 per value.
    """
    if len(sample.series) > MOST_LABELS:
        return TOO_MANY_LABELS
    if any(len(name.encode()) > LONGEST_LABEL_NAME for name, _ in sample.series):
        return NAME_TOO_LONG
    if any(len(value.encode()) > LONGEST_LABEL_VALUE for _, value in sample.series):
        return VALUE_TOO_LONG
    return None


class Candidate(NamedTuple):
    """A point that the distributor accepts, and the samples that it passes to an ingester."""

    stored: Stored
    samples: list[PrometheusSample]
    notes: list[str]


class Mimir:
    """Accepts cumulative points; stores the valid points of a request even if others are invalid.

    A fault that the distributor finds in a point gives a 400. A fault that only an ingester finds
    (order, duplicates, the limit on series) gives a 200 with a partial success of 0 rejected
    points: only its message reports the fault.

    tenant: the tenant that clients must send as `X-Scope-OrgID`; None requires nothing.
    most_series: `max_global_series_per_user`.
    """

    path = "/otlp/v1/metrics"
    most_bytes = MOST_BYTES

    def __init__(self, tenant: str | None = None, *, most_series: int = MOST_SERIES) -> None:
        self._tenant, self._most_series = tenant, most_series
        self._series = SampleHead()

    def refusal(self, head: Head) -> Refusal | None:
        """Return 401 if there is no tenant, 415 for anything but protobuf or JSON, plain or gzip.

        lz4 and zstd also give a 415: Mimir reads them, but this receiver does not.
        """
        if self._tenant is not None and head.headers.get("x-scope-orgid") != self._tenant:
            return Refusal(401, "no org id")
        problem = unread(head, types=(PROTOBUF, JSON), encodings=("gzip",))
        return Refusal(415, problem) if problem else None

    def judge(self, payload: Payload, *, now: float) -> Judgement:
        """Store valid points; the status is 400 if the distributor finds a fault in any point."""
        judgement = Judgement()
        hard: list[str] = []
        soft: list[str] = []
        if payload.empty:
            judgement.refused[EMPTY] = len(payload.empty)
            hard.append(EMPTY)
        for point in payload.points:
            outcome = self._find_hard_fault(point, now)
            if isinstance(outcome, str):
                judgement.refused[outcome] += 1
                hard.append(f"{outcome} for metric {point.metric.name!r}")
                continue
            reason = self._put(judgement, outcome, now)
            if reason is not None:
                judgement.refused[reason] += 1
                soft.append(f"{reason} for metric {point.metric.name!r}")
        judgement.status = 400 if hard else 200
        judgement.message = next(iter(hard or soft), "")
        return judgement

    def _find_hard_fault(self, point: WirePoint, now: float) -> str | Candidate:
        """Return the fault that the distributor finds, or the point it passes to an ingester."""
        name = metric_name(point.metric, with_suffixes=False)
        reason = translation_fault(point, name)
        point_labels = labels(point)
        if reason is not None or name is None or point_labels is None:
            return reason or BAD_LABEL
        point_samples = list(samples(point, name, point_labels.kept))
        for sample in point_samples:
            reason = label_fault(sample)
            if reason is None and self._series.fault(sample, now=now) == TOO_NEW:
                reason = TOO_NEW
            if reason is not None:
                return reason
        stored = Stored(point, name, tuple(sorted(point_labels.kept.items())))
        return Candidate(stored, point_samples, point_labels.notes)

    def _put(self, judgement: Judgement, candidate: Candidate, now: float) -> str | None:
        """Store a point, or return the fault that an ingester finds in one of its samples."""
        batch = self._series.batch()
        for sample in candidate.samples:
            reason = batch.fault(sample, now=now)
            if (
                reason is None
                and sample.series not in batch.newest
                and batch.size >= self._most_series
            ):
                reason = TOO_MANY_SERIES
            if reason is not None:
                return reason
            batch.put(sample)
        self._series.absorb(batch)
        judgement.stored.append(candidate.stored)
        judgement.warnings.update(candidate.notes)
        return None
