"""Reasons for refusing values; a block that will be split stores them row by row."""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mlmonitor.capture.values import Values, unmask
from mlmonitor.records import REFUSED, Counts, Floats


class RefusalReason(IntEnum):
    """Why a value is not used. Arrays of counts have a column for each reason in `REFUSED`."""

    GIVEN = 0
    MISSING = 1
    NONFINITE = 2
    WRONG_TYPE = 3
    ABSENT = 4  # expected to be missing, so not counted

    @property
    def column(self) -> int:
        """The index of the reason in counts, `[missing, nonfinite, wrong type]`."""
        return self - 1

    @property
    def code(self) -> int:
        """The reason as a negative code; codes of categories are never negative."""
        return -self


Reasons = NDArray[np.int8]
"""`[numeric fields, rows]`: the `RefusalReason` of each value."""

Read = Callable[[Values], tuple[Floats, Counts]]


def column_reasons(read: Read, values: Values, parsed: Floats, refused: Counts) -> Reasons:
    """Return the reason in each row of a column that `read` turned into `parsed` and `refused`.

    Price: close to nothing if all values share one reason, the usual case; otherwise 3 us per
    refused value, because it is read again.
    """
    reasons = np.zeros(parsed.size, np.int8)
    rows = np.flatnonzero(np.isnan(parsed))
    if int(refused.sum()) == rows.size and np.count_nonzero(refused) <= 1:
        reasons[rows] = 1 + int(np.argmax(refused))
        return reasons
    plain = unmask(values) if isinstance(values, np.ndarray) else values
    for row in rows.tolist():
        _, refused_here = read(plain[row : row + 1])
        if (
            refused_here.any()
        ):  # else nothing is missing: a failed call has no prediction, as expected
            reasons[row] = 1 + int(np.argmax(refused_here))
    return reasons


def matrix_reasons(raw: Floats) -> Reasons:
    """The reasons of a matrix of floats: missing where NaN, not finite where infinite."""
    reasons: Reasons = (
        RefusalReason.MISSING * np.isnan(raw) + RefusalReason.NONFINITE * np.isinf(raw)
    ).astype(np.int8)
    return reasons


def refused_counts(reasons: Reasons) -> Counts:
    """Count the refused values of each field by reason, `[fields, 3]`."""
    counts = [np.count_nonzero(reasons == 1 + column, axis=1) for column in range(len(REFUSED))]
    return np.stack(counts, axis=1).astype(np.int64)
