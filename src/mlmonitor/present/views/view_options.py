"""What a reader of the page has selected, and the state of the model at one moment."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.snapshot import ModelSnapshot, SegmentSnapshot
from mlmonitor.present.charts.paths import WIDTH
from mlmonitor.present.charts.time_chart import BATCH_SECONDS, Mark, Slices
from mlmonitor.present.names import segment_id
from mlmonitor.records import Role
from mlmonitor.status.field_status import FieldStatus
from mlmonitor.status.status import Status

SORTS = {
    "matters": "what matters",
    "drift": "drift",
    "invalid": "invalid values",
    "name": "name",
}
"""The orders of the list of fields, with their captions."""


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """A reader's selection.

    sort: the order of fields. query: a part of their names. segment, field: an identifier, or
    empty. with_calm: whether to list fields that have not changed.
    """

    sort: str = "matters"
    query: str = ""
    segment: str = ""
    field: str = ""
    with_calm: bool = False


@dataclass(frozen=True, eq=False)
class ModelReading:
    """The state of a model at one moment: its snapshot and its status."""

    snapshot: ModelSnapshot
    status: Status

    def segment(self, link: str) -> SegmentSnapshot | None:
        """Return the segment whose `segment_id` is `link`; None if there is none."""
        return next(
            (s for s in self.snapshot.segments if link and segment_id(s.name) == link), None
        )

    def populations(self, segment: str) -> tuple[PopulationSnapshot, ...]:
        """Return the populations of a segment, or of all rows if there is no such segment."""
        part = self.segment(segment)
        return self.snapshot.whole if part is None else part.populations

    def fields(self, segment: str) -> tuple[FieldStatus, ...]:
        """Return the status of each field of `populations(segment)`, in the same order."""
        part = self.segment(segment)
        return self.status.fields if part is None else self.status.segments[part.name].fields

    def slices(self, population: PopulationSnapshot) -> Slices:
        """Return the slices of a population's window, with a mark at the start of each incident."""
        history = population.history
        if history is None:
            return Slices(np.empty(0), self.snapshot.time, np.empty(0, np.int64))
        end = max(self.snapshot.time, float(history.starts[-1]))
        return Slices(
            history.starts, end, history.rows, self._list_marks(float(history.starts[0]), end)
        )

    def _list_marks(self, start: float, end: float) -> tuple[Mark, ...]:
        span = end - start
        if span < BATCH_SECONDS:  # the axis counts rows, but incidents only have a time
            return ()
        return tuple(
            Mark(round((incident.started_at - start) / span * WIDTH), incident.title)
            for incident in self.status.incidents
            if start <= incident.started_at <= end
        )

    @cached_property
    def affected(self) -> frozenset[tuple[Role, str]]:
        """Role and name of the fields that have a firing alert in any segment."""
        return frozenset((alert.role, alert.field) for alert in self.status.alerts)
