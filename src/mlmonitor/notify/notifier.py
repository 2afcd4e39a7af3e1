"""Deliver events to one webhook through a bounded queue and a thread."""

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
"""Seconds between two attempts: the first pause, the longest, and the longest while ending."""


class EventSender(Protocol):
    """Sends events to one receiver."""

    def send(self, event: CloudEvent) -> Attempt:
        """Make one attempt to deliver an event, and return the outcome."""

    def close(self) -> None:
        """Close connections."""


def choose_pause(attempts: int, wait_seconds: float, random: Random) -> float:
    """Return the seconds until the next attempt, which double with each attempt, with jitter.

    wait_seconds: what the receiver asked for; the pause is never shorter. Jitter prevents many
    processes from sending to a recovered receiver at the same time.
    """
    pause = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 30), _LONGEST_PAUSE)
    return max(pause * random.uniform(0.5, 1.0), wait_seconds)


class Notifier:
    """Delivers events to one webhook in order, in a thread that starts with the first event.

    A notifier belongs to one process; a forked child must make a new one.
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
        """Queue an event without waiting; if the queue is full, drop and count the oldest."""
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
        """Wait for the queue to empty; return whether all events were delivered in time.

        Pauses between attempts are short during the wait. `close` ends the wait.
        """
        with self._wake:
            lost, self._is_ending = self._lost, True
            self._wake.notify_all()
            self._wake.wait_for(lambda: not self._waiting or self._is_closed, timeout_seconds)
            return not self._waiting and self._lost == lost

    def close(self) -> None:
        """Stop the thread; count events that wait as dropped."""
        with self._wake:
            self._is_closed = True
            self._counts["dropped"] += len(self._waiting)
            self._waiting.clear()
            self._wake.notify_all()

    def status(self) -> NotificationStatus:
        """Return counts of events by outcome."""
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
        """Wait for the oldest event, and return it; it stays in the queue. None after `close`."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._is_closed)
            return None if self._is_closed else self._waiting[0]

    def _settle(
        self, entry: tuple[float, CloudEvent], attempt: Attempt, attempts: int, age: float
    ) -> int:
        """Count an attempt; if it failed, pause. Return how often the next event has been tried."""
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
        """Whether an event is still first in the queue, which drops its oldest event when full."""
        return bool(self._waiting) and self._waiting[0] is entry

    def _pause(self, seconds: float) -> None:
        """Wait this long, but at most `_LAST_PAUSE` once the process is ending."""
        ends_at = time.monotonic() + seconds
        while not self._is_closed and (left := ends_at - time.monotonic()) > 0:
            if self._is_ending:
                self._wake.wait(min(left, _LAST_PAUSE))
                return
            self._wake.wait_for(lambda: self._is_ending or self._is_closed, left)

    def _lose(self, outcome: str, reason: str) -> None:
        """Count a lost event; log the 1st, 2nd, 4th, 8th ... loss."""
        self._counts[outcome] += 1
        self._last_reason = reason
        lost = self._lost
        if lost & (lost - 1) == 0:
            log.warning("%s: events lost so far, %d: %s", self.webhook.name, lost, reason)

    @property
    def _lost(self) -> int:
        return sum(self._counts[name] for name in ("refused", "given_up", "dropped"))
