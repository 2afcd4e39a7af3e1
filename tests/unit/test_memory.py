"""What is held is measured, and is within what the monitor says."""

import gc
import tracemalloc

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference
from mlmonitor.testing import ManualClock

ROWS = 2_000


def columns(rng: np.random.Generator) -> dict[str, object]:
    """Numbers with gaps, a category with ever new names, and a flag."""
    amount = rng.normal(size=ROWS)
    amount[rng.random(ROWS) < 0.05] = np.nan
    names = rng.integers(0, 1 << 40, ROWS).astype(str)
    return {
        "amount": amount,
        "age": rng.uniform(18, 90, ROWS),
        "shop": np.where(rng.random(ROWS) < 0.3, names, "known").tolist(),
        "flag": rng.random(ROWS) < 0.5,
    }


def serve(monitor: Monitor, clock: ManualClock, rng: np.random.Generator, panes: int) -> None:
    """A batch a pane, with ids and figures, each of which stays for a while."""
    for at in range(panes):
        ids = [f"{at}-{row}" for row in range(ROWS)]
        monitor.record(columns(rng), rng.normal(size=ROWS), ids=ids)
        monitor.kpi("saved", float(at))
        monitor.status()
        clock.advance(1.0)


@pytest.mark.timeout(120)
def test_memory_stays_within_what_is_said_whatever_comes(rng: np.random.Generator) -> None:
    """After more panes than a window has, no more is held than told, nor after as many again."""
    clock = ManualClock()
    reference = Reference.fit(columns(rng), predictions=rng.normal(size=ROWS))
    config = Config(window_seconds=10, panes=10, pending_predictions=5_000)

    def held(panes: int) -> tuple[int, int]:
        gc.collect()
        tracemalloc.start()
        try:
            monitor = Monitor("m", reference=reference, exporters=[], config=config, clock=clock)
            serve(monitor, clock, rng, panes)
            gc.collect()
            found, _ = tracemalloc.get_traced_memory()
            told = monitor.memory_bytes
            monitor.close()
        finally:
            tracemalloc.stop()
        return found, told

    held(2)  # imports and caches of libraries are nobody's rows
    short, told = held(15)
    long, _ = held(45)
    assert short <= told
    assert long <= told
    assert long <= short * 1.1
