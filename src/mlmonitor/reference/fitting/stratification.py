"""Training rows split by segment and by season, and the entries of each part."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.season import Season
from mlmonitor.aggregate.segments import SegmentValues, segment_values
from mlmonitor.capture.host.label_entries import read_times
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import CountedEntry, SegmentField, SegmentReference
from mlmonitor.records import Counts, Floats
from mlmonitor.reference.disclosure import LEAST_ROWS, is_closed
from mlmonitor.reference.fitting.reservoir import Reservoir, Sample
from mlmonitor.reference.fitting.stratified_field import StratifiedField
from mlmonitor.reference.order.row_order import RowOrder
from mlmonitor.reference.order.season_log import log_search
from mlmonitor.reference.personal_values import is_personal
from mlmonitor.stats.dependence.season_search import SeasonSearch, find_season


class StratumKeys(NamedTuple):
    """The values that assign rows to strata: columns of segment fields, times and groups."""

    segments: Sequence[Values] = ()
    times: Values | None = None
    groups: Values | None = None


class _Cycle:
    """The season, in an object that several samples of the same rows share."""

    def __init__(self, season: Season | None) -> None:
        self.season = season


class Stratification:
    """The segment, time and order of each sampled row, by slot; counts fields by stratum.

    Price: 40 bytes per sampled row, and the values of every distinct segment.
    """

    def __init__(
        self,
        segments: Sequence[str],
        most: int,
        season: Season | None,
        public: frozenset[str] = frozenset(),
        *,
        search_timezone: str | None = None,
    ) -> None:
        self.fields: tuple[str, ...] = tuple(segments)
        self._cycle, self._search_timezone = _Cycle(season), search_timezone
        self.season_search: SeasonSearch | None = None
        """The outcome of the search for a season; None if none was requested."""
        self._most, self._public = most, public
        self._ids: dict[SegmentValues, int] = {}
        self._segment = Sample(0.0)
        self.order: RowOrder = RowOrder()

    def sibling(self) -> "Stratification":
        """Return a stratification with the same segments, for another sample of the same rows."""
        sibling = Stratification(self.fields, self._most, self.season, self._public)
        sibling._ids, sibling._cycle = self._ids, self._cycle
        return sibling

    def whole(
        self,
        field: StratifiedField,
        slots: Reservoir,
        at: Counts | None = None,
        *,
        fields: int = 1,
        is_evident: bool = False,
    ) -> CountedEntry:
        """Return the entry of a field over all rows, with counts by season and dependence of rows.

        at, fields, is_evident: see `RowOrder.dependence`.
        """
        seasons = self._find_seasons(slots, at)
        entry = field.whole(seasons, self._count)
        binned = field.binned(seasons if self.season is not None else seasons[:0])
        dependence = self.order.dependence(binned, slots, at, fields=fields, is_evident=is_evident)
        return entry.model_copy(update={"dependence": dependence})

    def parts(
        self,
        field: StratifiedField,
        segments: Sequence[SegmentReference],
        slots: Reservoir,
        at: Counts | None = None,
    ) -> list[SegmentField]:
        """Return the summary of a field in each segment. at: the slots of its rows, if not all."""
        if not segments:
            return []
        ids, seasons = self._number_segments(slots, at), self._find_seasons(slots, at)
        codes = [-1 if s.values is None else self._ids[tuple(s.values)] for s in segments]
        parts = []
        for code in codes:
            rows = np.flatnonzero(ids == code if code >= 0 else ~np.isin(ids, codes))
            parts.append(field.part(rows, seasons, self._count))
        return parts

    def ingest(self, marks: StratumKeys, slots: Reservoir) -> None:
        """Store the segments, times and groups of the chunk's rows that are in the sample.

        Raises:
            SchemaError: a row has no time.
        """
        if self.fields:
            values_by_row = segment_values(marks.segments)
            ids = [self._ids.setdefault(values, len(self._ids)) for values in values_by_row]
            self._segment.ingest(np.array(ids, np.float64), slots)
        seconds = None if marks.times is None else _read_seconds(marks.times)
        self.order.ingest(marks.groups, seconds, slots)

    def settle_season(self, fields: Sequence[StratifiedField], slots: Reservoir) -> None:
        """Search for a season in the rows, if requested, and use it from now on."""
        timezone = self._search_timezone
        if timezone is None:
            return
        seconds = self.order.seconds(slots)
        hours = Season("hour_of_week", timezone).at_each(seconds)
        season = find_season(hours, seconds, [field.scores() for field in fields])
        if season.name is not None:
            self._cycle.season = Season(season.name, timezone)
        log_search(season, [fields[place].name for place in season.fields])
        self.season_search = season.outcome

    def segments(
        self, fields: Sequence[StratifiedField], slots: Reservoir
    ) -> list[SegmentReference]:
        """Return the largest segments that may be named, and all other rows as one segment."""
        if not self.fields:
            return []
        seasons = self._find_seasons(slots, None)
        return [
            SegmentReference(
                values=None if values is None else list(values),
                rows=int(rows.size),
                fields=[field.part(rows, seasons, self._count) for field in fields],
            )
            for values, rows in self._split_parts(slots)
        ]

    def _split_parts(
        self, slots: Reservoir
    ) -> Iterator[tuple[SegmentValues | None, NDArray[np.intp]]]:
        """Yield the values and rows of each kept segment, largest first, then None and the rest."""
        ids = self._number_segments(slots, None)
        names = list(self._ids)
        counts = np.bincount(ids, minlength=len(names)).tolist()
        ranked = sorted(range(len(names)), key=lambda at: (-counts[at], repr(names[at])))
        is_public = self._public.issuperset(self.fields)
        least = 1 if is_public or is_closed(counts) else LEAST_ROWS
        kept = [
            at
            for at in ranked
            if counts[at] >= least
            and (is_public or not any(is_personal(value or "") for value in names[at]))
        ][: self._most]
        for at in kept:
            yield names[at], np.flatnonzero(ids == at)
        rest = np.flatnonzero(~np.isin(ids, kept))
        if rest.size:
            yield None, rest

    @property
    def season(self) -> Season | None:
        """The season by which rows are compared, or None."""
        return self._cycle.season

    @property
    def _count(self) -> int:
        return 0 if self.season is None else self.season.count

    def _number_segments(self, slots: Reservoir, at: Counts | None) -> Counts:
        """Return the segment of each sampled row, as its number in `_ids`."""
        numbers: Counts = self._segment.rows(slots).astype(np.int64)
        return numbers if at is None else numbers[at]

    def _find_seasons(self, slots: Reservoir, at: Counts | None) -> Counts:
        """Return the season of each sampled row, as its number; 0 if there are no seasons."""
        seconds = self.order.seconds(slots, at)
        if self.season is None:
            return np.zeros(seconds.size, np.int64)
        return self.season.at_each(seconds)


def _read_seconds(times: Values) -> Floats:
    """Convert times to seconds since 1970; raise SchemaError if a row has no time."""
    seconds = read_times(times)
    unread = int(np.count_nonzero(np.isnan(seconds)))
    if unread:
        raise SchemaError(
            "times: expected seconds since 1970 (not milliseconds), a datetime or an ISO 8601 text "
            f"for each row; {unread:,} have none"
        )
    return seconds
