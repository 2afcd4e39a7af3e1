"""The callbacks for alerts, incidents, verdicts and decided challenges."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.incident import Incident


class Callbacks(NamedTuple):
    """The host's callbacks.

    on_alert: called for each alert that fires or resolves.
    on_incident: called for each incident that opens or closes.
    on_verdict: called for each verdict whose action has changed.
    on_challenge: called for each challenge that is decided.
    """

    on_alert: Callable[[Alert], object] | None = None
    on_incident: Callable[[Incident], object] | None = None
    on_verdict: Callable[[Any], object] | None = None
    on_challenge: Callable[[Any], object] | None = None


NO_CALLBACKS: Final = Callbacks()
