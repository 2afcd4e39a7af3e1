"""Faults between a client and a backend, one class each; pass them to `script`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

GARBAGE = b"<html>Welcome to the gateway</html>"


@dataclass(frozen=True)
class Refuse:
    """Answer with an error, and store nothing.

    code: an HTTP status; over gRPC, the name of a code such as "UNAVAILABLE", or the HTTP status
        that stands for it.
    retry_after_seconds: sent as `Retry-After`, or over gRPC as `RetryInfo`.
    body: sent over HTTP instead of a `google.rpc.Status` with `message`.
    """

    code: int | str
    retry_after_seconds: float | None = None
    message: str = ""
    body: bytes | None = None


@dataclass(frozen=True)
class PartialSuccess:
    """Accept all points but the last `rejected`, and report a partial success with status 200."""

    rejected: int
    message: str = "scripted"


@dataclass(frozen=True)
class Garbage:
    """Accept the points, and answer 200 with a body that is not OTLP, as some gateways do."""

    body: bytes = GARBAGE


@dataclass(frozen=True)
class Redirect:
    """Store nothing, and redirect to another URL."""

    url: str
    code: Literal[301, 302, 303, 307, 308] = 307


@dataclass(frozen=True)
class Slow:
    """Accept the points immediately, but delay the answer, or the second half of its body."""

    seconds: float
    part: Literal["answer", "body"] = "answer"


@dataclass(frozen=True)
class Drop:
    """Close the connection at some moment of a request.

    when: before the request is read (`unread`), after its points are stored but without an answer
    (`stored`), or in the middle of the answer (`half-way`). After the last two, the client cannot
    know the outcome. Over gRPC the client sees UNAVAILABLE, as if its own transport had failed.
    """

    when: Literal["unread", "stored", "half-way"] = "unread"


@dataclass(frozen=True)
class Down:
    """Close the connection without reading the request; refuse others until `receiver.up()`."""


Fault = Refuse | PartialSuccess | Garbage | Redirect | Slow | Drop | Down
Policy = Callable[[int], "Fault | None"]
"""Maps the number of a request, 0 for the first, to its fault, if any."""

OVER_GRPC = (Refuse, PartialSuccess, Slow, Drop, Down)


class Sometimes:
    """A seeded policy: each request gets one of the faults with probability `share`."""

    def __init__(self, faults: Sequence[Fault], *, share: float, seed: int) -> None:
        self._faults, self._share = list(faults), share
        self._random = Random(seed)  # noqa: S311 - nothing secret depends on it

    def __call__(self, number: int) -> Fault | None:
        """Draw the fault of the next request, if any; call this once per request."""
        del number
        is_met = self._random.random() < self._share
        return self._random.choice(self._faults) if is_met else None


def planned(faults: "Iterable[Fault | None] | Policy") -> Policy:
    """Return a policy that uses the faults of a list in order, and then no faults."""
    if callable(faults):
        return faults
    left = iter(list(faults))
    return lambda _number: next(left, None)
