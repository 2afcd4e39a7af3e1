"""Forks made in C run no Python hook, so they are noticed at the next record."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from mlmonitor import Config, Monitor, Otlp
from mlmonitor.forks import PidMark, check_fork, make_mark, process_mark
from support.collector_sink import Sink
from support.references import fit_reference

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
QUIET = Config(export_interval_seconds=3_600, poll_interval_seconds=0.05)
ROWS = [float(i % 10) for i in range(200)]


def fork_in_c() -> int:
    """Fork as uWSGI does: no function registered with Python runs in the child.

    A child that is asked to release the interpreter would wait for a thread that it lacks. So no
    thread may be asking at the moment of the fork: waiting threads get their turn, and ask again
    only after ten seconds.
    """
    interval_seconds = sys.getswitchinterval()
    sys.setswitchinterval(10.0)
    time.sleep(0.05)
    pid: int = ctypes.PyDLL(None).fork()
    sys.setswitchinterval(interval_seconds)
    return pid


def run_in_child(work: Callable[[], object]) -> None:
    """Fork in C, run `work` in the child, and wait until it ends."""
    pid = fork_in_c()
    if pid == 0:
        code = 1
        signal.setitimer(signal.ITIMER_REAL, 0)  # the timeout of the parent's test
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(200)
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def count_instances(sink: Sink) -> int:
    """Count the processes that have reported anything."""
    return len({received.resource["service.instance.id"] for received in sink.points})


@pytest.fixture
def monitor(sink: Sink) -> Monitor:
    """A monitor that exports only on request."""
    exporter = Otlp.collector(f"http://127.0.0.1:{sink.port}")
    reference = fit_reference({"a": ROWS}, predictions=ROWS)
    return Monitor("m", reference=reference, exporters=[exporter], config=QUIET)


def test_parent_and_children_forked_in_c_add_up_exactly(monitor: Monitor, sink: Sink) -> None:
    """Rows queued at the fork stay with the parent, and each child is an instance of its own."""
    predict = monitor.watch(lambda features: features["a"])
    for _ in range(100):
        predict({"a": 1.0})
    assert monitor.flush(timeout_seconds=60)

    def work() -> None:
        for _ in range(7):
            predict({"a": 1.0})
        monitor.record({"a": [1.0, 2.0]}, [1.0, 2.0])
        with monitor.observe({"a": 1.0}) as block:
            block.value = 1.0
        assert monitor.status().predictions == 10
        assert monitor.close(timeout_seconds=60)

    for _ in range(2):
        predict({"a": 1.0})  # waits in the buffer while the fork happens
        run_in_child(work)
    assert monitor.close(timeout_seconds=60)
    assert sink.total("mlmonitor.predictions", status="ok") == 102 + 2 * 10
    assert count_instances(sink) == 3


def test_a_grandchild_forked_in_c_is_noticed_as_well(monitor: Monitor, sink: Sink) -> None:
    """The fork mark is set again in each generation."""
    predict = monitor.watch(lambda features: features["a"])
    predict({"a": 1.0})

    def grandchild() -> None:
        predict({"a": 3.0})
        assert monitor.close(timeout_seconds=60)

    def child() -> None:
        predict({"a": 2.0})
        run_in_child(grandchild)
        assert monitor.close(timeout_seconds=60)

    run_in_child(child)
    assert monitor.close(timeout_seconds=60)
    assert sink.total("mlmonitor.predictions", status="ok") == 3
    assert count_instances(sink) == 3


@pytest.mark.parametrize("first", ["status", "label", "kpi", "flush", "close"])
def test_any_call_notices_a_fork_in_c(monitor: Monitor, sink: Sink, first: str) -> None:
    """Whichever method the child calls first, it sees none of the parent's counts."""
    predict = monitor.watch(lambda features: features["a"])
    predict({"a": 1.0})
    assert monitor.flush(timeout_seconds=60)
    arguments = {"label": ("p", 1.0), "kpi": ("savings", 2.0)}

    def work() -> None:
        getattr(monitor, first)(*arguments.get(first, ()))
        status = monitor.status()
        assert status.predictions == 0
        assert status.labels.get("unknown", 0) + status.labels.get("pending", 0) <= 1
        assert monitor.close(timeout_seconds=60)

    run_in_child(work)
    assert monitor.close(timeout_seconds=60)
    assert sink.total("mlmonitor.predictions", status="ok") == 1


def test_a_child_forked_in_c_that_records_nothing_reports_nothing(
    monitor: Monitor, sink: Sink
) -> None:
    """It also ends at once, because it does not wait for a thread of its parent."""
    monitor.watch(lambda features: features["a"])({"a": 1.0})
    assert monitor.flush(timeout_seconds=60)
    run_in_child(lambda: monitor.close(timeout_seconds=600))
    assert monitor.close(timeout_seconds=60)
    assert count_instances(sink) == 1


@pytest.mark.parametrize("make", [make_mark, PidMark], ids=["wiped page", "pid"])
def test_a_fork_mark_is_false_in_a_child_until_it_is_set_there(make: Callable[[], PidMark]) -> None:
    """Both kinds of marks are tested, after forks in C and in Python."""
    mark = make()
    mark.value = 1
    assert mark

    def work() -> None:
        assert not mark
        mark.value = 1
        assert mark

    run_in_child(work)
    assert mark


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux wipes pages")
def test_on_linux_checking_for_a_fork_makes_no_system_call() -> None:
    """On Linux the mark lies in a page that the kernel wipes at a fork."""
    assert not isinstance(process_mark, PidMark)
    check_fork()
    assert process_mark
