"""Drift of the fields of one population: distances, their thresholds, evidence, alerts."""

from collections.abc import Callable, Sequence

import numpy as np

from mlmonitor.aggregate.history import History
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.alert_states import AlertStates
from mlmonitor.compare.alerts.changed_rows import ChangedRows
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.alerts.recovery import Recovery
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.baseline import Baseline, season_rows
from mlmonitor.compare.count_table import (
    possible_bins,
    prior_counts,
    profile_counts,
    refused_counts,
)
from mlmonitor.compare.drift.change_effect import ChangeEffect
from mlmonitor.compare.drift.drift_history import DriftHistory, compute_drift_history
from mlmonitor.compare.drift.drift_reasons import DriftReasons
from mlmonitor.compare.drift.new_names import NewNames, no_names
from mlmonitor.compare.drift.row_dependence import INDEPENDENT, EffectiveCounts
from mlmonitor.compare.drift.second_changes import SecondChanges
from mlmonitor.compare.drift.window_scores import WindowScores
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.gil import yield_gil
from mlmonitor.records import REFUSED, Counts, Floats, Mask
from mlmonitor.stats.distance import Table, psi, psi_low
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.evidence.evidence_process import ChangeSegment, EvidenceProcess
from mlmonitor.stats.evidence.tilts import tilt_factors
from mlmonitor.stats.seasonal_eprocess import SeasonalEProcess

PSI = "psi"
"""The measure of drift alerts."""


class Drift:
    """Drift of the counts of a population from its reference.

    Scores and thresholds cover the window; evidence covers everything since the start, in the
    blocks between calls of `evaluate`. Price: `nbytes`, constant.
    """

    def __init__(
        self,
        plan: Plan,
        entries: Sequence[CountedEntry],
        significance: Significance,
        segment: str = ALL,
        new_names: NewNames = no_names,
        *,
        effective: EffectiveCounts = INDEPENDENT,
    ) -> None:
        self._plan, self._segment = plan, segment
        self._reasons = DriftReasons(plan, entries, new_names)
        self._baseline = Baseline.from_entries(entries, plan)
        counts = self._baseline.counts
        self._effective, dependence = effective, effective.dependence
        self.window: WindowScores = WindowScores(plan, entries, self._baseline, self._effective)
        prior, possible = prior_counts(entries, plan), possible_bins(plan)
        self._evidence: EvidenceProcess = (
            SeasonalEProcess(self._baseline.by_season, possible, prior=prior, dependence=dependence)
            if self._baseline.has_seasons
            else EProcess(
                counts,
                possible,
                prior=prior,
                tilts=tilt_factors(counts, _is_ordered(plan)),
                dependence=dependence,
            )
        )
        self.states: AlertStates = AlertStates(
            len(entries),
            threshold=significance.drift_threshold,
            tolerance=0.0,  # the effect is what exceeds the tolerance
            min_rows=significance.min_rows,
        )
        self._effect = ChangeEffect(self._baseline, effective, significance)
        self._second = SecondChanges(
            possible, effective, self._effect, threshold=significance.drift_threshold
        )
        self._is_unrepeated = np.array([entry.is_unrepeated for entry in entries], np.bool_)
        self._refused: Counts = np.zeros((len(entries), len(REFUSED)), np.int64)
        self._skipped: Counts = np.zeros_like(self._refused)
        self._seen: Counts = np.zeros_like(counts)
        # The counts of a stretch are followed by its number of rows in each season.
        shape = len(entries), counts.shape[1] + plan.seasons
        self.changed: ChangedRows = ChangedRows(shape, bins=counts.shape[1])
        self._recovery = Recovery(shape, bins=counts.shape[1])
        self._season = -1  # none yet
        self.alerts: OpenAlerts = OpenAlerts()

    def skip(self, total: FieldProfile) -> None:
        """Exclude everything so far, because rows that became the reference are not evidence."""
        self._seen, self._skipped = profile_counts(total), refused_counts(total)

    def continue_alerts(self, other: "Drift", total: FieldProfile, *, without: int) -> list[Alert]:
        """Take over the firing alerts of all fields but one; return its alerts as resolved.

        without: the index of that field. The other alerts take as many rows to resolve as new ones,
        because their evidence starts again.
        """
        kept = np.arange(len(self._is_unrepeated)) != without
        self.states.continue_from(other.states, kept)
        counts = np.hstack([profile_counts(total), season_rows(total)])
        self._recovery.restart(kept, counts, np.zeros(kept.size, np.int64))
        self.changed.continue_from(other.changed)
        return self.alerts.continue_from(other.alerts, kept)

    def evaluate(self, total: FieldProfile, *, now: float) -> list[Alert]:
        """Evaluate the increase of the totals; return the alerts that fired or resolved."""
        counts, seasons = self._ingest(total), season_rows(total)
        yield_gil()
        log_e, change = self._evidence.evaluate()
        log_e = np.where(
            self._is_unrepeated, -np.inf, log_e
        )  # a later time or another id is not drift
        yield_gil()
        excess, change = self._effect.judge(self._evidence, log_e, change)
        yield_gil()
        self._refused = refused_counts(total) - self._skipped
        by_season = np.hstack([counts, seasons])
        transitions = self.states.evaluate(
            log_e,
            excess,
            change.rows.astype(np.float64),
            has_recovered=self._recovery.evaluate(by_season, self._shows_nothing),
            now=now,
        )
        yield_gil()
        self._recovery.restart(transitions.fired, by_season, change.rows)
        self.changed.begin(transitions.fired, by_season, np.hstack([change.counts, change.seasons]))
        changed = self.alerts.apply(
            transitions, lambda place: self._build_alert(place, float(log_e[place]), change, now)
        )
        if not self._baseline.has_seasons:  # with seasons, one hour says nothing about the next
            changed += self._update_changed(transitions, counts, change, now)
        self._evidence.reset(transitions.resolved)
        self._skipped[transitions.resolved] += self._refused[transitions.resolved]
        return changed

    def _update_changed(
        self, transitions: Transitions, counts: Counts, change: ChangeSegment, now: float
    ) -> list[Alert]:
        """Update the alerts of fields that have changed again; return these alerts."""
        self._second.end(transitions.resolved)
        self._second.begin(transitions.fired, counts, change.rows)
        changed = []
        for further in self._second.evaluate(counts):
            at = further.place
            change.counts[at], change.rows[at] = further.counts, further.counts.sum()
            self.changed.begin(np.arange(len(counts)) == at, counts, change.counts)
            alert = self._build_alert(at, further.log_e, change, now)
            changed.append(self.alerts.update(at, alert))
            self._second.begin(np.arange(len(counts)) == at, counts, change.rows)
        return changed

    def refresh_alerts(self, total: FieldProfile, recent: FieldProfile) -> None:
        """Update the current value and the reason of each firing alert.

        Both cover the rows since the change, or the window if it has fewer rows.
        """
        if not len(self.alerts):
            return
        all_rows, window = (
            np.hstack([profile_counts(profile), season_rows(profile)])
            for profile in (total, recent)
        )
        changed = self.changed.count(all_rows, window)
        counts, seasons = np.hsplit(changed, [self._seen.shape[1]])
        expected = self._baseline.for_rows(seasons)
        self.alerts.refresh(
            psi(expected, counts), lambda place: self._explain(place, expected, counts)
        )

    def begin_season(self, season: int, total: Callable[[], FieldProfile]) -> None:
        """Assign the rows from now on to this season, after evaluating the rows before."""
        if self._baseline.has_seasons and season != self._season:
            self._ingest(total())
            self._evidence.begin_season(season)
            self._season = season

    def history(self, slices: History) -> DriftHistory:
        """The PSI of each part of the window, with the threshold that 1% of such parts exceed."""
        return compute_drift_history(
            slices,
            self._plan,
            self._baseline.for_rows,
            self.window.psi_threshold,
        )

    @property
    def log10_e_value(self) -> Floats:
        """The log10 e-value of each field so far."""
        log10_e: Floats = self._evidence.log_e() / np.log(10)
        return log10_e

    @property
    def is_firing(self) -> Mask:
        """Whether the alert of each field is firing; do not write to the array."""
        return self.states.is_firing

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        statistics = self._evidence.nbytes + self._baseline.nbytes + self.window.nbytes
        counts = self._recovery.nbytes + self._seen.nbytes + self.changed.nbytes
        return statistics + counts + self._second.nbytes

    def _ingest(self, total: FieldProfile) -> Counts:
        """Add the increase of the totals to the evidence; return all counts."""
        counts = profile_counts(total)
        self._evidence.update(counts - self._seen)
        self._seen = counts
        return counts

    def _shows_nothing(self, since: Counts) -> Mask:
        """Return which fields show no drift in the counts `since`, `[fields, bins + seasons]`."""
        counts, seasons = np.hsplit(since, [self._seen.shape[1]])
        is_zero: Mask = self._bound_psi(counts, seasons) == 0
        return is_zero

    def _bound_psi(self, counts: Counts, seasons: Counts) -> Floats:
        """Return a lower bound of each field's PSI.

        counts: rows by field and bin. seasons: the same rows by field and season.
        """
        expected = self._effective.expected(self._baseline.for_rows(seasons))
        return np.nan_to_num(psi_low(expected, self._effective.current(counts)))

    def _explain(self, place: int, expected: Table, counts: Counts) -> str:
        return self._reasons.explain(place, expected[place], counts[place], self._refused[place])

    def _build_alert(self, place: int, log_e: float, change: ChangeSegment, now: float) -> Alert:
        counts, expected = change.counts, self._baseline.for_rows(change.seasons)
        field, rows = self._plan.schema.fields[place], int(counts[place].sum())
        threshold = self.window.thresholds_of(counts, expected)[PSI]
        one = slice(place, place + 1)
        value = float(psi(expected[one], counts[one])[0])
        return Alert(
            field=field.name,
            role=field.role,
            segment=self._segment,
            measure=PSI,
            value=value,
            current=value,
            threshold=float(threshold[place]),
            log10_e_value=float(log_e / np.log(10)),
            state="firing",
            rows=rows,
            started_at=now,
            reason=self._explain(place, expected, counts),
            effective_rows=rows / float(self._effective.at(counts)[place]),
            is_dependence_known=self._effective.is_known(place),
        )


def _is_ordered(plan: Plan) -> Mask:
    numeric = len(plan.schema.numeric)
    return np.arange(len(plan.schema)) < numeric
