"""Alerts on their way to the host's callback."""

from collections import deque
from collections.abc import Callable, Iterable

from mlmonitor.capture.guard import Guard
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.errors import CallbackError


class AlertDispatcher:
    """Calls `on_alert` once with each alert that fired or resolved, in order.

    Promise: an exception of the callback is counted as an internal error, and no other alert is
        lost. `dispatch` and `add` may run in different threads: both change the queue atomically.
    """

    def __init__(self, on_alert: Callable[[Alert], object] | None, guard: Guard) -> None:
        self._on_alert, self._guard = on_alert, guard
        self._waiting: deque[Alert] = deque()

    def add(self, alerts: Iterable[Alert]) -> None:
        """Queue alerts for the next `dispatch`."""
        if self._on_alert is not None:
            self._waiting.extend(alerts)

    def dispatch(self) -> None:
        """Call the callback with every queued alert; it may be slow."""
        while self._waiting:
            alert = self._waiting.popleft()
            if self._on_alert is not None:
                with self._guard:
                    _call(self._on_alert, alert)


def _call(on_alert: Callable[[Alert], object], alert: Alert) -> None:
    """Call the callback; report an exception by its type."""
    try:
        on_alert(alert)
    except Exception as error:
        raise CallbackError(f"on_alert raised {type(error).__name__}") from error
