"""Services under test, started as in production."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from support.collector_sink import free_port, wait_for

SERVICES = Path(__file__).parents[1] / "processes" / "services"
BOOT_SECONDS = 120.0

Environment = dict[str, str]


class Service(NamedTuple):
    """A running service: its first process, its port and its log."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the service, and wait; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def said(self) -> str:
        """Return the service's log so far."""
        return self.log.read_text(encoding="utf-8")


class Starter:
    """Starts services in a folder of their own, and kills those still running at the end."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self._folder, self._environment = folder, environment
        self._started: list[Service] = []

    def __call__(self, *command: str, **variables: str) -> Service:
        """Run a Python module with these arguments; `{port}` stands for the service's port."""
        port, log = free_port(), self._folder / f"service-{len(self._started)}.log"
        words = [word.format(port=port) for word in command]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdout=file,
                stderr=file,
                env=self._environment | variables,
                cwd=self._folder,
                start_new_session=True,
            )
        service = Service(process, port, log)
        self._started.append(service)
        wait_for(port, seconds=BOOT_SECONDS, unless=lambda: process.poll() is not None)
        return service

    def end(self) -> None:
        """Kill all services that still run, with their workers."""
        for service in self._started:
            if service.process.poll() is None:
                os.killpg(service.process.pid, signal.SIGKILL)
            service.process.wait(60)


def service_environment(collector: str) -> Environment:
    """Return the environment variables of a service under test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    path = os.pathsep.join([str(SERVICES), *filter(None, [kept.get("PYTHONPATH", "")])])
    return kept | {"PYTHONPATH": path, "SERVICE_COLLECTOR": collector}
