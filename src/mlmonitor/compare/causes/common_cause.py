"""The title, cause and advice of an incident."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.incident import Cause

UNKNOWN_ADVICE: Final = "ask what was deployed or changed upstream when it began"


class CommonCause(NamedTuple):
    """An incident's title, the code of its cause, and advice."""

    title: str
    cause: Cause
    advice: str


def join_fields(alerts: Sequence[Alert]) -> str:
    """Join the fields of alerts; of more than three, name the first and count the others."""
    names = list(dict.fromkeys(alert.field for alert in alerts))
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more fields"
