"""Hooks for Celery: `connect()`, to be called in the module that creates the app.

Pool processes of `prefork` end with `os._exit`, which skips Python's exit hooks, after the signal
`worker_process_shutdown`. On that signal, sent on a warm shutdown and at `--max-tasks-per-child`,
the hook closes all monitors. A monitor connects by itself if its process has imported
`celery.signals` before the first record, so `connect()` is needed only if something other than
Celery runs tasks under billiard. The pools `solo` and `threads` exit normally and need no hook.
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
