"""The conditions that `--fail-on` can name, and whether a status meets one."""

import argparse
from collections.abc import Callable

from mlmonitor.cli.exit_status import FAILED, OK
from mlmonitor.status.status import Status


def _has_alert(status: Status) -> bool:
    return bool(status.alerts)


def _has_moved(status: Status) -> bool:
    return any(field.has_moved for field in status.fields)


def _needs_retraining(status: Status) -> bool:
    return status.verdict is not None and status.verdict.action == "retrain"


_CONDITIONS: dict[str, Callable[[Status], bool]] = {
    "alert": _has_alert,
    "moved": _has_moved,
    "retrain": _needs_retraining,
}


def add_fail_on(parser: argparse.ArgumentParser) -> None:
    """Add `--fail-on`."""
    parser.add_argument(
        "--fail-on",
        choices=sorted(_CONDITIONS),
        help="exit with 1 if an alert fires, a field has moved, or the verdict is to retrain",
    )


def judge(condition: str | None, status: Status) -> int:
    """Return the exit status: FAILED if the model's status meets a condition of `--fail-on`."""
    return FAILED if condition is not None and _CONDITIONS[condition](status) else OK
