"""What watching a call costs the calling thread, compared with a Prometheus `Histogram.observe`.

Every way of watching takes turns with the bare call, whose time is subtracted, and with the
baselines. The worker does not run meanwhile: `worker.py` measures its cost.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, Histogram

import shapes
from harness import Figure, Timing, Way, in_turns, main, nanoseconds
from mlmonitor import Monitor
from mlmonitor.capture.trace_context import host_span_source

BLOCK = 512
BASELINE = "Histogram.observe"
THREADS = 8


def nothing(_features: object) -> float:
    """Return at once, so that only the cost of watching is measured."""
    return 0.5


async def nothing_async(_features: object) -> float:
    """`nothing` as a coroutine function."""
    return 0.5


def run(coroutine: Any) -> None:
    """Run a coroutine that never waits, without the cost of an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return


def threads(call: Callable[[], object], calls: int) -> float:
    """Return nanoseconds per call when eight threads call at once."""
    start = threading.Barrier(THREADS + 1)
    done = threading.Barrier(THREADS + 1)

    def work() -> None:
        start.wait()
        for _ in range(calls // THREADS):
            call()
        done.wait()

    crew = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in crew:
        thread.start()
    start.wait()
    started = time.perf_counter_ns()
    done.wait()
    took = time.perf_counter_ns() - started
    for thread in crew:
        thread.join()
    return took / (calls // THREADS * THREADS)


def peers(fields: int) -> dict[str, Callable[[], object]]:
    """Return the baselines: two clock reads, one instrument, and one instrument per feature."""
    prometheus = Histogram("duration", "seconds", registry=CollectorRegistry())
    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    counter, duration = meter.create_counter("calls"), meter.create_histogram("duration")
    attributes = {"model": "bench"}
    histograms = [meter.create_histogram(name) for name in shapes.names(fields)]
    row = dict.fromkeys(shapes.names(fields), 0.5)
    clock = time.perf_counter_ns

    def timed() -> None:
        started = clock()
        nothing(row)
        _ = clock() - started

    def otel() -> None:
        counter.add(1, attributes)
        duration.record(0.5, attributes)

    def otel_features() -> None:
        for histogram, value in zip(histograms, row.values(), strict=True):
            histogram.record(value, attributes)

    return {
        BASELINE: lambda: prometheus.observe(0.5),
        "two clock reads": timed,
        "OTel SDK counter and histogram": otel,
        f"OTel SDK, a histogram for each of {fields} features": otel_features,
    }


def ways(monitor: Monitor, fields: int, shape: str) -> dict[str, tuple[Callable[[], object], str]]:
    """Return all ways of watching a row, each with the name of the way whose cost is subtracted."""
    row = shapes.rows(shape, np.random.default_rng(0).normal(size=(1, fields)))[0]
    watched, watched_async = monitor.watch(nothing), monitor.watch(nothing_async)

    def observed() -> None:
        with monitor.observe(row) as prediction:
            prediction.value = 0.5

    async def observed_async() -> None:
        async with monitor.observe(row) as prediction:
            prediction.value = 0.5

    async def empty() -> None:
        return None

    calls: dict[str, tuple[Callable[[], object], str]] = {
        f"watch {shape} {fields}": (lambda: watched(row), "bare"),
        f"observe {shape} {fields}": (observed, "lambda"),
    }
    if fields == 20:
        calls[f"watch {shape} {fields}, async"] = (lambda: run(watched_async(row)), "bare async")
        calls[f"observe {shape} {fields}, async"] = (lambda: run(observed_async()), "bare async")
    calls["bare"] = (lambda: nothing(row), "")
    calls["bare async"] = (lambda: run(nothing_async(row)), "")
    calls["lambda"] = (lambda: None, "")
    return calls


def timed(monitor: Monitor, call: Callable[[], object], calls: int) -> Way:
    """Return a function that times a round of calls, without the drains in between."""

    def way() -> float:
        took = 0.0
        for _ in range(0, calls, BLOCK):
            took += nanoseconds(call, BLOCK)
            shapes.drain(monitor)
        return took / len(range(0, calls, BLOCK))

    return way


def added(timings: dict[str, Timing], subtract: dict[str, str], of: str = "") -> Iterator[Figure]:
    """Yield what each way costs beyond its bare way, compared with the baseline."""
    for name, less in subtract.items():
        if not less:
            continue
        value = timings[name].best - timings[less].best
        yield Figure(
            name + of, value, "ns", timings[BASELINE].best, BASELINE, round(timings[name].spread, 3)
        )


def of_shape(fields: int, shape: str, *, rounds: int, calls: int) -> Iterator[Figure]:
    """Yield the figures for all ways of watching rows of one shape."""
    with shapes.monitor(fields) as monitor:
        variants = ways(monitor, fields, shape)
        baseline = peers(1)[BASELINE]
        timed_ways = {name: timed(monitor, call, calls) for name, (call, _) in variants.items()}
        timings = in_turns(
            {**timed_ways, BASELINE: lambda: nanoseconds(baseline, calls)}, rounds=rounds
        )
        yield from added(timings, {name: less for name, (_, less) in variants.items()})


def special(*, rounds: int, calls: int) -> Iterator[Figure]:
    """Yield the figures for a disabled monitor, a full buffer, and eight threads at once."""
    row = shapes.rows("dict", np.random.default_rng(0).normal(size=(1, 20)))[0]
    baseline = peers(1)[BASELINE]
    with (
        shapes.monitor(20, enabled=False) as off,
        shapes.monitor(20, buffer_rows=1) as full,
        shapes.monitor(20) as open_,
    ):
        calls_of = {
            "watch dict 20, switched off": off.watch(nothing),
            "watch dict 20, buffer full": full.watch(nothing),
            "bare": nothing,
        }
        ways: dict[str, Way] = {
            name: lambda call=call: nanoseconds(lambda: call(row), calls)  # type: ignore[misc]
            for name, call in calls_of.items()
        }
        ways[BASELINE] = lambda: nanoseconds(baseline, calls)
        timings = in_turns(ways, rounds=rounds)
        less = dict.fromkeys(calls_of, "bare") | {"bare": ""}
        yield from added(timings, less)
        watched = open_.watch(nothing)

        def eight() -> float:
            took = threads(lambda: watched(row), calls)
            shapes.drain(open_)
            return took

        timings = in_turns(
            {
                "watch dict 20, 8 threads": eight,
                "bare": lambda: threads(lambda: nothing(row), calls),
                BASELINE: lambda: threads(baseline, calls),
            },
            rounds=rounds,
        )
        yield from added(timings, {"watch dict 20, 8 threads": "bare"})


def traced(*, rounds: int, calls: int) -> Iterator[Figure]:
    """Yield the figures for a tracing host: outside a span, and in one, whose ids are recorded."""
    row = shapes.rows("dict", np.random.default_rng(0).normal(size=(1, 20)))[0]
    baseline, tracer = peers(1)[BASELINE], TracerProvider().get_tracer("bench")
    span_source = host_span_source()
    assert span_source is not None
    with shapes.monitor(20) as monitor:
        monitor._inbox.calls.trace(span_source)  # noqa: SLF001 - as with a destination that keeps them
        watched = monitor.watch(nothing)
        outside = timed(monitor, lambda: watched(row), calls)

        def inside() -> float:
            with tracer.start_as_current_span("request"):
                return outside()

        ways: dict[str, Way] = {
            "watch dict 20, host traces, no span": outside,
            "watch dict 20, in a span": inside,
            "bare": lambda: nanoseconds(lambda: nothing(row), calls),
            BASELINE: lambda: nanoseconds(baseline, calls),
        }
        timings = in_turns(ways, rounds=rounds)
    yield from added(timings, dict.fromkeys(list(ways)[:2], "bare"))


def of_peers(*, rounds: int, calls: int) -> Iterator[Figure]:
    """Yield the figures for the baselines themselves."""
    peer_calls = peers(20)
    timings = in_turns(
        {name: lambda call=call: nanoseconds(call, calls) for name, call in peer_calls.items()},  # type: ignore[misc]
        rounds=rounds,
    )
    for name, timing in timings.items():
        yield Figure(name, timing.best, "ns", timings[BASELINE].best, BASELINE, timing.spread)


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    rounds, calls = (5, 3_000) if is_quick else (9, 10_000)
    for fields in (20,) if is_quick else shapes.FIELDS:
        for shape in ("dict", "ndarray") if is_quick else shapes.SHAPES:
            fewer = calls // 20 if shape == "frame" else calls
            yield from of_shape(fields, shape, rounds=rounds, calls=fewer)
    yield from special(rounds=rounds, calls=calls)
    yield from traced(rounds=rounds, calls=calls)
    yield from of_peers(rounds=rounds, calls=calls // 10)


if __name__ == "__main__":
    sys.exit(main("capture", measure, __doc__ or ""))
