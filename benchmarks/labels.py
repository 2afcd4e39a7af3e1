"""What labels cost: CPU of 200,000 in one call, and the memory of a million waiting predictions.

All CPU is counted, that of the calling thread and that of the worker, from `label` to the last
metric. Memory is the growth of the process, as the system sees it, while the predictions wait.
"""

import gc
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import shapes
from harness import Figure, Timing, allow, main, measure_pace
from memory import resident_bytes
from mlmonitor import Config, Monitor, Reference
from mlmonitor.buffer.pending import Pending
from mlmonitor.compare.performance.prediction_keeper import PredictionKeeper

LABELS = 200_000
WAITING = 1_000_000
BUDGET_SECONDS = 0.3
BUDGET_BYTES = 64 << 20


def seconds_of(predicted: Any, actual: Any, reference: Reference, *, rounds: int) -> Timing:
    """Time the labelling of all predictions in one call, in CPU seconds."""
    costs = []
    ids = [f"{at:032x}" for at in range(LABELS)]
    features = {"x": np.random.default_rng(1).normal(size=LABELS)}
    for _ in range(rounds + 1):
        config = Config(pending_predictions=LABELS, buffer_rows=LABELS, poll_interval_seconds=3_600)
        with Monitor("m", reference=reference, exporters=[], config=config) as monitor:
            monitor.record(features, predicted, ids=ids)
            shapes.drain(monitor)
            gc.collect()
            started = time.process_time()
            monitor.label(ids, actual)
            shapes.drain(monitor)
            costs.append(time.process_time() - started)
            assert monitor.status().labels["matched"] == LABELS
    return Timing(tuple(costs[1:]))


def bytes_of_a_million() -> int:
    """Return by how much the process grows while a million predictions are stored."""
    pending = Pending(WAITING, PredictionKeeper.COLUMNS)
    before = resident_bytes()
    for start in range(0, WAITING, 10_000):
        ids = [f"{at:032x}" for at in range(start, start + 10_000)]
        columns = {name: np.zeros(len(ids), d) for name, d in PredictionKeeper.COLUMNS.items()}
        pending.remember(ids, columns, np.zeros(len(ids)))
    assert len(pending) == WAITING
    return resident_bytes() - before


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    rng, rounds = np.random.default_rng(0), 2 if is_quick else 5
    numbers = rng.lognormal(8, 1, LABELS)
    truth = numbers * rng.lognormal(0, 0.1, LABELS)
    held_bytes = bytes_of_a_million()
    yield Figure("a million predictions in waiting", held_bytes, "bytes", BUDGET_BYTES, "64 MiB")
    x = {"x": rng.normal(size=2_000)}
    reference = Reference.fit(x, predictions=numbers[:2_000], actuals=truth[:2_000])
    timing = seconds_of(numbers, truth, reference, rounds=rounds)
    allowed = allow(BUDGET_SECONDS, "s", pace=measure_pace())
    name = "200,000 labels in one call"
    yield Figure(name, timing.best, "s", *allowed, timing.spread)
    names = np.array(["approve", "refer", "decline"], object)
    classes, actual = (names[rng.integers(0, 3, LABELS)] for _ in range(2))
    reference = Reference.fit(x, predictions=classes[:2_000], actuals=actual[:2_000])
    timing = seconds_of(classes, actual.tolist(), reference, rounds=rounds)
    allowed = allow(BUDGET_SECONDS, "s", pace=measure_pace())
    yield Figure(f"{name}, classes", timing.best, "s", *allowed, timing.spread)


if __name__ == "__main__":
    sys.exit(main("labels", measure, __doc__ or ""))
