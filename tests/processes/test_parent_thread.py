"""Processes that are set to die with their parent, whose parent thread ends first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")

PROGRAM = """
import ctypes, os, signal, sys, threading, time
from mlmonitor.worker.processes import close_pool_process

children = []
ready, say_ready = os.pipe()
ended, say_ended = os.pipe()

def fork():
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        if sys.argv[1] == "closes":
            close_pool_process()
        os.write(say_ready, b".")
        os.read(ended, 1)
        os._exit(7)
    children.append(child)
    os.read(ready, 1)

thread = threading.Thread(target=fork)
thread.start()
task = f"/proc/self/task/{thread.native_id}"
thread.join()
while os.path.exists(task):  # the kernel ends it a moment later, and only then sends the signal
    time.sleep(0.01)
os.write(say_ended, b".")
print(os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]))
"""


@pytest.mark.parametrize(("what", "status"), [("closes", "7"), ("works", "-9")])
def test_a_pool_process_that_closes_outlives_the_thread_that_forked_it(
    what: str, status: str, tmp_path: Path
) -> None:
    """Its last export ends; a process that does not close is killed, as Celery requests."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), what],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    assert done.stdout.strip() == status
