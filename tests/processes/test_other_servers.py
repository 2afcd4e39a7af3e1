"""Hypercorn, granian, uWSGI, Celery and loky: all 25 predictions arrive.

As in `test_servers`, nothing is exported before a process ends.
"""

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.collector_sink import Sink
from support.requests_to import ask_many
from support.served import SERVICES, Environment, Service, Starter

REQUESTS = 25
HYPERCORN = ("hypercorn", "--bind", "127.0.0.1:{port}")
GRANIAN = ("granian", "--host", "127.0.0.1", "--port", "{port}")
FOUR_TASKS = ("--max-tasks-per-child", "4")
UWSGI = ("run_uwsgi", "--http-socket", "127.0.0.1:{port}", "--master", "--die-on-term")
SERVERS = {
    "hypercorn": ("hypercorn", (*HYPERCORN, "fastapi_app:app")),
    "hypercorn, two workers": ("hypercorn", (*HYPERCORN, "-w", "2", "fastapi_app:app")),
    "granian": ("granian", (*GRANIAN, "--interface", "asgi", "fastapi_app:app")),
    "granian, two workers": (
        "granian",
        (*GRANIAN, "--interface", "asgi", "--workers", "2", "fastapi_app:app"),
    ),
    "uwsgi": ("pyuwsgi", (*UWSGI, "--processes", "2", "--module", "wsgi")),
    "uwsgi, with threads": (
        "pyuwsgi",
        (*UWSGI, "--processes", "2", "--threads", "4", "--module", "wsgi"),
    ),
    "uwsgi, lazy apps": (
        "pyuwsgi",
        (*UWSGI, "--processes", "1", "--enable-threads", "--lazy-apps", "--module", "wsgi"),
    ),
}

OFTEN = {"hypercorn", "granian"}
"""Tried with every `make test`; all others with `make test-slow`."""


def require(module: str) -> None:
    """Skip, with the reason, where the program is not installed."""
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")


def count_instances(sink: Sink) -> int:
    """Count the processes that have reported anything."""
    return len({received.resource["service.instance.id"] for received in sink.points})


def wait_for_workers(service: Service) -> None:
    """Wait until both workers have loaded the app: granian loses a SIGTERM that arrives earlier."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and service.said().count("Started worker") < 2:
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("module", "command"),
    [
        pytest.param(*server, id=name, marks=() if name in OFTEN else (pytest.mark.slow,))
        for name, server in SERVERS.items()
    ],
)
def test_every_answer_of_a_server_arrives(
    module: str, command: tuple[str, ...], serve: Starter, sink: Sink
) -> None:
    """All 25 arrive, and each process that answered is an instance of its own."""
    require(module)
    service = serve(*command)
    answers = ask_many(service.port, REQUESTS)
    if module == "granian" and "--workers" in command:
        wait_for_workers(service)
    if module == "pyuwsgi":
        time.sleep(2)  # it runs no exit function in a worker that still counts as busy
    service.stop()
    assert answers.unanswered == 0, service.said()
    has_lifespan = command[-1] == "fastapi_app:app"
    expected = REQUESTS + (2 * count_instances(sink) if has_lifespan else 0)
    assert sink.total("mlmonitor.predictions", status="ok") == expected, service.said()
    assert count_instances(sink) >= len(answers.processes)


@pytest.mark.parametrize(
    ("app", "limit"),
    [
        pytest.param("celery_app", (), id="without our hook", marks=pytest.mark.slow),
        pytest.param("celery_hook", (), id="with our hook", marks=pytest.mark.slow),
        pytest.param("celery_app", FOUR_TASKS, id="four tasks each", marks=pytest.mark.slow),
        pytest.param("celery_hook", FOUR_TASKS, id="four, and our hook", marks=pytest.mark.slow),
    ],
)
def test_every_task_of_celery_prefork_arrives(
    app: str, limit: tuple[str, ...], tmp_path: Path, environment: Environment, sink: Sink
) -> None:
    """Workers end by a warm shutdown or `--max-tasks-per-child`, with and without the hook."""
    require("celery")
    variables = environment | {"SERVICE_FOLDER": str(tmp_path)}
    log = (tmp_path / "celery.log").open("wb")
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", app, "worker", "-P", "prefork", "-c", "2", *limit],
        env=variables | {"C_FORCE_ROOT": "1"},
        cwd=SERVICES,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    ask = (
        "from celery_app import score;"
        f"tasks = [score.delay(float(i)) for i in range({REQUESTS})];"
        "print(len({task.get(timeout=40) for task in tasks}))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", ask],
            env=variables,
            cwd=SERVICES,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        worker.terminate()
        worker.wait(60)
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, 9)
        log.close()
    said = (tmp_path / "celery.log").read_text(encoding="utf-8")
    assert sink.total("mlmonitor.predictions", status="ok") == REQUESTS, said
    assert count_instances(sink) >= int(done.stdout)


SCORE = """
import sys
from joblib import Parallel, delayed
import loky_work

if __name__ == "__main__":
    results = Parallel(n_jobs=2)(delayed(loky_work.score)(float(i)) for i in range(25))
    print(len(set(results)))
"""
WORK = """
import os
from service import predict

def score(amount):
    predict({"amount": amount, "line": "A"})
    return os.getpid()
"""


def test_every_prediction_of_joblib_workers_arrives(
    tmp_path: Path, environment: Environment, sink: Sink
) -> None:
    """Functions found by name are created in the loky process, which delivers when it ends."""
    require("joblib")
    (tmp_path / "loky_work.py").write_text(WORK, encoding="utf-8")
    (tmp_path / "main.py").write_text(SCORE, encoding="utf-8")
    subprocess.run(
        [sys.executable, str(tmp_path / "main.py")],
        env=environment,
        cwd=tmp_path,
        check=True,
        timeout=250,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if sink.total("mlmonitor.predictions", status="ok") == REQUESTS:
            break
        time.sleep(0.1)
    assert sink.total("mlmonitor.predictions", status="ok") == REQUESTS
