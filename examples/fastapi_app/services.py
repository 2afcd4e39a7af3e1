"""The demo's child processes: started on free local ports, awaited until ready, always stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

HOST = "127.0.0.1"
READY_SECONDS = 60.0
STOP_SECONDS = 6.0


class ServiceFailed(Exception):
    """A process ended or was not ready in time; the message quotes the end of its log."""


def free_port() -> int:
    """Return a TCP port of this host that is currently free."""
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


class Child:
    """One child process, whose output goes to a log.

    It runs in its own session, so that Ctrl-C in the terminal reaches only the demo, which then
    stops its children in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._name, self._command, self._log = name, command, log
        self._environ = os.environ | dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environ,
                start_new_session=True,
            )

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Terminate the process, and kill it if it does not end. A second call does nothing."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None  # only now, so that `stop` works again after an interrupted wait

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


class Service(Child):
    """A child process as a context manager: ready on entry, stopped on exit."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        is_ready: Callable[[], bool],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, command, log=log, environ=environ)
        self._is_ready = is_ready

    def __enter__(self) -> Self:
        self.start()
        try:
            self._wait_until_ready()
        except BaseException:  # `with` calls __exit__ only if this method returns
            self.stop()
            raise
        return self

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process is None or self._process.poll() is not None:
                raise ServiceFailed(f"{self._name} ended at once:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{self._name} is not ready:\n{self._last_lines()}")
            time.sleep(0.05)


class Script(Child):
    """A child process that prints something and ends; the context manager stops it on exit."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def read(self) -> str:
        """Wait until the process ends; return its output.

        Raises:
            ServiceFailed: the process failed, or took too long.
        """
        if self._process is None:
            raise ServiceFailed(f"{self._name} is not running")
        try:
            exit_status = self._process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            raise ServiceFailed(f"{self._name} took more than {READY_SECONDS:.0f} s") from None
        if exit_status != 0:
            raise ServiceFailed(f"{self._name} failed:\n{self._last_lines()}")
        return self._log.read_text(encoding="utf-8")


def collector(folder: Path, *, forward_to: str) -> tuple[Service, str]:
    """Return rotel, an OpenTelemetry collector from PyPI, and its OTLP/HTTP address.

    It forwards metrics in batches over OTLP/HTTP to `forward_to`.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = find_spec("rotel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("rotel is missing: pip install 'mlmonitor-sdk[demo]'")
    port = free_port()
    command = [str(Path(spec.origin).with_name("rotel-agent")), "start"]
    options = {
        "--pid-file": str(folder / "rotel.pid"),
        "--otlp-grpc-endpoint": f"{HOST}:{free_port()}",
        "--otlp-http-endpoint": f"{HOST}:{port}",
        "--exporter": "otlp",
        "--otlp-exporter-endpoint": forward_to,
        "--otlp-exporter-protocol": "http",
        "--batch-timeout": "100ms",
    }
    for name, value in options.items():
        command += [name, value]
    service = Service(
        "rotel", command, log=folder / "rotel.log", is_ready=lambda: _is_listening(port)
    )
    return service, f"http://{HOST}:{port}"


def app(folder: Path, *, environ: Mapping[str, str]) -> tuple[Service, str]:
    """Return the claim severity service under uvicorn, and its address."""
    port = free_port()
    address = f"http://{HOST}:{port}"
    here = Path(__file__).parent
    command = [sys.executable, "-m", "uvicorn", "app:serve", "--factory", "--app-dir", str(here)]
    command += ["--host", HOST, "--port", str(port), "--log-level", "warning", "--no-access-log"]
    service = Service(
        "the service",
        command,
        log=folder / "app.log",
        is_ready=lambda: answers(f"{address}/status"),
        # A single claim gives several threads nothing to share.
        environ={"OMP_NUM_THREADS": "1", **environ},
    )
    return service, address


def verdicts(folder: Path) -> Script:
    """Return the script that computes the verdicts while the replay runs."""
    command = [sys.executable, str(Path(__file__).with_name("verdicts.py"))]
    environ = {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    return Script("the verdicts", command, log=folder / "verdicts.log", environ=environ)


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def answers(url: str) -> bool:
    """Whether a server answers at this address."""
    try:
        with urlopen(url, timeout=5.0) as reply:  # noqa: S310 - an address made here
            return bool(reply.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False
