"""Services started as in production, and a receiver for what they report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.collector_sink import Sink, running_sink
from support.served import Environment, Starter, service_environment


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP receiver for the services under test."""
    with running_sink() as server:
        yield server


@pytest.fixture
def environment(sink: Sink) -> Environment:
    """The environment variables of a service under test."""
    return service_environment(f"http://127.0.0.1:{sink.port}")


@pytest.fixture
def serve(tmp_path: Path, environment: Environment) -> Iterator[Starter]:
    """Start services, and end those still running when the test ends."""
    starter = Starter(tmp_path, environment)
    yield starter
    starter.end()
