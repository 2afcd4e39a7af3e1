"""Apache Kafka as a component: one node that is both broker and controller."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import components
from support.brokers import KafkaBroker
from support.collector_sink import free_port


class ApacheKafka(KafkaBroker):
    """An Apache Kafka server; its JVM makes it start more slowly than the other brokers."""

    start_seconds = 120.0


@pytest.fixture
def apache_kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """Run one node that is both broker and controller."""
    server, storage = components.program("kafka"), components.program("kafka-storage")
    if server is None or storage is None:
        pytest.skip("Apache Kafka is not built: make components")
    port, controller = free_port(), free_port()
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": tmp_path / "kafka",
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
    }
    properties = tmp_path / "server.properties"
    properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()), encoding="utf-8")
    identity = ["-t", str(uuid.uuid4()), "-c", str(properties)]
    subprocess.run([storage, "format", *identity], check=True, capture_output=True)
    broker = ApacheKafka([str(server), str(properties)], port, tmp_path / "kafka.log")
    yield broker
    broker.stop(kills=True)
