"""Drift of the fields of one population: distances, what chance makes of them, evidence, alarms."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.aggregate.window import View
from mlmonitor.compare.alarm import Alarms, Mask
from mlmonitor.compare.critical import SIMULATION_BYTES, Critical
from mlmonitor.compare.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    Table,
    psi,
    psi_low,
    wasserstein,
)
from mlmonitor.compare.evidence import Evidence, Stretch
from mlmonitor.compare.finding import Finding
from mlmonitor.compare.fit import Entry
from mlmonitor.compare.seasonal_evidence import SeasonalEvidence
from mlmonitor.compare.seasons import Baseline, season_rows
from mlmonitor.compare.segments import ALL
from mlmonitor.compare.table import bin_names, present, profile_counts
from mlmonitor.records import Counts, Floats
from mlmonitor.reference_format import NumericReference

_CALM_ROWS = 200  # fewer rows cannot show that all is as it was
_CALM_STRETCHES = 3  # as many rows as raised an alarm might miss it, three times as many hardly


class Level(NamedTuple):
    """When a change is an alarm.

    alpha: the chance that any field ever alarms though nothing drifts. fields: how many share it,
    in all populations of a model. tolerance: a PSI too small to matter. min_rows: fewer never
    alarm.
    """

    alpha: float
    fields: int
    tolerance: float
    min_rows: int = 0


class Drift:
    """What the counts of a population say against its reference.

    Scores and critical values are of the window; evidence is of everything since the start, block
    by block as `look` is called. Price: `nbytes`, constant.
    """

    def __init__(
        self, plan: Plan, entries: Sequence[Entry], level: Level, segment: str = ALL
    ) -> None:
        self._plan, self._segment = plan, segment
        self._baseline = Baseline(entries, plan)
        counts = self._baseline.counts
        self._critical = Critical([entry.critical for entry in entries], counts, entries)
        self._quantiles, self._stddev = _spread(entries[: len(plan.schema.numeric)])
        self._evidence: Evidence | SeasonalEvidence = (
            SeasonalEvidence(self._baseline.by_season, present(plan))
            if self._baseline.has_seasons
            else Evidence(counts, present(plan))
        )
        self._alarms = Alarms(
            len(entries),
            level=float(np.log(level.fields / level.alpha)),
            tolerance=level.tolerance,
            min_rows=level.min_rows,
        )
        self._seen: Counts = np.zeros_like(counts)
        # An alarm is checked on stretches of rows longer than the one that raised it.
        self._checked: Counts = np.zeros_like(counts)
        self._checked_seasons: Counts = np.zeros((len(entries), plan.seasons), np.int64)
        self._stretch_rows: Counts = np.full(len(entries), _CALM_ROWS, np.int64)
        self._season = -1  # none yet
        self.findings: dict[int, Finding] = {}

    def skip(self, total: Profile) -> None:
        """Leave out everything so far: rows that became the reference prove nothing."""
        self._seen = profile_counts(total)

    def look(self, total: Profile, *, now: float) -> list[Finding]:
        """Take in what is new in the totals; the alarms that were raised or cleared by it."""
        counts, seasons = self._weigh(total), season_rows(total)
        log_e, stretch = self._evidence.log_e(), self._evidence.stretch()
        turn = self._alarms.look(
            log_e,
            np.nan_to_num(psi_low(self._baseline.against(stretch.seasons), stretch.counts)),
            stretch.rows.astype(np.float64),
            is_calm=self._is_calm(counts, seasons),
            now=now,
        )
        self._checked[turn.raised] = counts[turn.raised]
        self._checked_seasons[turn.raised] = seasons[turn.raised]
        long_enough = np.maximum(_CALM_STRETCHES * stretch.rows, _CALM_ROWS)
        self._stretch_rows = np.where(turn.raised, long_enough, self._stretch_rows)
        raised: list[int] = np.flatnonzero(turn.raised).tolist()
        cleared: list[int] = np.flatnonzero(turn.cleared).tolist()
        for at in raised:
            self.findings[at] = self._finding(at, float(log_e[at]), stretch, now)
        turned = [self.findings[at] for at in raised]
        turned += [replace(self.findings.pop(at), alarm="cleared") for at in cleared]
        self._evidence.forget(turn.cleared)
        return turned

    def simulate_next(self) -> bool:
        """Work out a part of what chance makes of learned fields; False once all is known."""
        return self._critical.simulate_next()

    @property
    def simulation_nbytes(self) -> int:
        """Memory that such a part takes for a moment, of which only one is worked out at a time."""
        return SIMULATION_BYTES if self._critical.is_simulating else 0

    def begin(self, season: int, total: Callable[[], Profile]) -> None:
        """Rows come in this season from now on; those before it are weighed as what they were."""
        if isinstance(self._evidence, SeasonalEvidence) and season != self._season:
            self._weigh(total())
            self._evidence.begin(season)
            self._season = season

    def scores(self, recent: View) -> dict[str, Floats]:
        """Every measure of the window, a number a field; NaN where it has no meaning.

        Wasserstein is of the window's digests, all others of its counts.
        """
        counts = profile_counts(recent.profile)
        against = self._baseline.against(season_rows(recent.profile))
        found = {name: measure(against, counts) for name, measure in MEASURES.items()}
        numeric = len(self._stddev)
        for name in ORDERED:
            found[name][numeric:] = np.nan
        moved = np.full(len(counts), np.nan)
        if not self._baseline.has_seasons:  # the quantiles of a season are not known
            quantiles = recent.shapes.digests.quantile(WASSERSTEIN_RANKS)
            moved[:numeric] = wasserstein(self._quantiles, quantiles, self._stddev)
        return {**found, WASSERSTEIN: moved}

    def critical(self, recent: View) -> dict[str, Floats]:
        """What each measure of the window passes once in a hundred windows without any drift."""
        against = self._baseline.against(season_rows(recent.profile))
        found = self._critical.at(profile_counts(recent.profile), against)
        for name in ORDERED:
            found[name][len(self._stddev) :] = np.nan
        return found

    @property
    def log10_evidence(self) -> Floats:
        """The evidence of each field, as it stands."""
        log10_e: Floats = self._evidence.log_e() / np.log(10)
        return log10_e

    @property
    def alarms(self) -> list[bool]:
        """Whether each field's alarm is raised."""
        return [bool(raised) for raised in self._alarms.raised]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        tables = self._seen, self._checked, self._checked_seasons, self._stretch_rows
        held = self._evidence.nbytes + self._baseline.nbytes + self._critical.nbytes
        return held + sum(table.nbytes for table in tables)

    def _weigh(self, total: Profile) -> Counts:
        """Take what is new in the totals into the evidence; the counts of all."""
        counts = profile_counts(total)
        self._evidence.update(counts - self._seen)
        self._seen = counts
        return counts

    def _is_calm(self, counts: Counts, seasons: Counts) -> Mask:
        """Whether the stretch that has just been completed shows nothing."""
        since = counts - self._checked
        is_complete: Mask = since.sum(axis=1) >= self._stretch_rows
        against = self._baseline.against(seasons - self._checked_seasons)
        is_still: Mask = np.nan_to_num(psi_low(against, since)) == 0
        self._checked[is_complete] = counts[is_complete]
        self._checked_seasons[is_complete] = seasons[is_complete]
        return is_complete & is_still

    def _finding(self, at: int, log_e: float, stretch: Stretch, now: float) -> Finding:
        counts, against = stretch.counts, self._baseline.against(stretch.seasons)
        field, rows = self._plan.schema.fields[at], int(counts[at].sum())
        critical = self._critical.at(counts, against)["psi"]
        one = slice(at, at + 1)
        return Finding(
            field=field.name,
            role=field.role,
            segment=self._segment,
            measure="psi",
            value=float(psi(against[one], counts[one])[0]),
            critical=float(critical[at]),
            evidence=float(log_e / np.log(10)),
            alarm="raised",
            rows=rows,
            since=now,
            reason=self._reason(at, against[at], counts[at]),
        )

    def _reason(self, at: int, against: Table, counts: Counts) -> str:
        """Which bin has moved most, and from where to where."""
        then = against / max(float(against.sum()), 1.0)
        now = counts / max(int(counts.sum()), 1)
        most = int(np.argmax(np.abs(now - then)))
        name = bin_names(self._plan, at)[most]
        return f"{name}: {then[most]:.1%} before, {now[most]:.1%} now"


def _spread(entries: Sequence[Entry]) -> tuple[Floats, Floats]:
    """Of numeric entries: quantiles `[fields, ranks]` and standard deviations, NaN if unknown."""
    quantiles = np.full((len(entries), WASSERSTEIN_RANKS.size), np.nan)
    stddev = np.full(len(entries), np.nan)
    for at, entry in enumerate(entries):
        if isinstance(entry, NumericReference) and entry.stddev is not None:
            quantiles[at] = entry.quantiles[1:-1]
            stddev[at] = entry.stddev
    return quantiles, stddev
