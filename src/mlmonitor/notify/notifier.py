"""Events on their way to one webhook: a bounded queue, and a thread that empties it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

from mlmonitor.notify.cloudevents import CloudEvent
from mlmonitor.notify.webhook import Webhook
from mlmonitor.notify.webhook_sender import Attempt, WebhookSender
from mlmonitor.status.status import NotificationStatus

log: logging.Logger = logging.getLogger("mlmonitor")

THREAD_NAME = "mlmonitor-notify"
MOST_EVENTS = 1_000
_FIRST_PAUSE, _LONGEST_PAUSE, _LAST_PAUSE = 0.5, 60.0, 0.2
"""Seconds between two attempts: at first, at most, and while the process waits for the end."""


class EventSender(Protocol):
    """Delivers one event, or says why it could not."""

    def send(self, event: CloudEvent) -> Attempt:
        """Make one attempt."""

    def close(self) -> None:
        """Close connections."""


def choose_pause(attempts: int, wait_seconds: float, random: Random) -> float:
    """Return the seconds until the next attempt: doubling, with jitter, and never less than asked.

    Jitter keeps the processes of a fleet from returning to a recovered receiver all at once.
    """
    pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 30), _LONGEST_PAUSE)
    return max(pause * random.uniform(0.5, 1.0), wait_seconds)


class Notifier:
    """Delivers events to one webhook in their order, in a thread that the first event starts.

    Belongs to one process: a forked child makes its own.
    """

    def __init__(
        self,
        webhook: Webhook,
        *,
        sender: EventSender | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.webhook: Webhook = webhook
        self._sender = sender or WebhookSender(webhook)
        self._clock = clock
        self._random = Random()  # noqa: S311 - nothing secret depends on it
        self._wake = threading.Condition()
        self._waiting: deque[tuple[float, CloudEvent]] = deque()
        self._thread: threading.Thread | None = None
        self._is_ending = self._is_closed = False
        self._counts = dict.fromkeys(("delivered", "refused", "given_up", "dropped", "retries"), 0)
        self._last_reason: str | None = None

    def put(self, event: CloudEvent) -> None:
        """Queue an event; drop and count the oldest if there is no room. Never waits."""
        if event.kind not in self.webhook.events:
            return
        with self._wake:
            if self._is_closed:
                self._counts["dropped"] += 1
                return
            self._waiting.append((self._clock(), event))
            if len(self._waiting) > MOST_EVENTS:
                self._waiting.popleft()
                self._lose("dropped", "the queue was full")
            self._start()
            self._wake.notify_all()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
            self._thread.start()

    def finish(self, *, timeout_seconds: float) -> bool:
        """Wait until everything is delivered or lost; return whether nothing was lost.

        Pauses between attempts are short meanwhile. `close` ends the wait.
        """
        with self._wake:
            lost, self._is_ending = self._lost, True
            self._wake.notify_all()
            self._wake.wait_for(lambda: not self._waiting or self._is_closed, timeout_seconds)
            return not self._waiting and self._lost == lost

    def close(self) -> None:
        """Stop; count what waits as dropped."""
        with self._wake:
            self._is_closed = True
            self._counts["dropped"] += len(self._waiting)
            self._waiting.clear()
            self._wake.notify_all()

    def status(self) -> NotificationStatus:
        """The counts of this process."""
        with self._wake:
            return NotificationStatus(
                **self._counts, waiting=len(self._waiting), last_reason=self._last_reason
            )

    def _run(self) -> None:
        attempts = 0
        while (entry := self._await_event()) is not None:
            added_at, event = entry
            try:
                attempt = self._sender.send(event)
            except Exception as error:  # noqa: BLE001 - ours; the other events are still sent
                attempt = Attempt("refused", type(error).__name__)
            attempts = self._settle(entry, attempt, attempts + 1, self._clock() - added_at)
        self._sender.close()

    def _await_event(self) -> tuple[float, CloudEvent] | None:
        """Return the oldest event, which stays in the queue; None once closed."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._is_closed)
            return None if self._is_closed else self._waiting[0]

    def _settle(
        self, entry: tuple[float, CloudEvent], attempt: Attempt, attempts: int, age: float
    ) -> int:
        """Count an attempt; wait before the next one. Return the attempts of the event so far."""
        with self._wake:
            if attempt.outcome == "delivered":
                self._counts["delivered"] += 1
                self._last_reason = None
            elif attempt.outcome == "refused" or age >= self.webhook.retry_seconds:
                outcome = "refused" if attempt.outcome == "refused" else "given_up"
                self._lose(outcome, attempt.reason)
            else:
                self._counts["retries"] += 1
                self._last_reason = attempt.reason
                self._pause(choose_pause(attempts, attempt.wait_seconds, self._random))
                return attempts if self._is_first(entry) else 0
            if self._is_first(entry):
                self._waiting.popleft()
            self._wake.notify_all()
            return 0

    def _is_first(self, entry: tuple[float, CloudEvent]) -> bool:
        """Whether the event is still the oldest: a full queue may have dropped it meanwhile."""
        return bool(self._waiting) and self._waiting[0] is entry

    def _pause(self, seconds: float) -> None:
        """Wait, but only for a moment once the process is about to end."""
        ends_at = time.monotonic() + seconds
        while not self._is_closed and (left := ends_at - time.monotonic()) > 0:
            if self._is_ending:
                self._wake.wait(min(left, _LAST_PAUSE))
                return
            self._wake.wait_for(lambda: self._is_ending or self._is_closed, left)

    def _lose(self, outcome: str, reason: str) -> None:
        """Count a lost event; log the first one and then ever more rarely."""
        self._counts[outcome] += 1
        self._last_reason = reason
        lost = self._lost
        if lost & (lost - 1) == 0:
            log.warning("%s: %d events were lost so far: %s", self.webhook.name, lost, reason)

    @property
    def _lost(self) -> int:
        return sum(self._counts[name] for name in ("refused", "given_up", "dropped"))
