"""What a fleet costs: 1,000 processes of 200 numeric fields, in each process and at the backend.

Three real processes export every choice of bins, detail and segments to a sink in this process, and
save their profiles. Series and bytes are extrapolated to 1,000 processes. 1,000 profiles are read
and merged, cycling through the three.
"""

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

import shapes
from harness import Figure, main
from mlmonitor import Config, Monitor, Otlp, Profile, Reference
from mlmonitor.export.series.budget import series_count
from sink import Sink

FLEET, PROCESSES, ROWS, TICKS = 1_000, 3, 1_000, 2
INTERVAL_SECONDS = 60.0
SEGMENTS = ("home", "motor", "travel")
ALL_DETAIL = 1_000_000
_PLAIN_SERIES = 80  # series about calls and the monitor itself
_HISTOGRAM_EXTRAS = 3  # besides its bounds: the bucket to infinity, the sum and the count


class Choice(NamedTuple):
    """What is exported: bins per field, segments, and the limit of series per numeric field."""

    name: str
    bins: int = 10
    segments: tuple[str, ...] = ()
    series_a_field: int | None = None

    def max_series(self, fields: int) -> int:
        """Return `Config.max_series` for a process with this many fields."""
        limit = self.series_a_field
        return ALL_DETAIL if limit is None else (fields + 1) * limit + _PLAIN_SERIES


CHOICES = (
    Choice("10 bins"),
    Choice("5 bins", bins=5),
    Choice("20 bins", bins=20),
    Choice("10 bins, without quantiles and reference bins", series_a_field=66),
    Choice("10 bins, without any detail", series_a_field=44),
    Choice("10 bins, 3 segments", segments=("line",)),
)


def columns(fields: int, rows: int, seed: int) -> dict[str, Any]:
    """Draw normal columns, and a column `line` that splits the rows into segments."""
    rng = np.random.default_rng(seed)
    values = zip(shapes.names(fields), rng.normal(size=(fields, rows)), strict=True)
    return {**dict(values), "line": rng.choice(SEGMENTS, rows)}


def fit(choice: Choice, fields: int) -> Reference:
    """Fit the reference that all processes share for a choice."""
    features = columns(fields, 2_000, 1)
    if not choice.segments:
        del features["line"]
    return Reference.fit(
        features,
        predictions=features["f0"],
        segments=choice.segments,
        bins=choice.bins,
        thresholds="asymptotic",
    )


def run_process(folder: Path, url: str, fields: int, seed: int) -> None:
    """Run one process of the fleet: make each choice in turn, and print its cost as JSON."""
    for place, choice in enumerate(CHOICES):
        reference = Reference.load(folder / f"{place}.json")
        config = Config(
            poll_interval_seconds=3_600.0,
            export_interval_seconds=86_400.0,
            max_series=choice.max_series(fields),
        )
        exporter = Otlp.collector(f"{url}/{place}")
        features, took = columns(fields, ROWS, seed), []
        if not choice.segments:
            del features["line"]
        with Monitor(
            "fleet",
            reference=reference,
            exporters=[exporter],
            segments=choice.segments,
            config=config,
        ) as monitor:
            for _ in range(TICKS + 1):  # attributes are encoded once, in the first
                monitor.record(features, features["f0"])
                monitor.status()
                started = time.process_time_ns()
                if not monitor.flush(timeout_seconds=120.0):
                    raise SystemExit("an export failed")
                took.append((time.process_time_ns() - started) / 1e6)
            monitor.profile().save(folder / f"{place}-{seed}.profile")
            cost = {"tick_ms": min(took[1:]), "memory": monitor.memory_bytes}
        print(json.dumps(cost), flush=True)


class Exports:
    """The exports of all processes, by choice."""

    def __init__(self) -> None:
        self._received: list[tuple[int, bytes]] = []

    def add(self, path: str, body: bytes) -> None:
        """Store one request; its path names the choice."""
        self._received.append((int(path.split("/")[1]), body))

    def sum_last(self, place: int, ends: list[int]) -> tuple[int, int]:
        """Sum Prometheus' series and the compressed bytes over one full export of each process.

        place: the index of the choice. ends: the number of requests when each process ended.
        """
        series = wire_bytes = 0
        for first, last in zip([0, *ends[:-1]], ends, strict=True):
            requests = [
                (len(body), *read_points(body))
                for at, body in self._received[first:last]
                if at == place
            ]
            newest = sorted({when for _, _, when in requests})[-2]  # the last is at exit
            series += sum(count for _, count, when in requests if when == newest)
            wire_bytes += sum(size for size, _, when in requests if when == newest)
        return series, wire_bytes

    def __len__(self) -> int:
        return len(self._received)


def read_points(body: bytes) -> tuple[int, int]:
    """Return the number of Prometheus' series in one request, and its time in nanoseconds."""
    request = ExportMetricsServiceRequest.FromString(gzip.decompress(body))
    count = newest = 0
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                data = getattr(metric, metric.WhichOneof("data"))
                for point in data.data_points:
                    newest = max(newest, point.time_unix_nano)
                    bounds = getattr(point, "explicit_bounds", None)
                    count += 1 if bounds is None else len(bounds) + _HISTOGRAM_EXTRAS
    return count, newest


def merge_profiles(folder: Path, count: int) -> Iterator[Figure]:
    """Yield the cost of merging `count` profiles as `mlmonitor fleet` does, without their files."""
    files = [(folder / f"0-{seed}.profile").read_bytes() for seed in range(PROCESSES)]
    yield Figure("profile of a process", np.mean([len(file) for file in files]), "bytes")
    compressed = [len(gzip.compress(file, 6)) for file in files]
    yield Figure("profile of a process, gzip", np.mean(compressed), "bytes")
    merged = Profile()
    started = time.process_time()
    for place in range(count):
        merged.merge(Profile.from_bytes(files[place % PROCESSES]))
    took = time.process_time() - started
    own = [Profile.from_bytes(file).rows for file in files]
    assert merged.rows == sum(own[place % PROCESSES] for place in range(count))
    yield Figure(f"{count:,} profiles read and merged, CPU", took, "s")
    yield Figure("one profile read and merged, CPU", 1e3 * took / count, "ms")
    yield Figure("merged profile", len(merged.to_bytes()), "bytes")
    started = time.process_time()
    merged.status(Reference.load(folder / "0.json"))
    yield Figure("status of the merged profile, CPU", time.process_time() - started, "s")


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    fields = 20 if is_quick else 200
    exports, costs, ends = Exports(), [], []
    with tempfile.TemporaryDirectory() as name, Sink(exports.add) as sink:
        folder = Path(name)
        for place, choice in enumerate(CHOICES):
            fit(choice, fields).save(folder / f"{place}.json")
        for seed in range(PROCESSES):
            command = [
                sys.executable,
                __file__,
                "--process",
                name,
                sink.url,
                str(fields),
                str(seed),
            ]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            costs.append([json.loads(line) for line in done.stdout.splitlines()])
            ends.append(len(exports))
        for place, choice in enumerate(CHOICES):
            own = [cost[place] for cost in costs]
            yield from choice_figures(choice, fields, own, exports.sum_last(place, ends))
        yield from merge_profiles(folder, 30 if is_quick else FLEET)


def choice_figures(
    choice: Choice, fields: int, costs: list[dict[str, float]], sums: tuple[int, int]
) -> Iterator[Figure]:
    """Yield the figures of one choice: for one process, and for the fleet at its backend."""
    series, wire_bytes = sums[0] / PROCESSES, sums[1] / PROCESSES
    counted = series_count(
        numeric=fields + 1,
        categorical=len(choice.segments),
        bins=choice.bins,
        categories=len(SEGMENTS),
        segments=len(SEGMENTS) * len(choice.segments),
    )
    name = choice.name
    formula = None if choice.series_a_field else counted
    yield Figure(f"{name}: series a process", series, "series", formula, "series_count()")
    yield Figure(f"{name}: bytes an export, gzip", wire_bytes, "bytes")
    yield Figure(f"{name}: CPU a tick", min(cost["tick_ms"] for cost in costs), "ms")
    yield Figure(f"{name}: memory bound", max(cost["memory"] for cost in costs), "bytes")
    yield Figure(f"{name}: series of {FLEET:,} processes", FLEET * series, "series")
    samples = FLEET * series / INTERVAL_SECONDS
    yield Figure(f"{name}: samples of {FLEET:,} processes", samples, "a second")
    rate = FLEET * wire_bytes / INTERVAL_SECONDS
    yield Figure(f"{name}: traffic of {FLEET:,} processes", rate, "bytes a second")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        run_process(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    else:
        sys.exit(main("fleet_scale", measure, __doc__ or ""))
