"""Each forked process is an instance of its own that starts at zero and delivers at its end."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.collector_sink import Sink
from support.served import Environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

BEGIN = """
import concurrent.futures, gc, multiprocessing, os, sys, threading, time
from service import monitor, predict

def many(count):
    for _ in range(count):
        predict({"amount": 1.0, "line": "A"})
    return count

"""
FORK_AND_WAIT = """
def fork(work, end=sys.exit):
    child = os.fork()
    if child == 0:
        work()
        end(0)
    assert os.waitpid(child, 0)[1] == 0

"""
FORKSERVER = pytest.param("forkserver", marks=pytest.mark.slow)
SPAWN = pytest.param("spawn", marks=pytest.mark.slow)
MAIN = "if __name__ == '__main__':\n    "


class Ended:
    """What a finished program reported: its predictions, and the number of its processes."""

    def __init__(self, sink: Sink) -> None:
        self.predictions = sink.total("mlmonitor.predictions", status="ok")
        self.by_instance = sorted(
            point.as_int for point in sink.newest("mlmonitor.predictions", status="ok")
        )
        self.starts = {
            received.resource["service.instance.id"]: received.point.start_time_unix_nano
            for received in sink.named("mlmonitor.predictions", status="ok")
        }


def run(body: str, environment: Environment, folder: Path, *, first: str = "") -> str:
    """Run a program until it ends successfully, and return its output."""
    path = folder / "program.py"
    path.write_text(first + BEGIN + body, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "fault" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def test_a_child_forked_before_the_first_record_counts_its_own_rows(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """Parent and child report what each recorded, and the child inherits no counts."""
    run(FORK_AND_WAIT + "fork(lambda: many(3)); many(5)", environment, tmp_path)
    assert Ended(sink).by_instance == [3, 5]


def test_a_child_forked_after_records_and_exports_counts_its_own_rows(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """Counts of the parent, exported or not, stay with the parent; the child starts later."""
    body = (
        "many(5); assert monitor.flush(timeout_seconds=60); many(2); fork(lambda: many(3)); many(1)"
    )
    run(FORK_AND_WAIT + body, environment, tmp_path)
    ended = Ended(sink)
    assert ended.by_instance == [3, 8]
    assert len(ended.starts) == len(set(ended.starts.values())) == 2


def test_a_child_that_records_nothing_exports_nothing(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """An inherited monitor exports nothing, however the child ends, and the parent's stays open."""
    body = "many(5)\nfork(lambda: None)\nfork(monitor.close)\nfork(lambda: None, os._exit)\nmany(1)"
    run(FORK_AND_WAIT + body, environment, tmp_path)
    assert Ended(sink).by_instance == [6]


def test_a_grandchild_counts_its_own_rows(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """Every generation is an instance of its own."""
    body = "many(1); fork(lambda: (many(2), fork(lambda: (many(3), fork(lambda: many(4))))))"
    run(FORK_AND_WAIT + body, environment, tmp_path)
    assert Ended(sink).by_instance == [1, 2, 3, 4]


def test_a_child_that_ends_by_os_exit_delivers_what_it_closed(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """`os._exit` runs no exit functions, so a child closes its monitor before it."""
    body = "fork(lambda: (many(3), monitor.close()), os._exit)"
    run(FORK_AND_WAIT + body, environment, tmp_path)
    assert Ended(sink).by_instance == [3]


def test_a_fork_while_every_lock_is_held_does_not_deadlock(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """The child records, reads its status and delivers although the parent's threads held locks."""
    body = """
from contextlib import ExitStack
many(1)
inbox, worker = monitor._inbox, monitor._worker
locks = [worker._aggregates, worker._wake, worker._starting, inbox.guard._lock]
locks += [inbox.calls._lock, inbox.labels._lock, inbox.figures._lock]
held, over = threading.Event(), threading.Event()

def hold():
    with ExitStack() as stack:
        for lock in locks:
            stack.enter_context(lock)
        held.set()
        over.wait()

def work():
    many(2)
    monitor.record({"amount": [1.0] * 3, "line": ["A"] * 3}, [1.0] * 3)
    monitor.label("unknown", 1.0)
    monitor.kpi("savings", 1.0)
    assert monitor.status().predictions == 5
    assert monitor.flush(timeout_seconds=60)

thread = threading.Thread(target=hold)
thread.start()
held.wait()
fork(work)
over.set()
thread.join()
"""
    run(FORK_AND_WAIT + body, environment, tmp_path)
    assert Ended(sink).by_instance == [1, 5]


@pytest.mark.slow
def test_children_of_a_busy_service_lose_no_row(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """Twelve forks at any moment of a busy service neither lose nor double a row."""
    body = """
counts, over = [], threading.Event()

def serve():
    count = 0
    while not over.is_set():
        count += many(10)
        time.sleep(0.001)
    counts.append(count)

threads = [threading.Thread(target=serve) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(12):
    fork(lambda: many(7))
over.set()
for thread in threads:
    thread.join()
print(sum(counts))
"""
    busy = environment | {"SERVICE_EXPORT_SECONDS": "0.1"}
    own = int(run(FORK_AND_WAIT + body, busy, tmp_path))
    ended = Ended(sink)
    assert ended.by_instance == sorted([own, *[7] * 12])


@pytest.mark.parametrize("method", ["fork", FORKSERVER, "spawn"])
def test_rows_of_multiprocessing_children_all_arrive(
    method: str, sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """They run no `atexit` functions; finalizers deliver, whatever the start method."""
    body = f"""
def main():
    context = multiprocessing.get_context({method!r})
    children = [context.Process(target=many, args=(n,)) for n in (2, 3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    many(4)

"""
    run(body + MAIN + "main()\n", environment, tmp_path)
    assert Ended(sink).by_instance == [2, 3, 4]


@pytest.mark.parametrize("method", ["fork", FORKSERVER, SPAWN])
def test_rows_of_process_pools_all_arrive(
    method: str, sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """Workers deliver when their pool is closed or their executor is shut down."""
    body = f"""
def main():
    context = multiprocessing.get_context({method!r})
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        assert sum(executor.map(many, range(10))) == 45
    pool = context.Pool(2)
    assert sum(pool.map(many, range(10))) == 45
    pool.close()
    pool.join()

"""
    run(body + MAIN + "main()\n", environment, tmp_path)
    assert Ended(sink).predictions == 90


SLOW_IMPORTS = """
import sys, time
from gevent import monkey  # and not patched: so nothing is imported at set-up

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "datasketches":
            time.sleep(0.5)

sys.meta_path.insert(0, Slow())
"""


def test_a_fork_in_the_middle_of_an_import_does_not_hang(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """A fork waits until the worker has imported its clients, or the import lock stays taken."""
    body = "many(1); time.sleep(0.1); fork(lambda: many(2)); many(1)"
    run(FORK_AND_WAIT + body, environment, tmp_path, first=SLOW_IMPORTS)
    assert Ended(sink).by_instance == [2, 2]


def test_the_main_process_records_until_its_last_exit_function(
    sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """An exit function of the host may still predict, even after those of multiprocessing."""
    body = "import atexit\natexit.register(many, 2)\nmany(1)\nfrom multiprocessing import util\n"
    run("import multiprocessing.util\n" + body, environment, tmp_path)
    assert Ended(sink).predictions == 3


PATCHES = {
    "before": "from gevent import monkey\nmonkey.patch_all()\n",
    "after": "from gevent import monkey\nimport service\nmonkey.patch_all()\n",
}


@pytest.mark.parametrize("order", PATCHES)
def test_rows_recorded_in_gevent_greenlets_all_arrive(
    order: str, sink: Sink, environment: Environment, tmp_path: Path
) -> None:
    """Gevent patches before or after the import of mlmonitor; greenlets switch at any time."""
    body = """
import gevent

def serve():
    for _ in range(5):
        many(5)
        gevent.sleep(0)
        monitor.status()

gevent.joinall([gevent.spawn(serve) for _ in range(20)])
assert monitor.flush(timeout_seconds=60)
many(7)
assert sum(thread.name == "mlmonitor" for thread in threading.enumerate()) == 1
"""
    run(body, environment, tmp_path, first=PATCHES[order])
    assert Ended(sink).by_instance == [507]
