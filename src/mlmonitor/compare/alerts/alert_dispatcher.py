"""Queue of alerts for the host's callback."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from mlmonitor.capture.guard import Guard
from mlmonitor.errors import CallbackError

T = TypeVar("T")


class AlertDispatcher(Generic[T]):
    """Calls a callback, such as `on_alert`, once for each alert or incident, in order.

    Promise: an exception of the callback is counted as an internal error, and no other alert is
        lost. `dispatch` and `add` may run in different threads: both change the queue atomically.
    """

    def __init__(
        self, on_alert: Callable[[T], object] | None, guard: Guard, *, name: str = "on_alert"
    ) -> None:
        self._on_alert, self._guard, self._name = on_alert, guard, name
        self._waiting: deque[T] = deque()

    def add(self, alerts: Iterable[T]) -> None:
        """Queue alerts for the next `dispatch`."""
        if self._on_alert is not None:
            self._waiting.extend(alerts)

    def dispatch(self) -> None:
        """Call the callback with each queued alert, which takes as long as the callback does."""
        while self._waiting:
            alert = self._waiting.popleft()
            if self._on_alert is not None:
                with self._guard:
                    _call(self._on_alert, alert, self._name)


def _call(on_alert: Callable[[T], object], alert: T, name: str) -> None:
    """Call the callback; raise CallbackError with the type of its exception."""
    try:
        on_alert(alert)
    except Exception as error:
        raise CallbackError(f"{name} raised {type(error).__name__}") from error
