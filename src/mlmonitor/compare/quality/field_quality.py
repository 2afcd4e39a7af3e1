"""Quality of the fields of one population: more defects than in the reference."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.alert_states import AlertStates
from mlmonitor.compare.alerts.changed_rows import ChangedRows
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.alerts.recovery import RECOVERY_ROWS
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.drift.new_names import NewNames, no_names
from mlmonitor.compare.quality.constant_runs import RunDetector, RunEvidence
from mlmonitor.compare.quality.defects import DESCRIPTIONS, Defect, DefectColumns, list_defects
from mlmonitor.compare.quality.new_fields import NewFieldDetector
from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts, ProportionEvaluation
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.formatting import percent
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats, Mask, Quality
from mlmonitor.stats.dependence.design_effects import DesignEffects

CONSTANT, VANISHED = "constant", "vanished"


class AlertKey(NamedTuple):
    """Identifies an alert: a measure of the field at index `place` of the schema."""

    place: int
    measure: str


class QualitySnapshot(NamedTuple):
    """Quality over one window.

    shares: the shares of defective values, `[defects]`.
    thresholds: the critical values of the shares.
    is_firing: `[alert_keys]`.
    new_fields: the number of firing alerts on new names; None if names are not watched.

    `defects` and `alert_keys` are the same objects in every snapshot of a population.
    """

    defects: tuple[Defect, ...]
    alert_keys: tuple[AlertKey, ...]
    shares: Floats
    thresholds: Floats
    is_firing: Mask
    new_fields: int | None


class _Evidence(NamedTuple):
    """The result of one evaluation for an alert that fires."""

    value: float
    threshold: float
    log10_e_value: float
    rows: int
    reason: str


class FieldQuality:
    """Detects fields whose values have more defects than those of the reference.

    Each field has a stream for every possible defect, and two more: constant and vanished. All
    streams of a model share `QUALITY_PART` of `alpha`. new_fields: the detector of names outside
    the reference, if the rows may have any. new_names: describes the new categories of a field.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that a stream needs
        self,
        plan: Plan,
        entries: Sequence[CountedEntry],
        significance: Significance,
        segment: str = ALL,
        new_fields: NewFieldDetector | None = None,
        new_names: NewNames = no_names,
        *,
        dependence: DesignEffects | None = None,
    ) -> None:
        self._new_names = new_names
        self._plan, self._segment, self._new_fields = plan, segment, new_fields
        self._defects = list_defects(entries)
        self._columns = DefectColumns.find(self._defects)
        runs = [AlertKey(p, m) for m in (CONSTANT, VANISHED) for p in range(len(plan.schema))]
        self.alert_keys: tuple[AlertKey, ...] = (
            *(AlertKey(d.place, d.quality.value) for d in self._defects),
            *runs,
        )
        self.proportions: ProportionAlerts = ProportionAlerts(
            np.array([defect.belief for defect in self._defects]).reshape(-1, 2),
            threshold=significance.quality_threshold,
            tolerance=significance.quality_tolerance,
            min_rows=significance.min_rows,
            dependence=_select_defects(dependence, self._defects),
        )
        self._runs = RunDetector(plan, entries, dependence)
        self.run_states: AlertStates = AlertStates(
            2 * len(entries),
            threshold=significance.quality_threshold,
            tolerance=0.0,
            min_rows=max(2, significance.min_rows),
        )
        self._varied_rows: Counts = np.zeros(2 * len(entries), np.int64)
        self._seen: Counts = np.zeros((len(self._defects), 2), np.int64)
        self.changed: ChangedRows = ChangedRows(self._seen.shape)
        self._rows = 0
        self.open: OpenAlerts = OpenAlerts()

    def skip(self, total: FieldProfile) -> None:
        """Exclude everything so far, because rows that became the reference are not evidence."""
        self._seen, self._rows = self._columns.count_values(total.quality), total.rows
        self._runs.skip(total)

    def continue_alerts(self, other: "FieldQuality", *, without: int) -> list[Alert]:
        """Take over the firing alerts of all fields but one; return its alerts as resolved.

        without: the index of that field.
        """
        if self.alert_keys != other.alert_keys:  # the field has other defects than before
            return [replace(alert, state="resolved") for alert in other.open]
        kept = np.array([key.place != without for key in self.alert_keys], np.bool_)
        defects = len(self._defects)
        self.proportions.continue_from(other.proportions, kept[:defects])
        self.run_states.continue_from(other.run_states, kept[defects:])
        self.changed.continue_from(other.changed)
        return self.open.continue_from(other.open, kept)

    def evaluate(
        self, total: FieldProfile, extremes: tuple[Floats, Floats], *, now: float
    ) -> list[Alert]:
        """Evaluate the increase of the totals; return the alerts that fired or resolved.

        extremes: the smallest and the largest of the new values, as the window returns them.
        """
        counts, rows = self._columns.count_values(total.quality), total.rows - self._rows
        new, self._seen, self._rows = counts - self._seen, counts, total.rows
        yield_gil()
        proportions = self.proportions.evaluate(new, now=now)
        yield_gil()
        run, run_transitions = self._evaluate_runs(total, extremes, rows, now=now)
        transitions = Transitions(
            np.concatenate([proportions.transitions.fired, run_transitions.fired]),
            np.concatenate([proportions.transitions.resolved, run_transitions.resolved]),
        )
        self.changed.begin(proportions.transitions.fired, counts, _split_rows(proportions))
        changed = self.open.apply(transitions, self._make_builder(proportions, run, now))
        if self._new_fields is not None:
            changed += self._new_fields.evaluate(total.rows, now=now)
        return changed

    @property
    def alerts(self) -> list[Alert]:
        """The firing alerts."""
        return [*self.open, *(() if self._new_fields is None else self._new_fields.alerts)]

    def snapshot(self, recent: FieldProfile) -> QualitySnapshot:
        """Return the quality over a window, and update `current` of the firing alerts."""
        counts = self._columns.count_values(recent.quality)
        rows = counts.sum(axis=1)
        shares = np.where(rows > 0, counts[:, 0] / np.maximum(rows, 1), np.nan)
        if len(self.open):
            self._refresh_alerts(counts, recent)
        return QualitySnapshot(
            defects=self._defects,
            alert_keys=self.alert_keys,
            shares=shares,
            thresholds=self.proportions.thresholds(rows),
            is_firing=np.concatenate([self.proportions.is_firing, self.run_states.is_firing]),
            new_fields=None if self._new_fields is None else len(self._new_fields.alerts),
        )

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes, including that of new names if there are any."""
        more = 0 if self._new_fields is None else self._new_fields.nbytes
        counts = self._seen.nbytes + self.changed.nbytes
        return self.proportions.nbytes + self._runs.nbytes + counts + more

    def _refresh_alerts(self, window: Counts, recent: FieldProfile) -> None:
        """Update the current value and the reason of each firing alert.

        Both cover the rows since the change, or the window if it has fewer rows.
        """
        shown = self.changed.count(self._seen, window)
        rows = shown.sum(axis=1)
        shares = np.where(rows > 0, shown[:, 0] / np.maximum(rows, 1), np.nan)
        self.open.refresh(
            np.concatenate([shares, self._runs.shares(recent)]),
            lambda place: (
                self._explain_defect(place, float(shares[place])) if place < len(shares) else None
            ),
        )

    def _evaluate_runs(
        self, total: FieldProfile, extremes: tuple[Floats, Floats], rows: int, *, now: float
    ) -> tuple[RunEvidence, Transitions]:
        run, has_varied = self._runs.evaluate(total, extremes)
        self._varied_rows = np.where(has_varied, self._varied_rows + rows, 0)
        transitions = self.run_states.evaluate(
            run.log_e,
            np.ones(len(has_varied)),
            run.rows.astype(np.float64),
            has_recovered=self._varied_rows >= RECOVERY_ROWS,
            now=now,
        )
        return run, transitions

    def _make_builder(
        self, proportions: ProportionEvaluation, run: RunEvidence, now: float
    ) -> Callable[[int], Alert]:
        """Return a function that builds the alert at an index of `alert_keys`."""
        defects = len(self._defects)
        thresholds = (
            self.proportions.thresholds(proportions.rows)
            if proportions.transitions.fired.any()
            else proportions.share  # unused: no alert is built
        )

        def build(place: int) -> Alert:
            is_run = place >= defects
            evidence = (
                self._find_run_evidence(place - defects, run)
                if is_run
                else self._find_defect_evidence(place, proportions, float(thresholds[place]))
            )
            key = self.alert_keys[place]
            field = self._plan.schema.fields[key.place]
            return Alert(
                field=field.name,
                role=field.role,
                segment=self._segment,
                measure=key.measure,
                value=evidence.value,
                current=evidence.value,
                threshold=evidence.threshold,
                log10_e_value=evidence.log10_e_value,
                state="firing",
                rows=evidence.rows,
                started_at=now,
                reason=evidence.reason,
            )

        return build

    def _find_defect_evidence(
        self, place: int, proportions: ProportionEvaluation, threshold: float
    ) -> _Evidence:
        share = float(proportions.share[place])
        return _Evidence(
            value=share,
            threshold=threshold,
            log10_e_value=float(proportions.log10_e[place]),
            rows=int(proportions.rows[place]),
            reason=self._explain_defect(place, share),
        )

    def _explain_defect(self, place: int, share: float) -> str:
        """Return the expected and the current share of a defect as text, with new names."""
        belief, defect = self.proportions.belief[place], self._defects[place]
        is_new = defect.quality is Quality.NEW_CATEGORY
        named = self._new_names(defect.place) if is_new else ""
        before = belief[0] / belief.sum()
        description = f"{DESCRIPTIONS[defect.quality]}{named}"
        return f"{description}: {percent(before)} of values expected, {percent(share)} now"

    def _find_run_evidence(self, stream: int, run: RunEvidence) -> _Evidence:
        rows, is_constant = int(run.rows[stream]), stream < len(self._plan.schema)
        return _Evidence(
            value=1.0,
            threshold=float(np.exp(run.log_chance[stream])),
            log10_e_value=float(run.log_e[stream] / np.log(10)),
            rows=rows,
            reason=f"the last {rows:,} values are equal; those of the reference vary"
            if is_constant
            else f"none of the last {rows:,} rows has a value",
        )


def _split_rows(evaluation: ProportionEvaluation) -> Counts:
    """Return the defective and good values of the stretch with the most evidence."""
    defective = np.rint(evaluation.share * evaluation.rows).astype(np.int64)
    return np.stack([defective, evaluation.rows - defective], axis=1)


def _select_defects(
    dependence: DesignEffects | None, defects: Sequence[Defect]
) -> DesignEffects | None:
    if dependence is None:
        return None
    return dependence.select(np.array([defect.place for defect in defects], np.int64))
