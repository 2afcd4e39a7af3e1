"""Crash loaders, brokers and databases at seeded random moments, and check the store afterwards."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import psycopg

from mlmonitor.store.database import connect
from support.brokers import KafkaBroker
from support.store_events import EventSource, Keyed, keyed, send

POISON = (b"", b"{", b"[1]", b'{"schema": "gossip"}', b"\xff\xfe", b'{"schema": "prediction"}')
POISONED = 40
"""Messages that no loader can read."""


class CrashingDatabase(Protocol):
    """A PostgreSQL server with an event store, which can be crashed and restarted."""

    url: str

    def crash(self) -> None:
        """Stop the server at once; uncommitted data is lost."""

    def start(self) -> None:
        """Start the server, which recovers."""


class Stage:
    """A topic, a database, and the loaders started so far."""

    def __init__(self, broker: KafkaBroker, database: CrashingDatabase, topic: str) -> None:
        self.broker, self.database, self.topic = broker, database, topic
        self.loaders: list[subprocess.Popen[bytes]] = []

    def start_loader(self, *, batch: int) -> subprocess.Popen[bytes]:
        """Start `mlmonitor load` for the topic."""
        command = [sys.executable, "-m", "mlmonitor", "load", "--brokers", self.broker.address]
        command += ["--topic", self.topic, "--batch", str(batch), "--dead-letter-topic", ""]
        environment = {**os.environ, "MLMONITOR_DATABASE": self.database.url}
        loader = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        self.loaders.append(loader)
        return loader

    def progress(self) -> int:
        """Return the number of loaded messages; 0 while the database is down."""
        query = "select coalesce(sum(next_offset), 0) from mlmonitor.offsets"
        with contextlib.suppress(psycopg.OperationalError), connect(self.database.url) as opened:
            row = opened.execute(query).fetchone()
            return int(row[0])
        return 0

    def wait_for(self, messages: int, *, seconds: float = 120.0) -> None:
        """Wait until this many messages are loaded; fail if a loader has ended with an error."""
        deadline = time.monotonic() + seconds
        while (loaded := self.progress()) < messages:
            assert time.monotonic() < deadline, (loaded, messages)
            assert all(loader.poll() in (None, 0, -signal.SIGKILL) for loader in self.loaders)
            time.sleep(0.05)

    def close(self) -> None:
        """Kill all loaders."""
        for loader in self.loaders:
            loader.kill()
            loader.wait(60)


def plant(messages: list[Keyed], count: int, chance: random.Random) -> list[bytes]:
    """Insert unreadable messages at random positions; return their values."""
    planted = []
    for place in range(count):
        value = POISON[place % len(POISON)] + str(place).encode() * (place >= len(POISON))
        messages.insert(chance.randrange(len(messages)), (f"poison-{place}", value))
        planted.append(value)
    return planted


def run_chaos(
    stage: Stage, messages: Sequence[Keyed], *, kills: int, batch: int, seed: int
) -> None:
    """Load all messages, with crashes at `kills` seeded random moments."""
    chance = random.Random(seed)  # noqa: S311 - seeded on purpose
    total = len(messages)
    first = stage.start_loader(batch=batch)
    for number, moment in enumerate(sorted(chance.uniform(0.02, 0.9) for _ in range(kills))):
        stage.wait_for(int(moment * total))
        time.sleep(chance.uniform(0, 0.1))
        first.kill()
        first.wait(60)
        # The broker never expires a killed member; restarting the broker resets the group.
        stage.broker.stop(kills=True)
        if number % 3 == 0:
            stage.database.crash()
        stage.broker.start()
        first = stage.start_loader(batch=batch)
        if number % 3 == 0:
            time.sleep(chance.uniform(0, 1))
            stage.database.start()
        if number % 3 == 1:
            second = stage.start_loader(batch=batch)
            stage.wait_for(min(stage.progress() + batch, total))
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 0
    stage.wait_for(total)
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0


class Stored(NamedTuple):
    """The number of stored predictions, and of unreadable messages."""

    predictions: int
    dead_letters: int


def check_store(url: str, events: Sequence[dict[str, Any]], planted: Sequence[bytes]) -> Stored:
    """Check that each event is stored and summed up once, and planted messages are dead letters."""
    with connect(url) as store:

        def number(query: str) -> Any:
            return store.execute(query).fetchone()[0]

        for schema in ("prediction", "label", "kpi", "reference"):
            expected = sorted(e["event_id"] for e in events if e["schema"] == schema)
            rows = store.execute(f"select event_id::text from mlmonitor.{schema}").fetchall()
            assert sorted(row[0] for row in rows) == expected, schema
        predictions = sum(event["schema"] == "prediction" for event in events)
        labels = sum(event["schema"] == "label" for event in events)
        figures = sum(event["schema"] == "kpi" for event in events)
        for span in ("hour", "day"):
            where = f"where span = '{span}'"
            assert number(f"select sum(predictions) from mlmonitor.traffic {where}") == predictions
            query = (
                f"select sum(count) from mlmonitor.data_statistics {where} and field = 'feature_1'"
            )
            assert number(query) == predictions
            query = f"select sum(labelled) from mlmonitor.performance_by_bucket {where}"
            assert number(f"{query} and dimension = 'all'") == labels
            assert number(f"{query} and dimension = 'feature_0'") == labels
        assert number("select sum(figures) from mlmonitor.kpi_daily") == figures
        assert number("select count(*) from mlmonitor.outcome") == labels
        assert number("select count(*) from mlmonitor.waiting_label") == 0
        letters = store.execute("select value from mlmonitor.dead_letter").fetchall()
        assert sorted(bytes(row[0]) for row in letters) == sorted(planted)
        return Stored(number("select count(*) from mlmonitor.prediction"), len(letters))


def load_through_chaos(
    broker: KafkaBroker, database: CrashingDatabase, *, predictions: int, kills: int, batch: int
) -> Stored:
    """Send events and unreadable messages, load them despite crashes, and check the store."""
    source = EventSource(11)
    events = [*source.reference(), *source.stream(predictions)]
    messages = keyed(events)
    planted = plant(messages, POISONED, source.random)
    topic = broker.make_topic()
    send(broker.address, topic, messages)
    stage = Stage(broker, database, topic)
    try:
        run_chaos(stage, messages, kills=kills, batch=batch, seed=5)
        return check_store(database.url, events, planted)
    finally:
        stage.close()
