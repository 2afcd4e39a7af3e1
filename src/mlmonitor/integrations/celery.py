"""Hooks for Celery: call `connect()` where the app is made.

Pool processes of `prefork` end by `os._exit`, after the signal `worker_process_shutdown`: the hook
closes all monitors then, on a warm shutdown and at `--max-tasks-per-child`. A monitor whose process
has imported `celery.signals` before its first record connects by itself, so the hook is needed only
where something else runs tasks under billiard. The pools `solo` and `threads` end as Python
programs do.
"""

from mlmonitor.forks import check_fork
from mlmonitor.worker.processes import close_all

__all__ = ["connect"]


def connect() -> None:
    """Restart monitors when a pool process begins, and close them when it ends.

    Raises:
        ImportError: Celery is not installed.
    """
    from celery import signals

    signals.worker_process_init.connect(_restart, weak=False, dispatch_uid="mlmonitor.init")
    signals.worker_process_shutdown.connect(_close, weak=False, dispatch_uid="mlmonitor")


def _restart(**_options: object) -> None:
    check_fork()


def _close(**_options: object) -> None:
    close_all()
