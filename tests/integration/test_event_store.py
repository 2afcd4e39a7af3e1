"""The event log on Apache Kafka and on Debian's PostgreSQL, over TCP."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Kafka, Monitor
from mlmonitor.cli.main import main
from mlmonitor.store.database import connect
from mlmonitor.store.schema import initialise
from support.collector_sink import free_port
from support.kafka_server import ApacheKafka, apache_kafka
from support.references import fit_reference
from support.store_chaos import POISONED, Stored, load_through_chaos

__all__ = ["apache_kafka"]

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


class DebianDatabase:
    """Debian's PostgreSQL over TCP, run by its own user; a test can crash it."""

    def __init__(self, folder: Path) -> None:
        self._bin, self._data, self._port = DEBIAN[-1].parent, folder / "data", free_port()
        shutil.chown(folder, "postgres")
        self._run("initdb", "-A", "trust", "-U", "postgres")
        self.start()
        base = f"postgresql://postgres@127.0.0.1:{self._port}"
        with connect(f"{base}/postgres") as connection:
            connection.execute("create database events")
        self.url = f"{base}/events"
        with connect(self.url) as connection:
            initialise(connection)

    def _run(self, command: str, *arguments: str) -> None:
        user = ["runuser", "-u", "postgres", "--"]
        full = [*user, str(self._bin / command), "-D", str(self._data), *arguments]
        subprocess.run(full, check=True, stdout=subprocess.DEVNULL, cwd=self._data.parent)

    def start(self) -> None:
        """Start the server, which recovers after a crash."""
        sockets = self._data.parent
        options = f"-p {self._port} -c listen_addresses=127.0.0.1"
        options += f" -c unix_socket_directories={sockets}"
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(sockets / "log"), "-o", options, "start")

    def crash(self) -> None:
        """Stop the server at once; what is not committed is lost."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture
def debian_database() -> Iterator[DebianDatabase]:
    """A server in a folder that its user may enter."""
    if not DEBIAN or shutil.which("runuser") is None:
        pytest.skip("Debian's PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="mlmonitor-debian-"))
    folder.chmod(0o755)
    database = DebianDatabase(folder)
    yield database
    database.crash()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_events_of_a_service_arrive_in_the_sql_views(
    apache_kafka: ApacheKafka, debian_database: DebianDatabase
) -> None:
    """Views show drift of a shifted feature and performance of labelled predictions."""
    rng = np.random.default_rng(1)

    def rows(shift: float) -> dict[str, Any]:
        return {"age": rng.normal(40 + shift, 10, 2_000), "line": rng.choice(["a", "b"], 2_000)}

    training, live = rows(0), rows(15)
    topic = apache_kafka.make_topic()
    monitor = Monitor(
        "claims",
        version="7",
        reference=fit_reference(training, predictions=training["age"] * 2),
        exporters=[],
        events=Kafka(apache_kafka.address, topic=topic),
    )
    ids = [str(place) for place in range(2_000)]
    monitor.record(live, live["age"] * 2, ids=ids)
    monitor.label(ids, live["age"] * 2 + 3.0)
    assert monitor.close(timeout_seconds=60)
    command = ["load", "--brokers", apache_kafka.address, "--topic", topic, "--until-idle", "3"]
    assert main([*command, "--database", debian_database.url]) == 0
    with connect(debian_database.url) as store:
        query = "select prediction_drift, feature_drift from mlmonitor.prediction_drift"
        drift, features = store.execute(f"{query} where span = 'day'").fetchone()
        assert drift > 1
        assert features > 0.5
        cohort = store.execute("select predictions, labelled, mae from mlmonitor.cohort").fetchone()
        assert cohort[:2] == (2_000, 2_000)
        assert cohort[2] == pytest.approx(3.0)


def test_each_event_is_stored_once_through_crashes(
    apache_kafka: ApacheKafka, debian_database: DebianDatabase
) -> None:
    """Loaders are killed, the broker recovers its log, and the database crashes."""
    stored = load_through_chaos(
        apache_kafka, debian_database, predictions=16_000, kills=3, batch=400
    )
    assert stored == Stored(16_000, POISONED)
