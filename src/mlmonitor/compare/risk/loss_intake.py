"""Holds losses back until there are bins, a baseline and mature cohorts for a comparison."""

from collections.abc import Iterator

import numpy as np

from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.risk.risk_baseline import (
    BASELINE_LABELS,
    RiskBaseline,
    baseline_of_labels,
)
from mlmonitor.compare.risk.risk_stream import RiskLimits, RiskStream
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.dependence.running_overdispersion import RunningOverdispersion

MOST_PERIODS = 120
"""Maximum number of cohorts that wait; if there are more, the oldest count before maturity."""

_PART_LABELS = 500  # larger batches are split, so that a change within one is found as well


class LossIntake:
    """The losses of one measure; those of each cohort wait until it is mature.

    Without a baseline from training, the first `BASELINE_LABELS` labels decide the bins, and as
    many mature labels make the baseline. `stream` is None until there is a baseline.
    Price: 330 bytes for each cohort that waits.
    """

    def __init__(self, measure: str, baseline: RiskBaseline | None, limits: RiskLimits) -> None:
        self.measure: str = measure
        self.stream: RiskStream | None = None
        self._limits = limits
        self._bins: LossBins | None = None
        self._first: list[tuple[Floats, Counts]] = []
        self._first_labels = 0
        self._held: dict[int, Floats] = {}
        self._learned: Floats = np.zeros(0)
        self._learned_labels = 0
        self._order = RunningOverdispersion()
        if baseline is not None:
            self._bins = baseline.bins
            self.stream = RiskStream(baseline, limits)

    def ingest(self, losses: Floats, periods: Counts, *, is_held: bool) -> None:
        """Add losses in the order of their labels; NaN for rows that are not counted.

        periods: the periods in which the predictions were made. is_held: whether they wait for
        `release`, or count immediately.
        """
        if self.stream is not None and not is_held:
            bins = self.stream.baseline.bins
            self._order.update(np.minimum(losses[~np.isnan(losses)], bins.scale))
            for totals in bins.count_parts(losses, _PART_LABELS):
                self.stream.ingest(totals)
            return
        for start in range(0, losses.size, _PART_LABELS):
            part = slice(start, start + _PART_LABELS)
            self.hold(losses[part], periods[part])
            if not is_held:
                self.release(np.inf)

    def hold(self, losses: Floats, periods: Counts) -> None:
        """Add losses by the period of their prediction; NaN for rows that are not counted."""
        if self._bins is not None:
            self._hold(self._bins, losses, periods)
            return
        self._first.append((losses, periods))
        self._first_labels += losses.size
        if self._first_labels >= BASELINE_LABELS:
            bins = LossBins.fit(self.measure, np.concatenate([part for part, _ in self._first]))
            self._bins, self._learned = bins, np.zeros(len(bins.values) + 1)
            for part, of in self._first:
                self._hold(bins, part, of)
            self._first = []

    def _hold(self, bins: LossBins, losses: Floats, periods: Counts) -> None:
        self._order.update(np.minimum(losses[~np.isnan(losses)], bins.scale))
        for period, chosen in _split_by_period(losses, periods):
            totals = bins.count_losses(chosen)
            earlier = self._held.get(period)
            self._held[period] = totals if earlier is None else earlier + totals

    def release(self, mature_before: float) -> None:
        """Count the losses of all periods before `mature_before`."""
        due = sorted(period for period in self._held if period < mature_before)
        overdue = sorted(self._held)[: max(len(self._held) - MOST_PERIODS, 0)]
        for period in dict.fromkeys([*due, *overdue]):
            self._count(self._held.pop(period))

    def _count(self, totals: Floats) -> None:
        if self.stream is not None:
            self.stream.ingest(totals)
            return
        self._learned = self._learned + totals
        self._learned_labels += int(totals[:-1].sum())
        if self._bins is not None and self._learned_labels >= self._needed_labels:
            baseline = baseline_of_labels(self._bins, self._learned)
            if baseline is not None:
                self.stream = RiskStream(baseline, self._limits)

    @property
    def _needed_labels(self) -> int:
        """Number of labels that a baseline needs; lower if only some rows count for the measure."""
        is_partial = self.measure in ("recall", "precision", "roc_auc")
        return BASELINE_LABELS // 5 if is_partial else BASELINE_LABELS

    def design_effect(self) -> float:
        """Return how many losses count as one independent loss, from the order of their labels."""
        return self._order.design_effect()

    @property
    def waiting(self) -> int:
        """The number of losses whose cohorts are not mature."""
        return round(sum(float(totals[:-1].sum()) for totals in self._held.values()))

    @property
    def nbytes(self) -> int:
        """Maximum memory used, in bytes."""
        sums_bytes = 8 * (MOST_PERIODS * 42 + 3 * BASELINE_LABELS)
        sums_bytes += self._order.nbytes
        return sums_bytes + (0 if self.stream is None else self.stream.nbytes)


def _split_by_period(losses: Floats, periods: Counts) -> Iterator[tuple[int, Floats]]:
    """Yield each period with its losses; most batches are of one period."""
    if not periods.size:
        return
    first = int(periods[0])
    if (periods == first).all():
        yield first, losses
        return
    for period in np.unique(periods).tolist():
        yield period, losses[periods == period]
