"""The status of a monitored model at one moment, for people and programs to read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from mlmonitor.by_name import name_entries
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.drift.decomposition import Shift
from mlmonitor.compare.estimated.estimated_performance import EstimatedPerformance
from mlmonitor.compare.event_status import EventStatus
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.compare.performance.selection.label_selection import LabelSelection
from mlmonitor.compare.risk.risk import Risk
from mlmonitor.compare.snapshot import ExportStatus, TrainingInfo
from mlmonitor.records import Role
from mlmonitor.status.field_status import FieldStatus, field_named
from mlmonitor.status.figures.figure_status import AttributionStatus, KpiStatus
from mlmonitor.status.segment_status import SegmentStatus
from mlmonitor.verdict.verdict import Verdict

if TYPE_CHECKING:
    from mlmonitor.challenge.challenge_status import ChallengeStatus

_NOUNS = {
    "errors": "type of error",
    "latency_seconds": "quantile",
    "unknown_fields": "field",
    "labels": "outcome",
    "risks": "measure",
    "exports": "destination",
    "destinations": "destination",
    "challenges": "challenger",
    "kpis": "business figure",
    "notifications": "webhook",
    "training_metrics": "measure",
    "violations": "rule",
    "absent_columns": "field",
    "segments": "segment",
}
"""What the entries of a mapping are, by attribute of `Status`."""

State = Literal["disabled", "waiting", "learning", "watching", "closed"]


@dataclass(frozen=True)
class EarlierVersion:
    """A version that `Monitor.adopt` replaced: labels of its predictions may still arrive.

    All counts are since the version's start. performance: None before the first matched label.
    """

    version: str
    predictions: int
    labels: Mapping[str, int]
    performance: Performance | None
    cohorts: tuple[Cohort, ...]

    def __post_init__(self) -> None:
        name_entries(self, {"labels": "outcome"})


@dataclass(frozen=True)
class NotificationStatus:
    """The events of one webhook since the start of the process, by outcome.

    refused: answered with a permanent error. given_up: not accepted in time. dropped: the queue was
    full, or the process ended. retries: attempts after the first. last_reason: the reason of the
    newest failure; None once an event was accepted again.
    """

    delivered: int = 0
    refused: int = 0
    given_up: int = 0
    dropped: int = 0
    retries: int = 0
    waiting: int = 0
    last_reason: str | None = None


@dataclass(frozen=True)
class Status:
    """Everything that the process knows about a model; `print` it, or read its attributes.

    predictions, errors, labels, dropped (rows and figures that found no room, or arrived after
    `close`) and internal_errors count from the start of this process; everything else covers the
    window.
    learned_rows: rows so far, of `baseline_rows`, while a reference is learned from the service.
    trained_at, training, training_metrics: when, how long and on how many rows the model was
    trained, the version it replaced, and its measures at training, as given to the reference.
    why: the shift of the mean prediction, and the contribution of each feature.
    labels: counts by outcome; the prediction of a `missing` or `unreadable` label still waits.
    performance: measures from the labels since the start; None before the first match.
    estimated: measures of the window's predictions without labels, from the calibration of the
    reference; None if it has none.
    cohorts: performance by time of prediction, with the maturity of each cohort, the oldest first.
    selection: how the labelled predictions of mature cohorts differ from those without a label.
    risks: by measure, the performance over the newest labels compared with that at training.
    events: the events of the event log by outcome; None before the first event.
    objectives: the declared objectives, each with its current value and whether it is met.
    incidents: open incidents; alerts whose changes began in the same rows are one incident.
    verdict: whether to keep, recalibrate or retrain the model, with reasons.
    challenges: by version, each declared challenger compared with the version in use.
    kpis: business figures by name. attributions: how much each feature contributes to predictions.
    earlier: versions that were replaced in this process, the newest first.
    notifications: events of each webhook by outcome.
    violations: values that broke each declared rule since the start.
    unmatched_rules: declared fields that a learned reference lacks, or has with another kind.
    unused_ignores: ignored names that neither the reference nor any row had.
    absent_columns: columns that an option such as `groups` names, but more than half of the rows
    lack; each with the number of rows without a value.
    reference_warning: a sign that the reference belongs to another model.
    dependence: how many independent rows 1,000 rows are worth; None if rows are independent.
    season: the hours that rows are compared with now, if the reference has seasons.
    """

    model: str
    version: str
    state: State
    predictions: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    internal_errors: int = 0
    last_error: str | None = None
    window_rows: int = 0
    reference_rows: int = 0
    is_reference_learned: bool = False
    learned_rows: int = 0
    baseline_rows: int = 0
    latency_seconds: Mapping[float, float] = field(default_factory=dict)
    fields: tuple[FieldStatus, ...] = ()
    unknown_fields: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    performance: Performance | None = None
    estimated: EstimatedPerformance | None = None
    cohorts: tuple[Cohort, ...] = ()
    selection: LabelSelection | None = None
    risks: Mapping[str, Risk] = field(default_factory=dict)
    objectives: tuple[ObjectiveStatus, ...] = ()
    exports: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    destinations: Mapping[str, ExportStatus] = field(default_factory=dict)
    events: EventStatus | None = None
    memory_bytes: int = 0
    alerts: tuple[Alert, ...] = ()
    incidents: tuple[Incident, ...] = ()
    verdict: Verdict | None = None
    challenges: "Mapping[str, ChallengeStatus]" = field(default_factory=dict)
    kpis: Mapping[str, KpiStatus] = field(default_factory=dict)
    attributions: AttributionStatus | None = None
    earlier: tuple[EarlierVersion, ...] = ()
    notifications: Mapping[str, NotificationStatus] = field(default_factory=dict)
    trained_at: datetime | None = None
    training: TrainingInfo | None = None
    training_metrics: Mapping[str, float] = field(default_factory=dict)
    why: Shift | None = None
    violations: Mapping[str, int] = field(default_factory=dict)
    unmatched_rules: tuple[str, ...] = ()
    unused_ignores: tuple[str, ...] = ()
    absent_columns: Mapping[str, int] = field(default_factory=dict)
    reference_warning: str | None = None
    dependence: str | None = None
    season: str | None = None
    segments: Mapping[str, SegmentStatus] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name_entries(self, _NOUNS)

    def field(self, name: str, *, role: Role | str = Role.FEATURE) -> FieldStatus:
        """Return the status of a field by name and role; raise UnknownName if there is none."""
        return field_named(name, role, self.fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the status as dicts, lists, strings, numbers and None."""
        from mlmonitor.status.documents import to_plain

        plain: dict[str, Any] = to_plain(self)
        return plain

    def to_json(self, *, indent: int | None = None) -> str:
        """Return `to_dict()` as one JSON object, without NaN or Infinity."""
        from mlmonitor.status.documents import to_json

        return to_json(self, indent=indent)

    def _repr_html_(self) -> str:
        """Return the status as HTML, for notebooks."""
        from mlmonitor.status.documents import to_html

        return to_html(self)

    def __str__(self) -> str:
        from mlmonitor.status.status_text import format_status  # it imports this module

        return format_status(self)
