"""The memory of a field and of its serialised form, and the growth over millions of rows.

The process' resident memory is compared with the figure that the monitor reports.
"""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import shapes
from harness import Figure, main
from mlmonitor import Monitor
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.compare.population import Population

ROWS_A_BATCH = 4_096
FIELDS = 20
BUDGET_BYTES = 32 * 1_024


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def feed(monitor: Monitor, rows: int, rng: np.random.Generator) -> None:
    """Record this many rows of normal values, in batches."""
    predictions = np.zeros(ROWS_A_BATCH)
    for _ in range(rows // ROWS_A_BATCH):
        values = rng.normal(size=(FIELDS, ROWS_A_BATCH))
        monitor.record(dict(zip(shapes.names(FIELDS), values, strict=True)), predictions)
        shapes.drain(monitor)


def whylogs_bytes(rows: int) -> int:
    """Return the bytes per field of a serialised whylogs profile."""
    logging.getLogger("whylogs").setLevel(logging.CRITICAL)
    import pandas as pd
    from whylogs.core import DatasetProfile

    values = np.random.default_rng(0).normal(size=(rows, FIELDS))
    profile = DatasetProfile()
    profile.track(pandas=pd.DataFrame(values, columns=shapes.names(FIELDS)))
    return len(profile.view().serialize()) // FIELDS


def population(monitor: Monitor) -> Population:
    """Return the population of all rows, which holds the features and the prediction."""
    traffic = monitor._worker.pipeline.traffic  # noqa: SLF001 - to weigh it by itself
    traffic.begin_comparing(now=monitor._clock())  # noqa: SLF001 - as the worker would
    assert traffic.population is not None
    return traffic.population


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    rows = 500_000 if is_quick else 10_000_000
    rng = np.random.default_rng(0)
    with shapes.monitor(FIELDS) as monitor:
        feed(monitor, 200_000, rng)  # fill caches and numpy's memory pools first
        before = resident_bytes()
        bound = monitor.memory_bytes
        feed(monitor, rows, rng)
        grown = max(resident_bytes() - before, 0)
        yield Figure(
            f"resident memory grown over {rows:,} rows",
            grown,
            "bytes",
            bound,
            "Monitor.memory_bytes",
        )
        live = population(monitor)
        fields = len(live.plan.schema)
        yield Figure(
            f"memory of a field, one of {FIELDS}, windows included",
            live.memory_bytes / fields,
            "bytes",
            BUDGET_BYTES,
            "32 KiB",
        )
        profile: FieldProfile = live.window.total()
        yield Figure(
            "one field's profile as bytes",
            len(profile.to_bytes()) / fields,
            "bytes",
            whylogs_bytes(10_000),
            "whylogs serialised",
        )


if __name__ == "__main__":
    sys.exit(main("memory", measure, __doc__ or ""))
