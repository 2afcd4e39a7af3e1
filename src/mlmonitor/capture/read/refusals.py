"""Why each value of a block was refused: asked for only where a block will be split."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mlmonitor.capture.values import Values, unmasked
from mlmonitor.records import REFUSED, Counts, Floats

Reasons = NDArray[np.int8]
"""`[numeric fields, rows]`: 0 where nothing was refused, else 1 + the place in `REFUSED`."""

GIVEN, MISSING, NONFINITE, WRONG_TYPE = range(len(REFUSED) + 1)

Read = Callable[[Values], tuple[Floats, Counts]]


def column_reasons(read: Read, values: Values, found: Floats, refused: Counts) -> Reasons:
    """The reason at each row of one column, which `read` has turned into `found` and `refused`.

    Price: nothing to speak of where all have one reason, which is the rule; else 3 us for each
    value refused, since it is read again.
    """
    reasons = np.zeros(found.size, np.int8)
    rows = np.flatnonzero(np.isnan(found))
    if int(refused.sum()) == rows.size and np.count_nonzero(refused) <= 1:
        reasons[rows] = 1 + int(np.argmax(refused))
        return reasons
    plain = unmasked(values) if isinstance(values, np.ndarray) else values
    for row in rows.tolist():
        _, one = read([plain[row]])
        if one.any():  # else nothing is missing: a failed call has no prediction by right
            reasons[row] = 1 + int(np.argmax(one))
    return reasons


def matrix_reasons(raw: Floats) -> Reasons:
    """The reasons of a matrix of floats: missing where NaN, not finite where infinite."""
    reasons: Reasons = (np.isnan(raw) + 2 * np.isinf(raw)).astype(np.int8)
    return reasons


def refused_counts(reasons: Reasons) -> Counts:
    """How many values of each field were refused, `[fields, 3]`, by reason."""
    found = [np.count_nonzero(reasons == 1 + at, axis=1) for at in range(len(REFUSED))]
    return np.stack(found, axis=1).astype(np.int64)
