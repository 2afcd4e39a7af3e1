"""What one value costs by the kind of its column, and what a data frame of one row costs.

For columns: the CPU of `record` and of the worker per value, for twenty columns of one kind and one
of floats, minus that of the floats alone. A batch has 4,096 rows; columns that store codes are also
measured, and judged, with the 16,384 rows into which `record` cuts larger batches. The baseline for
texts is `pandas.factorize`, a step that no implementation can avoid. For frames: the CPU of a
watched call, including the worker's part.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import shapes
from harness import Figure, Timing, Way, allow, in_turns, main, measure_pace
from mlmonitor import Config, Monitor, Reference

ROWS, CUT_ROWS, COLUMNS, FRAMES = 4_096, 16_384, 20, 512
FACTORIZE, PACE = "pandas.factorize", "pace"
CODED_NANOSECONDS, FRAME_MICROSECONDS = 10.0, 25.0
_RNG = np.random.default_rng(3)
_TEXTS = shapes.categories(_RNG, ROWS)
_INTEGERS, _GAPS = _RNG.integers(0, 1_000, ROWS), _RNG.random(ROWS) < 0.05
_MOMENTS = np.datetime64("2024-01-01", "us") + _RNG.integers(0, 10**12, ROWS).astype("m8[us]")
_TRUTHS = _RNG.random(ROWS) < 0.5
_WITH_GAPS = [None if gap else int(v) for v, gap in zip(_INTEGERS, _GAPS, strict=True)]


def coded_columns(rows: int) -> dict[str, Any]:
    """Return columns of thirty texts that are stored as codes, by kind."""
    texts = shapes.categories(_RNG, rows)
    return {
        "category, pandas": pd.Series(texts, dtype="category"),
        "dictionary, arrow": pa.array(texts).dictionary_encode(),
        "Categorical, polars": pl.Series(texts, dtype=pl.Categorical),
        "Enum, polars": pl.Series(texts, dtype=pl.Enum(sorted(set(texts)))),
    }


TEXTS: dict[str, Any] = {
    "texts, list": _TEXTS,
    "texts, objects of numpy": np.array(_TEXTS, object),
    "texts, pandas": pd.Series(_TEXTS),
    "texts, arrow": pa.array(_TEXTS),
    "texts, polars": pl.Series(_TEXTS),
}
OTHERS: dict[str, Any] = {
    "floats, numpy": _RNG.normal(size=ROWS),
    "floats, arrow": pa.array(_RNG.normal(size=ROWS)),
    "integers, numpy": _INTEGERS,
    "integers with gaps, pandas": pd.array(_WITH_GAPS, "Int64"),
    "integers with gaps, arrow": pa.array(_WITH_GAPS),
    "integers with gaps, polars": pl.Series(_WITH_GAPS),
    "booleans, numpy": _TRUTHS,
    "booleans with gaps, pandas": pd.array(np.where(_GAPS, None, _TRUTHS), "boolean"),
    "datetimes, numpy": _MOMENTS,
    "datetimes with a zone, pandas": pd.Series(_MOMENTS).dt.tz_localize("UTC"),
    "dates, arrow": pa.array(_MOMENTS.astype("M8[D]")),
}


def monitor_of(features: dict[str, Any] | pd.DataFrame) -> Monitor:
    """Return a monitor of these features whose worker runs only when `shapes.drain` is called."""
    rows = len(next(iter(features.values()))) if isinstance(features, dict) else len(features)
    reference = Reference.fit(features, predictions=_RNG.normal(size=rows))
    resting = {"poll_interval_seconds": 3_600.0, "export_interval_seconds": 86_400.0}
    config = Config(**{"buffer_rows": 10_000_000, **resting})
    return Monitor("bench", reference=reference, exporters=[], config=config)


def recorded(features: dict[str, Any]) -> Way:
    """Return a function that times one `record` and its drain, in nanoseconds."""
    monitor, predictions = monitor_of(features), _RNG.normal(size=len(features["base"]))

    def once() -> float:
        started = time.process_time_ns()
        monitor.record(features, predictions)
        shapes.drain(monitor)
        return time.process_time_ns() - started

    once()
    return once


def factorized() -> float:
    """Time one `pandas.factorize`; return nanoseconds per value."""
    objects = TEXTS["texts, objects of numpy"]
    started = time.process_time_ns()
    pd.factorize(objects)
    return (time.process_time_ns() - started) / ROWS


def time_columns(kinds: dict[str, Any], rows: int, *, rounds: int) -> dict[str, Timing]:
    """Time the value of each kind of column in batches of `rows`, in nanoseconds; and the pace."""
    base = {"base": _RNG.normal(size=rows)}
    ways: dict[str, Way] = {"alone": recorded(base), FACTORIZE: factorized, PACE: measure_pace}
    for kind, column in kinds.items():
        ways[kind] = recorded(base | {f"c{place}": column for place in range(COLUMNS)})
    gc.collect()
    gc.freeze()
    timings = in_turns(ways, rounds=rounds)
    alone = timings["alone"].best
    for kind in kinds:
        costs = [(cost - alone) / (COLUMNS * rows) for cost in timings[kind].rounds]
        timings[kind] = Timing(tuple(costs))
    return timings


def columns(*, rounds: int) -> Iterator[Figure]:
    """Yield the cost of each kind of column."""
    coded = coded_columns(CUT_ROWS)
    timings = time_columns(coded, CUT_ROWS, rounds=rounds)
    for kind in coded:
        against = allow(CODED_NANOSECONDS, "ns", pace=timings[PACE].best)
        yield Figure(kind, timings[kind].best, "ns/value", *against, timings[kind].spread)
    timings = time_columns(coded_columns(ROWS) | TEXTS | OTHERS, ROWS, rounds=rounds)
    for kind in coded:
        name = f"{kind}, batches of {ROWS:,}"
        yield Figure(name, timings[kind].best, "ns/value", spread=timings[kind].spread)
    for kind in TEXTS:
        baseline = timings[FACTORIZE].best, FACTORIZE
        yield Figure(kind, timings[kind].best, "ns/value", *baseline, timings[kind].spread)
    for kind in OTHERS:
        yield Figure(kind, timings[kind].best, "ns/value", spread=timings[kind].spread)


def watched(monitor: Monitor, frames: list[pd.DataFrame]) -> Callable[[], float]:
    """Return a function that times watched calls with frames and their drain, in ns per call."""
    predict = monitor.watch(lambda _: 0.5)

    def once() -> float:
        started = time.process_time_ns()
        for frame in frames:
            predict(frame)
        shapes.drain(monitor)
        return (time.process_time_ns() - started) / len(frames)

    once()
    return once


def one_row_frames(*, rounds: int) -> Iterator[Figure]:
    """Yield the cost of frames of one row: all floats, and of four types."""
    floats = _RNG.normal(size=(FRAMES, COLUMNS))
    mixed = pd.DataFrame(_RNG.normal(size=(ROWS, COLUMNS - 3)), columns=shapes.names(COLUMNS - 3))
    mixed = mixed.assign(text=_TEXTS, integer=_INTEGERS, truth=_TRUTHS)
    rows = [pd.DataFrame([row]) for row in mixed.head(FRAMES).to_dict("records")]
    ways: dict[str, Way] = {
        PACE: measure_pace,
        "frame of one row, 20 floats": watched(
            shapes.monitor(COLUMNS), shapes.rows("frame", floats)
        ),
        "frame of one row, 20 of four types": watched(monitor_of(mixed), rows),
    }
    timings = in_turns(ways, rounds=rounds)
    allowed = allow(FRAME_MICROSECONDS, "us", pace=timings.pop(PACE).best)
    for name, timing in timings.items():
        yield Figure(name, timing.best / 1_000, "us", *allowed, timing.spread)


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    yield from columns(rounds=3 if is_quick else 9)
    yield from one_row_frames(rounds=3 if is_quick else 9)


if __name__ == "__main__":
    sys.exit(main("columns", measure, __doc__ or ""))
