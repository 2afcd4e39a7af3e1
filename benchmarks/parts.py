"""Where the CPU of a row of 20 floats goes: in the calling thread, and in each step of the worker.

Each step's time excludes the steps inside it; 4,096 rows are recorded before each drain, as in
`worker.py`. The bare operations are those that no monitor in Python and numpy can avoid: copy a
dict, read a clock twice, append a tuple; extract the values of the dicts into an array; sort it;
free everything. They take half of the budget, 1/160 of whylogs' cost. No other step can save much:
the calling thread and reading need a few Python calls per row; digests and bins need about a
hundred numpy calls per 1,536 rows. Halving the total would take a compiled wrapper and reader of a
few hundred lines, because two thirds of the time are spent there.
"""

import gc
import inspect
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from marshal import dumps
from operator import itemgetter
from typing import Any

import numpy as np

import shapes
from harness import Figure, main
from mlmonitor.aggregate import call_stats
from mlmonitor.aggregate.call_stats import CallStats
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.sketches.tdigest import TDigest
from mlmonitor.aggregate.staging import StagingBuffer
from mlmonitor.buffer.handover import Handover
from mlmonitor.capture.read.reader import Reader
from mlmonitor.compare import model_state
from mlmonitor.compare.population import Population
from mlmonitor.pipeline import drain as draining

WHOLE = "all CPU of a row"
HOST = "the calling thread"
REST = "freeing what calls held, and the rest"
BARE = "the bare operations"
ROWS = 4_096
STEPS: tuple[tuple[str, Any, str], ...] = (
    ("taking calls over", Handover, "drain"),
    ("gathering calls", draining, "gather"),
    ("gathering calls", model_state, "read_rows"),
    ("gathering calls", call_stats, "columns_of"),
    ("counting calls", CallStats, "update"),
    ("reading numbers", Reader, "read_block"),
    ("sorting", StagingBuffer, "drain_sorted"),
    ("bins, moments, quality", FieldProfile, "count_numeric"),
    ("t-digests", TDigest, "update_sorted"),
    ("evidence", Population, "evaluate"),
)


class Ledger:
    """The time spent in each step, without the steps inside it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside: list[int] = []

    def watch_steps(self) -> None:
        """Patch all steps to be timed from now on, in any thread."""
        for label, owner, name in STEPS:
            step = getattr(owner, name)
            if inspect.isgeneratorfunction(step):  # else only its beginning would be timed
                step = lambda *args, step=step: [*step(*args)]  # noqa: E731 - as above
            setattr(owner, name, self.timed(label, step))

    def timed(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function wrapped so that its time is added to `label`."""

        def step(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter_ns()
            self._inside.append(0)
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter_ns() - started
                self.spent[label] += took - self._inside.pop()
                if self._inside:
                    self._inside[-1] += took

        return step


def bare() -> Callable[[list[dict[str, float]]], int]:
    """Return a function that times the bare operations on some rows, in nanoseconds."""
    clock, get = time.perf_counter_ns, itemgetter(*shapes.names(20))

    def once(rows: list[dict[str, float]]) -> int:
        waiting: deque[Any] = deque()
        started_at = clock()
        for row in rows:
            kept, started = row.copy(), clock()
            waiting.append((kept, 0.5, clock() - started))
        while waiting:
            taken = [waiting.popleft() for _ in range(256)]
            values = [*map(get, map(itemgetter(0), taken))]
            packed = dumps(values, 2)
            table = np.ndarray((256, 20), "<f8", packed, 11, (185, 9))
            np.sort(table.T.copy(), axis=1)
        del taken, values
        return clock() - started_at

    return once


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield the time of each step, from its least disturbed round."""
    ledger = Ledger()
    ledger.watch_steps()
    drain = ledger.timed(REST, shapes.drain)
    monitor = shapes.monitor(20)
    watched = monitor.watch(lambda row: row["f0"])
    rng, rounds, once = np.random.default_rng(0), [], bare()
    for _ in range(5 if is_quick else 15):
        rows = shapes.rows("dict", rng.normal(size=(ROWS, 20)))
        gc.collect()
        gc.freeze()  # so that collections do not scan older objects
        ledger.spent.clear()
        started = time.perf_counter_ns()
        for row in rows:
            watched(row)
        ledger.spent[HOST] = time.perf_counter_ns() - started
        drain(monitor)
        ledger.spent[BARE] = once(rows)
        rounds.append(dict(ledger.spent))
    best = {label: min(spent.get(label, 0) for spent in rounds[1:]) / ROWS for label in rounds[-1]}
    least = best.pop(BARE)
    whole = sum(best.values())
    yield Figure(WHOLE, whole, "ns")
    yield Figure(BARE, least, "ns", whole, WHOLE)
    for label, took in sorted(best.items(), key=lambda item: -item[1]):
        yield Figure(label, took, "ns", whole, WHOLE)


if __name__ == "__main__":
    sys.exit(main("parts", measure, __doc__ or ""))
