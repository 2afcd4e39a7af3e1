"""The time of the newest rows, at which alerts on them start."""

import numpy as np

from mlmonitor.records import Floats


class RowClock:
    """Remembers when the newest rows were predicted; an alert on them starts at that time.

    Rows of a service carry no time and count as predicted now. Rows that are recorded later carry
    their time (`at=`), so that an alert of a replayed month starts in that month.
    """

    __slots__ = ("_newest",)

    def __init__(self) -> None:
        self._newest: float | None = None

    def update(self, times: Floats | None) -> None:
        """Add rows with these times, in seconds since 1970; None or NaN for rows predicted now."""
        finite = np.empty(0) if times is None else times[np.isfinite(times)]
        self._newest = float(finite.max()) if finite.size else None

    def read(self, now: float) -> float:
        """Return the time of the newest rows, which is never after `now`."""
        return now if self._newest is None else min(self._newest, now)
