"""Hooks for `gunicorn.conf.py`: `from mlmonitor.integrations.gunicorn import worker_exit`.

Sync, gthread and gevent workers end as Python programs do, and would deliver their last window
without a hook as well: with it they do so while gunicorn still logs what they do. Workers of
uvicorn end by a signal, which runs no hook of gunicorn's either: they need
`mlmonitor.integrations.asgi`.
"""

from mlmonitor.worker import begin_anew, close_all

__all__ = ["post_fork", "worker_exit"]


def post_fork(server: object, worker: object) -> None:  # noqa: ARG001 - gunicorn's signature
    """Start every monitor that was made before the fork from zero, if Python has not yet."""
    begin_anew()


def worker_exit(server: object, worker: object) -> None:  # noqa: ARG001 - gunicorn's signature
    """Close every monitor of a worker that ends, in two seconds for all of them together."""
    close_all()
