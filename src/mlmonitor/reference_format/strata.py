"""Parts of the training rows, as they stand in a reference's file: by season and by segment."""

import sys
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mlmonitor.reference_format.entries import (
    ENTRY_BYTES,
    NUMBER_BYTES,
    OBJECT_BYTES,
    QUANTILE_POINTS,
    Count,
    CriticalTable,
    Deviation,
    Finite,
    SeasonRow,
)

SegmentValue = Annotated[str, StringConstraints(max_length=1_000)] | None


class SegmentField(BaseModel):
    """One field within one segment; its bins or categories are those of the whole."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    missing: Count
    counts: Annotated[list[Count], Field(max_length=10_001)]
    mean: Finite | None = None
    stddev: Deviation | None = None
    min: Finite | None = None
    max: Finite | None = None
    quantiles: Annotated[list[Finite], Field(max_length=QUANTILE_POINTS)] = []
    critical: CriticalTable = {}
    seasons: Annotated[list[SeasonRow], Field(max_length=1_000)] = []

    @property
    def nbytes(self) -> int:
        """Memory that it takes at most, once read."""
        tables = sum(ENTRY_BYTES + len(table) * NUMBER_BYTES for table in self.critical.values())
        figures = len(self.quantiles) + len(self.counts)
        texts = sum(map(sys.getsizeof, self.seasons))
        return OBJECT_BYTES + tables + figures * NUMBER_BYTES + texts


class SegmentReference(BaseModel):
    """One segment: its value of each segment field, or null for the rest of the rows.

    `fields` are in the order of the whole's.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    values: Annotated[list[SegmentValue], Field(min_length=1, max_length=100)] | None
    rows: Count
    fields: Annotated[list[SegmentField], Field(max_length=100_000)]

    @property
    def nbytes(self) -> int:
        """Memory that it takes at most, once read."""
        names = sum(map(sys.getsizeof, self.values or ()))
        return OBJECT_BYTES + names + sum(field.nbytes for field in self.fields)
