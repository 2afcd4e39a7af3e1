"""What an event log adds to the cost of a row, up to the queue of the Kafka client.

The added CPU is measured in the host's call and in the worker. The baseline is the least that a
hand-written log costs: `orjson.dumps` of an existing dictionary, and `Producer.produce`. The broker
is the client's own mock; the client's threads are not counted, because they run without the GIL.
"""

import gc
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
from confluent_kafka import Producer

import shapes
from harness import Figure, Way, in_turns, main
from mlmonitor import Config, Kafka, Monitor

BY_HAND = "orjson.dumps and produce, by hand"
ROWS = 4_096
MOCK = {"test.mock.num.brokers": 1, "queue.buffering.max.kbytes": 1_000_000}
FIELDS = 20


def make_monitor(*, logs_events: bool, categorical: int = 0) -> Monitor:
    """Return a monitor whose worker does not run, with or without an event log."""
    events = Kafka("mock:1", options=MOCK, buffer_bytes=1 << 30) if logs_events else None
    return Monitor(
        "bench",
        reference=shapes.reference(FIELDS, categorical=categorical),
        exporters=[],
        events=events,
        config=Config(
            buffer_rows=10_000_000, poll_interval_seconds=3_600.0, export_interval_seconds=86_400.0
        ),
    )


def make_rows(categorical: int) -> list[Any]:
    """Return rows as dictionaries of numbers, with this many categorical features added."""
    rng = np.random.default_rng(0)
    rows = shapes.rows("dict", rng.normal(size=(ROWS, FIELDS)))
    columns = [shapes.categories(rng, ROWS) for _ in range(categorical)]
    for place, column in enumerate(columns):
        for row, value in zip(rows, column, strict=True):
            row[f"c{place}"] = value
    return rows


def by_hand() -> Way:
    """Return a function that times the baseline, a hand-written event log, in ns per row."""
    producer = Producer({"bootstrap.servers": "mock:1", **MOCK, "linger.ms": 50})
    contents = [
        {
            "event_id": f"{row:036d}",
            "time": "2026-11-29T04:00:00.123456Z",
            "model": "bench",
            "prediction_id": f"{row:036d}",
            "latency_seconds": 1.23e-4,
            "prediction": 0.5,
            "features": features,
        }
        for row, features in enumerate(make_rows(0))
    ]

    def once() -> float:
        started = time.thread_time_ns()
        for content in contents:
            producer.produce("t", orjson.dumps(content), content["prediction_id"])
        took = time.thread_time_ns() - started
        producer.flush(30)
        return took / ROWS

    return once


def rounds_of(monitor: Monitor, rows: list[Any]) -> tuple[Way, Way]:
    """Return two functions to time alternately: the host's calls, and the worker's drain."""
    watched = monitor.watch(lambda _: 0.5)
    gc.collect()
    gc.freeze()

    def call() -> float:
        started = time.thread_time_ns()
        for row in rows:
            watched(row)
        return (time.thread_time_ns() - started) / ROWS

    def drain() -> float:
        started = time.thread_time_ns()
        shapes.drain(monitor)
        took = time.thread_time_ns() - started
        monitor._worker.pipeline.flush_events(30)  # noqa: SLF001 - not what is measured
        return took / ROWS

    return call, drain


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what `main` calls
    """Yield the CPU per row with an event log minus that without."""
    for name, categorical in (("20 floats", 0), ("20 floats, 5 categories", 5)):
        rows = make_rows(categorical)
        plain = rounds_of(make_monitor(logs_events=False, categorical=categorical), rows)
        logged = rounds_of(make_monitor(logs_events=True, categorical=categorical), rows)
        timings = in_turns(
            {
                "call": plain[0],
                "drain": plain[1],
                "call, logged": logged[0],
                "drain, logged": logged[1],
                BY_HAND: by_hand(),
            },
            rounds=5 if is_quick else 9,
        )
        calls, drains = timings["call, logged"], timings["drain, logged"]
        added = drains.best - timings["drain"].best
        yield Figure(f"host, {name}", calls.best, "ns", timings["call"].best, "without a log")
        yield Figure(f"worker, {name}", added, "ns", timings[BY_HAND].best, BY_HAND, drains.spread)


if __name__ == "__main__":
    sys.exit(main("events", measure, __doc__ or ""))
