"""The client: it sends claims in the order of their reports, and labels on the days they close."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

import httpx

from claims import SHIFT_DATE, Claim, Inflation


class ReplayError(Exception):
    """The service gave an unexpected answer."""


class Event(NamedTuple):
    """The report or the closure of a claim. On the same day, reports sort before closures."""

    day: date
    is_closure: bool
    claim: int


def shifted(claims: Sequence[Claim], inflation: Inflation) -> list[Claim]:
    """Return the claims, with inflation for those reported from `SHIFT_DATE` on."""
    return [inflation.applied(claim) if claim.reported >= SHIFT_DATE else claim for claim in claims]


def agenda(claims: Sequence[Claim]) -> list[Event]:
    """Return the report and the closure of every claim, sorted by day."""
    reports = [Event(claim.reported, is_closure=False, claim=at) for at, claim in enumerate(claims)]
    closures = [Event(claim.closed, is_closure=True, claim=at) for at, claim in enumerate(claims)]
    return sorted(reports + closures)


class Replay:
    """Sends events over HTTP, each when it is due, and checks every reply.

    `predictions` and `labels` count what the service has accepted.
    """

    def __init__(
        self,
        client: httpx.Client,
        claims: Sequence[Claim],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.predictions = 0
        self.labels = 0
        self._client, self._claims = client, claims
        self._clock, self._sleep = clock, sleep
        self._ids: dict[int, str] = {}
        self._met: set[str] = set()

    def play(
        self, events: Sequence[Event], *, since: date, until: date, day_seconds: float
    ) -> Iterator[Event]:
        """Send the events from `since` to the day before `until`; yield each event once it is sent.

        Each event is sent when it is due. If the service is too slow, events are sent late, but all
        are sent. The schedule begins with this call, so that a delay does not carry over to the
        next period.

        Raises:
            ReplayError: a reply was not as expected.
            httpx.HTTPError: the service could not be reached.
        """
        start = self._clock()
        for event in events:
            if since <= event.day < until:
                self._sleep_until(start + day_seconds * (event.day - since).days)
                self._send(event)
                yield event
        self._sleep_until(start + day_seconds * (until - since).days)

    def _sleep_until(self, due: float) -> None:
        wait = due - self._clock()
        if wait > 0:
            self._sleep(wait)

    def _send(self, event: Event) -> None:
        if event.is_closure:
            self._label(event.claim)
        else:
            self._predict(event.claim)

    def _predict(self, at: int) -> None:
        reply = self._client.post("/predict", json=self._claims[at].features)
        answer = _checked(reply, expected=200).json()
        identity, severity = answer["id"], answer["severity"]
        if not identity or identity in self._met or not math.isfinite(severity):
            raise ReplayError(f"claim {at}: expected a new id and a finite severity, got {answer}")
        self._met.add(identity)
        self._ids[at] = identity
        self.predictions += 1

    def _label(self, at: int) -> None:
        label = {"id": self._ids.pop(at), "actual": self._claims[at].severity}
        _checked(self._client.post("/label", json=label), expected=202)
        self.labels += 1


def _checked(reply: httpx.Response, *, expected: int) -> httpx.Response:
    if reply.status_code != expected:
        raise ReplayError(
            f"{reply.request.url.path}: expected status {expected}, got {reply.status_code}: "
            f"{reply.text[:200]}"
        )
    return reply
