"""Bursts of failures, correlated latencies and clients that send many calls fire no alert."""

import numpy as np
import pytest

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.service.traffic_alerts import TrafficAlerts
from mlmonitor.records import Floats, Mask
from mlmonitor.stats.dependence.burst_sizes import GAP, BurstSizes
from unit.compare.service.test_service_alerts import serve, service
from unit.compare.service.test_traffic_alerts import DAY, MINUTE, MONDAY

CALLS = 10_000
SERVICES = 20


def failing_in_bursts(rng: np.random.Generator, calls: int, size: int, rate: float) -> Mask:
    """Return calls that fail in runs of `size`, and at `rate` overall."""
    starts = np.flatnonzero(rng.random(calls) < rate / size)
    places = (starts[:, None] + np.arange(size)).ravel()
    failed = np.zeros(calls, np.bool_)
    failed[places[places < calls]] = True
    return failed


def queued(rng: np.random.Generator, calls: int, correlation: float) -> Floats:
    """Draw log-normal latencies that are correlated with the previous ones."""
    noise = rng.normal(size=calls) * np.sqrt(1 - correlation**2)
    level = np.zeros(calls)
    for call in range(1, calls):
        level[call] = correlation * level[call - 1] + noise[call]
    return 0.02 * np.exp(0.5 * level)


def count_firing(failed: list[Mask], seconds: list[Floats]) -> int:
    """Count the services that ever alert, evaluated every 200 calls."""
    pairs = zip(failed, seconds, strict=True)
    return sum(bool(serve(service(), took, has_failed, step=200)) for has_failed, took in pairs)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "rate"), [(10, 0.02), (20, 0.05)])
def test_bursts_of_failures_at_a_steady_rate_do_not_alert(size: int, rate: float) -> None:
    """Independent failures at this rate would not alert either."""
    rng = np.random.default_rng(size)
    failed = [failing_in_bursts(rng, CALLS, size, rate) for _ in range(SERVICES)]
    assert count_firing(failed, [np.full(CALLS, 0.02)] * SERVICES) <= 1


def test_an_outage_is_detected_although_failures_come_in_bursts() -> None:
    """It takes at most 400 calls."""
    rng = np.random.default_rng(3)
    failed = np.concatenate([failing_in_bursts(rng, 5_000, 10, 0.02), np.ones(400, np.bool_)])
    alerts = serve(service(), np.full(failed.size, 0.02), failed, step=100)
    assert [alert.measure for alert in alerts] == ["error_rate"]


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.5, 0.9, 0.95])
def test_correlated_latencies_do_not_alert(correlation: float) -> None:
    """They are correlated as in a queue."""
    rng = np.random.default_rng(9)
    seconds = [queued(rng, CALLS, correlation) for _ in range(SERVICES)]
    assert count_firing([np.zeros(CALLS, np.bool_)] * SERVICES, seconds) <= 1


def test_a_doubled_latency_is_detected_although_latencies_are_correlated() -> None:
    """It takes at most 4,000 calls."""
    rng = np.random.default_rng(4)
    seconds = np.concatenate([queued(rng, 5_000, 0.9), 2 * queued(rng, 4_000, 0.9)])
    alerts = serve(service(), seconds, np.zeros(seconds.size, np.bool_), step=200)
    assert [alert.measure for alert in alerts] == ["latency"]


def test_bursts_of_predictions_by_one_client_do_not_count_as_growth_of_traffic() -> None:
    """One client sends 40 predictions every twenty minutes; half hours with 0 to 5 are chance."""
    rng = np.random.default_rng(5)
    changed: list[Alert] = []
    traffic = TrafficAlerts(now=MONDAY)
    for minute in range(int(6 * DAY / MINUTE)):
        now = MONDAY + minute * MINUTE
        traffic.ingest(40 * int(rng.poisson(0.05)), now=now)
        if minute % 5 == 4:
            changed += traffic.evaluate(now=now)
    assert not changed


def test_the_mean_burst_size_covers_only_finished_bursts() -> None:
    """Calls may be split anywhere, and a run that goes on is not counted."""
    calls = np.array([int(c) for c in "0110000100000011111000000001111"], np.bool_)
    whole, parts = BurstSizes(), BurstSizes()
    whole.update(calls)
    for call in calls:
        parts.update(np.array([call]))
    expected = (2**2 + 1 + 5**2) / (2 + 1 + 5)
    assert whole.mean_size() == parts.mean_size() == pytest.approx(expected)
    parts.update(np.zeros(GAP, np.bool_))
    assert parts.mean_size() == pytest.approx((2**2 + 1 + 5**2 + 4**2) / (2 + 1 + 5 + 4))
