"""What is known of one objective at one moment."""

from typing import NamedTuple

from mlmonitor.records import Objective


class ObjectiveStatus(NamedTuple):
    """An objective and its measure now.

    value: over the newest rows, NaN before there are any. low, high: a 95% confidence sequence,
    NaN where the value is counted, not estimated. count: rows behind it. log10_e_value: the
    evidence that a bound is broken. is_met: False while its alert fires, None before any row.
    """

    objective: Objective
    value: float
    low: float
    high: float
    count: int  # type: ignore[assignment]  # no one counts a tuple's elements here
    log10_e_value: float
    is_met: bool | None
