"""What one finished call leaves behind, and how calls of one shape are gathered into rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs


class Shape(NamedTuple):
    """What the calls of one watched function have in common, fixed when it was decorated.

    names: of positions, for rows that name nothing.
    outputs: how results are read.
    identity: the feature that holds the prediction's id, if any; it is not a feature then.
    """

    names: tuple[str, ...]
    outputs: Outputs
    identity: str | None = None


Ids = str | tuple[str, str]
"""What a prediction is called: by one id, or by its caller's and by the one made for it."""


Call = list[Any]
"""What one call's prediction is called: nothing until somebody asks, then `[id]`.

id: one, or a sequence of one for each row.

A bare list because the host makes one per call, and nothing that can change is cheaper.
"""


def name(call: Call, identity: str | Sequence[str | None]) -> None:
    """Call it so; if two threads do it at once, what the first said is its name for both."""
    call.extend((identity,)[len(call) :])  # in one step: no thread sees half of it


Entry = tuple[Shape, PayloadForm, int, Any, Any, int | None, str | None, Call]
"""(shape, form, rows, payload, prediction, duration in ns, error type or None, call).

A bare tuple because the host builds one per call, and nothing in Python is cheaper.
"""
