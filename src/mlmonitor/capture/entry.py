"""The record of one finished call, and the properties shared by calls of one watched function."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs


class Shape(NamedTuple):
    """Properties shared by all calls of one watched function, fixed at decoration.

    names: the names of positions, for rows without names.
    outputs: how results are read.
    identity: the column that holds the prediction's id, if any; it is then not a feature.
    """

    names: tuple[str, ...]
    outputs: Outputs
    identity: str | None = None


Ids = str | tuple[str, str]
"""The id of a prediction, or the caller's id and the one created here."""


Call = list[Any]
"""The id of one call's prediction: an empty list until the id is read, then `[id]`.

An event log names calls without an id: `[id, UNREAD]` until the host reads that id, if ever.

id: one for the call, or a sequence with one per row.

A bare list because the host creates one per call, and no other mutable object is cheaper.
"""


class TimedCall(list[Any]):
    """A `Call` of a batch whose prediction times were given.

    times: seconds since 1970, one for all rows or one each; NaN where a time cannot be read.
    """

    times: NDArray[np.float64]


def name(call: Call, identity: str | Sequence[str | None]) -> None:
    """Give a call its id; if two threads do so at once, the first id is kept for both."""
    call.extend((identity,)[len(call) :])  # atomic: no thread sees it half done


UNREAD: Final = object()
"""Follows an id that the worker gave to a call, until the host has read it."""


def name_unread(call: Call, identity: str) -> str:
    """Give a call without an id this one, which the host has not read; return the call's id.

    An id that the host gives it at the same time stays its first one.
    """
    if not call:
        call.extend((identity, UNREAD))
    return str(call[0])


Entry = tuple[Shape, PayloadForm, int, Any, Any, int | None, str | None, Call]
"""(shape, form, rows, payload, prediction, duration in ns, error type or None, call).

A bare tuple because the host builds one per call, and nothing in Python is cheaper. Its places:
"""

SHAPE: Final = 0
FORM: Final = 1
ROWS: Final = 2
PAYLOAD: Final = 3
PREDICTION: Final = 4
DURATION_NS: Final = 5
ERROR: Final = 6
CALL: Final = 7
