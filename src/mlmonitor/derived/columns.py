"""Columns derived from one source, and the reasons for missing values."""

from typing import NamedTuple

from mlmonitor.capture.read.refusals import Reasons, refused_counts
from mlmonitor.records import Counts, Floats


class DerivedColumns(NamedTuple):
    """Derived fields of some rows.

    numeric: `[fields, rows]`, NaN where there is no value. reasons: the cause, in the same shape.
    kernels: `[kernel features, rows]` of an embedding.
    """

    numeric: Floats
    reasons: Reasons
    kernels: Floats | None = None

    @property
    def refused(self) -> Counts:
        """The number of rows without a value, by field and reason."""
        return refused_counts(self.reasons)
