"""Failures and latency are compared with the first calls of the process."""

import numpy as np
import pytest
from scipy.stats import binom

from mlmonitor.aggregate.call_stats import TimedCalls
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.service.service_alerts import BASELINE_CALLS, ServiceAlerts
from mlmonitor.records import Floats, Mask, Role

SIGNIFICANCE = Significance(alpha=0.01, fields=10, tolerance=0.005, min_rows=30)
USUAL_SECONDS, SPREAD = 0.02, 0.5


def service(significance: Significance = SIGNIFICANCE) -> ServiceAlerts:
    """Return alerts that have seen no calls."""
    return ServiceAlerts(significance, now=0.0)


def serve(alerts: ServiceAlerts, seconds: Floats, has_failed: Mask, *, step: int) -> list[Alert]:
    """Ingest calls, evaluate after every `step`, and return the changed alerts."""
    changed: list[Alert] = []
    for start in range(0, seconds.size, step):
        part = slice(start, start + step)
        alerts.ingest(TimedCalls(seconds[part], has_failed[part]))
        changed += alerts.evaluate(now=float(start))
    return changed


def failures(rng: np.random.Generator, count: int, rate: float) -> Mask:
    """Draw independent calls, each of which fails at this rate."""
    return np.asarray(rng.random(count) < rate)


def latencies(rng: np.random.Generator, count: int, factor: float = 1.0) -> Floats:
    """Draw log-normal durations in seconds, `factor` times the usual ones."""
    return np.asarray(factor * rng.lognormal(np.log(USUAL_SECONDS), SPREAD, count))


@pytest.mark.parametrize("seed", range(5))
def test_a_tenfold_error_rate_fires_within_a_thousand_calls(seed: int) -> None:
    """From 0.5% to 5% of failed calls there is one alert, with both shares in its reason."""
    rng = np.random.default_rng(seed)
    alerts = service()
    usual = np.full(5_000, 0.02)
    assert not serve(alerts, usual, failures(rng, 5_000, 0.005), step=100)
    (alert,) = serve(alerts, usual[:1_000], failures(rng, 1_000, 0.05), step=50)
    assert (alert.role, alert.measure, alert.state) == (Role.SERVICE, "error_rate", "firing")
    assert alert.value == pytest.approx(0.05, abs=0.04)
    assert alert.value > alert.threshold
    assert "calls that failed" in alert.reason
    assert str(alert).startswith("service: error_rate")


@pytest.mark.parametrize("seed", range(5))
def test_a_doubled_latency_fires_within_a_thousand_calls(seed: int) -> None:
    """There is one alert about the median, in seconds."""
    rng = np.random.default_rng(seed)
    alerts = service()
    no_failure = np.zeros(5_000, np.bool_)
    assert not serve(alerts, latencies(rng, 5_000), no_failure, step=100)
    (alert,) = serve(alerts, latencies(rng, 1_000, factor=2), no_failure[:1_000], step=50)
    assert (alert.role, alert.measure) == (Role.SERVICE, "latency")
    assert alert.value == pytest.approx(2 * USUAL_SECONDS, rel=0.3)
    assert alert.threshold == pytest.approx(1.5 * USUAL_SECONDS, rel=0.1)
    assert alert.reason.startswith("p50 of a call: ")


def test_a_slow_tail_fires_although_the_median_is_unchanged() -> None:
    """Every tenth call takes ten times as long, and the 99th percentile is named."""
    rng = np.random.default_rng(1)
    alerts = service()
    no_failure = np.zeros(3_000, np.bool_)
    assert not serve(alerts, latencies(rng, 3_000), no_failure, step=100)
    slow = latencies(rng, 3_000)
    slow[::10] *= 10
    (alert,) = serve(alerts, slow, no_failure, step=100)
    assert alert.reason.startswith("p99 of a call: ")


def test_jitter_of_a_few_percent_never_fires() -> None:
    """A variation of 5% is real and evident, but it does not matter."""
    rng = np.random.default_rng(2)
    count = 50_000
    sway = 1 + 0.05 * np.sin(np.arange(count) / 500)
    alerts = service()
    assert not serve(alerts, latencies(rng, count) * sway, np.zeros(count, np.bool_), step=250)


def test_latency_that_grows_by_microseconds_never_fires() -> None:
    """A call of 2 us may take ten times as long because of scheduling."""
    rng = np.random.default_rng(3)
    seconds = np.concatenate([np.full(2_000, 2e-6), np.full(5_000, 2e-5)])
    seconds *= rng.uniform(0.9, 1.1, seconds.size)
    assert not serve(service(), seconds, np.zeros(seconds.size, np.bool_), step=100)


@pytest.mark.slow
def test_stationary_calls_alert_no_more_often_than_alpha_allows() -> None:
    """With 4% of alpha for each stream, few of 100 streams of 5,000 calls fire."""
    generous = SIGNIFICANCE._replace(alpha=1.0, quality_tolerance=0.0, min_rows=0)
    streams, part = 100, 0.04
    fired = 0
    for seed in range(streams):
        rng = np.random.default_rng(seed)
        alerts = service(generous)
        seconds, has_failed = latencies(rng, 5_000), failures(rng, 5_000, 0.02)
        fired += bool(serve(alerts, seconds, has_failed, step=500))
    assert fired <= binom.ppf(0.999, streams, part)


def test_an_alert_on_calls_resolves_after_recovery_and_can_fire_again() -> None:
    """A second outage is a second alert, and `current` follows the newest calls."""
    rng = np.random.default_rng(4)
    alerts = service()

    def change(rate: float, factor: float, count: int) -> list[str]:
        has_failed, seconds = failures(rng, count, rate), latencies(rng, count, factor)
        changed = serve(alerts, seconds, has_failed, step=100)
        return sorted(f"{alert.measure} {alert.state}" for alert in changed)

    assert change(0.005, 1, 2_000) == []
    assert change(0.2, 3, 500) == ["error_rate firing", "latency firing"]
    assert {alert.measure: alert.current for alert in alerts.alerts} == pytest.approx(
        {"error_rate": 0.2, "latency": 3 * USUAL_SECONDS}, rel=0.3
    )
    assert change(0.005, 1, 5_000) == ["error_rate resolved", "latency resolved"]
    assert alerts.alerts == ()
    assert change(0.2, 3, 500) == ["error_rate firing", "latency firing"]


def test_calls_are_not_compared_before_there_is_a_baseline() -> None:
    """The first calls become the baseline, and later ones like them do not alert."""
    rng = np.random.default_rng(5)
    alerts = service()
    assert alerts.is_firing == {"error_rate": False, "latency": False}
    has_failed = failures(rng, 3 * BASELINE_CALLS, 0.5)
    assert not serve(alerts, latencies(rng, 3 * BASELINE_CALLS), has_failed, step=77)


def test_calls_without_a_duration_do_not_count() -> None:
    """Rows of `record` have no duration, so their block is empty."""
    alerts = service()
    alerts.ingest(TimedCalls.empty())
    assert alerts.unevaluated_rows == 0
    assert alerts.evaluate(now=1.0) == []


def test_a_further_increase_of_failures_updates_the_alert() -> None:
    """Failures rise from 0.5 to 5% and then to 40%, and the alert is returned again."""
    rng = np.random.default_rng(3)
    alerts = service()
    usual = np.full(3_000, 0.02)
    serve(alerts, usual, failures(rng, 3_000, 0.005), step=100)
    (first,) = serve(alerts, usual, failures(rng, 3_000, 0.05), step=50)
    changed = serve(alerts, usual[:500], failures(rng, 500, 0.4), step=50)
    assert changed
    assert {alert.state for alert in changed} == {"firing"}
    assert changed[-1].started_at == first.started_at
    assert changed[-1].value > 4 * first.value
    assert changed[-1].reason.startswith("changed again; ")


def test_a_further_increase_of_latency_updates_the_alert() -> None:
    """The latency doubles and is then ten times as long."""
    rng = np.random.default_rng(4)
    alerts = service()
    calm = np.zeros(3_000, np.bool_)
    serve(alerts, latencies(rng, 3_000), calm, step=100)
    (first,) = serve(alerts, latencies(rng, 1_000, factor=2), calm[:1_000], step=50)
    changed = serve(alerts, latencies(rng, 500, factor=10), calm[:500], step=50)
    assert changed
    assert changed[-1].value > 3 * first.value
    assert changed[-1].reason.startswith("changed again; p50 of a call: ")
