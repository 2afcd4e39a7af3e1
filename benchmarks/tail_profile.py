"""What the slowest requests of a serving thread wait for: the worker, or the machine.

    python benchmarks/tail_profile.py [--turns 10] [--seconds 5] [--export-seconds 1]

Requests arrive at 2,000 a second, as in tail.py, in alternating turns with and without monitoring.
Of each request it records the wall time from when it was due and the CPU time that it used; the
difference is waiting. Of the worker it records every slice: a stretch without a pause, in which it
may hold the interpreter, with the line of code that ended it. A request whose waiting overlaps a
slice may have waited for the worker; any other waited for the machine, as unmonitored requests do.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np

from mlmonitor import gil
from mlmonitor.worker.worker import Worker
from sink import sink_elsewhere
from tail import WARM_SECONDS, Requests, busy_monitor, model, serve

SLOW_SHARE = 0.001
LONG_MICROSECONDS = 400.0


@dataclass
class Slices:
    """The slices of a worker thread: their bounds in ns, and the code at their ends."""

    since_ns: list[int] = field(default_factory=list)
    until_ns: list[int] = field(default_factory=list)
    cpu_ns: list[int] = field(default_factory=list)
    place: list[str] = field(default_factory=list)
    _cpu_since: threading.local = field(default_factory=threading.local)

    def add(self, caller: FrameType | None) -> None:
        """Add the slice that ends now in the calling thread, if that is a worker."""
        since = gil._slice.since_ns  # noqa: SLF001 - the library's only record of a slice's start
        if since is not None:
            self.since_ns.append(since)
            self.until_ns.append(time.perf_counter_ns())
            cpu, since_cpu = time.thread_time_ns(), getattr(self._cpu_since, "ns", 0)
            self.cpu_ns.append(cpu - since_cpu)
            self._cpu_since.ns = cpu
            code = caller.f_code if caller is not None else None
            self.place.append(
                "" if code is None else f"{Path(code.co_filename).stem}.{code.co_name}"
            )

    def measure_overlap(self, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """Return by how many ns each span overlaps slices; both are sorted and disjoint."""
        starts, ends = np.array(self.since_ns), np.array(self.until_ns)
        before = np.append(0, np.cumsum(ends - starts))

        def covered(at: np.ndarray) -> np.ndarray:
            last = np.searchsorted(starts, at, side="right")
            inside = np.where(last > 0, np.minimum(at - ends[last - 1], 0), 0)
            return before[last] + inside

        return np.asarray(covered(until) - covered(since))


def record_slices() -> Slices:
    """Record the slices of all workers from now on."""
    slices = Slices()
    pause, wait = Worker._pause_seconds, Worker._await_request  # noqa: SLF001 - where slices end

    def pause_seconds(worker: Worker) -> float:
        slices.add(sys._getframe(2))  # noqa: SLF001 - the caller of yield_gil
        return pause(worker)

    def await_request(worker: Worker, seconds: float) -> int:
        slices.add(sys._getframe(1))  # noqa: SLF001 - the caller
        return wait(worker, seconds)

    Worker._pause_seconds = pause_seconds  # type: ignore[method-assign]  # noqa: SLF001 - as above
    Worker._await_request = await_request  # type: ignore[method-assign]  # noqa: SLF001 - as above
    return slices


def describe_requests(name: str, requests: Requests, slices: Slices | None) -> None:
    """Print the latency quantiles, and for slow requests the shares of what they waited for."""
    took = requests.done_ns - requests.due_ns
    waited = took - requests.cpu_ns
    quantiles = np.quantile(took, [0.5, 0.99, 0.999]) / 1e3
    slowest = np.argsort(took)[-max(int(len(took) * SLOW_SHARE), 1) :]
    print(f"{name}: p50 {quantiles[0]:.0f}, p99 {quantiles[1]:.0f}, p99.9 {quantiles[2]:.0f} us")
    print(
        f"  slowest 0.1%: {waited[slowest].sum() / took[slowest].sum():.0%} of their time waiting"
    )
    if slices is not None:
        overlap = slices.measure_overlap(requests.due_ns, requests.done_ns)
        beside = overlap[slowest] > 0
        print(
            f"  {beside.mean():.0%} of them overlap a slice of the worker, by "
            f"{overlap[slowest].sum() / waited[slowest].sum():.0%} of their waiting; "
            f"of all requests {(overlap > 0).mean():.1%} do"
        )


def describe_slices(slices: Slices, seconds: float) -> None:
    """Print how long the worker ran, and where its longest slices ended."""
    took = np.array(slices.cpu_ns) / 1e3
    q50, q99 = np.quantile(took, [0.5, 0.99])
    print(
        f"worker: {took.sum() / 1e6 / seconds:.2%} of the time in {len(took)} slices, median "
        f"{q50:.0f}, p99 {q99:.0f}, longest {took.max():.0f} us"
    )
    long = Counter(slices.place[at] for at in np.flatnonzero(took > LONG_MICROSECONDS))
    for place, count in long.most_common(20):
        lengths = took[[at for at, name in enumerate(slices.place) if name == place]]
        print(
            f"  {count:4} of {len(lengths):4} that end in {place} take more than "
            f"{LONG_MICROSECONDS:.0f} us: median {np.median(lengths):.0f}, "
            f"longest {lengths.max():.0f}"
        )


def main() -> None:
    """Profile, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--export-seconds", type=float, default=1.0)
    options = parser.parse_args()
    slices, parts = record_slices(), {"with": [], "without": []}
    with sink_elsewhere() as url:
        for turn in range(2 * options.turns):
            name = ("with", "without", "without", "with")[turn % 4]
            if name == "without":
                parts[name].append(serve(model, options.seconds))
                continue
            with busy_monitor(url, options.export_seconds) as monitor:
                watched = monitor.watch(model)
                serve(watched, WARM_SECONDS)
                parts[name].append(serve(watched, options.seconds))
    whole = {name: Requests.concatenate(turns) for name, turns in parts.items()}
    describe_requests("unmonitored", whole["without"], None)
    describe_requests("monitored", whole["with"], slices)
    describe_slices(slices, options.turns * (options.seconds + WARM_SECONDS))


if __name__ == "__main__":
    main()
