"""The order, days and groups of training rows, and the dependence between rows."""

from typing import NamedTuple

import numpy as np

from mlmonitor.capture.read.numbers import category_names
from mlmonitor.capture.values import Values
from mlmonitor.formats.reference import FieldDependence, GroupedRows
from mlmonitor.records import Counts, Floats
from mlmonitor.reference.fitting.reservoir import Reservoir, Sample
from mlmonitor.stats.dependence.overdispersion import (
    FEWEST_DAYS,
    EffectCurve,
    block_effects,
    group_effect,
)
from mlmonitor.stats.dependence.season_search import season_shares

_DAY_SECONDS = 86_400.0


class BinnedRows(NamedTuple):
    """The bin of each sampled row, by slot; the last of `width` bins is that of missing values.

    season: the number of each row's season; empty if there are no seasons.
    """

    cells: Counts
    width: int
    is_ordered: bool
    season: Counts


class RowOrder:
    """The arrival number, time and group of each sampled row, by slot.

    Price: 24 bytes per sampled row, and the name of every distinct group while fitting.
    """

    def __init__(self) -> None:
        self.is_dated: bool = False
        self._seen = 0
        self._arrival, self._seconds, self._group = Sample(0.0), Sample(0.0), Sample(-1.0)
        self._ids: dict[object, int] = {}
        self._has_groups = False
        self._permutation: Counts | None = None

    def ingest(self, groups: Values | None, seconds: Floats | None, slots: Reservoir) -> None:
        """Store the order, times and groups of the chunk's rows that are in the sample."""
        rows = np.arange(self._seen, slots.seen, dtype=np.float64)
        self._seen, self._permutation = slots.seen, None
        self._arrival.ingest(rows, slots)
        if seconds is not None:
            self.is_dated = True
            self._seconds.ingest(seconds, slots)
        if groups is not None:
            self._has_groups = True
            self._group.ingest(self._number_groups(groups), slots)

    def seconds(self, slots: Reservoir, at: Counts | None = None) -> Floats:
        """Return the time of each sampled row in seconds since 1970; 0 if there are no times."""
        return _select_values(self._seconds.rows(slots), at)

    def dependence(
        self,
        binned: BinnedRows,
        slots: Reservoir,
        at: Counts | None = None,
        *,
        fields: int = 1,
        is_evident: bool = False,
    ) -> FieldDependence | None:
        """Measure how the rows of a field depend on each other; None if there are no rows.

        at: the slots of the field's rows, if not all. fields: the number of fields that are tested,
        for the correction of significance. is_evident: whether another field has already shown
        that these rows depend on each other.
        """
        if not binned.cells.size:
            return None
        order = self._find_order(slots, at)
        cells = binned.cells[order]
        expected = None
        if binned.season.size:
            expected = season_shares(cells, binned.width, binned.season[order])
        days = self._find_days(slots, at)
        correlation, size = 0.0, 1.0
        if self._has_groups:
            groups = _select_values(self._group.rows(slots), at).astype(np.int64)
            correlation, size = group_effect(
                binned.cells, binned.width, groups, is_ordered=binned.is_ordered, fields=fields
            )
        curve = block_effects(
            cells,
            binned.width,
            is_ordered=binned.is_ordered,
            expected=expected,
            days=None if days is None else days[order],
            known_effect=1 + (size - 1) * correlation,
            fields=fields,
            is_evident=is_evident,
        )
        rows, effects = _extend_to_all_rows(curve, self._seen / binned.cells.size)
        return FieldDependence(
            rows=_round_down(rows),
            effects=_round_down(effects),
            correlation=float(f"{correlation:.4g}"),
            is_resolved=curve.is_resolved,
            dates=_count_dates(days),
        )

    def grouped(self, field: str | None, slots: Reservoir) -> GroupedRows | None:
        """Return the number and size of the groups; None if there are no groups.

        field: the column that names the group, if there is one. The size is a mean over rows, not
        over groups, so that large groups weigh more.
        """
        if not self._has_groups:
            return None
        sizes = np.bincount(self._group.rows(slots).astype(np.int64)).astype(np.float64)
        size = float((sizes**2).sum() / sizes.sum())
        # A sample has only a part of each group, so its size is extrapolated to all rows.
        whole = 1 + (size - 1) * self._seen / max(slots.kept, 1)
        return GroupedRows(
            field=field, groups=int(np.count_nonzero(sizes)), size=max(float(f"{whole:.6g}"), 1.0)
        )

    def _number_groups(self, groups: Values) -> Floats:
        """Return the number of each row's group; a row without a group forms its own."""
        numbers = []
        for name in category_names(groups):
            key: object = name if name is not None else len(self._ids)
            numbers.append(self._ids.setdefault(key, len(self._ids)))
        return np.array(numbers, np.float64)

    def _find_order(self, slots: Reservoir, at: Counts | None) -> Counts:
        """Return the permutation that sorts the rows by time, or else by arrival."""
        arrival = _select_values(self._arrival.rows(slots), at)
        if not self.is_dated:
            return np.argsort(arrival, kind="stable")
        if self._permutation is None or len(self._permutation) != len(arrival):
            self._permutation = np.lexsort((arrival, _select_values(self._seconds.rows(slots), at)))
        return self._permutation

    def _find_days(self, slots: Reservoir, at: Counts | None) -> Counts | None:
        if not self.is_dated:
            return None
        days: Counts = (_select_values(self._seconds.rows(slots), at) // _DAY_SECONDS).astype(
            np.int64
        )
        return days


def _count_dates(days: Counts | None) -> int:
    """Return the number of distinct days, or 0 if there are too few to compare days."""
    count = 0 if days is None else int(np.unique(days).size)
    return count if count >= FEWEST_DAYS else 0


def _select_values(values: Floats, at: Counts | None) -> Floats:
    return values if at is None else values[at]


def _extend_to_all_rows(curve: EffectCurve, rate: float) -> tuple[Floats, Floats]:
    """Extrapolate a curve that was measured on a sample of one in `rate` rows to all rows.

    Random sampling does not change the covariance of the rows that remain.
    """
    if rate <= 1:
        return curve.rows, curve.effects
    rows = np.append(1.0, curve.rows * rate)
    return rows, np.append(1.0, 1 + (curve.effects - 1) * rate)


def _round_down(numbers: Floats) -> list[float]:
    return [float(f"{number:.4g}") for number in numbers.tolist()]
