"""Totals of received counters and histograms, cumulative or delta.

Source: OpenTelemetry specification, metrics data model: temporality, resets and gaps, overlap.
"""

from bisect import bisect_left, bisect_right
from collections import Counter

from mlmonitor.testing.receiver.decoding import Explicit, Exponential, is_same
from mlmonitor.testing.receiver.histograms import Distribution, plus

Amount = int | float | Distribution

FELL = "counter fell without a new start time: read as a reset"
NOT_INCREASING = "timestamp not after the one before"
SAME_TIME = "same timestamp, different value"
START_INSIDE = "start time inside an earlier run"
OVERLAP = "delta intervals overlap"
GAP = "gap between delta intervals"
NO_START = "delta without an interval"


def added(one: Amount, other: Amount) -> Amount:
    """Return the sum of two amounts of one kind."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one + other
    if isinstance(one, Explicit | Exponential) and isinstance(other, Explicit | Exponential):
        return plus(one, other)
    raise ValueError("numbers and histograms do not add up: ask for one of them")


def _measure_size(amount: Amount) -> float:
    return amount if isinstance(amount, int | float) else amount.count


class _Run:
    """A series since one start time: its newest value, and its totals before unannounced resets."""

    __slots__ = ("before", "time_ns", "value")

    def __init__(self, time_ns: int, value: Amount) -> None:
        self.time_ns, self.value = time_ns, value
        self.before: list[Amount] = []


class CumulativeStream:
    """A cumulative series of one process: the newest value of each start time counts.

    If a monotonic series falls without a new start time, it was reset: as in Prometheus, its
    previous value still counts. Late and repeated points change nothing.
    """

    def __init__(self, *, is_monotonic: bool) -> None:
        self.warnings: Counter[str] = Counter()
        self._is_monotonic = is_monotonic
        self._runs: dict[int, _Run] = {}

    def add(self, start_ns: int, time_ns: int, value: Amount) -> None:
        """Add a point."""
        run = self._runs.get(start_ns)
        if run is None:
            if any(start_ns < other.time_ns for other in self._runs.values()):
                self.warnings[START_INSIDE] += 1
            self._runs[start_ns] = _Run(time_ns, value)
            return
        if time_ns <= run.time_ns:
            if time_ns < run.time_ns:
                self.warnings[NOT_INCREASING] += 1
            elif not is_same(value, run.value):
                self.warnings[SAME_TIME] += 1
            return
        if self._is_monotonic and _measure_size(value) < _measure_size(run.value):
            self.warnings[FELL] += 1
            run.before.append(run.value)
        run.time_ns, run.value = time_ns, value

    def amounts(self) -> list[Amount]:
        """Return the amounts that add up to the total."""
        return [part for run in self._runs.values() for part in (*run.before, run.value)]

    def notes(self) -> Counter[str]:
        """Return the number of oddities of the points, by kind."""
        return self.warnings


class DeltaStream:
    """A delta series of one process: all points count, including those that were sent twice."""

    def __init__(self) -> None:
        self.warnings: Counter[str] = Counter()
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._amounts: list[Amount] = []

    def add(self, start_ns: int, time_ns: int, value: Amount) -> None:
        """Add a point."""
        self._amounts.append(value)
        if 0 < start_ns < time_ns:
            self._cover(start_ns, time_ns)
        else:
            self.warnings[NO_START] += 1

    def amounts(self) -> list[Amount]:
        """Return the amounts that add up to the total."""
        return list(self._amounts)

    def notes(self) -> Counter[str]:
        """Return the number of irregularities by kind, apart from gaps that were filled later."""
        return self.warnings + Counter({GAP: len(self._starts) - 1})

    def _cover(self, start: int, end: int) -> None:
        """Merge an interval into the covered intervals, which stay sorted and disjoint."""
        first, after = bisect_left(self._ends, start), bisect_right(self._starts, end)
        touched = list(zip(self._starts[first:after], self._ends[first:after], strict=True))
        self.warnings[OVERLAP] += any(low < end and high > start for low, high in touched)
        self._starts[first:after] = [min([start, *(low for low, _ in touched)])]
        self._ends[first:after] = [max([end, *(high for _, high in touched)])]
