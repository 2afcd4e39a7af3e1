"""State of one model: calls, rows, labels, figures, and the reference."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from mlmonitor.aggregate.call_stats import CallStats
from mlmonitor.aggregate.exemplars import rows_with_origin
from mlmonitor.buffer.inbox import Queue
from mlmonitor.buffer.label_queue import LabelQueue
from mlmonitor.buffer.pending import Pending
from mlmonitor.capture.entry import Entry
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.host.outcome_entries import OutcomeEntry, RankingEntry
from mlmonitor.capture.read.rows import RowOrigin, Rows, read_rows
from mlmonitor.capture.read.run_mistakes import RunMistakes
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.evaluable import Evaluable
from mlmonitor.compare.causes.cause_search import find_cause
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.drift.row_dependence import find_group_column
from mlmonitor.compare.estimated.begin_estimates import begin_estimate_alerts
from mlmonitor.compare.estimated.estimate_alerts import EstimateAlerts
from mlmonitor.compare.estimated.labelled_pairs import listeners_of
from mlmonitor.compare.figures.attributions import Attributions
from mlmonitor.compare.figures.begin_figures import begin_figures
from mlmonitor.compare.figures.kpis import Kpis
from mlmonitor.compare.incidents.examination import Examination
from mlmonitor.compare.incidents.examine_labels import examine_labels
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.incidents.incident_tracker import IncidentTracker
from mlmonitor.compare.objectives.service_state import ServiceState
from mlmonitor.compare.performance.labels import LabelledOutcomes
from mlmonitor.compare.performance.prediction_keeper import PredictionKeeper
from mlmonitor.compare.population import Population
from mlmonitor.compare.risk.risk_alerts import RiskAlerts, RiskOptions
from mlmonitor.compare.risk.risk_baseline import find_baselines
from mlmonitor.compare.traffic import Traffic
from mlmonitor.config import Config
from mlmonitor.errors import MonitorError
from mlmonitor.gil import yield_gil
from mlmonitor.records import Declared
from mlmonitor.reference.reference import Reference

QUIET_INTERVALS = 10  # check intervals after which fewer rows than `check_rows` are enough


class ModelState:
    """The aggregates of one model in one process; times are seconds that never decrease.

    Comparing begins with `begin_comparing`, or within `ingest` once a reference has been learned.
    """

    def __init__(
        self,
        config: Config,
        reference: Reference | None,
        *,
        declared: Declared,
        started_at: float,
        keeps_rows: bool = False,
    ) -> None:
        self.has_segments: bool = bool(declared.segments)
        # With an interval of 0, evidence from fewer rows is only checked at each export.
        quiet_seconds = QUIET_INTERVALS * config.check_interval_seconds
        self._quiet_seconds = quiet_seconds or config.export_interval_seconds
        self._options = ComparisonOptions.from_config(config, groups=declared.groups)
        span, significance = self._options.span, self._options.significance
        self.incidents: IncidentTracker = IncidentTracker()
        self._examination = Examination()
        self.pending: Pending = Pending(
            config.pending_predictions,
            PredictionKeeper.COLUMNS,
            max_age_seconds=config.pending_seconds,
        )
        self._metrics = declared.metrics
        self._risk_options = RiskOptions.from_config(config)
        self.risk: RiskAlerts | None = None
        groups = find_group_column(reference, declared.groups)
        self._keeper = PredictionKeeper(
            self.pending, declared.buckets, config.cohort_seconds, groups
        )
        table, clock = self._keeper.cohorts, self._options.row_clock
        self.service: ServiceState = ServiceState(
            *(span, declared.objectives, significance), table=table, row_clock=clock, now=started_at
        )
        self.calls: CallStats = self.service.calls
        figures = begin_figures(self._options, reference, declared)
        self.kpis: Kpis = figures[0]
        self.attributions: Attributions = figures[1]
        self.traffic: Traffic = Traffic(
            reference,
            self._options,
            declared,
            baseline_rows=config.baseline_rows,
            most_segments=config.max_segments,
            keeps_rows=keeps_rows,
        )
        self.estimates: EstimateAlerts | None = None
        """Alerts on estimated performance; None if the reference has no calibration."""
        self.labels: LabelledOutcomes | None = None
        """None until there is a reference, because its bins are the buckets of the errors."""
        self._moment_ns, self._mistakes = 0, RunMistakes()

    def count(self, entries: Sequence[Entry], *, now: float, is_traced: bool = False) -> None:
        """Count calls without reading their rows; `ingest` adds the rows.

        is_traced: whether any call may carry a trace context. All exemplars of these calls get the
        same time, which is later than that of earlier calls, so that exports recognise new
        exemplars.
        """
        self.service.count(entries, now=now)
        if is_traced:
            self._moment_ns = max(int(now * 1e9), self._moment_ns + 1)
            self.calls.update_exemplars(entries, self._moment_ns)

    def ingest(
        self, run: Sequence[Entry], rows: Rows, *, now: float, is_traced: bool = False
    ) -> MonitorError | None:
        """Add the rows of calls of one form.

        Returns the user's mistake that the rows show, or the error of a figure; None if there is
        neither.
        """
        if self.traffic.keeps_rows:
            rows = replace(rows, origin=RowOrigin(run, 0, now))
        self._options.row_clock.update(rows.times)
        codes = self.traffic.codes(rows)
        self._keeper.remember(rows, codes, now=now)
        yield_gil()
        block = self.traffic.ingest(rows, codes, now=now)
        self.begin_comparing(now=now)  # the rows may have completed a learned reference
        fault = self.kpis.compute(rows, now=now)
        if is_traced and block is not None and self.traffic.population is not None:
            traced = rows_with_origin(run, block.rows)
            self.traffic.population.update_exemplars(block, *traced, self._moment_ns)
        return self._mistakes.find(run, rows) or fault

    def is_forgotten(self, entry: Entry) -> bool:
        """Whether a call whose id was read late had already been ingested without its id."""
        return entry[-1][0] not in self.pending

    def remember(self, rows: Rows, *, now: float) -> None:
        """Store the predictions of calls that were ingested before their ids were known."""
        self.begin_comparing(now=now)
        self._keeper.remember(rows, self.traffic.codes(rows), now=now)

    def begin_comparing(self, *, now: float) -> None:
        """Compare from `now` on if there is a reference; a second call has no effect."""
        self.traffic.begin_comparing(now=now)
        if self.labels is None and self.traffic.reference is not None:
            self._begin_labels(self.traffic.reference, now=now)

    def _begin_labels(self, reference: Reference | None, *, now: float) -> None:
        significance, cohorts = self._options.significance, self._keeper.cohorts
        baselines = find_baselines(reference)
        clock = self._options.row_clock
        self.risk = RiskAlerts(
            baselines, significance, cohorts, self._risk_options, row_clock=clock, now=now
        )
        self.estimates = begin_estimate_alerts(
            self.traffic, baselines, significance, cohorts, row_clock=clock, now=now
        )
        self.labels = LabelledOutcomes(
            reference,
            self._keeper,
            self._options,
            has_segments=self.has_segments and reference is not None,
            metrics=self._metrics,
            listeners=(self.risk, self.service.objectives, *listeners_of(self.traffic.estimator)),
        )
        self.labels.ready(now=now)
        self.risk.watch_cohorts(self.labels)

    def begin_outcomes(self, *, now: float) -> bool:
        """Return whether pairs can be ingested; they must wait while a reference is learned.

        A process that records only pairs needs no reference: the first pairs show its classes, and
        whether actuals are numbers.
        """
        learner = self.traffic.learner
        if self.labels is None and learner is not None and not learner.rows:
            self._begin_labels(None, now=now)
        return self.labels is not None

    def ingest_outcomes(self, outcomes: OutcomeEntry | RankingEntry, *, now: float) -> None:
        """Add pairs of predictions and actuals that were reported together."""
        if self.labels is None:
            return
        if not self.calls.rows:  # otherwise the recorded predictions set the time
            self._options.row_clock.update(outcomes.predicted_at)
        if isinstance(outcomes, RankingEntry):
            self.labels.ingest_rankings(outcomes, now=now)
        else:
            rows = read_rows([outcomes.entry])
            self.traffic.declared_columns.update_pairs(rows.features)
            self.labels.ingest_pairs(rows, self.traffic.codes(rows), outcomes, now=now)

    def settle(
        self, labels: LabelQueue, outcomes: Queue[OutcomeEntry | RankingEntry], *, now: float
    ) -> None:
        """Count labels and pairs that still wait, once no reference will be learned any more.

        Labels that never had a reference are counted, but not compared. Pairs need no reference.
        """
        if self.labels is None:
            for entry, is_last_try in self.pending.due(labels.drain()):
                self.pending.match(entry, is_last_try=is_last_try)
            if not outcomes.is_empty:
                self._begin_labels(None, now=now)
        self.pending.settle()
        for pairs in outcomes.drain():
            self.ingest_outcomes(pairs, now=now)

    def retire(self, *, now: float) -> list[LabelEntry]:
        """Stop learning from rows; return the labels whose predictions are still to be recorded.

        Stored predictions keep waiting for their labels, even if no reference has been learned.
        """
        if self.labels is None:
            self._begin_labels(self.traffic.reference, now=now)
        self.traffic.learner = None
        return [entry for entry, _ in self.pending.due(())]

    @property
    def populations(self) -> tuple[Population, ...]:
        """All populations: those of all rows, then those of each segment."""
        segments = range(len(self.segment_names))
        return (*self.whole, *(p for place in segments for p in self.segment(place)))

    @property
    def segment_names(self) -> tuple[str, ...]:
        """The segments, in the order of their codes; empty before comparing begins."""
        segmentation = self.traffic.segmentation
        return () if segmentation is None else segmentation.tally.names

    def segment(self, place: int) -> tuple[Population, ...]:
        """The populations of one segment: features and predictions, then actuals."""
        owners = (self.traffic.segmentation, self.labels)
        splits = [owner.split for owner in owners if owner is not None]
        return tuple(split.populations[place] for split in splits if split is not None)

    @property
    def actuals(self) -> Population | None:
        """The population of labels; None before the first label if the reference has no actuals."""
        return None if self.labels is None else self.labels.population

    @property
    def whole(self) -> tuple[Population, ...]:
        """Populations of all rows: features and predictions, actuals, attributions, KPIs."""
        own = self.traffic.population, self.actuals, self.attributions.population
        populations = (*own, *self.kpis.populations.values())
        return tuple(population for population in populations if population is not None)

    def due(self, *, rows: int, seconds: float, now: float) -> list[Evaluable]:
        """Return the parts with this many new rows, last evaluated at least `seconds` ago.

        Fewer rows suffice after ten check intervals, so that a quiet service is evaluated as well.
        """
        losses = [part for part in (self.risk, self.estimates) if part is not None]
        candidates: tuple[Evaluable, ...] = (*self.populations, *self.service.parts, *losses)
        return [
            candidate
            for candidate in candidates
            if (candidate.unevaluated_rows >= rows and now - candidate.evaluated_at >= seconds)
            or (candidate.unevaluated_rows and now - candidate.evaluated_at >= self._quiet_seconds)
        ]

    def group_alerts(self, changed: Sequence[Alert]) -> list[Incident]:
        """Sort changed alerts into incidents; return the incidents that opened or closed."""
        row = self.calls.rows
        find_fault = None if self.risk is None else self.risk.find_fault
        examine_labels(self.risk, self.populations, self.incidents)
        cause = partial(find_cause, traffic=self.traffic, find_fault=find_fault)
        incidents = self._examination.group(changed, self.incidents, self.traffic, cause, row=row)
        if incidents and self.risk is not None:
            self.risk.watch_since({incident.started_at for incident in self.incidents.incidents})
        return incidents

    def simulate_next(self) -> None:
        """Simulate a part of the thresholds of a learned reference, if any is left."""
        for population in self.populations:
            if population.drift is not None and population.drift.window.simulate_next():
                return

    @property
    def memory_bytes(self) -> int:
        """Upper bound in bytes; it depends only on the configuration and the reference."""
        populations = self.populations
        total = sum(population.memory_bytes for population in populations)
        drifts = [p.drift for p in populations if p.drift is not None]
        total += max((drift.window.simulation_nbytes for drift in drifts), default=0)
        sums = [] if self.labels is None else [self.labels.errors, *self.labels.segment_errors]
        total += sum(error_sums.nbytes for error_sums in sums)
        tracker = None if self.labels is None else self.labels.tracker
        optional = (tracker, self.risk, self.estimates, self.traffic.reference)
        total += sum(part.nbytes for part in optional if part is not None)
        total += 0 if self.traffic.comparing is None else self.traffic.comparing.nbytes
        total += self.service.nbytes + self.attributions.memory_bytes
        return total + self.pending.memory_bytes
