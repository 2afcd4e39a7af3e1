"""What watching costs the calling thread, beside one Prometheus `Histogram.observe`, in one run.

Each way is timed in turns, for several rounds; the best round of each counts. The worker
is idle meanwhile: what it costs is measured elsewhere.
"""

import gc
import platform
import time
from collections.abc import Callable

import numpy as np
from prometheus_client import CollectorRegistry, Histogram

from mlmonitor import Config, Monitor, Reference

FIELDS = 20
CALLS = 20_000
ROUNDS = 7
NAMES = [f"f{at}" for at in range(FIELDS)]


def nothing(_features: object) -> float:
    """A model that costs nothing, so that only the watching is seen."""
    return 0.5


def nanoseconds(call: Callable[[], object]) -> float:
    """Nanoseconds a call, over many."""
    gc.disable()  # as timeit does: with nothing drained meanwhile, it would visit all that waits
    started = time.perf_counter_ns()
    for _ in range(CALLS):
        call()
    took = time.perf_counter_ns() - started
    gc.enable()
    return took / CALLS


def ways(monitor: Monitor) -> dict[str, Callable[[], object]]:
    """Every way of making one prediction, and the baseline."""
    rng = np.random.default_rng(0)
    array = rng.normal(size=FIELDS)
    row = dict(zip(NAMES, array.tolist(), strict=True))
    values = tuple(row.values())
    watched = monitor.watch(nothing)
    histogram = Histogram("duration", "seconds", registry=CollectorRegistry())

    def observed() -> None:
        with monitor.observe(row) as prediction:
            prediction.value = 0.5

    return {
        "Histogram.observe (baseline)": lambda: histogram.observe(0.5),
        "bare call": lambda: nothing(row),
        "@watch, dict": lambda: watched(row),
        "@watch, tuple": lambda: watched(values),
        "@watch, ndarray": lambda: watched(array),
        "with observe, dict": observed,
    }


def main() -> None:
    """Print nanoseconds added per call, and their ratio to the baseline."""
    rng = np.random.default_rng(1)
    reference = Reference.fit(
        rng.normal(size=(2_000, FIELDS)), predictions=[0.5] * 2_000, names=NAMES
    )
    config = Config(buffer_rows=10_000_000, export_interval_seconds=3_600, drain_seconds=3_600)
    with Monitor("bench", reference=reference, exporters=[], config=config) as monitor:
        found: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, call in ways(monitor).items():
                found.setdefault(name, []).append(nanoseconds(call))
                monitor.status()  # drains, so that every way starts with an empty buffer
    best = {name: min(times) for name, times in found.items()}
    baseline = best["Histogram.observe (baseline)"]
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"{machine}, {FIELDS} fields, best of {ROUNDS}")
    for name, times in found.items():
        is_ours = name.startswith(("@", "with"))
        added = best[name] - (best["bare call"] if is_ours else 0)
        spread = max(times) / min(times)
        print(f"{name:30} {added:8.0f} ns  {added / baseline:5.2f} x  (spread {spread:.2f})")


if __name__ == "__main__":
    main()
