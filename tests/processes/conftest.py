"""Services started as they are in production, and a receiver for what they report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.collector_sink import Sink, running_sink
from support.served import Environment, Starter, service_environment


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP receiver of our own."""
    with running_sink() as server:
        yield server


@pytest.fixture
def environment(sink: Sink) -> Environment:
    """What a service under test finds in its environment."""
    return service_environment(f"http://127.0.0.1:{sink.port}")


@pytest.fixture
def serve(tmp_path: Path, environment: Environment) -> Iterator[Starter]:
    """Starts services, and ends at the latest with the test what they left running."""
    starter = Starter(tmp_path, environment)
    yield starter
    starter.end()
