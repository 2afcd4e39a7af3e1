"""Databases and brokers for the tests of the event store."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from mlmonitor.store.database import connect
from mlmonitor.store.schema import initialise
from support.brokers import database_url, kafka_broker, own_broker, postgres_server, tansu_broker

__all__ = ["database_url", "kafka_broker", "own_broker", "postgres_server", "tansu_broker"]

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection as the owner of the database."""
    with connect(database_url) as opened:
        yield opened


@pytest.fixture
def store(connection: Connection) -> Connection:
    """A connection as the owner of an event store."""
    initialise(connection)
    return connection
