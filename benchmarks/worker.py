"""What the worker costs: CPU per row of single calls, and CPU per value in whole blocks.

It is compared with other tools: whylogs' profile per row, fastdigest's t-digest per block, and the
sort that every sketch of this kind needs. All figures are CPU times, because on a busy machine
wall-clock time would include other programs.
"""

import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import shapes
from harness import Figure, Way, in_turns, main, nanoseconds
from mlmonitor.aggregate.window import Span, Window
from mlmonitor.records import Block, Role

WHYLOGS = "whylogs track(row=...)"
SORT = "np.sort"
FASTDIGEST = "fastdigest batch_update"
CPU = time.thread_time_ns
SPAN = Span(3_600.0, None, 60)


def per_row(
    shape: str, fields: int, *, rows: int, missing: float = 0.0
) -> Callable[[], tuple[float, float]]:
    """Return a function that times calls and their drain: CPU ns per row in host and worker."""
    values = np.random.default_rng(0).normal(size=(rows, fields))
    values[np.random.default_rng(1).random(values.shape) < missing] = np.nan
    if missing and shape == "dict":
        values_as_rows: list[Any] = [
            {k: None if v != v else v for k, v in row.items()}  # noqa: PLR0124 - NaN
            for row in shapes.rows(shape, values)
        ]
    else:
        values_as_rows = shapes.rows(shape, values)
    monitor = shapes.monitor(fields)
    watched = monitor.watch(lambda _: 0.5)
    gc.collect()
    gc.freeze()  # so that collections do not scan older objects

    def once() -> tuple[float, float]:
        started = time.process_time_ns()
        for row in values_as_rows:
            watched(row)
        between = time.process_time_ns()
        shapes.drain(monitor)
        ended = time.process_time_ns()
        return (between - started) / rows, (ended - between) / rows

    return once


def whylogs_row(fields: int, *, rows: int) -> Way:
    """Return a function that times whylogs' profile, row by row, in ns per row."""
    logging.getLogger("whylogs").setLevel(logging.CRITICAL)
    from whylogs.core import DatasetProfile

    values = np.random.default_rng(0).normal(size=(rows, fields))
    row_dicts, profile = shapes.rows("dict", values), DatasetProfile()

    def once() -> float:
        started = time.process_time_ns()
        for row in row_dicts:
            profile.track(row=row)
        return (time.process_time_ns() - started) / rows

    return once


def rows_figures(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the CPU per row for each shape: the worker's alone, and with the host's."""
    rounds, rows = 3 if is_quick else 25, 4_096  # as between two drains of a busy service
    against = in_turns({WHYLOGS: whylogs_row(20, rows=100)}, rounds=rounds)[WHYLOGS].best
    fields = (20,) if is_quick else shapes.FIELDS
    cases = [("dict", n, 0.0) for n in fields]
    if not is_quick:
        cases += [(shape, 20, 0.0) for shape in shapes.SHAPES if shape != "dict"]
        cases += [("dict", 20, 0.05), ("dict", 20, 0.5), ("ndarray", 20, 0.05)]
    for shape, count, missing in cases:
        once = per_row(shape, count, rows=rows // 16 if shape == "frame" else rows, missing=missing)
        parts = [once() for _ in range(rounds + 1)][1:]
        worker, whole = min(part[1] for part in parts), min(sum(part) for part in parts)
        with_gaps = f", {missing:.0%} missing" if missing else ""
        baseline = (against, WHYLOGS) if count == 20 else (None, "")
        yield Figure(f"worker, row {shape} {count}{with_gaps}", worker, "ns", *baseline)
        yield Figure(f"all CPU, row {shape} {count}{with_gaps}", whole, "ns", *baseline)


def blocks(fields: int, rows: int, missing: float, count: int = 8) -> list[Block]:
    """Draw blocks of normal values; a share of the values is missing."""
    rng = np.random.default_rng(2)
    parts = []
    for _ in range(count):
        values = rng.normal(size=(fields, rows))
        gaps = rng.random(values.shape) < missing
        values[gaps] = np.nan
        refused = np.zeros((fields, 3), np.int64)
        refused[:, 0] = np.count_nonzero(gaps, axis=1)
        parts.append(Block(rows, values, refused, []))
    return parts


def over(items: list[Any], step: Callable[[Any], object], values: int) -> Way:
    """Return a function that times `step` over all items, in ns per value."""
    return lambda: nanoseconds(lambda: [step(one) for one in items], 3, CPU) / (values * len(items))


def window_of(fields: int, *, categorical: int = 0) -> Window:
    """Return an empty window like that of a model's features."""
    reference = shapes.reference(fields, categorical=categorical)
    plan = reference.plan((Role.FEATURE,), deviations=3.0)
    return Window(plan, SPAN, hitters=16, now=0.0)


def numeric(fields: int, rows: int, missing: float, *, is_quick: bool) -> Iterator[Figure]:
    """Yield the cost of all aggregates per value, compared with fastdigest and with sorting."""
    import fastdigest

    block_list = blocks(fields, rows, missing)
    window, size = window_of(fields), fields * rows
    digests = [fastdigest.TDigest() for _ in range(fields)]

    def fast(block: Block) -> None:
        for digest, values in zip(digests, block.numeric, strict=True):
            digest.batch_update(values)

    ways = {
        "ours": over(block_list, lambda block: window.update(block, now=1.0), size),
        SORT: over(block_list, lambda block: np.sort(block.numeric, axis=1), size),
    }
    if missing == 0:
        ways[FASTDIGEST] = over(block_list, fast, size)
    timings = in_turns(ways, rounds=5 if is_quick else 9)
    ours = timings["ours"]
    gaps = f", {missing:.0%} missing" if missing else ""
    name = f"aggregates, block {rows} x {fields}{gaps}"
    if missing == 0:
        yield Figure(name, ours.best, "ns/value", timings[FASTDIGEST].best, FASTDIGEST, ours.spread)
    yield Figure(
        f"{name}, beside sorting", ours.best, "ns/value", timings[SORT].best, SORT, ours.spread
    )


def categorical(fields: int, rows: int, *, rounds: int) -> Iterator[Figure]:
    """Yield the cost of categories per value, compared with `collections.Counter`."""
    from collections import Counter

    rng = np.random.default_rng(3)
    columns = [shapes.categories(rng, rows) for _ in range(fields)]
    block = Block(rows, np.empty((1, rows)), np.zeros((1, 3), np.int64), columns)
    window = window_of(1, categorical=fields)
    timings = in_turns(
        {
            "ours": over([block], lambda one: window.update(one, now=1.0), fields * rows),
            "Counter": over([columns], lambda one: [Counter(c) for c in one], fields * rows),
        },
        rounds=rounds,
    )
    yield Figure(
        f"aggregates, categories {rows} x {fields}",
        timings["ours"].best,
        "ns/value",
        timings["Counter"].best,
        "collections.Counter",
        timings["ours"].spread,
    )


def batch(*, rounds: int) -> Iterator[Figure]:
    """Yield the cost per value of `record` with columns, including the worker's aggregates."""
    rows, fields = 4_096, 20
    values = np.random.default_rng(4).normal(size=(fields, rows))
    columns = dict(zip(shapes.names(fields), values, strict=True))
    predictions = np.zeros(rows)
    with shapes.monitor(fields) as monitor:

        def once() -> float:
            started = time.process_time_ns()
            monitor.record(columns, predictions)
            shapes.drain(monitor)
            return (time.process_time_ns() - started) / (rows * fields)

        timing = in_turns({"ours": once}, rounds=rounds)["ours"]
    yield Figure(f"record, batch {rows} x {fields}", timing.best, "ns/value", spread=timing.spread)


def of_peers(*, rounds: int) -> Iterator[Figure]:
    """Yield the cost of other sketches, compared with np.sort; in blocks if they accept blocks."""
    import datasketches
    from crick import TDigest as Crick
    from ddsketch import DDSketch
    from river import drift, stats

    block = np.random.default_rng(5).normal(size=4_096)
    kll, digest, crick = (
        datasketches.kll_doubles_sketch(200),
        datasketches.tdigest_double(),
        Crick(),
    )
    steps: dict[str, Callable[[np.ndarray], object]] = {
        SORT: np.sort,
        "datasketches KLL": kll.update,
        "datasketches t-digest": digest.update,
        "crick t-digest": crick.update,
    }
    single = {
        "ddsketch, value by value": DDSketch(0.01).add,
        "river Var, value by value": stats.Var().update,
        "river Quantile, value by value": stats.Quantile(0.5).update,
        "river ADWIN, value by value": drift.ADWIN().update,
    }
    for name, update in single.items():
        steps[name] = lambda values, update=update: [update(value) for value in values.tolist()]  # type: ignore[misc]
    ways = {name: over([block], step, block.size) for name, step in steps.items()}
    timings = in_turns(ways, rounds=rounds)
    for name, timing in timings.items():
        if name != SORT:
            yield Figure(
                name, timing.best, "ns/value", timings[SORT].best, SORT, round(timing.spread, 3)
            )


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    yield from rows_figures(is_quick=is_quick)
    sizes = [(20, 512, 0.0), (20, 4_096, 0.0)]
    if not is_quick:
        sizes += [(20, 1_024, 0.0), (20, 4_096, 0.05), (20, 4_096, 0.5)]
        sizes += [(fields, 1_024, 0.0) for fields in (5, 100, 1_000)]
    for fields, rows, missing in sizes:
        yield from numeric(fields, rows, missing, is_quick=is_quick)
    rounds = 5 if is_quick else 9
    yield from categorical(5, 1_024, rounds=rounds)
    yield from batch(rounds=rounds)
    yield from of_peers(rounds=rounds)


if __name__ == "__main__":
    sys.exit(main("worker", measure, __doc__ or ""))
