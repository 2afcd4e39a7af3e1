"""The calls of one model at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from mlmonitor.aggregate.call_stats import CallStats
from mlmonitor.aggregate.exemplars import Exemplar
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.service.service_alerts import ServiceAlerts
from mlmonitor.compare.service.traffic_alerts import TRAFFIC, TrafficAlerts

LATENCY_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class CallsSnapshot:
    """Calls since the start, and the latency quantiles of the window, in seconds.

    errors: failed rows by type of error.
    latency: a profile of one field.
    fine: the same latencies in exponential buckets; None unless a destination needs them.
    alerts: the alerts on failures, latency and traffic.
    is_firing: whether the alert of each measure is firing.
    """

    predictions: int
    errors: Mapping[str, int]
    latency: FieldProfile
    latency_quantiles: Mapping[float, float]
    fine: ExponentialSketch | None
    duration_exemplars: tuple[Exemplar, ...]
    error_exemplars: Mapping[str, tuple[Exemplar, ...]]
    alerts: tuple[Alert, ...] = ()
    is_firing: Mapping[str, bool] = field(default_factory=dict)


def snapshot_calls(
    calls: CallStats, service: ServiceAlerts, rate: TrafficAlerts, *, now: float
) -> CallsSnapshot:
    """Return the calls at `now`, and refresh `current` of the alerts."""
    calls.latency.advance(now)
    digests = calls.latency.view().shapes.digests
    seconds = digests.quantile(np.array(LATENCY_QUANTILES))[0].tolist()
    quantiles = zip(LATENCY_QUANTILES, seconds, strict=True)
    errors = dict(calls.errors)
    return CallsSnapshot(
        predictions=calls.predictions,
        errors=MappingProxyType(errors),
        latency=calls.latency.total(),
        latency_quantiles=MappingProxyType({q: s for q, s in quantiles if not np.isnan(s)}),
        fine=None if calls.fine is None else calls.fine.copy(),
        duration_exemplars=calls.exemplars.durations,
        error_exemplars=MappingProxyType({e: calls.exemplars.of_error(e) for e in errors}),
        alerts=(*service.alerts, *rate.alerts),
        is_firing=MappingProxyType({**service.is_firing, TRAFFIC: rate.is_firing}),
    )
