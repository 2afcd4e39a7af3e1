"""Drift of the fields of one population: distances, what chance makes of them, evidence, alerts."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.aggregate.window import View
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.alert_states import AlertStates
from mlmonitor.compare.alerts.recovery import Recovery
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.baseline import Baseline, season_rows
from mlmonitor.compare.count_table import (
    bin_names,
    present,
    prior_counts,
    profile_counts,
    refused_counts,
)
from mlmonitor.compare.quality.defects import TOLD
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.gil import yield_gil
from mlmonitor.records import REFUSED, Counts, Floats, Mask
from mlmonitor.stats.critical_values import SIMULATION_BYTES, CriticalValues
from mlmonitor.stats.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    Table,
    psi,
    psi_low,
    wasserstein,
)
from mlmonitor.stats.eprocess import ChangeSegment, EProcess, EvidenceProcess
from mlmonitor.stats.seasonal_eprocess import SeasonalEProcess


class Drift:
    """What the counts of a population say against its reference.

    Scores and critical values are of the window; evidence is of everything since the start, block
    by block as `look` is called. Price: `nbytes`, constant.
    """

    def __init__(
        self, plan: Plan, entries: Sequence[CountedEntry], level: Significance, segment: str = ALL
    ) -> None:
        self._plan, self._segment = plan, segment
        self._baseline = Baseline(entries, plan)
        counts = self._baseline.counts
        self._critical = CriticalValues([entry.critical for entry in entries], counts, entries)
        self._quantiles, self._stddev = _spread(entries[: len(plan.schema.numeric)])
        prior = prior_counts(entries, plan)
        self._evidence: EvidenceProcess = (
            SeasonalEProcess(self._baseline.by_season, present(plan), prior=prior)
            if self._baseline.has_seasons
            else EProcess(counts, present(plan), prior=prior)
        )
        self._alarms = AlertStates(
            len(entries),
            threshold=level.drift_threshold,
            tolerance=level.tolerance,
            min_rows=level.min_rows,
        )
        self._refused_shares = _refused_shares(entries)
        self._refused: Counts = np.zeros((len(entries), len(REFUSED)), np.int64)
        self._skipped: Counts = np.zeros_like(self._refused)
        self._seen: Counts = np.zeros_like(counts)
        # Beside the counts of a stretch stands in which seasons its rows came.
        self._calm = Recovery((len(entries), counts.shape[1] + plan.seasons), bins=counts.shape[1])
        self._season = -1  # none yet
        self.alerts: dict[int, Alert] = {}

    def skip(self, total: Profile) -> None:
        """Leave out everything so far: rows that became the reference prove nothing."""
        self._seen, self._skipped = profile_counts(total), refused_counts(total)

    def look(self, total: Profile, *, now: float) -> list[Alert]:
        """Take in what is new in the totals; the alerts that were raised or cleared by it."""
        counts, seasons = self._weigh(total), season_rows(total)
        yield_gil()
        log_e, stretch = self._evidence.evaluate()
        yield_gil()
        self._refused = refused_counts(total) - self._skipped
        turn = self._alarms.look(
            log_e,
            np.nan_to_num(psi_low(self._baseline.against(stretch.seasons), stretch.counts)),
            stretch.rows.astype(np.float64),
            is_calm=self._calm.look(np.hstack([counts, seasons]), self._is_still),
            now=now,
        )
        self._calm.begin(turn.raised, np.hstack([counts, seasons]), stretch.rows)
        raised: list[int] = np.flatnonzero(turn.raised).tolist()
        cleared: list[int] = np.flatnonzero(turn.cleared).tolist()
        for at in raised:
            self.alerts[at] = self._alert(at, float(log_e[at]), stretch, now)
        turned = [self.alerts[at] for at in raised]
        turned += [replace(self.alerts.pop(at), state="resolved") for at in cleared]
        self._evidence.reset(turn.cleared)
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
        if self._baseline.has_seasons and season != self._season:
            self._weigh(total())
            self._evidence.begin_season(season)
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
    def log10_e_value(self) -> Floats:
        """The evidence of each field, as it stands."""
        log10_e: Floats = self._evidence.log_e() / np.log(10)
        return log10_e

    @property
    def is_firing(self) -> list[bool]:
        """Whether the alert of each field is firing."""
        return [bool(raised) for raised in self._alarms.raised]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        held = self._evidence.nbytes + self._baseline.nbytes + self._calm.nbytes
        return held + self._seen.nbytes + self._critical.nbytes

    def _weigh(self, total: Profile) -> Counts:
        """Take what is new in the totals into the evidence; the counts of all."""
        counts = profile_counts(total)
        self._evidence.update(counts - self._seen)
        self._seen = counts
        return counts

    def _is_still(self, since: Counts) -> Mask:
        """Whether a stretch, its counts and then its rows by season, shows nothing."""
        counts, seasons = np.hsplit(since, [self._seen.shape[1]])
        is_still: Mask = np.nan_to_num(psi_low(self._baseline.against(seasons), counts)) == 0
        return is_still

    def _alert(self, at: int, log_e: float, stretch: ChangeSegment, now: float) -> Alert:
        counts, against = stretch.counts, self._baseline.against(stretch.seasons)
        field, rows = self._plan.schema.fields[at], int(counts[at].sum())
        critical = self._critical.at(counts, against)["psi"]
        one = slice(at, at + 1)
        return Alert(
            field=field.name,
            role=field.role,
            segment=self._segment,
            measure="psi",
            value=float(psi(against[one], counts[one])[0]),
            threshold=float(critical[at]),
            log10_e_value=float(log_e / np.log(10)),
            state="firing",
            rows=rows,
            started_at=now,
            reason=self._reason(at, against[at], counts[at]),
        )

    def _reason(self, at: int, against: Table, counts: Counts) -> str:
        """Which bin has moved most, and from where to where.

        Of values that could not be read, which kind of them that is since the start.
        """
        then = against / max(float(against.sum()), 1.0)
        now = counts / max(int(counts.sum()), 1)
        most = int(np.argmax(np.abs(now - then)))
        name = bin_names(self._plan, at)[most]
        if most == len(counts) - 1:
            rows = max(int((self._seen[at]).sum()), 1)
            moves = np.abs(self._refused[at] / rows - self._refused_shares[at])
            name = TOLD[REFUSED[int(np.argmax(moves))]]
        return f"{name}: {then[most]:.1%} before, {now[most]:.1%} now"


def _refused_shares(entries: Sequence[CountedEntry]) -> Floats:
    """Which share of a reference's values could not be read, `[fields, kinds]` as in `REFUSED`."""
    found = np.zeros((len(entries), len(REFUSED)))
    for at, entry in enumerate(entries):
        absent = entry.missing - entry.nonfinite - entry.wrong_type
        found[at] = np.array([absent, entry.nonfinite, entry.wrong_type]) / max(entry.rows, 1)
    return found


def _spread(entries: Sequence[CountedEntry]) -> tuple[Floats, Floats]:
    """Of numeric entries: quantiles `[fields, ranks]` and standard deviations, NaN if unknown."""
    quantiles = np.full((len(entries), WASSERSTEIN_RANKS.size), np.nan)
    stddev = np.full(len(entries), np.nan)
    for at, entry in enumerate(entries):
        if isinstance(entry, NumericReference) and entry.stddev is not None:
            quantiles[at] = entry.quantiles[1:-1]
            stddev[at] = entry.stddev
    return quantiles, stddev
