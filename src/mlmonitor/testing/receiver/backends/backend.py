"""The interface of a backend, which judges requests."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mlmonitor.testing.receiver.decoding import Payload, WirePoint

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Head(NamedTuple):
    """The headers of a request; names are in lower case."""

    headers: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """The media type, without parameters such as the character set."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """The compression of the body; empty if there is none."""
        encoding = self.headers.get("content-encoding", "").strip().lower()
        return "" if encoding == "identity" else encoding


class Refusal(NamedTuple):
    """The refusal of a whole request; the ledger counts it under `reason`."""

    status: int
    reason: str
    message: str = ""


class Stored(NamedTuple):
    """A point that was accepted, with its name and labels in the backend."""

    point: WirePoint
    name: str
    labels: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Judgement:
    """The outcome of one request.

    `refused` counts points by reason; `warnings` counts oddities of accepted points. `rejected` is
    the number that the answer states, which may differ from the number of refused points.
    """

    status: int = 200
    message: str = ""
    rejected: int = 0
    stored: list[Stored] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)


class Backend(Protocol):
    """One kind of backend, with the points it has stored."""

    path: str
    """The path below the base URL to which OTLP metrics are posted."""
    most_bytes: int
    """The largest uncompressed size of a request."""

    def refusal(self, head: Head) -> Refusal | None:
        """Return a refusal if the headers alone justify it, before the body is read."""

    def judge(self, payload: Payload, *, now: float) -> Judgement:
        """Judge a request and store its accepted points."""


def unread(head: Head, *, types: tuple[str, ...], encodings: tuple[str, ...]) -> str | None:
    """Describe an unsupported content type or encoding; None if both are supported."""
    if head.content_type not in types:
        return "unsupported content type"
    if head.encoding not in ("", *encodings):
        return "unsupported compression"
    return None
