"""What is derived from one source: columns of numbers, and why a row has none."""

from typing import NamedTuple

from mlmonitor.capture.read.refusals import Reasons, refused_counts
from mlmonitor.records import Counts, Floats


class DerivedColumns(NamedTuple):
    """Derived fields of some rows.

    numeric: `[fields, rows]`, NaN where there is no number. reasons: of the same shape, why.
    kernels: `[kernel features, rows]` of an embedding.
    """

    numeric: Floats
    reasons: Reasons
    kernels: Floats | None = None

    @property
    def refused(self) -> Counts:
        """How many rows of each field had no number, by reason."""
        return refused_counts(self.reasons)
