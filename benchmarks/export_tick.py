"""The cost of one export of 200 numeric fields by step, and OpenTelemetry's on the same points.

The steps are: compare the window with the reference; describe the aggregates as metric families;
and encode them as requests, without gzip, for a cumulative and for a delta destination. A whole
tick evaluates the evidence, and builds and describes the model's snapshot.
"""

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mlmonitor import Config, Monitor, Reference
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.export.base import Family, Point
from mlmonitor.export.otlp.backends import DYNATRACE, PROMETHEUS, BackendProfile
from mlmonitor.export.otlp.encoder import Sender
from mlmonitor.export.series.field_families import population_families
from mlmonitor.export.series.grouping import SnapshotCache

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

FIELDS, ROWS, ROUNDS = 200, 2_000, 15


def milliseconds(call: Callable[[], object]) -> float:
    """Return the milliseconds of the best of several rounds."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return 1_000 * min(took)


def compare(state: ModelState, now: float) -> list[PopulationSnapshot]:
    """Compare every population with the reference."""
    return [population.snapshot(now=now) for population in state.populations]


def describe(populations: list[PopulationSnapshot], cache: SnapshotCache) -> list[Family]:
    """Return the metric families of every population."""
    cache.begin_snapshot()
    identity = (("model.name", "m"), ("model.version", ""))
    each_one = (
        population_families(population, identity, cache, deviations=3.0)
        for population in populations
    )
    return [family for families in each_one for family in families]


def encode(sender: Sender, profile: BackendProfile, snapshot: object) -> int:
    """Encode all requests of a snapshot; return their size in bytes."""
    outgoing = sender.prepare(snapshot)  # type: ignore[arg-type]  # a snapshot
    return sum(len(outgoing.body(part)) for part in outgoing.parts(profile.limits))


def by_opentelemetry(points: list[Point]) -> float:
    """Return the milliseconds that OpenTelemetry's encoder takes for these points, once."""
    from support.export_strategies import by_the_sdk

    started = time.perf_counter()
    by_the_sdk(points, start_ns=1, time_ns=2, resource=(), version="0").SerializeToString()
    return 1_000 * (time.perf_counter() - started)


def main() -> None:
    """Measure and print the steps and the baseline."""
    rng = np.random.default_rng(0)
    columns = {f"f{at}": rng.normal(size=ROWS) for at in range(FIELDS)}
    reference = Reference.fit(columns, predictions=rng.normal(size=ROWS))
    config = Config(export_interval_seconds=86_400)
    with Monitor("m", reference=reference, exporters=[], config=config) as monitor:
        monitor.record(columns, np.zeros(ROWS))
        monitor.status()
        line = monitor._worker.pipeline  # noqa: SLF001 - its parts are timed
        state, now = line.state, time.time()
        compared = milliseconds(lambda: compare(state, now))
        cache, populations = SnapshotCache(), compare(state, now)
        described = milliseconds(lambda: describe(populations, cache))
        ticked = milliseconds(lambda: line.snapshot(now))
        snapshot = line.snapshot(now)
    print(
        f"{FIELDS} fields, {snapshot.size:,} points; {platform.processor() or platform.machine()}"
    )
    print(f"{'compared with the reference':32}{compared:9.2f} ms")
    print(f"{'described':32}{described:9.2f} ms")
    print(f"{'all of a tick but encoding':32}{ticked:9.2f} ms")
    for profile in (PROMETHEUS, DYNATRACE):
        sender = Sender(profile, {}, snapshot, "0")
        took = milliseconds(lambda s=sender, p=profile: encode(s, p, snapshot))  # type: ignore[misc]
        print(f"{'encoded for ' + profile.name:32}{took:9.2f} ms")
    print(f"{'encoded by OpenTelemetry':32}{by_opentelemetry(list(snapshot.points)):9.2f} ms")


if __name__ == "__main__":
    main()
