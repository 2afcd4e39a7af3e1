"""Alerts, incidents, verdicts and decided challenges on their way to callbacks and webhooks."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from mlmonitor.capture.guard import Guard
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.alert_dispatcher import AlertDispatcher
from mlmonitor.compare.incidents.callbacks import NO_CALLBACKS, Callbacks
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.forks import hold_forks
from mlmonitor.status.status import NotificationStatus
from mlmonitor.verdict.verdict import Verdict

if TYPE_CHECKING:
    from mlmonitor.buffer.inbox import Inbox
    from mlmonitor.challenge.challenge_status import ChallengeStatus
    from mlmonitor.config import Config
    from mlmonitor.events.event_log import EventLog
    from mlmonitor.events.sinks.event_sink import EventDestination
    from mlmonitor.export.series.identity import Identity
    from mlmonitor.notify.cloudevents import Notice
    from mlmonitor.notify.notifier import Notifier
    from mlmonitor.notify.webhook import Webhook


class Announcements:
    """Announces each change once, in order, to the host's callbacks and to webhooks.

    Belongs to one process. `add` only queues; `dispatch` may be slow, and runs in the worker.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        guard: Guard,
        webhooks: "Sequence[Webhook]" = (),
        model: str = "",
    ) -> None:
        self._alerts: AlertDispatcher[Alert] = AlertDispatcher(callbacks.on_alert, guard)
        self._incidents: AlertDispatcher[Incident] = AlertDispatcher(
            callbacks.on_incident, guard, name="on_incident"
        )
        self._verdicts: AlertDispatcher[Verdict] = AlertDispatcher(
            callbacks.on_verdict, guard, name="on_verdict"
        )
        self._challenges: AlertDispatcher[ChallengeStatus] = AlertDispatcher(
            callbacks.on_challenge, guard, name="on_challenge"
        )
        self._guard, self._model = guard, model
        self._notifiers = _make_notifiers(webhooks)
        self._notices: deque[tuple[Notice, str, float]] = deque()

    @classmethod
    def silent(cls, guard: Guard) -> "Announcements":
        """Return announcements that have no receiver."""
        return cls(NO_CALLBACKS, guard)

    def add(self, notices: "Iterable[Notice]", *, version: str, now: float) -> None:
        """Queue changes of one version of the model."""
        for notice in notices:
            if isinstance(notice, Alert):
                self._alerts.add([notice])
            elif isinstance(notice, Incident):
                self._incidents.add([notice])
            elif isinstance(notice, Verdict):
                self._verdicts.add([notice])
            else:
                self._challenges.add([notice])
            if self._notifiers:
                self._notices.append((notice, version, now))

    def dispatch(self) -> None:
        """Call the callbacks, and hand events to the threads that send them."""
        self._alerts.dispatch()
        self._incidents.dispatch()
        self._verdicts.dispatch()
        self._challenges.dispatch()
        if not self._notices:
            return
        from mlmonitor.notify.cloudevents import build_event  # loaded with the notifiers

        while self._notices:
            notice, version, now = self._notices.popleft()
            with self._guard:
                event = build_event(notice, self._model, version, now=now)
                for notifier in self._notifiers:
                    notifier.put(event)

    def finish(self, *, timeout_seconds: float) -> bool:
        """Send waiting events before the process ends; return whether none was lost."""
        self.dispatch()
        ends_at = monotonic() + timeout_seconds
        outcomes = [
            notifier.finish(timeout_seconds=max(ends_at - monotonic(), 0.0))
            for notifier in self._notifiers
        ]
        return all(outcomes)

    def close(self) -> None:
        """Stop sending; count waiting events as dropped."""
        for notifier in self._notifiers:
            notifier.close()

    def status(self) -> Mapping[str, NotificationStatus]:
        """Return the events of webhooks by outcome; a number distinguishes webhooks of one host."""
        statuses: dict[str, NotificationStatus] = {}
        for place, notifier in enumerate(self._notifiers, start=1):
            name = notifier.webhook.name
            statuses[name if name not in statuses else f"{name} ({place})"] = notifier.status()
        return statuses


def _make_notifiers(webhooks: "Sequence[Webhook]") -> "list[Notifier]":
    """Make a sender for each webhook; without webhooks, import nothing."""
    if not webhooks:
        return []
    with hold_forks():
        from mlmonitor.notify.notifier import Notifier

    return [Notifier(webhook) for webhook in webhooks]


def log_notices(events: "EventLog | None", notices: "Iterable[Notice]", *, now: float) -> None:
    """Write alerts, incidents and verdicts to the event log, if there is one."""
    if events is None:
        return
    for notice in notices:
        if isinstance(notice, Verdict):
            events.ingest_verdict(notice, now=now)
        elif isinstance(notice, Alert | Incident):
            events.ingest_alerts([notice], now=now)


def open_log(
    events: "EventDestination | None", identity: "Identity", inbox: "Inbox", config: "Config"
) -> "EventLog | None":
    """Make the event log; if no events are sent, import nothing and return None."""
    if events is None:
        return None
    with hold_forks():
        from mlmonitor.events.event_log import EventLog

    return EventLog(events, identity, inbox, deviations=config.outlier_deviations)
