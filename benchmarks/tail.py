"""What a service's slowest requests take at a fixed rate, with and without monitoring.

A serving thread and an asyncio loop answer 2,000 requests a second. Each request is due at a fixed
time and its latency counts from then, so a stall shows in every request that it delays. With
monitoring, the worker aggregates and exports meanwhile; without, there is no monitor. There are ten
turns, each with monitoring and twice without, in alternating order. A figure is conservative: the
median of the first unmonitored runs, times the ratio to them that one turn in ten exceeds. It is
compared with the same figure of the second unmonitored run, the control, because the machine alone
makes two equal runs differ. `more` has the 10%, 50% and 90% quantiles of both ratios. The FastAPI
app answers 1,000 requests a second in a process of its own, and another process sends them.
"""

import asyncio
import gc
import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np

import shapes
from harness import Figure, main
from mlmonitor import Config, Monitor, Otlp, Reference
from sink import sink_elsewhere

RATE = 2_000
APP_RATE = 1_000
FIELDS = 20
NAMES = shapes.names(FIELDS)
VALUES = np.random.default_rng(0).normal(size=(200_000, FIELDS))
"""Rows like those of the reference, so that nothing has drifted."""

WORK_NS = 60_000
WARM_SECONDS = 1.5
APP_WARM_SECONDS = 2.5
"""Until after the first export, which takes longer than later ones."""
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "worst": 1.0}
CONTROL = "a second unmonitored run"


def model(features: dict[str, float]) -> float:
    """Compute in Python for about 60 us, like a small model."""
    until = time.perf_counter_ns() + WORK_NS
    total = 0.0
    while time.perf_counter_ns() < until:
        total += features["f0"]
    return total


@dataclass(frozen=True)
class Requests:
    """When each request was due and done, and the CPU time that it used, in ns."""

    due_ns: np.ndarray
    done_ns: np.ndarray
    cpu_ns: np.ndarray

    @classmethod
    def concatenate(cls, parts: Sequence["Requests"]) -> "Requests":
        """Return the requests of all parts, in order."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


_rows = itertools.cycle(VALUES)


def next_features() -> dict[str, float]:
    """Return the features of the next request."""
    return dict(zip(NAMES, next(_rows).tolist(), strict=True))


def freeze_heap() -> None:
    """Keep Python from collecting what exists now, which takes 60 ms and would hit some turns.

    A full collection of this process's objects stalls all threads, monitored or not; which turns it
    hits is chance.
    """
    gc.collect()
    gc.freeze()


def serve(predict: Callable[[Any], float], seconds: float) -> Requests:
    """Answer requests at a fixed rate in one thread."""
    freeze_heap()
    count, gap = int(RATE * seconds), 1_000_000_000 // RATE
    done, cpu = np.empty(count, np.int64), np.empty(count, np.int64)
    begin = time.perf_counter_ns() + 10_000_000
    for at in range(count):
        due = begin + at * gap
        features = next_features()
        wait = due - time.perf_counter_ns()
        if wait > 100_000:
            time.sleep((wait - 80_000) / 1e9)
        while time.perf_counter_ns() < due:
            pass
        cpu_since = time.thread_time_ns()
        predict(features)
        done[at] = time.perf_counter_ns()
        cpu[at] = time.thread_time_ns() - cpu_since
    return Requests(begin + gap * np.arange(count), done, cpu)


def served(predict: Callable[[Any], float], seconds: float) -> np.ndarray:
    """Return the latencies in ns of requests at a fixed rate in one thread."""
    requests = serve(predict, seconds)
    return (requests.done_ns - requests.due_ns).astype(np.float64)


async def served_async(predict: Callable[[Any], Any], seconds: float) -> np.ndarray:
    """Return the latencies in ns of requests at a fixed rate, each a task of an event loop."""
    freeze_heap()
    count, gap = int(RATE * seconds), 1_000_000_000 // RATE
    took = np.empty(count)
    begin = time.perf_counter_ns() + 10_000_000

    async def one(at: int) -> None:
        await predict(next_features())
        took[at] = time.perf_counter_ns() - (begin + at * gap)

    tasks = set()
    for at in range(count):
        while (wait := begin + at * gap - time.perf_counter_ns()) > 0:  # noqa: ASYNC110 - a time
            await asyncio.sleep(wait / 1e9 - 80e-6 if wait > 150_000 else 0)
        task = asyncio.create_task(one(at))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return took


@cache
def fit_reference() -> Reference:
    """Return the reference of all monitors here."""
    return shapes.reference(FIELDS)


def busy_monitor(url: str, export_seconds: float = 1.0) -> Monitor:
    """Return a monitor that exports every second, 60 times as often as by default."""
    exporter = Otlp.collector(url)
    config = Config(export_interval_seconds=export_seconds)
    return Monitor("bench", reference=fit_reference(), exporters=[exporter], config=config)


def in_turns(ways: dict[str, Callable[[], np.ndarray]], turns: int) -> dict[str, list[np.ndarray]]:
    """Run all ways in turns; return the latencies of each turn but the first."""
    latencies: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for at in range(turns + 1):
        for name in [*ways] if at % 2 else [*reversed(ways)]:
            took = ways[name]()
            if at:
                latencies[name].append(took)
    return latencies


def find_ratios(ours: list[np.ndarray], theirs: list[np.ndarray], q: float) -> list[float]:
    """Return the 10%, 50% and 90% quantiles over turns of the ratio of two latency quantiles."""
    ratios = [np.quantile(a, q) / np.quantile(b, q) for a, b in zip(ours, theirs, strict=True)]
    return [float(ratio) for ratio in np.quantile(ratios, [0.1, 0.5, 0.9]).round(3)]


def figures(what: str, latencies: dict[str, list[np.ndarray]]) -> Iterator[Figure]:
    """Yield a figure per latency quantile: the worse end of ours, and that of the control."""
    for name, q in QUANTILES.items():
        ratios = find_ratios(latencies["with"], latencies["without"], q)
        control = find_ratios(latencies["control"], latencies["without"], q)
        usual = float(np.median([np.quantile(turn, q) for turn in latencies["without"]])) / 1e3
        more = {"unmonitored": round(usual), "ratios": ratios, "control": control}
        worse_of_control = usual * max(control[-1], 1.0)
        yield Figure(
            f"{what}, {name}", usual * ratios[-1], "us", worse_of_control, CONTROL, more=more
        )


def served_monitored(url: str, seconds: float) -> np.ndarray:
    """Return the latencies in ns of a monitored thread; its monitor ends with the turn."""
    with busy_monitor(url) as monitor:
        watched = monitor.watch(model)
        served(watched, min(WARM_SECONDS, seconds))
        return served(watched, seconds)


def served_async_monitored(url: str, seconds: float) -> np.ndarray:
    """Return the latencies in ns of a monitored event loop; its monitor ends with the turn."""
    with busy_monitor(url) as monitor:
        watched = monitor.watch(model_async)
        asyncio.run(served_async(watched, min(WARM_SECONDS, seconds)))
        return asyncio.run(served_async(watched, seconds))


async def model_async(features: dict[str, float]) -> float:
    """Compute as `model` does, without awaiting anything."""
    return model(features)


def in_process(*, turns: int, seconds: float) -> Iterator[Figure]:
    """Yield the figures of the serving thread and of the event loop."""
    with sink_elsewhere() as url:
        ways = {
            "with": lambda: served_monitored(url, seconds),
            "without": lambda: served(model, seconds),
            "control": lambda: served(model, seconds),
        }
        yield from figures("serving thread", in_turns(ways, turns))
        ways = {
            "with": lambda: served_async_monitored(url, seconds),
            "without": lambda: asyncio.run(served_async(model_async, seconds)),
            "control": lambda: asyncio.run(served_async(model_async, seconds)),
        }
        yield from figures("asyncio loop", in_turns(ways, turns))


APP = """
import sys
from fastapi import FastAPI
sys.path.insert(0, {here!r})
import tail

app = FastAPI()
predict = tail.model
if {watched}:
    predict = tail.busy_monitor({url!r}).watch(tail.model)
tail.freeze_heap()

@app.post("/predict")
def answer(features: dict[str, float]) -> float:
    return predict(features)
"""


def app(watched: bool, seconds: float, url: str) -> np.ndarray:  # noqa: FBT001 - one of two
    """Return the latencies in ns of a FastAPI app in its own process, requested at a fixed rate."""
    code = APP.format(here=str(Path(__file__).parent), watched=watched, url=url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = f"{code}\nimport uvicorn\nuvicorn.run(app, port={port}, log_level='error')\n"
    process = subprocess.Popen([sys.executable, "-c", run])
    try:
        return asked(f"127.0.0.1:{port}", int(APP_RATE * seconds))
    finally:
        process.terminate()
        process.wait(timeout=10)


def asked(url: str, count: int) -> np.ndarray:
    """Send requests at a fixed rate; return latencies in ns, without those of the first seconds."""
    connection = HTTPConnection(url)
    body = json.dumps(dict.fromkeys(shapes.names(FIELDS), 0.5))
    for _ in range(200):
        try:
            connection.connect()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    took = []
    gap, begin = 1_000_000_000 // APP_RATE, time.perf_counter_ns()
    for at in range(count):
        due = begin + at * gap
        time.sleep(max(due - time.perf_counter_ns(), 0) / 1e9)
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        took.append(time.perf_counter_ns() - due)
    connection.close()
    return np.array(took[int(APP_RATE * APP_WARM_SECONDS) :], np.float64)


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    turns, seconds = (1, 0.5) if is_quick else (10, 3.0)
    yield from in_process(turns=turns, seconds=seconds)
    if not is_quick:
        with sink_elsewhere() as url:
            ways = {
                "with": lambda: app(True, 6.0, url),  # noqa: FBT003 - one of two
                "without": lambda: app(False, 6.0, url),  # noqa: FBT003 - as above
                "control": lambda: app(False, 6.0, url),  # noqa: FBT003 - as above
            }
            yield from figures("FastAPI app", in_turns(ways, 10))


if __name__ == "__main__":
    sys.exit(main("tail", measure, __doc__ or ""))
