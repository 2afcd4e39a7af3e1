"""Hooks for Celery: call `connect()` in the module that creates the app.

Pool processes of `prefork` end by `os._exit`, after the signal `worker_process_shutdown`: the hook
closes all monitors then, on a warm shutdown and at `--max-tasks-per-child`. A monitor connects by
itself if its process imported `celery.signals` before the first record, so the hook is needed only
if something else runs tasks under billiard. The pools `solo` and `threads` exit as Python programs
do.
"""

from mlmonitor.forks import check_fork
from mlmonitor.worker.processes import close_pool_process

__all__ = ["connect"]


def connect() -> None:
    """Restart monitors when a pool process starts, and close them when it ends.

    Raises:
        ImportError: Celery is not installed.
    """
    from celery import signals

    signals.worker_process_init.connect(_restart, weak=False, dispatch_uid="mlmonitor.init")
    signals.worker_process_shutdown.connect(
        close_pool_process, weak=False, dispatch_uid="mlmonitor"
    )


def _restart(**_options: object) -> None:
    check_fork()
