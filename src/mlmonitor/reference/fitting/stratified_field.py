"""Count the sampled rows of one field by segment and by season."""

from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.capture.read.refusals import Reasons
from mlmonitor.formats.reference import (
    QUANTILE_POINTS,
    CategoricalReference,
    CountedEntry,
    NumericReference,
    SegmentField,
    segment_entry,
)
from mlmonitor.records import REFUSED, Counts, Floats, Quality
from mlmonitor.reference.disclosure import coarsen
from mlmonitor.reference.fitting.top_categories import Rare, group_withheld
from mlmonitor.reference.order.row_order import BinnedRows
from mlmonitor.reference.thresholds import Thresholds, critical_tables
from mlmonitor.stats.dependence.bin_scores import score_directions

Rows = NDArray[np.intp]

_NONFINITE, _WRONG_TYPE = (1 + REFUSED.index(q) for q in (Quality.NONFINITE, Quality.WRONG_TYPE))


class StratifiedField:
    """The sampled rows of one field, counted in the bins of its entry.

    values: numbers, NaN where missing, or categories, None where missing. reasons: a refusal reason
    for each row, 0 if there is none. thresholds: how critical values of each segment are computed.
    """

    def __init__(
        self,
        entry: CountedEntry,
        values: NDArray[np.generic],
        reasons: Reasons,
        thresholds: Thresholds | None,
    ) -> None:
        self._entry, self._values, self._reasons = entry, values, reasons
        self._thresholds = thresholds

    def whole(self, seasons: Counts, count: int) -> CountedEntry:
        """Return the entry of all rows; with `count` seasons, add the counts of each.

        seasons: the number of each row's season.
        """
        if not count:
            return self._entry
        everything = np.arange(len(self._values))
        counts = self._by_season(everything, seasons, count)
        return self._entry.model_copy(update={"seasons": counts})

    def binned(self, seasons: Counts) -> BinnedRows:
        """Return the bin of each row, together with `seasons`, which may be empty."""
        is_ordered = isinstance(self._entry, NumericReference)
        return BinnedRows(self._cells, len(self._entry.counts) + 1, is_ordered, seasons)

    @property
    def name(self) -> str:
        """The name of the field."""
        return self._entry.name

    def scores(self) -> Floats:
        """Return centred scores of the rows, `[rows, directions]`; see `score_directions`."""
        binned = self.binned(np.zeros(0, np.int64))
        rows = max(binned.cells.size, 1)
        shares = np.bincount(binned.cells, minlength=binned.width) / rows
        by_bin = score_directions(shares, rows, is_ordered=binned.is_ordered)
        scores: Floats = by_bin[binned.cells]
        return scores

    def part(self, rows: Rows, seasons: Counts, count: int) -> SegmentField:
        """Summarise the rows of a segment; `count` is the number of seasons, 0 for none."""
        counts = np.bincount(self._cells[rows], minlength=len(self._entry.counts) + 1).tolist()
        segment = SegmentField(
            missing=counts[-1],
            counts=counts[:-1],
            seasons=self._by_season(rows, seasons, count) if count else [],
            **refused_of(self._reasons[rows]),
            **({} if self._rare is None else self._rare.within(rows)),
        )
        ordered: Floats | None = None
        if isinstance(self._entry, NumericReference):
            ordered = np.sort(self._values[rows].astype(np.float64))[: rows.size - counts[-1]]
            segment = segment.model_copy(update=_spread(ordered, self._entry))
        if not rows.size:
            return segment
        critical = critical_tables(segment_entry(self._entry, segment), ordered, self._thresholds)
        return segment.model_copy(update={"critical": critical})

    def _by_season(self, rows: Rows, seasons: Counts, count: int) -> list[str]:
        """Return the counts by bin of each season, written as one text per season."""
        width, cells = len(self._entry.counts) + 1, self._cells
        if self._rare is not None and self._rare.held_cells is not None:
            width, cells = width + 1, self._rare.held_cells
        counted_rows = rows[cells[rows] >= 0]
        at = seasons[counted_rows] * width + cells[counted_rows]
        table = np.bincount(at, minlength=count * width).reshape(-1, width)
        return [" ".join(map(str, row)) for row in table.tolist()]

    @cached_property
    def _cells(self) -> Counts:
        return cells_of(self._entry, self._values)

    @cached_property
    def _rare(self) -> Rare | None:
        entry = self._entry
        return Rare(self._values, entry) if isinstance(entry, CategoricalReference) else None


def cells_of(entry: CountedEntry, rows: NDArray[np.generic]) -> Counts:
    """Return the bin of each value; missing values are in an extra bin after the last."""
    if isinstance(entry, NumericReference):
        numbers = rows.astype(np.float64)
        cells = np.searchsorted(np.array(entry.edges, np.float64), numbers, side="left")
        return np.where(np.isnan(numbers), len(entry.counts), cells).astype(np.int64)
    codes: dict[object, int] = {name: at for at, name in enumerate(entry.categories)}
    codes[None] = len(entry.counts)
    rest = len(entry.categories)
    names = group_withheld(rows, entry.names, entry.groups).tolist()
    return np.fromiter(map(codes.get, names, repeat(rest)), np.int64, len(names))


def refused_of(reasons: Reasons) -> dict[str, Any]:
    """Count the values that were not finite, and the values of a wrong type."""
    return {
        "nonfinite": int(np.count_nonzero(reasons == _NONFINITE)),
        "wrong_type": int(np.count_nonzero(reasons == _WRONG_TYPE)),
    }


def _spread(ordered: Floats, entry: NumericReference) -> dict[str, object]:
    """Return moments, range and quantiles of sorted numbers; empty if there are no numbers."""
    if not ordered.size:
        return {}
    moments = Moments.from_block(ordered[None, :])
    ranks = np.linspace(0, 1, QUANTILE_POINTS)
    quantiles = np.quantile(ordered, ranks, method="inverted_cdf")
    low, high = float(moments.min[0]), float(moments.max[0])
    if entry.id_like and entry.min is not None and entry.max is not None:
        # Use the rounded range of all rows, so that a segment does not disclose more.
        low, high = entry.min, entry.max
        quantiles = np.clip(coarsen(quantiles, low, high), low, high)
    return {
        "mean": float(moments.mean[0]),
        "stddev": float(moments.stddev[0]),
        "min": low,
        "max": high,
        "quantiles": quantiles.tolist(),
    }
