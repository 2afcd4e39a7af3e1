"""Threads, forks and exits lose nothing that could be kept, and keep nobody waiting."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Otlp
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.testing import InMemoryExporter
from mlmonitor.worker import processes
from support.collector_sink import Sink, running_sink
from support.references import fit_reference

QUIET = Config(export_interval_seconds=3_600)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP receiver for programs that end."""
    with running_sink() as server:
        yield server


def script(tmp_path: Path, body: str, endpoint: str) -> list[str]:
    """Return a program with a monitor that exports to `endpoint` and then runs `body`."""
    path = tmp_path / "service.py"
    path.write_text(
        "import os, sys, time, threading\n"
        "from mlmonitor import Config, Monitor, Otlp\n"
        f"exporter = Otlp.collector({endpoint!r}, timeout_seconds=600)\n"
        "config = Config(export_interval_seconds=3600)\n"
        "monitor = Monitor('m', exporters=[exporter], config=config)\n"
        "predict = monitor.watch(lambda features: 1.0)\n" + body,
        encoding="utf-8",
    )
    return [sys.executable, "-W", "error", str(path)]


def test_a_monitor_that_records_nothing_starts_no_thread(exporter: InMemoryExporter) -> None:
    """The first record starts the worker, which is a single daemon thread."""
    before = set(threading.enumerate())  # others' tests may have left some that are ending
    monitor = Monitor("m", exporters=[exporter], config=QUIET)
    predict = monitor.watch(lambda features: features["a"])
    assert set(threading.enumerate()) <= before
    for _ in range(3):
        predict({"a": 1.0})
    started = [thread for thread in threading.enumerate() if thread not in before]
    assert [thread.name for thread in started] == ["mlmonitor"]
    assert started[0].daemon
    monitor.close()
    started[0].join(60)
    assert not started[0].is_alive()


def test_the_worker_exports_by_itself(exporter: InMemoryExporter) -> None:
    """A snapshot is sent at every interval without a flush."""
    config = Config(export_interval_seconds=0.1, poll_interval_seconds=0.01)
    with Monitor("m", exporters=[exporter], config=config) as monitor:
        monitor.record({"a": [1.0]}, [1.0])
        deadline = time.monotonic() + 60
        while len(exporter.snapshots) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(exporter.snapshots) >= 4


class Stuck(InMemoryExporter):
    """A destination that never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.released = threading.Event()

    def send(self, snapshot: Snapshot) -> Delivered:
        """Block until the test releases it."""
        self.entered.set()
        self.released.wait(60)
        return super().send(snapshot)


def test_a_stuck_destination_does_not_delay_the_others() -> None:
    """While a send hangs, calls and other exports go on, and flush and close give up in time."""
    exporter = Stuck()
    monitor = Monitor("m", exporters=[exporter], config=QUIET)
    predict = monitor.watch(lambda features: features["a"])
    predict({"a": 1.0})
    assert not monitor.flush(timeout_seconds=0.05)
    assert exporter.entered.wait(60)
    for _ in range(99):
        predict({"a": 1.0})
    assert monitor.status().predictions == 100
    assert not monitor.close(timeout_seconds=0.05)
    exporter.released.set()


def test_a_service_that_never_pauses_is_still_exported(exporter: InMemoryExporter) -> None:
    """While calls never pause, status and flush return, labels match, and drops are counted."""
    config = Config(export_interval_seconds=3_600, buffer_rows=2_000)
    reference = fit_reference({"a": [0.0, 1.0]}, predictions=[0.0, 1.0])
    monitor = Monitor("m", reference=reference, exporters=[exporter], config=config)
    predict = monitor.watch(lambda features: features["a"])
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            predict({"a": 1.0})

    monitor.record({"a": [1.0]}, [1.0], ids=["mine"])
    threads = [threading.Thread(target=serve) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        monitor.label("mine", 1.0)
        assert monitor.flush(timeout_seconds=60)
        assert monitor.status().labels["matched"] == 1
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert monitor.flush(timeout_seconds=60)
    status = monitor.status()
    assert exporter.value("mlmonitor.rows.dropped") == status.dropped
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == status.predictions
    monitor.close()


def test_an_exporter_that_exits_does_not_end_the_worker() -> None:
    """A later flush is still answered by the same thread, even after SystemExit."""

    class Exiting(InMemoryExporter):
        def send(self, snapshot: Snapshot) -> Delivered:
            raise SystemExit(len(snapshot.points))

    before = set(threading.enumerate())  # as above
    with Monitor("m", exporters=[Exiting()], config=QUIET) as monitor:
        monitor.record({"a": [1.0]}, [1.0])
        assert not monitor.flush(timeout_seconds=20)
        monitor.record({"a": [1.0]}, [1.0])
        assert not monitor.flush(timeout_seconds=20)
        assert monitor.status().exports["memory"]["failed"] > 0
        started = [t.name for t in threading.enumerate() if t not in before]
        assert started.count("mlmonitor") == 1


def test_a_destination_that_hangs_at_exit_takes_no_time_from_the_others(
    exporter: InMemoryExporter,
) -> None:
    """The monitors of a process close at the same time, so each has the whole time limit."""
    stuck = Stuck()
    monitors = [
        Monitor("m", exporters=[destination], config=QUIET)
        for destination in (stuck, exporter, stuck)
    ]
    for monitor in monitors:
        monitor.record({"a": [1.0]}, [1.0])
    processes.close_all(timeout_seconds=0.5)
    stuck.released.set()
    assert [monitor.status().state for monitor in monitors] == ["closed"] * 3
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 1


def refuse_thread(_thread: threading.Thread) -> None:
    """Replace `Thread.start` as if the limit of threads had been reached."""
    raise RuntimeError("can't start new thread")


def test_flush_exports_in_the_calling_thread_if_no_thread_can_be_started(
    exporter: InMemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is counted as an internal error, and the next record tries again."""
    monitor = Monitor("m", exporters=[exporter], config=QUIET)
    predict = monitor.watch(lambda features: features["a"])
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse_thread)
        assert predict({"a": 1.0}) == 1.0
        assert monitor.flush(timeout_seconds=60)
        assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 1
    assert predict({"a": 1.0}) == 1.0
    assert monitor.flush(timeout_seconds=60)
    assert monitor.status().internal_errors == 2
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 2
    monitor.close()


def test_close_exports_in_the_calling_thread_if_no_thread_can_be_started(
    exporter: InMemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing recorded is lost silently, for example at the exit of the interpreter."""
    monkeypatch.setattr(threading.Thread, "start", refuse_thread)
    monitor = Monitor("m", exporters=[exporter], config=QUIET)
    monitor.record({"a": [1.0, 2.0]}, [1.0, 2.0])
    assert monitor.close(timeout_seconds=60)
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 2


def test_close_without_a_thread_returns_false_if_the_destination_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It also keeps to its time limit."""
    monkeypatch.setattr(threading.Thread, "start", refuse_thread)
    exporter = Otlp.collector("http://127.0.0.1:9", timeout_seconds=600)
    monitor = Monitor("m", exporters=[exporter], config=QUIET)
    monitor.record({"a": [1.0]}, [1.0])
    started = time.monotonic()
    assert not monitor.close(timeout_seconds=2)
    assert time.monotonic() - started < 100


def test_every_flush_covers_all_rows_recorded_before_it(exporter: InMemoryExporter) -> None:
    """Eight threads flush at the same time, and each finds its own record exported."""
    monitor = Monitor("m", exporters=[exporter], config=QUIET)
    predict = monitor.watch(lambda features: features["a"])
    are_covered: list[bool] = []

    def serve() -> None:
        for _ in range(20):
            predict({"a": 1.0})
            are_covered.append(monitor.flush(timeout_seconds=20))

    threads = [threading.Thread(target=serve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert are_covered == [True] * 160
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 160
    monitor.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_counts_from_zero_with_its_own_instance_id(sink: Sink) -> None:
    """Parent and child each report their own calls, and the sum is that of all calls."""
    exporter = Otlp.collector(f"http://127.0.0.1:{sink.port}")
    monitor = Monitor("m", exporters=[exporter], config=QUIET)
    predict = monitor.watch(lambda features: features["a"])
    for _ in range(100):
        predict({"a": 1.0})
    assert monitor.flush(timeout_seconds=60)
    predict({"a": 1.0})  # waits in the buffer while the fork happens

    def work() -> None:  # and end, without closing anything
        for _ in range(7):
            predict({"a": 1.0})

    children = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert monitor.close(timeout_seconds=60)
    assert sink.total("mlmonitor.predictions", status="ok") == 101 + 2 * 7
    assert len({received.resource["service.instance.id"] for received in sink.points}) == 3


def test_the_last_window_arrives_when_a_program_ends(sink: Sink, tmp_path: Path) -> None:
    """A program that ends, exits or fails delivers what it recorded."""
    for ending in ("", "sys.exit(3)\n", "raise RuntimeError\n"):
        body = "for _ in range(5): predict({'a': 1.0})\n" + ending
        command = script(tmp_path, body, f"http://127.0.0.1:{sink.port}")
        subprocess.run(command, check=False, capture_output=True, timeout=250)
    assert sink.total("mlmonitor.predictions", status="ok") == 15


def test_exit_is_not_held_up_by_a_dead_collector(tmp_path: Path) -> None:
    """If nobody listens, the exit waits two seconds, and not the ten minutes of the exporter."""
    body = (
        "predict({'a': 1.0})\nmonitor.status()\n"
        "began = time.monotonic()\n"
        "from mlmonitor.worker import processes\n"
        "processes.close_all()\n"
        "print(time.monotonic() - began)\n"
    )
    command = script(tmp_path, body, "http://127.0.0.1:9")
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=250)
    assert float(done.stdout) < 20
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("callback", ["on_alert", "on_incident"])
@pytest.mark.parametrize("method", ["flush", "close"])
def test_a_callback_that_flushes_or_closes_does_not_wait_for_itself(
    callback: str, method: str
) -> None:
    """The call returns False at once; the export and the rest of a close follow."""
    x = np.linspace(0, 1, 500)
    exporter = InMemoryExporter()
    results: list[bool] = []
    seconds: list[float] = []

    def react(_change: object) -> None:
        started = time.monotonic()
        results.append(getattr(monitor, method)(timeout_seconds=100.0))
        seconds.append(time.monotonic() - started)

    monitor = Monitor(
        "m",
        reference=fit_reference({"a": x}, predictions=x),
        exporters=[exporter],
        config=Config(check_rows=100, check_interval_seconds=0, export_interval_seconds=3_600),
        **{callback: react},  # type: ignore[arg-type]
    )
    monitor.record({"a": np.full(2_000, 9.0)}, np.full(2_000, 9.0))
    deadline = time.monotonic() + 60
    while not exporter.snapshots and time.monotonic() < deadline:
        time.sleep(0.01)
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 2_000
    assert results
    assert not any(results)
    assert max(seconds) < 50
    if method == "close":
        while monitor.status().state != "closed" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert monitor.status().state == "closed"
    assert monitor.close(timeout_seconds=60)
