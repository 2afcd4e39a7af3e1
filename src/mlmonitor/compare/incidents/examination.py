"""Examines open incidents: searches for their causes in the rows since they opened."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, Protocol

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.change_sample import SAMPLE_ROWS
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.causes.lone_segment import MOST_SEGMENTS
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.incidents.incident_tracker import IncidentTracker
from mlmonitor.compare.population import Population
from mlmonitor.compare.traffic import Traffic

LOOKS: Final = (64, 128, 256, SAMPLE_ROWS)
"""Numbers of rows since an incident opened after which its cause is searched for again."""


class FindCause(Protocol):
    """Returns the cause of alerts, from the window or from the sample of rows since the change."""

    def __call__(self, alerts: Sequence[Alert], *, is_sampled: bool = False) -> CommonCause:
        """Return the cause of these alerts."""


class Examination:
    """Finds causes in rows that all arrived after the change.

    When an incident opens, the window still holds rows from before the change: a factor seems too
    small, and a lost category still has rows. So the next rows are sampled, and the cause is
    searched for in the first 64, 128, 256 and 512 of them (`LOOKS`). If it is still unknown,
    another sample begins once twice as many rows have arrived.
    Price: nothing without an open incident; then a `ChangeSample` for each population, and a search
        for the cause after each of these numbers of rows. The number of samples grows with the
        logarithm of the rows.
    """

    __slots__ = ("_begun_at", "_looks", "_resume_at")

    def __init__(self) -> None:
        self._looks: list[int] = []
        self._begun_at = self._resume_at = 0

    def group(
        self,
        changed: Sequence[Alert],
        incidents: IncidentTracker,
        traffic: Traffic,
        find_cause: FindCause,
        *,
        row: int,
    ) -> list[Incident]:
        """Sort alerts that fired or resolved into incidents, and examine the open ones.

        row: the number of rows so far. Returns the incidents that opened or closed.
        """
        grouped = incidents.apply(changed, find_cause, row=row)
        has_grown = any(alert.state == "firing" for alert in changed)
        find_again = partial(find_cause, is_sampled=True)
        return grouped + self._advance(incidents, traffic, find_again, row, has_grown=has_grown)

    def _advance(
        self,
        incidents: IncidentTracker,
        traffic: Traffic,
        find_cause: Callable[[Sequence[Alert]], CommonCause],
        row: int,
        *,
        has_grown: bool,
    ) -> list[Incident]:
        """Start, continue or end the examination; return the incidents that it closed."""
        whole = traffic.population
        if whole is None or not incidents.incidents:
            self._end(traffic)
            return []
        if whole.sample is None:
            is_due = not incidents.is_explained and row >= self._resume_at > 0
            if has_grown:
                self._begun_at = row
            if has_grown or is_due:
                self._begin(traffic)
            return []
        if whole.sample.rows < self._looks[0]:
            return []
        self._looks = [look for look in self._looks if look > whole.sample.rows]
        ended = incidents.reexamine(find_cause)
        if not self._looks:
            self._end(traffic)
            self._resume_at = row + max(row - self._begun_at, SAMPLE_ROWS)
        return ended

    def _begin(self, traffic: Traffic) -> None:
        self._looks = list(LOOKS)
        for population in _sampled(traffic):
            population.begin_sample()

    def _end(self, traffic: Traffic) -> None:
        self._looks, self._resume_at = [], 0
        for population in _sampled(traffic):
            population.end_sample()


def _sampled(traffic: Traffic) -> Iterator[Population]:
    """Yield the population of all rows, and those of segments if they are few enough to compare."""
    if traffic.population is not None:
        yield traffic.population
    if traffic.segmentation is not None:
        segments = traffic.segmentation.split.populations
        yield from segments if len(segments) <= MOST_SEGMENTS else ()
