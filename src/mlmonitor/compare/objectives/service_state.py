"""The calls of one model, with their alerts and objectives."""

from collections.abc import Sequence

from mlmonitor.aggregate.call_stats import CallStats
from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.entry import Entry
from mlmonitor.compare.alerts.evaluable import Evaluable
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.objectives.objective_alerts import ObjectiveAlerts
from mlmonitor.compare.service.calls_snapshot import CallsSnapshot, snapshot_calls
from mlmonitor.compare.service.service_alerts import ServiceAlerts
from mlmonitor.compare.service.traffic_alerts import TrafficAlerts
from mlmonitor.records import Objective


class ServiceState:
    """Counts of calls, their alerts, and the declared objectives.

    table: the cohorts, for the maturity of labels. row_clock: the time of the newest rows.
    """

    def __init__(
        self,
        span: Span,
        objectives: Sequence[Objective],
        significance: Significance,
        *,
        table: CohortTable,
        row_clock: RowClock,
        now: float,
    ) -> None:
        self.calls: CallStats = CallStats(span, now=now)
        self.alerts: ServiceAlerts = ServiceAlerts(significance, now=now)
        self.rate: TrafficAlerts = TrafficAlerts(now=now)
        self.objectives: ObjectiveAlerts = ObjectiveAlerts(
            objectives,
            significance,
            traffic=self.rate.counts,
            table=table,
            row_clock=row_clock,
            now=now,
        )

    def count(self, entries: Sequence[Entry], *, now: float) -> None:
        """Count calls that have ended."""
        before = self.calls.rows
        timed = self.calls.update(entries, now=now)
        self.alerts.ingest(timed)
        self.objectives.ingest_calls(timed)
        self.rate.ingest(self.calls.rows - before, now=now)

    def count_rows(self, rows: int, *, now: float) -> None:
        """Count predictions that were made elsewhere, by calls of unknown duration."""
        self.calls.predictions += rows
        self.rate.ingest(rows, now=now)

    @property
    def parts(self) -> tuple[Evaluable, ...]:
        """The parts of the service that fire alerts."""
        return self.alerts, self.rate, self.objectives

    def snapshot(self, *, now: float) -> CallsSnapshot:
        """Return an immutable snapshot of the calls at `now`."""
        return snapshot_calls(self.calls, self.alerts, self.rate, now=now)

    @property
    def nbytes(self) -> int:
        """Maximum memory used, in bytes."""
        parts = self.alerts.nbytes + self.rate.nbytes + self.objectives.nbytes
        return parts + self.calls.latency.memory_bytes
