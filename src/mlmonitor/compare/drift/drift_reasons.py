"""What changed most in the distribution of a field, in words."""

from collections.abc import Sequence

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.compare.count_table import bin_names
from mlmonitor.compare.drift.new_names import NewNames
from mlmonitor.compare.quality.defects import DESCRIPTIONS
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.formatting import percent
from mlmonitor.records import REFUSED, Counts, Floats
from mlmonitor.stats.distance import Table
from mlmonitor.stats.evidence.dirichlet import PRIOR

_NAMED_PART = 0.2
"""New categories are named as well as the top bin if they add this share of the PSI."""


class DriftReasons:
    """Names the bin of a field that adds most to its PSI, and new categories if they may be shown.

    new_names: describes the new categories of a field.
    """

    def __init__(self, plan: Plan, entries: Sequence[CountedEntry], new_names: NewNames) -> None:
        self._plan, self._new_names = plan, new_names
        self._refused_shares = _compute_refused_shares(entries)

    def explain(self, place: int, expected: Table, counts: Counts, refused: Counts) -> str:
        """Return the bin that adds most to the PSI, with both shares, and names of new categories.

        expected, counts: the field's expected and current counts by bin; `place` is its index.
        refused: the field's unreadable values by kind since its last alert, of which the newest
        belong to the changed rows. Unreadable values share one bin; the kind whose share has moved
        most is named. A field without any value in training has only this bin.
        """
        before, now = expected / _sum_counts(expected), counts / _sum_counts(counts)
        smoothed = np.log((counts + PRIOR) / (expected + PRIOR))
        parts = (now - before) * (smoothed - np.log(_sum_counts(counts) / _sum_counts(expected)))
        most = int(np.argmax(parts)) if np.any(expected[:-1]) else len(counts) - 1
        name = bin_names(self._plan, place)[most]
        if most < len(counts) - 1:
            new = self._find_new_bin(place)
            named = "" if new is None else self._new_names(place)
            reason = f"{name}{named * (most == new)}: {_compare_shares(before[most], now[most])}"
            if not named or most == new or parts[new] < _NAMED_PART * parts.sum():
                return reason
            return f"{reason}; new values{named}: {percent(float(now[new]))} now"
        shares = self._refused_shares[place]
        mix = shares / max(shares.sum(), np.finfo(float).tiny)
        earlier, current = before[most] * mix, now[most] * _mix_refused(refused, counts[-1], mix)
        kind = int(np.argmax(np.abs(current - earlier)))
        name = DESCRIPTIONS[REFUSED[kind]]
        return f"{name}: {_compare_shares(earlier[kind], current[kind])}"

    def _find_new_bin(self, place: int) -> int | None:
        """The bin of new categories; None for numeric fields and for open vocabularies."""
        position = place - len(self._plan.schema.numeric)
        if position < 0 or not self._plan.dictionaries[position].is_closed:
            return None
        return len(self._plan.dictionaries[position].top) + 1


def _compare_shares(before: float, now: float) -> str:
    return f"{percent(before)} before, {percent(now)} now"


def _mix_refused(since: Counts, changed: int, mix: Floats) -> Floats:
    """The share of each kind among the unreadable values since the change.

    Unreadable values from before the change are assumed to be mixed as in the reference.
    """
    counts = np.maximum(since - max(int(since.sum()) - changed, 0) * mix, 0.0)
    shares: Floats = counts / max(counts.sum(), np.finfo(float).tiny)
    return shares


def _sum_counts(counts: Table) -> float:
    return max(float(counts.sum()), 1.0)


def _compute_refused_shares(entries: Sequence[CountedEntry]) -> Floats:
    """Shares of unreadable reference values, `[fields, kinds]` in the order of `REFUSED`."""
    shares = np.zeros((len(entries), len(REFUSED)))
    for place, entry in enumerate(entries):
        absent = entry.missing - entry.nonfinite - entry.wrong_type
        shares[place] = np.array([absent, entry.nonfinite, entry.wrong_type]) / max(entry.rows, 1)
    return shares
