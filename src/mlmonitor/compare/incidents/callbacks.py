"""The callbacks for alerts and incidents."""

from collections.abc import Callable
from typing import Final, NamedTuple

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.incident import Incident


class Callbacks(NamedTuple):
    """Functions of the host, called for each alert and each incident that begins or ends."""

    on_alert: Callable[[Alert], object] | None = None
    on_incident: Callable[[Incident], object] | None = None


NO_CALLBACKS: Final = Callbacks()
