"""rotel from PyPI, as a real collector."""

import importlib.util
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.collector_sink import Collector, Sink, free_port, wait_for

LIBRARY_MISSING = 127
"""The exit status of a program that the loader cannot start."""


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A real collector on its own ports, which forwards to a test sink over OTLP/HTTP."""
    package = importlib.util.find_spec("rotel")
    if package is None or package.origin is None:
        pytest.skip("rotel is not installed: pip install 'mlmonitor-sdk[test]'")
    binary = Path(package.origin).parent / "rotel-agent"
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    if version.returncode == LIBRARY_MISSING:
        pytest.skip(f"rotel does not start here: {version.stderr.strip()}")
    sink = Sink()
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    grpc, http = free_port(), free_port()
    command = [
        *(str(binary), "start"),
        *("--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"),
        *("--otlp-http-endpoint", f"127.0.0.1:{http}"),
        *("--exporter", "otlp", "--otlp-exporter-protocol", "http"),
        *("--otlp-exporter-endpoint", f"http://127.0.0.1:{sink.port}"),
        "--disable-batching",
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "ROTEL_"))}
    with (tmp_path / "collector.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        wait_for(http, unless=lambda: process.poll() is not None)
        yield Collector(f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}", sink)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        sink.shutdown()
        sink.server_close()
