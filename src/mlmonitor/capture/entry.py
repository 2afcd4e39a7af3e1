"""The record of one finished call, and the properties shared by calls of one watched function."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs


class Shape(NamedTuple):
    """Properties shared by all calls of one watched function, fixed at decoration.

    names: the field names of rows whose values are identified by position.
    outputs: how results are read.
    identity: the column that holds the prediction's id, if any; this column is not a feature.
    """

    names: tuple[str, ...]
    outputs: Outputs
    identity: str | None = None


Ids = str | tuple[str, str]
"""The id of a prediction, or the caller's id and the one created here."""


Call = list[Any]
"""The id of one call's prediction: an empty list until the id is read, then `[id]`.

An event log assigns an id to a call without one: `[id, UNREAD]` until the host reads the id.

id: a single id for the call, or a sequence with one id per row.

A bare list because the host creates one per call, and no other mutable object is cheaper.
"""


class TimedCall(list[Any]):
    """A `Call` of a batch whose prediction times were given.

    times: seconds since 1970, one for all rows or one per row; NaN where a time cannot be read.
    """

    times: NDArray[np.float64]


def name(call: Call, identity: str | Sequence[str | None]) -> None:
    """Set the id of a call; if two threads do so at the same time, the first id wins."""
    call.extend((identity,)[len(call) :])  # atomic: no thread sees it half done


UNREAD: Final = object()
"""Marks an id that the worker assigned to a call and that the host has not read yet."""


def name_unread(call: Call, identity: str) -> str:
    """Assign an id in the worker to a call that has none, marked as `UNREAD`; return the call's id.

    If the host assigns an id at the same time, the first one counts.
    """
    if not call:
        call.extend((identity, UNREAD))
    return str(call[0])


Entry = tuple[Shape, PayloadForm, int, Any, Any, int | None, str | None, Call]
"""(shape, form, rows, payload, prediction, duration in ns, error type or None, call).

A bare tuple because the host builds one per call, and nothing in Python is cheaper. Its positions:
"""

SHAPE: Final = 0
FORM: Final = 1
ROWS: Final = 2
PAYLOAD: Final = 3
PREDICTION: Final = 4
DURATION_NS: Final = 5
ERROR: Final = 6
CALL: Final = 7
