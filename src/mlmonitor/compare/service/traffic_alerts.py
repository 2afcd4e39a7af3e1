"""Alerts on traffic that is gone or has grown, compared with the same time of earlier days."""

from typing import Final, Literal, NamedTuple

import numpy as np

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.service.traffic_counts import (
    COMPARED_SLOTS,
    DAY_SLOTS,
    DAYS,
    SLOT_SECONDS,
    TrafficCounts,
)
from mlmonitor.formatting import short
from mlmonitor.records import Role

TRAFFIC: Final = "traffic"

GONE: Final = 0.1
"""Traffic is gone if it is below this share of the lowest traffic of earlier days."""

GROWN: Final = 1.5
"""Traffic has grown if it exceeds this multiple of the highest traffic of earlier days."""

_SHIFT_SLOTS = 6  # traffic may arrive half an hour earlier or later than on other days
_LEAST = 30  # predictions; fewer show no pattern
_DEVIATIONS = 4.0  # standard deviations of a Poisson distribution
_FLAT = 0.5  # smallest share of the mean in the quietest hour of flat traffic
_WEEKEND = (5, 6)
_EPOCH_WEEKDAY = 3  # 1970 began on a Thursday

Change = Literal["gone", "grown"]


class _Usual(NamedTuple):
    """The lowest and the highest count at this time of earlier days, and the number of days.

    dispersion: the variance of counts divided by that of independent predictions, at least 1.
    """

    least: int
    most: int
    days: int
    dispersion: float = 1.0


class TrafficAlerts:
    """Fires alerts if traffic is gone or has grown since the same half hour of earlier days.

    Working days are compared with working days, weekends with weekends. Traffic that is as frequent
    at night as by day is compared with all days. Half an hour earlier or later counts as the same
    time, so that small shifts of a daily pattern fire no alert. Nothing is compared on the first
    day or on a first weekend. Traffic follows no known distribution, so this uses none of `alpha`:
    alerts fire on changes beyond four Poisson standard deviations from earlier days, which are
    wider if predictions arrive in bursts.
    Price: the memory of `TrafficCounts`.
    """

    def __init__(self, *, now: float) -> None:
        self.evaluated_at: float = now
        self.counts: TrafficCounts = TrafficCounts(now=now)
        self.is_firing: bool = False
        self._open = OpenAlerts()

    def ingest(self, predictions: int, *, now: float) -> None:
        """Count predictions made at about `now`."""
        self.counts.ingest(predictions, now=now)

    @property
    def unevaluated_rows(self) -> int:
        """Always 1, because missing traffic must be noticed although there are no rows."""
        return 1

    def evaluate(self, *, now: float) -> list[Alert]:
        """Compare the last complete half hour; return an alert that fired or resolved."""
        self.evaluated_at = now
        self.counts.advance(now)
        usual, count = self._find_usual(), self._count_recent()
        change = None if usual is None else _find_change(count, usual)
        fired = change is not None and not self.is_firing
        resolved = change is None and self.is_firing
        self.is_firing = (self.is_firing or fired) and not resolved
        transitions = Transitions(np.array([fired]), np.array([resolved]))
        return self._open.apply(transitions, lambda _: _build_alert(count, usual, change, now))

    def _count_recent(self) -> int:
        newest = self.counts.newest_slot
        return self.counts.total(newest - COMPARED_SLOTS, newest)

    def _find_usual(self) -> _Usual | None:
        """Return the traffic of earlier days at this time; None if there are no such days."""
        counts, newest = self.counts, self.counts.newest_slot
        if newest - DAY_SLOTS - COMPARED_SLOTS - _SHIFT_SLOTS < counts.oldest_slot:
            return None
        is_weekend = _is_weekend(newest)
        is_flat = self._is_flat(newest)
        totals: list[int] = []
        days = 0
        for day in range(1, DAYS):
            end = newest - day * DAY_SLOTS
            if end - COMPARED_SLOTS - _SHIFT_SLOTS < counts.oldest_slot:
                break
            if not is_flat and _is_weekend(end) != is_weekend:
                continue
            days += 1
            for shift in range(-_SHIFT_SLOTS, _SHIFT_SLOTS + 1):
                stop = end + shift
                totals.append(counts.total(stop - COMPARED_SLOTS, stop))
        return _Usual(min(totals), max(totals), days, self.counts.dispersion()) if totals else None

    def _is_flat(self, newest: int) -> bool:
        """Whether none of the last 22 hours was much quieter than their mean."""
        stop = newest - COMPARED_SLOTS
        hours = [self.counts.total(stop - 12 * k - 12, stop - 12 * k) for k in range(22)]
        return min(hours) >= max(_FLAT * float(np.mean(hours)), _LEAST)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The firing alert, if any, with `current` over the last half hour."""
        if len(self._open):
            self._open.refresh(np.array([self._count_recent() / (COMPARED_SLOTS * SLOT_SECONDS)]))
        return tuple(self._open)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self.counts.nbytes


def _find_change(count: int, usual: _Usual) -> Change | None:
    """Return how a count differs from earlier days beyond chance; None if it does not."""
    deviations = _DEVIATIONS * np.sqrt(usual.dispersion)
    least = usual.least - deviations * np.sqrt(usual.least)
    if usual.least >= _LEAST and count + deviations * np.sqrt(count) < GONE * least:
        return "gone"
    if usual.least >= _LEAST * usual.dispersion and count == 0:
        return "gone"
    most = usual.most + deviations * np.sqrt(usual.most)
    if usual.most >= _LEAST and count - deviations * np.sqrt(count) > GROWN * most:
        return "grown"
    return None


def _build_alert(count: int, usual: _Usual | None, change: Change | None, now: float) -> Alert:
    seconds = COMPARED_SLOTS * SLOT_SECONDS
    least, most, days, _ = (0, 0, 0, 1.0) if usual is None else usual
    bound = GONE * least if change == "gone" else GROWN * most
    value = count / seconds
    when = "the day before" if days == 1 else f"the {days} days before"
    return Alert(
        field="service",
        role=Role.SERVICE,
        segment=ALL,
        measure=TRAFFIC,
        value=value,
        current=value,
        threshold=bound / seconds,
        log10_e_value=float("nan"),
        state="firing",
        rows=count,
        started_at=now,
        reason=f"predictions per second: {short(least / seconds)} to {short(most / seconds)} at "
        f"this time of {when}, {short(value)} now",
    )


def _is_weekend(slot: int) -> bool:
    return (slot // DAY_SLOTS + _EPOCH_WEEKDAY) % 7 in _WEEKEND
