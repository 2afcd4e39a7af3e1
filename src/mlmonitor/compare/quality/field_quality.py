"""Quality of the fields of one population: bad values beyond what the reference had of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.alert_states import AlertStates
from mlmonitor.compare.alerts.recovery import CALM_ROWS
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.quality.constant_runs import Run, RunDetector
from mlmonitor.compare.quality.defects import TOLD, Defect, stream_counts, streams_of
from mlmonitor.compare.quality.new_fields import NewFieldDetector
from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.gil import yield_gil
from mlmonitor.records import Counts, Floats, Mask, Role

CONSTANT, VANISHED = "constant", "vanished"


class Shares(NamedTuple):
    """By stream, over a window: the share of bad values, and what it may be by chance."""

    share: Floats
    critical: Floats


class AlertKey(NamedTuple):
    """What there can be an alert of: a measure of a field, at its place in the schema."""

    at: int
    measure: str


class FieldQuality:
    """Whether the values of a population's fields are as good as those of the reference.

    Each field has a stream for every way in which values can be bad, and two more: constant and
    vanished. All streams of a model share `QUALITY_PART` of `alpha`.
    """

    def __init__(
        self, plan: Plan, entries: Sequence[CountedEntry], level: Significance, segment: str = ALL
    ) -> None:
        self._plan, self._segment = plan, segment
        self.streams: list[Defect] = streams_of(entries)
        self._level = level
        self._shares = ProportionAlerts(
            np.array([stream.belief for stream in self.streams]).reshape(-1, 2),
            threshold=level.quality_threshold,
            tolerance=level.quality_tolerance,
            min_rows=level.min_rows,
        )
        self._runs = RunDetector(plan, entries)
        self._run_alerts = AlertStates(
            2 * len(entries),
            threshold=level.quality_threshold,
            tolerance=0.0,
            min_rows=max(2, level.min_rows),
        )
        self._calm_rows: Counts = np.zeros(2 * len(entries), np.int64)
        self._seen: Counts = np.zeros((len(self.streams), 2), np.int64)
        self._rows = 0
        self._newcomers: NewFieldDetector | None = None
        self._alerts: dict[tuple[str, int], Alert] = {}

    def watch_names(self, unknown: Mapping[str | None, int], reference_rows: int) -> None:
        """Look for names among `unknown`, which is kept up to date, that no row used to have."""
        self._newcomers = NewFieldDetector(
            unknown,
            reference_rows=reference_rows,
            has_predictions=any(f.role is Role.PREDICTION for f in self._plan.schema.fields),
            threshold=self._level.quality_threshold,
            tolerance=self._level.quality_tolerance,
            min_rows=self._level.min_rows,
        )

    def skip(self, total: Profile) -> None:
        """Leave out everything so far: rows that became the reference prove nothing."""
        self._seen, self._rows = stream_counts(self.streams, total.quality), total.rows
        self._runs.skip(total)

    def look(self, total: Profile, extremes: tuple[Floats, Floats], *, now: float) -> list[Alert]:
        """Take in what is new; the alerts that were raised or cleared by it.

        extremes: of the new values, see `Window.drain_extremes`.
        """
        counts, rows = stream_counts(self.streams, total.quality), total.rows - self._rows
        new, self._seen, self._rows = counts - self._seen, counts, total.rows
        yield_gil()
        turned = self._look_at_shares(new, now=now)
        yield_gil()
        turned += self._look_at_runs(total, extremes, rows, now=now)
        if self._newcomers is not None:
            turned += self._newcomers.look(total.rows, now=now)
        return turned

    @property
    def alerts(self) -> list[Alert]:
        """The alerts that hold."""
        new = [] if self._newcomers is None else list(self._newcomers.alerts.values())
        return list(self._alerts.values()) + new

    @property
    def alert_keys(self) -> list[AlertKey]:
        """Every alert there can be about a field; those of new names aside."""
        found = [AlertKey(each.at, each.quality.value) for each in self.streams]
        fields = range(len(self._plan.schema))
        return found + [AlertKey(at, measure) for measure in (CONSTANT, VANISHED) for at in fields]

    @property
    def raised(self) -> Mask:
        """Which of the `alert_keys` are firing."""
        return np.concatenate([self._shares.raised, self._run_alerts.raised])

    @property
    def new_fields(self) -> int | None:
        """How many alerts of new names hold; None where names are not watched."""
        return None if self._newcomers is None else len(self._newcomers.alerts)

    def shares(self, recent: Profile) -> Shares:
        """Of the window: each stream's share of bad values, and what it may be by chance."""
        counts = stream_counts(self.streams, recent.quality)
        rows = counts.sum(axis=1)
        share = np.where(rows > 0, counts[:, 0] / np.maximum(rows, 1), np.nan)
        return Shares(share, self._shares.critical(rows))

    @property
    def nbytes(self) -> int:
        """Memory held at most; that of new names aside, until there are any."""
        more = 0 if self._newcomers is None else self._newcomers.nbytes
        return self._shares.nbytes + self._runs.nbytes + self._seen.nbytes + more

    def _look_at_shares(self, new: Counts, *, now: float) -> list[Alert]:
        looked = self._shares.look(new, now=now)
        belief = self._shares.belief
        before = belief[:, 0] / belief.sum(axis=1)
        turned = []
        raised = _places(looked.turn.raised)
        critical = self._shares.critical(looked.rows) if raised else looked.share
        for at in raised:
            stream, share = self.streams[at], float(looked.share[at])
            told = TOLD[stream.quality]
            reason = f"{told}: {before[at]:.2%} of values to be expected, {share:.2%} now"
            turned.append(
                self._raise(
                    ("share", at),
                    self._alert(
                        stream.at,
                        stream.quality.value,
                        value=share,
                        threshold=float(critical[at]),
                        log10_e_value=float(looked.log10_e[at]),
                        rows=int(looked.rows[at]),
                        now=now,
                        reason=reason,
                    ),
                )
            )
        return turned + self._clear("share", looked.turn.cleared)

    def _look_at_runs(
        self, total: Profile, extremes: tuple[Floats, Floats], rows: int, *, now: float
    ) -> list[Alert]:
        run, goes_on = self._runs.look(total, extremes)
        self._calm_rows = np.where(goes_on, self._calm_rows + rows, 0)
        turn = self._run_alerts.look(
            run.log_e,
            np.ones(len(goes_on)),
            run.rows.astype(np.float64),
            is_calm=self._calm_rows >= CALM_ROWS,
            now=now,
        )
        turned = [
            self._raise(("run", at), self._run_alert(at, run, now)) for at in _places(turn.raised)
        ]
        return turned + self._clear("run", turn.cleared)

    def _run_alert(self, at: int, run: Run, now: float) -> Alert:
        fields, rows = len(self._plan.schema), int(run.rows[at])
        is_constant = at < fields
        return self._alert(
            at % fields,
            CONSTANT if is_constant else VANISHED,
            value=1.0,
            threshold=float(np.exp(run.log_chance[at])),
            log10_e_value=float(run.log_e[at] / np.log(10)),
            rows=rows,
            now=now,
            reason=f"the last {rows:,} values are equal; the reference's vary"
            if is_constant
            else f"none of the last {rows:,} rows has a value",
        )

    def _alert(  # noqa: PLR0913 - what an alert tells
        self,
        at: int,
        measure: str,
        *,
        value: float,
        threshold: float,
        log10_e_value: float,
        rows: int,
        now: float,
        reason: str,
    ) -> Alert:
        field = self._plan.schema.fields[at]
        return Alert(
            field=field.name,
            role=field.role,
            segment=self._segment,
            measure=measure,
            value=value,
            threshold=threshold,
            log10_e_value=log10_e_value,
            state="firing",
            rows=rows,
            started_at=now,
            reason=reason,
        )

    def _raise(self, key: tuple[str, int], alert: Alert) -> Alert:
        self._alerts[key] = alert
        return alert

    def _clear(self, sort: str, cleared: Mask) -> list[Alert]:
        gone = [self._alerts.pop((sort, at)) for at in _places(cleared)]
        return [replace(alert, state="resolved") for alert in gone]


def _places(mask: Mask) -> list[int]:
    places: list[int] = np.flatnonzero(mask).tolist()
    return places
