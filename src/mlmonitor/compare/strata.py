"""Training rows parted by segment and by season: what each field looks like in each part."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.moments import Moments
from mlmonitor.aggregate.season import Season
from mlmonitor.capture.columns import Values, moments_in_time
from mlmonitor.compare.critical import tables
from mlmonitor.compare.segments import SegmentValues, segment_values
from mlmonitor.compare.slots import Sample, Slots
from mlmonitor.errors import SchemaError
from mlmonitor.records import Counts, Floats
from mlmonitor.reference_format import (
    QUANTILE_POINTS,
    CategoricalReference,
    NumericReference,
    SegmentField,
    SegmentReference,
)

Entry = NumericReference | CategoricalReference


class Marks(NamedTuple):
    """What tells the parts of a chunk's rows: its segment fields, and when each row was."""

    segments: Sequence[Values] = ()
    times: Values | None = None


class Sampled(Protocol):
    """A field whose sampled rows can be had."""

    def rows(self, slots: Slots) -> NDArray[np.generic]:
        """The values in all slots."""


class Strata:
    """Remembers the segment and the season of each sampled row, in the slots of all fields.

    Price: 16 bytes a sampled row, and the name of every segment met.
    """

    def __init__(self, segments: Sequence[str], most: int, season: Season | None) -> None:
        self.fields: tuple[str, ...] = tuple(segments)
        self.season: Season | None = season
        self._most = most
        self._ids: dict[SegmentValues, int] = {}
        self._segment, self._season = Sample(np.nan), Sample(np.nan)

    def sibling(self) -> "Strata":
        """The same parts, for the slots of another sample of the same rows."""
        found = Strata(self.fields, self._most, self.season)
        found._ids = self._ids
        return found

    def parted(
        self,
        entry: Entry,
        column: NDArray[np.generic],
        at: Counts,
        slots: Slots,
        segments: Sequence[SegmentReference],
        *,
        has_critical: bool,
    ) -> tuple[Entry, list[SegmentField]]:
        """A field of the rows in the slots `at`: with its seasons, and as each segment has it."""
        seasons = None if self.season is None else self._season.rows(slots)[at].astype(np.int64)
        whole = entry
        if seasons is not None:
            whole = entry.model_copy(update={"seasons": self._by_season(entry, column, seasons)})
        if not segments:
            return whole, []
        ids = self._segment.rows(slots)[at].astype(np.int64)
        codes = [-1 if s.values is None else self._ids[tuple(s.values)] for s in segments]
        found = []
        for code in codes:
            rows = np.flatnonzero(ids == code if code >= 0 else ~np.isin(ids, codes))
            own = None if seasons is None else seasons[rows]
            knows = has_critical and rows.size > 0
            found.append(self._field(entry, column[rows], own, has_critical=knows))
        return whole, found

    def take(self, marks: Marks, slots: Slots) -> None:
        """Keep the marks of those rows of a chunk that the sample has slots for.

        Raises:
            SchemaError: a row has no time.
        """
        if self.fields:
            found = segment_values(marks.segments)
            ids = [self._ids.setdefault(values, len(self._ids)) for values in found]
            self._segment.take(np.array(ids, np.float64), slots)
        if self.season is not None and marks.times is not None:
            seconds, _ = moments_in_time(marks.times)
            missing = int(np.count_nonzero(np.isnan(seconds)))
            if missing:
                raise SchemaError(f"times: wanted a datetime for each row; {missing:,} have none")
            self._season.take(self.season.of(seconds).astype(np.float64), slots)

    def with_seasons(self, entry: Entry, rows: NDArray[np.generic], slots: Slots) -> Entry:
        """The entry of the whole, with the counts of each season."""
        if self.season is None:
            return entry
        seasons = self._season.rows(slots).astype(np.int64)
        return entry.model_copy(update={"seasons": self._by_season(entry, rows, seasons)})

    def segments(
        self,
        samples: Sequence[Sampled],
        entries: Sequence[Entry],
        slots: Slots,
        *,
        has_critical: bool,
    ) -> list[SegmentReference]:
        """Each segment of the most rows, and the rest as one."""
        if not self.fields:
            return []
        columns = [sample.rows(slots) for sample in samples]
        seasons = None if self.season is None else self._season.rows(slots).astype(np.int64)
        return [
            SegmentReference(
                values=None if values is None else list(values),
                rows=int(rows.size),
                fields=[
                    self._field(
                        entry,
                        column[rows],
                        None if seasons is None else seasons[rows],
                        has_critical=has_critical,
                    )
                    for entry, column in zip(entries, columns, strict=True)
                ],
            )
            for values, rows in self._parts(slots)
        ]

    def _parts(self, slots: Slots) -> Iterator[tuple[SegmentValues | None, NDArray[np.intp]]]:
        """The sampled rows of each segment, those of the most rows first."""
        ids = self._segment.rows(slots).astype(np.int64)
        names = list(self._ids)
        counts = np.bincount(ids, minlength=len(names)).tolist()
        ranked = sorted(range(len(names)), key=lambda at: (-counts[at], repr(names[at])))
        kept = [at for at in ranked if counts[at]][: self._most]
        for at in kept:
            yield names[at], np.flatnonzero(ids == at)
        rest = np.flatnonzero(~np.isin(ids, kept))
        if rest.size:
            yield None, rest

    def _field(
        self,
        entry: Entry,
        rows: NDArray[np.generic],
        seasons: Counts | None,
        *,
        has_critical: bool,
    ) -> SegmentField:
        """One field of one segment: counts over the whole's bins."""
        cells = cells_of(entry, rows)
        counts = np.bincount(cells, minlength=len(entry.counts) + 1).tolist()
        found = SegmentField(
            missing=counts[-1],
            counts=counts[:-1],
            seasons=[] if seasons is None else self._by_season(entry, rows, seasons),
        )
        if isinstance(entry, CategoricalReference):
            whole = entry.model_copy(update=dict(found))
            critical = tables(whole, None) if has_critical else {}
            return found.model_copy(update={"critical": critical})
        ordered = np.sort(rows.astype(np.float64))[: len(rows) - counts[-1]]
        found = found.model_copy(update=_spread(ordered))
        own = entry.model_copy(update=dict(found))
        critical = tables(own, ordered) if has_critical else {}
        return found.model_copy(update={"critical": critical})

    def _by_season(self, entry: Entry, rows: NDArray[np.generic], seasons: Counts) -> list[str]:
        """The counts of each season, a text each."""
        if self.season is None:
            return []
        width = len(entry.counts) + 1
        cells = seasons * width + cells_of(entry, rows)
        table = np.bincount(cells, minlength=self.season.count * width).reshape(-1, width)
        return [" ".join(map(str, row)) for row in table.tolist()]


def cells_of(entry: Entry, rows: NDArray[np.generic]) -> Counts:
    """The bin of each sampled row; the one after the last bin is of missing values."""
    if isinstance(entry, NumericReference):
        numbers = rows.astype(np.float64)
        found = np.searchsorted(np.array(entry.edges, np.float64), numbers, side="left")
        return np.where(np.isnan(numbers), len(entry.counts), found).astype(np.int64)
    codes: dict[object, int] = {name: at for at, name in enumerate(entry.categories)}
    codes[None] = len(entry.counts)
    rest = len(entry.categories)
    return np.array([codes.get(name, rest) for name in rows.tolist()], np.int64)


def _spread(ordered: Floats) -> dict[str, object]:
    """Moments, range and quantiles of some numbers; nothing where there are none."""
    if not ordered.size:
        return {}
    moments = Moments.of(ordered[None, :])
    ranks = np.linspace(0, 1, QUANTILE_POINTS)
    return {
        "mean": float(moments.mean[0]),
        "stddev": float(moments.stddev[0]),
        "min": float(moments.min[0]),
        "max": float(moments.max[0]),
        "quantiles": np.quantile(ordered, ranks, method="inverted_cdf").tolist(),
    }
