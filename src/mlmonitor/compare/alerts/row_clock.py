"""The time of the newest rows, which alerts give as their start."""

import numpy as np

from mlmonitor.records import Floats


class RowClock:
    """Knows when the newest rows were predicted, which is when an alert on them starts.

    Rows of a service have no time of their own, and are of now. Rows that are recorded later carry
    their time (`at=`), so that an alert of a replayed month starts in that month.
    """

    __slots__ = ("_newest",)

    def __init__(self) -> None:
        self._newest: float | None = None

    def update(self, times: Floats | None) -> None:
        """Add rows with these times, in seconds since 1970; None or NaN for rows of now."""
        finite = np.empty(0) if times is None else times[np.isfinite(times)]
        self._newest = float(finite.max()) if finite.size else None

    def read(self, now: float) -> float:
        """Return the time of the newest rows, which is never after `now`."""
        return now if self._newest is None else min(self._newest, now)
