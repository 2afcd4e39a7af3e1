"""Latency compared with the first calls: evidence from bins, effect size from quantiles."""

from typing import Final, NamedTuple

import numpy as np

from mlmonitor.compare.alerts.alert_states import AlertStates
from mlmonitor.compare.alerts.open_alerts import Transitions
from mlmonitor.compare.alerts.recovery import Recovery
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.dependence.overdispersion import block_effects
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.proportions import growth_lower_bound

QUANTILES: Final = (0.5, 0.99)
"""The quantiles that must not grow: the latency of a typical call, and of the slowest ones."""

GROWTH: Final = 1.5
"""Growth of a quantile up to one and a half times its usual value is tolerated."""

LEAST_GROWTH_SECONDS: Final = (0.001, 0.005)
"""Smaller growth of each quantile is tolerated: a thread may wait 5 ms just for the GIL."""

_EDGE_RANKS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
_KEPT = 8  # number of restarts, as for proportions


class LatencyEvaluation(NamedTuple):
    """Transitions of one evaluation, and its strongest change.

    quantile: the index in `QUANTILES` of the quantile that has grown.
    """

    transitions: Transitions
    log10_e: float
    rows: int
    quantile: int


class LatencyEvidence:
    """Evidence that the median or the 99th percentile of latency has grown beyond its tolerance.

    first: durations in seconds, which decide the edges between bins and the usual quantiles.
    held_out: later durations, whose counts in these bins are the null of an `EProcess`: as the
    edges do not depend on them, they are exchangeable with all that follow. A quantile has grown
    beyond its limit if the share of calls above the limit exceeds the share above the quantile, by
    a 90% lower bound. Calls whose latency depends on that of the calls before them, as in a queue,
    count as fewer.
    Price: constant memory; a binary search of each duration among ten edges.
    """

    def __init__(self, first: Floats, held_out: Floats, *, threshold: float, min_rows: int) -> None:
        self.usual_seconds: Floats = np.quantile(first, QUANTILES)
        self.limit_seconds: Floats = np.maximum(
            self.usual_seconds * GROWTH, self.usual_seconds + LEAST_GROWTH_SECONDS
        )
        self._edges: Floats = np.unique([*np.quantile(first, _EDGE_RANKS), *self.limit_seconds])
        self._above = np.searchsorted(self._edges, self.limit_seconds) + 1
        exceeding = 1 - np.array(QUANTILES)
        self._belief: Floats = first.size * np.stack([exceeding, 1 - exceeding], axis=1)
        counts = self.count(held_out)
        self._dependence = self._measure_dependence(np.concatenate([first, held_out]))
        self._evidence = EProcess(
            counts, np.ones(counts.shape, np.bool_), kept=_KEPT, dependence=self._dependence
        )
        self._states = AlertStates(1, threshold=threshold, tolerance=0.0, min_rows=min_rows)
        self._recovery = Recovery(counts.shape)
        self._counts: Counts = np.zeros_like(counts)

    def _measure_dependence(self, seconds: Floats) -> DesignEffects:
        """Measure how successive calls depend on each other, from blocks of the first calls."""
        cells = np.searchsorted(self._edges, seconds)
        curve = block_effects(cells, self._edges.size + 2, is_ordered=True)
        return DesignEffects(curve.rows, curve.effects[None], np.zeros(1))

    def count(self, seconds: Floats) -> Counts:
        """Count the durations in each bin, `[1, bins]`."""
        places = np.searchsorted(self._edges, seconds)
        return np.bincount(places, minlength=self._edges.size + 1)[None]

    def evaluate(self, new: Counts, *, now: float) -> LatencyEvaluation:
        """Evaluate the counts of new durations, `[1, bins]`."""
        self._evidence.update(new)
        self._counts += new
        log_e, change = self._evidence.evaluate()
        growth = self._bound_growth(change.counts)
        transitions = self._states.evaluate(
            log_e,
            growth.max(axis=1),
            change.rows.astype(np.float64),
            has_recovered=self._recovery.evaluate(self._counts, self._shows_nothing),
            now=now,
        )
        self._recovery.restart(transitions.fired, self._counts, change.rows)
        self._evidence.reset(transitions.resolved)
        return LatencyEvaluation(
            transitions,
            float(log_e[0] / np.log(10)),
            int(change.rows[0]),
            int(np.argmax(growth[0] > 0)),
        )

    @property
    def is_firing(self) -> bool:
        """Whether the alert is firing."""
        return bool(self._states.is_firing[0])

    def _bound_growth(self, counts: Counts) -> Floats:
        """Return lower bounds on the growth of the share beyond each limit, `[1, quantiles]`."""
        slow = np.array([int(counts[0, above:].sum()) for above in self._above], np.int64)
        rows = np.full(slow.size, int(counts.sum()), np.int64)
        effect = float(self._dependence.at(rows[:1])[0])
        whole = self._dependence.at_reference(self._belief.sum(axis=1)[:1])[0]
        return growth_lower_bound(self._belief / whole, slow / effect, rows / effect)[None]

    def _shows_nothing(self, counts: Counts) -> Mask:
        shows_nothing: Mask = self._bound_growth(counts).max(axis=1) <= 0
        return shows_nothing
