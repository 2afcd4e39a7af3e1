"""The title, cause and advice of an incident."""

from typing import NamedTuple

from mlmonitor.compare.incidents.incident import Cause


class CommonCause(NamedTuple):
    """The title of an incident, its reason, and advice."""

    title: str
    cause: Cause
    advice: str
