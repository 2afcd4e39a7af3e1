"""Real servers, built by `make components`, and queries to them."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import components
from support.collector_sink import free_port, wait_for

CONFIGURATIONS = Path(__file__).parents[2] / "examples" / "collectors"


def program(name: str) -> Path:
    """Return the path of a built program; fail the test, rather than skip it, if it is missing."""
    path = components.program(name)
    if path is None:
        pytest.fail(f"{name} is not built: make components")
    return path


_LONG_SECONDS = 30


@contextmanager
def running(command: list[str | Path], port: int, log: Path, **variables: str) -> Iterator[None]:
    """Run a server within the block, once it listens on the port."""
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
    """A running Prometheus."""

    port: int

    @property
    def otlp(self) -> str:
        """The base URL for OTLP, to which exporters add `/v1/metrics`."""
        return f"http://127.0.0.1:{self.port}/api/v1/otlp"

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        query = urllib.parse.urlencode({"query": promql})
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{query}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result

    def number(self, promql: str) -> float:
        """Return the value of a query with at most one sample; 0 without a sample."""
        samples = self.query(promql)
        assert len(samples) <= 1, samples
        return float(samples[0]["value"][1]) if samples else 0.0

    def wait_for_number(self, promql: str, value: float) -> None:
        """Wait, at most a minute, until the query has this value; assert that it does."""
        deadline = time.monotonic() + 60
        while (number := self.number(promql)) != value and time.monotonic() < deadline:
            time.sleep(0.1)
        assert number == value, f"{promql} is {number} after a minute"

    def wait_for_rules(self, *, rounds: int = 2, longest: float = _LONG_SECONDS) -> None:
        """Wait until all rules have been evaluated on the samples stored now.

        rounds: evaluations to wait for; two if rules of one group read what another group records.
        longest: ignore groups with an interval of this many seconds or more.
        """
        for _ in range(rounds):
            stored_at, deadline = time.time(), time.monotonic() + 60
            while self._evaluated_at(longest) < stored_at and time.monotonic() < deadline:
                time.sleep(0.02)
            assert self._evaluated_at(longest) >= stored_at

    def _evaluated_at(self, longest: float) -> float:
        """Return the time of the last evaluation of the group that was evaluated longest ago."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.port}/api/v1/rules", timeout=60
        ) as answer:
            groups = json.load(answer)["data"]["groups"]
        return min(
            datetime.fromisoformat(group["lastEvaluation"]).timestamp()
            for group in groups
            if group["interval"] < longest
        )


@contextmanager
def run_prometheus(folder: Path, *options: str) -> Iterator[Prometheus]:
    """Run Prometheus with an OTLP receiver, configured by `prometheus.yml` in the folder."""
    port = free_port()
    command: list[str | Path] = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-otlp-receiver",
        *options,
    ]
    with running(command, port, folder / "prometheus.log"):
        yield Prometheus(port)
