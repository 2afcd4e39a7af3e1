"""Real servers as `make components` built them, and what tests ask of them."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import components
from support.collector_sink import wait_for

CONFIGURATIONS = Path(__file__).parents[2] / "examples" / "collectors"


def program(name: str) -> Path:
    """A built program. That it is missing is a failure: whoever runs these tests wants it."""
    found = components.program(name)
    if found is None:
        pytest.fail(f"{name} is not built: make components")
    return found


@contextmanager
def running(command: list[str | Path], port: int, log: Path, **variables: str) -> Iterator[None]:
    """A server until the end of the block."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, env={"PATH": "/usr/bin:/bin"} | variables
        )
    try:
        wait_for(port, unless=lambda: process.poll() is not None)
        yield
    finally:
        process.terminate()
        process.wait(60)


class Prometheus(NamedTuple):
    """A running Prometheus: the base of its OTLP endpoint, and queries."""

    port: int

    @property
    def otlp(self) -> str:
        """What `/v1/metrics` is added to."""
        return f"http://127.0.0.1:{self.port}/api/v1/otlp"

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        query = urllib.parse.urlencode({"query": promql})
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{query}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def number(self, promql: str) -> float:
        """The value of a query that has one sample; 0 while it has none."""
        samples = self.query(promql)
        assert len(samples) <= 1, samples
        return float(samples[0]["value"][1]) if samples else 0.0

    def wait_for_number(self, promql: str, value: float) -> None:
        """Wait, at most twenty seconds, until that is the value."""
        deadline = time.monotonic() + 60
        while self.number(promql) != value and time.monotonic() < deadline:
            time.sleep(0.1)
        assert self.number(promql) == value
