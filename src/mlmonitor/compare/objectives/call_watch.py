"""Objectives for calls: the share that fail, and quantiles of latency."""

from typing import Final

import numpy as np

from mlmonitor.aggregate.call_stats import TimedCalls
from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.objectives.bound_watch import NAN, Breach
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.compare.risk.risk_baseline import certain_baseline
from mlmonitor.compare.risk.risk_stream import RiskLimits, RiskStream
from mlmonitor.records import Objective

RECENT_CALLS: Final = 1_000
ERROR_RATE: Final = "error_rate"

_PREFIX, _SUFFIX = "latency_p", "_seconds"


def latency_quantile(measure: str) -> float | None:
    """Return the quantile that a measure such as `latency_p99_seconds` names, or None."""
    if not (measure.startswith(_PREFIX) and measure.endswith(_SUFFIX)):
        return None
    try:
        percent = float(measure.removeprefix(_PREFIX).removesuffix(_SUFFIX))
    except ValueError:
        return None
    return percent / 100 if 0 < percent < 100 else None


class CallWatch:
    """Whether more calls than an objective allows fail, or are slower than its bound.

    The p99 is above a bound if more than 1% of the calls are slower. So both kinds of objectives
    bound a share of calls, by the evidence of `RiskProcess` with a known mean. Price: 9 kB.
    """

    def __init__(self, objective: Objective, limits: RiskLimits) -> None:
        if objective.maximum is None:
            raise ValueError("a call's objective has a maximum")
        self.objective: Objective = objective
        self._quantile = latency_quantile(objective.measure)
        self._maximum = objective.maximum
        allowed = self._maximum if self._quantile is None else 1 - self._quantile
        baseline = certain_baseline(LossBins(ERROR_RATE, 1.0), allowed, "objective")
        self._stream = RiskStream(baseline, limits)
        self._recent = TimedCalls.empty()
        self._value = NAN

    def ingest(self, calls: TimedCalls) -> None:
        """Add calls that have ended."""
        is_bad = calls.has_failed if self._quantile is None else calls.seconds > self._maximum
        self._recent = self._recent.append(calls).part(-RECENT_CALLS, None)
        self._stream.ingest(self._stream.baseline.bins.count_losses(is_bad.astype(np.float64)))

    def evaluate(self, *, now: float) -> tuple[bool, bool]:
        """Evaluate the calls so far; return whether the alert fired, and whether it resolved."""
        fired, resolved = self._stream.evaluate(now=now)
        if fired[0]:
            rows = min(self._stream.evidence.rows, RECENT_CALLS)
            self._value = self._measure_calls(self._recent.part(-rows, None))
        return bool(fired[0]), bool(resolved[0])

    def _measure_calls(self, calls: TimedCalls) -> float:
        if not calls.seconds.size:
            return NAN
        if self._quantile is None:
            return float(calls.has_failed.mean())
        return float(np.quantile(calls.seconds, self._quantile))

    def breach(self, *, now: float) -> Breach:  # noqa: ARG002 - others need the time
        """Return the measure since the change, and over the newest calls."""
        evidence = self._stream.evidence
        log10_e = evidence.log_e / float(np.log(10))
        return Breach(self._value, self._measure_calls(self._recent), evidence.rows, log10_e)

    def status(self, *, now: float) -> ObjectiveStatus:  # noqa: ARG002 - as above
        """Return the measure over the newest calls; only a share of failures has an interval."""
        risk = self._stream.risk()
        is_share = self._quantile is None and risk is not None
        return ObjectiveStatus(
            objective=self.objective,
            value=self._measure_calls(self._recent),
            low=risk.low if is_share and risk is not None else NAN,
            high=risk.high if is_share and risk is not None else NAN,
            count=self._recent.seconds.size,
            log10_e_value=0.0 if risk is None else risk.log10_e_value,
            is_met=None if risk is None else not self._stream.is_firing,
        )
