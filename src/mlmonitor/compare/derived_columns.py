"""What is derived from one source: columns of numbers, and why a row has none."""

from typing import NamedTuple

import numpy as np

from mlmonitor.capture.reasons import Reasons
from mlmonitor.records import REFUSED, Counts, Floats

GIVEN, MISSING, NONFINITE, WRONG_TYPE = range(len(REFUSED) + 1)
"""Why a row has no value, as `Block.reasons` tells it."""


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
        found = [np.count_nonzero(self.reasons == 1 + at, axis=1) for at in range(len(REFUSED))]
        return np.stack(found, axis=1).astype(np.int64)
