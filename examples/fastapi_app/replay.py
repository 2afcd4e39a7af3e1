"""The client: claims in the order of their reports, and their outcomes on the days they closed."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

import httpx

from claims import SHIFT_DATE, Claim, Inflation


class ReplayError(Exception):
    """The service answered in a way that no client should have to expect."""


class Event(NamedTuple):
    """Something that happens to one claim on one day. Reports sort before closures."""

    day: date
    is_closure: bool
    claim: int


def shifted(claims: Sequence[Claim], inflation: Inflation) -> list[Claim]:
    """The claims, with inflation for those reported from `SHIFT_DATE` on."""
    return [inflation.applied(claim) if claim.reported >= SHIFT_DATE else claim for claim in claims]


def agenda(claims: Sequence[Claim]) -> list[Event]:
    """Every report and every closure once, by day."""
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
        """Send what happens from `since` to before `until`, when it is due; yield it once sent.

        A service that is too slow makes it late, never incomplete. The schedule begins with the
        call, so that being late in one period does not hurry the next.

        Raises:
            ReplayError: a reply was not what it should be.
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
