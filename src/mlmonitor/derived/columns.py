"""Columns derived from one source, and why a row has no value."""

from typing import NamedTuple

from mlmonitor.capture.read.refusals import Reasons, refused_counts
from mlmonitor.records import Counts, Floats


class DerivedColumns(NamedTuple):
    """Derived fields of some rows.

    numeric: `[fields, rows]`, NaN without a value. reasons: the cause, of the same shape.
    kernels: `[kernel features, rows]` of an embedding.
    """

    numeric: Floats
    reasons: Reasons
    kernels: Floats | None = None

    @property
    def refused(self) -> Counts:
        """How many rows of each field had no number, by reason."""
        return refused_counts(self.reasons)
