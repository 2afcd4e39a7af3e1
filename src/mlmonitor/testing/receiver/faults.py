"""What can go wrong between a client and a backend, one class each; hand them to `script`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

GARBAGE = b"<html>Welcome to the gateway</html>"


@dataclass(frozen=True)
class Refuse:
    """Answer with an error, store nothing.

    code: an HTTP status; over gRPC a code's name such as "UNAVAILABLE", or the HTTP status that
        stands for it.
    retry_after_seconds: sent as `Retry-After`, over gRPC as `RetryInfo`.
    body: over HTTP; else a `google.rpc.Status` with `message`.
    """

    code: int | str
    retry_after_seconds: float | None = None
    message: str = ""
    body: bytes | None = None


@dataclass(frozen=True)
class PartialSuccess:
    """Take all points but the last `rejected` ones, and say so with 200."""

    rejected: int
    message: str = "scripted"


@dataclass(frozen=True)
class Garbage:
    """Take the points, and answer 200 with a body that is no OTLP, as some gateways do."""

    body: bytes = GARBAGE


@dataclass(frozen=True)
class Redirect:
    """Take nothing, and point elsewhere."""

    url: str
    code: Literal[301, 302, 303, 307, 308] = 307


@dataclass(frozen=True)
class Slow:
    """Take the points at once, and let the client wait for the answer, or for half its body."""

    seconds: float
    part: Literal["answer", "body"] = "answer"


@dataclass(frozen=True)
class Drop:
    """Close the connection on an unread request, or on one whose points are stored.

    `stored` sends nothing back, `half-way` half of the answer: the client cannot know. Over gRPC
    the client sees UNAVAILABLE, as its own transport would report.
    """

    when: Literal["unread", "stored", "half-way"] = "unread"


@dataclass(frozen=True)
class Down:
    """Close the connection unread, and refuse all others until `receiver.up()`."""


Fault = Refuse | PartialSuccess | Garbage | Redirect | Slow | Drop | Down
Policy = Callable[[int], "Fault | None"]
"""From a request's number, 0 for the first, to what goes wrong with it."""

OVER_GRPC = (Refuse, PartialSuccess, Slow, Drop, Down)


class Sometimes:
    """A policy: each request meets one of the faults with a chance of `share`; seeded."""

    def __init__(self, faults: Sequence[Fault], *, share: float, seed: int) -> None:
        self._faults, self._share = list(faults), share
        self._random = Random(seed)  # noqa: S311 - nothing secret depends on it

    def __call__(self, number: int) -> Fault | None:
        """What goes wrong with the next request; it is asked once for each."""
        del number
        is_met = self._random.random() < self._share
        return self._random.choice(self._faults) if is_met else None


def planned(faults: "Iterable[Fault | None] | Policy") -> Policy:
    """A policy that hands out a list's faults one by one, then none."""
    if callable(faults):
        return faults
    left = iter(list(faults))
    return lambda _number: next(left, None)
