"""What the live page and the report cost: CPU of a refresh with 200 fields, a report with 100.

A refresh reads the model, draws all parts and compresses the snapshot, which further viewers then
share. Fields that have not changed are folded away, which is the default.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from harness import Figure, Timing, allow, main, measure_pace
from mlmonitor import Config, Monitor, Reference
from mlmonitor.present.page.page_source import PageSource
from mlmonitor.present.views.view_options import ViewOptions

ROWS = 3_000
BUDGET_SECONDS = 0.03
BUDGET_BYTES = 100_000
BUDGET_REPORT_SECONDS = 3.0
BUDGET_REPORT_BYTES = 5_000_000


def make_monitor(fields: int) -> Monitor:
    """Return a monitor with a full window in which a tenth of the features has drifted."""
    rng = np.random.default_rng(0)

    def draw(shift: float) -> dict[str, np.ndarray]:
        return {
            f"feature_{at:03}": rng.normal(shift if at % 10 == 0 else 0.0, 1, ROWS)
            for at in range(fields)
        }

    reference = Reference.fit(
        draw(0.0), predictions=rng.normal(0, 1, ROWS), thresholds="asymptotic"
    )
    config = Config(window_rows=ROWS, window_seconds=None, export_interval_seconds=86_400)
    monitor = Monitor("m", reference=reference, exporters=[], config=config)
    monitor.record(draw(1.0), rng.normal(0, 1, ROWS))
    monitor.status()
    return monitor


def time_rounds(call: Callable[[], object], rounds: int) -> Timing:
    """Time several calls in CPU seconds, after one that is not counted."""
    call()
    costs = []
    for _ in range(rounds):
        started = time.process_time()
        call()
        costs.append(time.process_time() - started)
    return Timing(tuple(costs))


def refresh(monitor: Monitor, options: ViewOptions) -> int:
    """Refresh the page once; return the size of the compressed snapshot in bytes."""
    source = PageSource(monitor._read_page)  # noqa: SLF001 - as the page reads it
    return len(source.render(options, [source.headline()], 0).compressed)


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    rounds = 3 if is_quick else 15
    with make_monitor(200) as monitor:
        for name, options in (
            ("refresh of 200 fields", ViewOptions()),
            ("refresh of 200 fields, unfolded", ViewOptions(with_calm=True)),
        ):
            timing = time_rounds(partial(refresh, monitor, options), rounds)
            allowed = allow(1_000 * BUDGET_SECONDS, "ms", pace=measure_pace())
            yield Figure(name, 1_000 * timing.best, "ms", *allowed, timing.spread)
            size = refresh(monitor, options)
            yield Figure(f"{name}, compressed", size, "bytes", BUDGET_BYTES, "100 kB")
    with make_monitor(100) as monitor, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        timing = time_rounds(partial(monitor.report, path), 1 if is_quick else 3)
        name, size = "report of 100 fields", path.stat().st_size
        allowed = allow(BUDGET_REPORT_SECONDS, "s", pace=measure_pace())
        yield Figure(name, timing.best, "s", *allowed, timing.spread)
        yield Figure(f"{name}, size", size, "bytes", BUDGET_REPORT_BYTES, "5 MB")


if __name__ == "__main__":
    sys.exit(main("live_page", measure, __doc__ or ""))
