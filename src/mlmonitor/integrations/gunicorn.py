"""Hooks for `gunicorn.conf.py`: `from mlmonitor.integrations.gunicorn import worker_exit`.

Sync, gthread and gevent workers exit normally, so they deliver their last window even without the
hook; with the hook they do so while gunicorn still logs. Uvicorn's workers end by a signal that
skips gunicorn's hooks: they need `mlmonitor.integrations.asgi`.
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
