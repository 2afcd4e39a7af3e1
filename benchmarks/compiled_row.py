"""What a small compiled extension would save: rows of 20 floats packed in C by the caller.

Builds `compiled_row.c` with the machine's C compiler and compares three variants in turns: the
package as it is; rows packed by compiled code and counted by the package; and packed rows whose
statistics are also compiled, as a lower bound for any extension. Prints the CPU of a row and the
tail latency of a serving thread; docs/row_cost.md shows both and the decision.

    python benchmarks/compiled_row.py [--rounds 40] [--rate 2000] [--seconds 4]
"""

import argparse
import gc
import importlib.util
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import shapes
import tail
from mlmonitor import Monitor
from mlmonitor.aggregate.call_stats import TimedCalls
from mlmonitor.gil import yield_gil
from mlmonitor.records import Block
from sink import sink_elsewhere

FIELDS, BLOCK, ROWS, EDGES = 20, 1_280, 4_096, 13
PYTHON, PACKED, COMPILED = "as it is", "packed", "packed, compiled statistics"
UNMONITORED, CONTROL = "unmonitored", "unmonitored, a second run"
Predict = Callable[[Any], Any]


def build() -> Any:
    """Compile `compiled_row.c`, import it, and return the module."""
    folder = Path(tempfile.mkdtemp(prefix="mlmonitor-compiled-"))
    library = folder / "compiled_row.so"
    source = Path(__file__).with_suffix(".c")
    include = f"-I{sysconfig.get_path('include')}"
    flags = ["-O2", "-march=native", "-shared", "-fPIC", include]
    subprocess.run(["cc", *flags, str(source), "-o", str(library), "-lm"], check=True)  # noqa: S607 - whichever compiler there is
    spec = importlib.util.spec_from_file_location("compiled_row", library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PackedRows:
    """Feeds a monitor with rows that compiled code has packed."""

    def __init__(self, compiled: Any, monitor: Monitor, *, with_statistics: bool) -> None:
        self._compiled, self._with_statistics = compiled, with_statistics
        self._packer = compiled.Packer(tuple(shapes.names(FIELDS)))
        self._state = monitor._worker.pipeline.state  # noqa: SLF001 - it has no other way in
        self._block = np.empty((FIELDS + 2, BLOCK))
        self._refused = np.zeros((FIELDS + 1, 3), np.int64)
        self._edges = np.sort(np.random.default_rng(0).normal(size=(FIELDS + 1, EDGES)), axis=1)
        self._summary = np.empty((FIELDS + 1, EDGES + 202))

    def watch(self, function: Predict) -> Predict:
        """Return the function wrapped so that its rows are packed."""
        watched: Predict = self._compiled.Watched(function, self._packer)
        return watched

    def absorb(self, now: float) -> None:
        """Count the waiting rows, block by block."""
        calls, service = self._state.calls, self._state.service
        while rows := self._packer.drain_into(self._block):
            seconds = self._block[-1, :rows].copy()
            calls.predictions += rows
            calls._update_latency(seconds, now)  # noqa: SLF001 - as above
            service.alerts.ingest(TimedCalls(seconds, np.zeros(rows, np.bool_)))
            service.rate.ingest(rows, now=now)
            yield_gil()
            values = np.ascontiguousarray(self._block[:-1, :rows])
            if self._with_statistics:
                values.sort(axis=1)
                self._compiled.summarise(
                    values, FIELDS + 1, rows, self._edges, EDGES, self._summary
                )
            else:
                block = Block(rows, values, self._refused, [])
                self._state.traffic.population.update(block, now=now)
            yield_gil()


def spread(ratios: np.ndarray) -> str:
    """Format the median and the range from the 10% to the 90% quantile."""
    low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
    return f"{middle:5.2f} [{low:.2f}, {high:.2f}]"


def cpu(compiled: Any, rounds: int) -> None:
    """Print the CPU per row of each variant, in the calling thread and in the worker."""
    rows = shapes.rows("dict", np.random.default_rng(0).normal(size=(ROWS, FIELDS)))
    ways: dict[str, tuple[Predict, Callable[[], None]]] = {}
    for name in (PYTHON, PACKED, COMPILED):
        monitor = shapes.monitor(FIELDS)
        watched = monitor.watch(lambda _: 0.5)
        watched(rows[0])
        shapes.drain(monitor)
        ways[name] = watched, lambda monitor=monitor: shapes.drain(monitor)  # type: ignore[misc]
        if name != PYTHON:
            packed = PackedRows(compiled, monitor, with_statistics=name == COMPILED)
            ways[name] = packed.watch(lambda _: 0.5), lambda packed=packed: packed.absorb(0.0)  # type: ignore[misc]
    gc.collect()
    gc.freeze()
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, (watched, drain) in ways.items():
            started = time.thread_time_ns()
            for row in rows:
                watched(row)
            between = time.thread_time_ns()
            drain()
            ended = time.thread_time_ns()
            took[name].append(((between - started) / ROWS, (ended - between) / ROWS))
    base = np.array(took[PYTHON][1:]).sum(axis=1)
    for name, parts in took.items():
        costs = np.array(parts[1:])
        ratios = spread(costs.sum(axis=1) / base)
        host, worker = costs.min(axis=0)
        print(f"{name:30} caller {host:6.0f} ns  worker {worker:6.0f} ns  of {PYTHON}: {ratios}")


def watch_model(compiled: Any, monitor: Monitor, name: str) -> Predict:
    """Return the model as a variant watches it, and let the monitor's worker count its rows."""
    watched = monitor.watch(tail.model)
    watched(tail.next_features())  # starts the worker
    if name == PYTHON:
        return watched
    packed = PackedRows(compiled, monitor, with_statistics=name == COMPILED)
    pipeline = monitor._worker.pipeline  # noqa: SLF001 - as above
    absorb = pipeline.absorb

    def absorb_both(now: float) -> bool:
        is_more = absorb(now)  # first, because it begins to compare
        packed.absorb(now)
        return is_more

    pipeline.absorb = absorb_both  # type: ignore[method-assign]  # this monitor's alone
    return packed.watch(tail.model)


def serve_variant(
    compiled: Any, name: str, url: str, seconds: float, export_seconds: float
) -> np.ndarray:
    """Return the latencies in ns of a thread whose rows a variant counts."""
    if name in (UNMONITORED, CONTROL):
        return tail.served(tail.model, seconds)
    with tail.busy_monitor(url, export_seconds) as monitor:
        predict = watch_model(compiled, monitor, name)
        tail.served(predict, tail.WARM_SECONDS)
        return tail.served(predict, seconds)


def tails(compiled: Any, turns: int, options: argparse.Namespace) -> None:
    """Print the tail latency of a serving thread for each variant, relative to no monitoring."""
    tail.RATE = options.rate
    order = [UNMONITORED, CONTROL, PYTHON, PACKED, COMPILED]
    took: dict[str, list[np.ndarray]] = {name: [] for name in order}
    with sink_elsewhere() as url:
        for turn in range(turns):
            for name in order[turn % len(order) :] + order[: turn % len(order)]:
                latencies = serve_variant(
                    compiled, name, url, options.seconds, options.export_seconds
                )
                took[name].append(np.quantile(latencies, [0.5, 0.99, 0.999]) / 1e3)
    base = np.array(took[UNMONITORED])
    for name, quantiles_by_turn in took.items():
        costs = np.array(quantiles_by_turn)
        ratios = [spread(ratio) for ratio in (costs / base).T]
        quantiles = "  ".join(
            f"{label} {middle:7.0f} us {ratio}"
            for label, middle, ratio in zip(
                ("p50", "p99", "p99.9"), np.median(costs, axis=0), ratios, strict=True
            )
        )
        print(f"{name:30} {quantiles}")


def main() -> None:
    """Print CPU and tail latency."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--rate", type=int, default=tail.RATE)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--export-seconds", type=float, default=60.0)
    options = parser.parse_args()
    compiled = build()
    cpu(compiled, options.rounds)
    sys.stdout.flush()
    if options.seconds:
        tails(compiled, max(options.rounds // 4, 1), options)
    sys.stdout.flush()
    os._exit(0)  # the monitors have nothing left to deliver to


if __name__ == "__main__":
    main()
