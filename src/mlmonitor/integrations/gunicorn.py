"""Hooks for `gunicorn.conf.py`: `from mlmonitor.integrations.gunicorn import worker_exit`.

Sync, gthread and gevent workers exit as Python programs do, and deliver their last window even
without the hook; with it they do so while gunicorn still logs. Workers of uvicorn end by a signal
that runs no hook of gunicorn: they need `mlmonitor.integrations.asgi`.
"""

from mlmonitor.forks import check_fork
from mlmonitor.worker.processes import close_all

__all__ = ["post_fork", "worker_exit"]


def post_fork(server: object, worker: object) -> None:  # noqa: ARG001 - gunicorn's signature
    """Restart every monitor created before the fork, unless its fork hook has done so."""
    check_fork()


def worker_exit(server: object, worker: object) -> None:  # noqa: ARG001 - gunicorn's signature
    """Close every monitor of a worker that exits, within two seconds in total."""
    close_all()
