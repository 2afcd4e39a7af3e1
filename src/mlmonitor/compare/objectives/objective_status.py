"""The status of one objective at one moment."""

from typing import NamedTuple

from mlmonitor.records import Objective


class ObjectiveStatus(NamedTuple):
    """An objective and its current measure.

    value: the measure over the newest rows; NaN before there are any.
    low, high: a 95% confidence sequence, NaN if the value is counted and not estimated.
    count: the number of rows behind `value`.
    log10_e_value: the evidence that a bound is broken.
    is_met: False while the alert fires, None before any row.
    """

    objective: Objective
    value: float
    low: float
    high: float
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used
    log10_e_value: float
    is_met: bool | None
