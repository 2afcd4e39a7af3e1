"""Entries for parts of the training rows in a reference file: seasons and segments."""

import sys
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mlmonitor.formats.reference.entries import (
    ENTRY_BYTES,
    NUMBER_BYTES,
    OBJECT_BYTES,
    QUANTILE_POINTS,
    CategoricalReference,
    Count,
    CountedEntry,
    CriticalTable,
    Deviation,
    Finite,
    SeasonRow,
    want,
)
from mlmonitor.records import SEASONS

SegmentValue = Annotated[str, StringConstraints(max_length=1_000)] | None


class SegmentField(BaseModel):
    """A field within one segment, counted in the bins or categories of the field's entry.

    `once` counts its values in categories that occur once among all rows; `twice` counts pairs of
    its values in categories that occur twice.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    missing: Count
    nonfinite: Count = 0
    wrong_type: Count = 0
    counts: Annotated[list[Count], Field(max_length=10_001)]
    mean: Finite | None = None
    stddev: Deviation | None = None
    min: Finite | None = None
    max: Finite | None = None
    quantiles: Annotated[list[Finite], Field(max_length=QUANTILE_POINTS)] = []
    critical: CriticalTable = {}
    seasons: Annotated[list[SeasonRow], Field(max_length=1_000)] = []
    once: Count = 0
    twice: Count = 0
    held_out: Annotated[list[Count], Field(max_length=10_003)] = []

    @property
    def rows(self) -> int:
        """Number of rows that are summarised."""
        return self.missing + sum(self.counts)

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        tables = sum(ENTRY_BYTES + len(table) * NUMBER_BYTES for table in self.critical.values())
        figures = len(self.quantiles) + len(self.counts) + len(self.held_out)
        texts = sum(map(sys.getsizeof, self.seasons))
        return OBJECT_BYTES + tables + figures * NUMBER_BYTES + texts


class SegmentReference(BaseModel):
    """A segment: its value of each segment field; null for the segment of all other rows.

    `fields` are in the order of the reference's entries that have bins. Derived fields summarise
    another sample of the rows, so their number of rows may differ from `rows`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    values: Annotated[list[SegmentValue], Field(min_length=1, max_length=100)] | None
    rows: Count
    fields: Annotated[list[SegmentField], Field(max_length=100_000)]

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        names = sum(map(sys.getsizeof, self.values or ()))
        return OBJECT_BYTES + names + sum(field.nbytes for field in self.fields)


def segment_entry(entry: CountedEntry, part: SegmentField) -> CountedEntry:
    """Return the entry of a field with the counts of one segment."""
    shared = {name: value for name, value in part if name in type(entry).model_fields}
    if isinstance(entry, CategoricalReference):
        shared["distinct"] = None
    return entry.model_copy(update={**shared, "rows": part.rows})


def check_segments(
    segments: Sequence[SegmentReference],
    fields: Sequence[CountedEntry],
    *,
    width: int,
    season: str | None,
) -> None:
    """Raise ValueError unless segments are consistent with the entries of all rows.

    width: the number of segment fields.
    """
    segment_values = [
        None if segment.values is None else tuple(segment.values) for segment in segments
    ]
    want(len(set(segment_values)) == len(segment_values), "segments: expected each once")
    want(None not in segment_values[:-1], "segments: expected the rest last")
    for at, segment in enumerate(segments):
        where = f"segments.{at}"
        want(segment.values is None or len(segment.values) == width, f"{where}: values")
        want(len(segment.fields) == len(fields), f"{where}.fields: expected those above")
        for field, whole in zip(segment.fields, fields, strict=True):
            _check_field(field, whole, where)
            is_apart = whole.role == "derived" and field.rows <= whole.rows
            want(
                is_apart or field.rows == segment.rows,
                f"{where}: expected the sum of counts and missing",
            )
            check_seasons(field, season, where)


def _check_field(field: SegmentField, whole: CountedEntry, where: str) -> None:
    want(len(field.counts) == len(whole.counts), f"{where}: expected the whole's bins")
    want(
        field.nonfinite + field.wrong_type <= field.missing,
        f"{where}: nonfinite, wrong_type: expected no more than missing",
    )
    held_out = whole.held_out if isinstance(whole, CategoricalReference) else []
    want(len(field.held_out) == len(held_out), f"{where}: held_out: expected as in the whole")
    want(sum(field.held_out) <= field.rows, f"{where}: held_out: expected no more than rows")
    want(
        field.once + 2 * field.twice <= sum(field.counts),
        f"{where}: once, twice: expected no more than there are values",
    )


def check_seasons(field: CountedEntry | SegmentField, season: str | None, where: str) -> None:
    """Raise ValueError unless each season has all bins and the seasons add up to the counts."""
    count = 0 if season is None else SEASONS[season]
    want(len(field.seasons) == count, f"{where}.seasons: expected {count}")
    rows = [[*map(int, row.split())] for row in field.seasons]
    whole = getattr(field, "held_out", []) or [*field.counts, field.missing]
    want(all(len(row) == len(whole) for row in rows), f"{where}.seasons: expected all bins in each")
    sums = [sum(column) for column in zip(*rows, strict=True)]
    want(not rows or sums == whole, f"{where}.seasons: expected the sums of counts and missing")
