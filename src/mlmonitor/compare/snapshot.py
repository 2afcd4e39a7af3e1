"""Snapshot of one model at one moment, as one immutable value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.by_name import name_entries
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.estimated.estimated_performance import EstimatedPerformance
from mlmonitor.compare.event_status import EventStatus
from mlmonitor.compare.figures.attributions import AttributionsSnapshot
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.compare.performance.selection.label_selection import LabelSelection
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.risk.risk import Risk
from mlmonitor.compare.service.calls_snapshot import CallsSnapshot

Phase = Literal["waiting", "learning", "watching"]


@dataclass(frozen=True)
class ExportStatus:
    """One destination: points by outcome, and the result of the last export.

    last_reason: why the newest failed export failed. seconds_since_success: the seconds since the
    newest snapshot with an accepted point; None before the first. unanswered: points without a
    response, by how the wait ended: `closed` (the connection was closed) or `timeout`.
    """

    outcomes: Mapping[str, int]
    is_well: bool = True
    last_reason: str | None = None
    seconds_since_success: float | None = None
    unanswered: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name_entries(self, {"outcomes": "outcome", "unanswered": "outcome"})


@dataclass(frozen=True, slots=True)
class SeasonInfo:
    """The season that rows are now compared with, counted from 0 as in metric attributes."""

    name: str
    current: int
    count: int
    timezone: str


@dataclass(frozen=True, slots=True)
class TrainingInfo:
    """How the model was trained; an attribute is None if it was not given.

    seconds: the duration. rows: the number of training rows. parent_version: the version it
    replaced.
    """

    seconds: float | None = None
    rows: int | None = None
    parent_version: str | None = None


@dataclass(frozen=True, slots=True)
class ReferenceInfo:
    """The reference in use.

    is_learned: whether it was learned from this service. losses: measures over the rows of the
    reference. season_search: the result of the search for seasons; None if there was none.
    """

    rows: int
    is_learned: bool
    trained_at: datetime | None
    training_metrics: Mapping[str, float]
    training: TrainingInfo
    losses: Mapping[str, float]
    season: SeasonInfo | None
    season_search: str | None = None
    importances: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Learning:
    """Progress of learning a reference: the rows so far, and the rows that are needed."""

    phase: Phase
    learned_rows: int
    baseline_rows: int


@dataclass(frozen=True, slots=True, eq=False)
class SegmentSnapshot:
    """One segment: rows since the start, its populations, and its performance, if known."""

    name: str
    predictions: int
    failed: int
    reference_rows: int
    populations: tuple[PopulationSnapshot, ...]
    errors: ErrorSums | None
    performance: Performance | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LabelsSnapshot:
    """Labels by outcome, the number that wait, and the performance from matched labels.

    evicted: predictions dropped without a label.
    performance: None before the first matched label.
    estimated: the performance of the window, without labels; None if there is no calibration or
        predictions.
    risks: the risk of each measure.
    alerts: the alerts on risks and on estimates.
    selection: how labelled predictions differ from those that never got a label; None with too few
        of either in mature cohorts.
    fault: a fault of the labels, their join or the scores that explains the loss; None if none is
        known.
    """

    counts: Mapping[str, int]
    waiting: int
    errors: ErrorSums | None
    evicted: int = 0
    performance: Performance | None = None
    estimated: EstimatedPerformance | None = None
    cohorts: tuple[Cohort, ...] = ()
    risks: Mapping[str, Risk] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    selection: LabelSelection | None = None
    fault: CommonCause | None = None


@dataclass(frozen=True, slots=True)
class MonitoringHealth:
    """Health of the monitoring itself: dropped rows and figures, and internal errors."""

    dropped: int
    internal_errors: int
    last_error: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ModelSnapshot:
    """Everything known about one model at `time`, in seconds since 1970.

    Built once a tick; status, exported series, pages, reports and events read nothing else.
    Promise: immutable. Later rows change no number in it, and its arrays of counts are read-only.
    Price: a copy of the totals and of the window's sum.

    traffic: features and predictions; None before comparing begins.
    actuals: None until the first label arrives if the reference has no actuals.
    kpis: one population per figure, in order of arrival.
    kpi_failures: for each figure, the number of blocks of rows for which it could not be computed.
    segments: all segments in the order of their codes, the rest last.
    unknown_fields: number of values by name, for fields outside the reference.
    unused_ignores, unmatched_rules: options without effect.
    group_hints: side effects of declared groups.
    absent_columns: for each declared column that most rows lack, the number of rows without it.
    column_warning: advice about columns that every row lacks.
    rows_at: the time of the newest rows, which is earlier than `time` in a replay.
    """

    model: str
    version: str
    time: float
    learning: Learning
    reference: ReferenceInfo | None
    calls: CallsSnapshot
    traffic: PopulationSnapshot | None
    actuals: PopulationSnapshot | None
    kpis: tuple[PopulationSnapshot, ...]
    segments: tuple[SegmentSnapshot, ...]
    labels: LabelsSnapshot
    unknown_fields: Mapping[str, int]
    unused_ignores: tuple[str, ...]
    unmatched_rules: tuple[str, ...]
    health: MonitoringHealth
    destinations: Mapping[str, ExportStatus]
    memory_bytes: int
    objectives: tuple[ObjectiveStatus, ...] = ()
    objective_alerts: tuple[Alert, ...] = ()
    incidents: tuple[Incident, ...] = ()
    kpi_units: Mapping[str, str] = field(default_factory=dict)
    kpi_failures: Mapping[str, int] = field(default_factory=dict)
    attributions: AttributionsSnapshot | None = None
    events: EventStatus | None = None
    group_hints: tuple[str, ...] = ()
    absent_columns: Mapping[str, int] = field(default_factory=dict)
    column_warning: str | None = None
    rows_at: float | None = None

    @property
    def whole(self) -> tuple[PopulationSnapshot, ...]:
        """Populations of all rows: features and predictions, actuals, attributions, KPIs."""
        attributed = None if self.attributions is None else self.attributions.population
        populations = (self.traffic, self.actuals, attributed, *self.kpis)
        return tuple(population for population in populations if population is not None)

    @property
    def populations(self) -> tuple[PopulationSnapshot, ...]:
        """All populations: those of all rows, then those of each segment."""
        of_segments = (p for segment in self.segments for p in segment.populations)
        return (*self.whole, *of_segments)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The firing alerts."""
        populations = (alert for p in self.populations for alert in p.alerts)
        return (*self.objective_alerts, *self.calls.alerts, *self.labels.alerts, *populations)
