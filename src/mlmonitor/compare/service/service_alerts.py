"""Alerts on failures and latency of calls, compared with the first calls of the process."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.call_stats import TimedCalls
from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.quality.proportion_alerts import ProportionEvaluation
from mlmonitor.compare.risk.further_growth import FurtherGrowth
from mlmonitor.compare.service.failure_evidence import FailureEvidence
from mlmonitor.compare.service.latency_evidence import (
    GROWTH,
    QUANTILES,
    LatencyEvaluation,
    LatencyEvidence,
)
from mlmonitor.formatting import duration, percent
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Role

BASELINE_CALLS: Final = 1_000
"""The number of first calls in the baseline: half of them define the bins of latency,
and half give the counts in them."""

RECENT_CALLS: Final = 512
"""The number of calls that an alert's `current` covers."""

_MOST_WAITING: Final = 2_048  # calls that may wait to be counted together

SERVICE_FIELD: Final = "service"
ERROR_RATE, LATENCY = MEASURES = "error_rate", "latency"


class _Streams(NamedTuple):
    failures: FailureEvidence
    latency: LatencyEvidence


class ServiceAlerts:
    """Fires alerts if more calls fail, or calls take longer, than in the first `BASELINE_CALLS`.

    Both are streams of evidence that is valid at any time, and share `SERVICE_PART` of `alpha`. A
    call counts once, however many rows it has; calls without a duration, such as those of `record`,
    do not count. Calls that depend on each other count as fewer: failures by the size of their
    bursts so far, latencies by the design effect of the first calls. A rate or latency that was bad
    from the start is the baseline, and is not detected.
    Price: about 5 us for each block of 256 calls in the worker; memory `nbytes`, constant.
    """

    def __init__(self, significance: Significance, *, now: float) -> None:
        self.unevaluated_rows: int = 0
        """Calls since the last evaluation."""
        self.evaluated_at: float = now
        self._significance = significance
        self._baseline = TimedCalls.empty()
        self._recent = TimedCalls.empty()
        self._waiting: list[TimedCalls] = []
        self._streams: _Streams | None = None
        self._latencies: Counts = np.zeros((1, 0), np.int64)
        self._grown_quantile = QUANTILES[0]  # the quantile of the latency alert
        self._open = OpenAlerts()
        self._further = [
            FurtherGrowth(
                np.array([0.0, 1.0]),
                threshold=significance.service_threshold,
                min_rows=significance.min_rows,
            )
            for _ in MEASURES
        ]

    def ingest(self, calls: TimedCalls) -> None:
        """Add calls that have ended."""
        if not calls.seconds.size:
            return
        if self._streams is None:
            missing = BASELINE_CALLS - self._baseline.seconds.size
            self._baseline = self._baseline.append(calls.part(0, missing))
            calls = calls.part(missing, None)
            if self._baseline.seconds.size < BASELINE_CALLS:
                return
            self._streams = self._begin(self._baseline)
            self._baseline = TimedCalls.empty()
        self.unevaluated_rows += calls.seconds.size
        self._waiting.append(calls)
        # While an alert is firing, each call is counted immediately: further growth is measured
        # against the first ones.
        is_full = sum(part.seconds.size for part in self._waiting) >= _MOST_WAITING
        if is_full or len(self._open):
            self._count_waiting(self._streams)

    def _count_waiting(self, streams: _Streams) -> None:
        """Count the waiting calls together, which costs as much as counting one block."""
        if not self._waiting:
            return
        joined = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        calls, self._waiting = TimedCalls(*joined), []
        self._recent = self._recent.append(calls).part(-RECENT_CALLS, None)
        streams.failures.ingest(calls.has_failed)
        limit = self._find_further_limit()
        for further, is_bad in zip(
            self._further, (calls.has_failed, calls.seconds > limit), strict=True
        ):
            bad = float(np.count_nonzero(is_bad))
            further.ingest(np.array([is_bad.size - bad, bad, bad]))
        self._latencies = self._latencies + streams.latency.count(calls.seconds)

    def _begin(self, baseline: TimedCalls) -> _Streams:
        first, held_out = np.split(baseline.seconds, 2)
        latency = LatencyEvidence(
            first,
            held_out,
            threshold=self._significance.service_threshold,
            min_rows=self._significance.min_rows,
        )
        self._latencies = latency.count(np.empty(0))
        return _Streams(FailureEvidence(baseline.has_failed, self._significance), latency)

    def evaluate(self, *, now: float) -> list[Alert]:
        """Evaluate new calls; return the alerts that fired, grew further or resolved."""
        if self._streams is None:
            return []
        self._count_waiting(self._streams)
        yield_gil()
        failures = self._streams.failures.evaluate(now=now)
        yield_gil()
        latency = self._streams.latency.evaluate(self._latencies, now=now)
        self._latencies = self._latencies * 0
        self.unevaluated_rows, self.evaluated_at = 0, now
        transitions = Transitions(
            np.concatenate([failures.transitions.fired, latency.transitions.fired]),
            np.concatenate([failures.transitions.resolved, latency.transitions.resolved]),
        )
        build = self._make_builder(self._streams, failures, latency, now)
        changed = self._open.apply(transitions, build)
        self._follow(transitions)
        return [*changed, *self._update_changed(now)]

    def _follow(self, transitions: Transitions) -> None:
        """Watch for further growth from the time an alert fires until it resolves."""
        for place, further in enumerate(self._further):
            if transitions.fired[place]:
                further.begin()
            if transitions.resolved[place]:
                further.end()

    def _find_further_limit(self) -> float:
        """Return the latency in seconds above which a call counts as further growth."""
        latest = next((a for a in self._open if a.measure == LATENCY), None)
        return np.inf if latest is None else latest.value * GROWTH

    def _update_changed(self, now: float) -> list[Alert]:
        """Update the alerts on failures or latencies that have grown further."""
        changed = []
        for place, further in enumerate(self._further):
            evidence = further.evaluate()
            if evidence is None:
                continue
            standing = next(a for a in self._open if a.measure == MEASURES[place])
            recent = self._recent.part(-min(evidence.rows, RECENT_CALLS), None)
            value = float(recent.has_failed.mean())
            text = f"{percent(value)} of the calls fail now"
            if place == 1:
                value = float(np.quantile(recent.seconds, self._grown_quantile))
                text = f"p{100 * self._grown_quantile:g} of a call: {duration(value)} now"
            alert = replace(
                standing,
                value=value,
                current=value,
                log10_e_value=evidence.log_e / float(np.log(10)),
                rows=evidence.rows,
                started_at=now,
                reason=text,
            )
            changed.append(self._open.update(place, alert))
        return changed

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts that are firing, with `current` over the last `RECENT_CALLS`."""
        if self._streams is None or not len(self._open):
            return ()
        seconds = np.quantile(self._recent.seconds, self._grown_quantile)
        self._open.refresh(np.array([self._recent.has_failed.mean(), seconds]))
        return tuple(self._open)

    @property
    def is_firing(self) -> dict[str, bool]:
        """Whether the alert of each measure is firing."""
        if self._streams is None:
            return dict.fromkeys(MEASURES, False)
        failures, latency = self._streams
        return {ERROR_RATE: failures.is_firing, LATENCY: latency.is_firing}

    @property
    def nbytes(self) -> int:
        """Maximum memory used, in bytes."""
        return _NBYTES

    def _make_builder(
        self,
        streams: _Streams,
        failures: ProportionEvaluation,
        latency: LatencyEvaluation,
        now: float,
    ) -> Callable[[int], Alert]:
        """Return a function that builds the alert at an index of `MEASURES`."""

        def build(place: int) -> Alert:
            evidence = (
                _find_failure_evidence(streams.failures, failures)
                if place == 0
                else self._find_latency_evidence(streams.latency, latency)
            )
            return Alert(
                field=SERVICE_FIELD,
                role=Role.SERVICE,
                segment=ALL,
                measure=MEASURES[place],
                value=evidence.value,
                current=evidence.value,
                threshold=evidence.threshold,
                log10_e_value=evidence.log10_e_value,
                state="firing",
                rows=evidence.rows,
                started_at=now,
                reason=evidence.reason,
            )

        return build

    def _find_latency_evidence(
        self, stream: LatencyEvidence, evaluation: LatencyEvaluation
    ) -> "_CallEvidence":
        """Return the evidence of the quantile that grew, over the calls since the change."""
        place, rows = evaluation.quantile, evaluation.rows
        self._grown_quantile = QUANTILES[place]
        usual = float(stream.usual_seconds[place])
        value = float(np.quantile(self._recent.seconds[-rows:], QUANTILES[place]))
        name = f"p{100 * QUANTILES[place]:g}"
        first = f"the first {BASELINE_CALLS // 2:,} calls"
        return _CallEvidence(
            value=value,
            threshold=float(stream.limit_seconds[place]),
            log10_e_value=evaluation.log10_e,
            rows=rows,
            reason=f"{name} of a call: {duration(usual)} in {first}, {duration(value)} now",
        )


class _CallEvidence(NamedTuple):
    """The result of one evaluation for an alert that fires."""

    value: float
    threshold: float
    log10_e_value: float
    rows: int
    reason: str


def _find_failure_evidence(
    stream: FailureEvidence, evaluation: ProportionEvaluation
) -> _CallEvidence:
    share, rows = float(evaluation.share[0]), evaluation.rows
    return _CallEvidence(
        value=share,
        threshold=stream.threshold(rows),
        log10_e_value=float(evaluation.log10_e[0]),
        rows=int(rows[0]),
        reason=f"calls that failed: {percent(stream.first_share)} of the first "
        f"{BASELINE_CALLS:,}, {percent(share)} now",
    )


_CALLS = BASELINE_CALLS + 2 * RECENT_CALLS + 2 * _MOST_WAITING
_NBYTES = 9 * _CALLS + 8 * 16 * (2 * (8 + 4) + 8)
"""Bytes of the stored durations and failures, and of both streams over up to 16 bins."""
