"""Whether the cost of a row grows linearly with fields, window slices, models and segments.

The slope is the cost per field or model at the largest size, divided by that at the smallest size:
1 is linear, more is worse.
"""

import inspect
import sys
import time
from collections.abc import Iterator

import numpy as np

import shapes
from harness import Figure, in_turns, main
from mlmonitor import Config, Monitor, Reference

ROWS = 1_024
CPU = time.process_time_ns


def row_cost(monitors: list[Monitor], fields: int) -> float:
    """Record a batch in each monitor; return CPU nanoseconds per row and model."""
    values = np.random.default_rng(0).normal(size=(fields, ROWS))
    columns = dict(zip(shapes.names(fields), values, strict=True))
    predictions = np.zeros(ROWS)
    started = CPU()
    for monitor in monitors:
        monitor.record(columns, predictions)
        shapes.drain(monitor)
    return (CPU() - started) / (ROWS * len(monitors))


def series(what: str, costs: dict[int, float], *, per_unit: bool) -> Iterator[Figure]:
    """Yield the cost at each size, and the slope."""
    for size, cost in costs.items():
        yield Figure(f"row, {size} {what}", cost, "ns", more={"what": what, "size": size})
    (least, first), (most, last) = min(costs.items()), max(costs.items())
    scale = most / least if per_unit else 1.0
    yield Figure(f"slope over {what}", last / scale, "ns", first, f"{least} {what}")


def over_fields(rounds: int, sizes: tuple[int, ...]) -> Iterator[Figure]:
    """Yield the cost of a row by number of fields."""
    monitors = {size: shapes.monitor(size) for size in sizes}
    timings = in_turns(
        {str(n): lambda n=n: row_cost([monitors[n]], n) for n in sizes},  # type: ignore[misc]
        rounds=rounds,
    )
    yield from series("fields", {n: timings[str(n)].best for n in sizes}, per_unit=True)


def over_panes(rounds: int, sizes: tuple[int, ...]) -> Iterator[Figure]:
    """Yield the cost of a row by number of window slices."""
    monitors = {size: shapes.monitor(20, window_slices=size) for size in sizes}
    timings = in_turns(
        {str(n): lambda n=n: row_cost([monitors[n]], 20) for n in sizes},  # type: ignore[misc]
        rounds=rounds,
    )
    yield from series("panes", {n: timings[str(n)].best for n in sizes}, per_unit=False)


def over_models(rounds: int, sizes: tuple[int, ...]) -> Iterator[Figure]:
    """Yield the cost of a row by the number of models in the process; each gets all rows."""
    monitors = [shapes.monitor(20) for _ in range(max(sizes))]
    timings = in_turns(
        {str(n): lambda n=n: row_cost(monitors[:n], 20) for n in sizes},  # type: ignore[misc]
        rounds=rounds,
    )
    yield from series("models", {n: timings[str(n)].best for n in sizes}, per_unit=False)


def over_segments(rounds: int, sizes: tuple[int, ...]) -> Iterator[Figure]:
    """Yield the cost of a row by number of segments; nothing for versions without segments."""
    if "segments" not in inspect.signature(Monitor).parameters:
        print("segments: this version of mlmonitor has none, so they are not measured")
        return
    config = Config(poll_interval_seconds=3_600.0, export_interval_seconds=86_400.0)
    predictions, costs = np.zeros(ROWS), {}
    for size in sizes:
        columns = dict(segmented(size))
        reference = Reference.fit(columns, predictions=predictions, segments=["line"])
        with Monitor(
            "bench", reference=reference, exporters=[], config=config, segments=["line"]
        ) as monitor:
            took = []
            for _ in range(rounds):
                started = CPU()
                monitor.record(columns, predictions)
                shapes.drain(monitor)
                took.append((CPU() - started) / ROWS)
        costs[size] = min(took)
    yield from series("segments", costs, per_unit=False)


def segmented(size: int) -> Iterator[tuple[str, object]]:
    """Yield twenty numeric columns, and a column `line` that splits the rows into segments."""
    rng = np.random.default_rng(0)
    yield from zip(shapes.names(20), rng.normal(size=(20, ROWS)), strict=True)
    yield "line", [f"line {at % size}" for at in range(ROWS)]


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    rounds = 3 if is_quick else 7
    yield from over_fields(rounds, (5, 100) if is_quick else (5, 20, 100, 400, 1_000))
    yield from over_panes(rounds, (6, 60) if is_quick else (6, 60, 600))
    yield from over_models(rounds, (1, 8) if is_quick else (1, 4, 16))
    yield from over_segments(rounds, (1, 8) if is_quick else (1, 4, 16))


if __name__ == "__main__":
    sys.exit(main("scale", measure, __doc__ or ""))
