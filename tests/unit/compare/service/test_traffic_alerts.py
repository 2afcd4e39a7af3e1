"""Traffic compared with the same time of earlier days."""

import math
from collections.abc import Callable

import numpy as np

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.service.traffic_alerts import TrafficAlerts
from mlmonitor.compare.service.traffic_counts import TrafficCounts

MONDAY = 1_699_833_600.0  # 2023-11-13 00:00 UTC
DAY, MINUTE = 86_400.0, 60.0


def serve(
    rate: Callable[[float], float], days: float, *, seed: int = 0, start: float = MONDAY
) -> tuple[TrafficAlerts, list[Alert]]:
    """Serve Poisson traffic of a rate per minute by time; return the alerts that changed."""
    rng = np.random.default_rng(seed)
    traffic = TrafficAlerts(now=start)
    changed: list[Alert] = []
    for minute in range(int(days * 1_440)):
        now = start + minute * MINUTE
        traffic.ingest(int(rng.poisson(rate(now))), now=now)
        if minute % 5 == 4:
            changed += traffic.evaluate(now=now)
    return traffic, changed


def steady(_: float) -> float:
    """Return forty predictions a minute."""
    return 40.0


def office_hours(now: float) -> float:
    """Return traffic from eight to six on working days, with none at night and at weekends."""
    hour = now % DAY / 3_600
    is_weekend = (now - MONDAY) // DAY % 7 >= 5
    if is_weekend or not 8 <= hour < 18:
        return 0.0
    return 60.0 * (1 + 0.5 * math.sin((hour - 8) / 10 * math.pi))


def test_a_stop_of_steady_traffic_fires_within_an_hour() -> None:
    """It stops after three days."""
    end = MONDAY + 3 * DAY
    _, alerts = serve(lambda now: 0.0 if now >= end else 40.0, 3 + 1 / 24)
    (alert,) = alerts
    assert (alert.measure, alert.state, alert.role) == ("traffic", "firing", "service")
    assert alert.value < 0.1
    assert str(alert).startswith("service: traffic")


def test_a_doubling_of_steady_traffic_fires_within_an_hour() -> None:
    """It doubles after three days."""
    end = MONDAY + 3 * DAY
    _, alerts = serve(lambda now: 80.0 if now >= end else 40.0, 3 + 1 / 24)
    (alert,) = alerts
    assert alert.state == "firing"
    assert alert.value > alert.threshold


def test_a_service_without_traffic_at_night_fires_no_alert() -> None:
    """It runs for twelve days, with weekends."""
    assert serve(office_hours, 12)[1] == []
    assert serve(steady, 4)[1] == []


def test_a_daytime_service_that_stops_at_noon_fires_an_alert() -> None:
    """It stops on a working day of the second week."""
    noon = MONDAY + 8.5 * DAY
    _, alerts = serve(lambda now: 0.0 if now >= noon else office_hours(now), 8.6)
    assert [alert.state for alert in alerts] == ["firing"]


def test_traffic_is_not_compared_on_the_first_day() -> None:
    """Even traffic that stops fires no alert."""
    end = MONDAY + 0.5 * DAY
    assert serve(lambda now: 0.0 if now >= end else 40.0, 1)[1] == []


def test_an_alert_on_traffic_resolves_when_the_traffic_returns() -> None:
    """It is reported when it fires and when it resolves."""
    start, end = MONDAY + 3 * DAY, MONDAY + 3.2 * DAY
    traffic, alerts = serve(lambda now: 0.0 if start <= now < end else 40.0, 3.4)
    assert [alert.state for alert in alerts] == ["firing", "resolved"]
    assert not traffic.alerts


def test_the_rate_of_traffic_is_unknown_in_the_first_five_minutes() -> None:
    """Later it covers the last five to ten minutes."""
    counts = TrafficCounts(now=MONDAY)
    counts.ingest(300, now=MONDAY + 10)
    assert counts.rate(now=MONDAY + 200) is None
    counts.ingest(300, now=MONDAY + 310)
    assert counts.rate(now=MONDAY + 599) == (600 / 599, 600)


def test_traffic_slots_are_reused_after_eight_days() -> None:
    """Their old counts are gone."""
    counts = TrafficCounts(now=MONDAY)
    counts.ingest(7, now=MONDAY)
    counts.advance(MONDAY + 9 * DAY)
    assert counts.total(counts.oldest_slot, counts.newest_slot + 1) == 0
