"""The protocol of a backend: requests in, judgements out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mlmonitor.testing.receiver.decoding import Payload, WirePoint

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


class Head(NamedTuple):
    """What a request says before its body; header names in lower case."""

    headers: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """Without parameters such as the character set."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """The compression of the body; empty for none."""
        encoding = self.headers.get("content-encoding", "").strip().lower()
        return "" if encoding == "identity" else encoding


class Refusal(NamedTuple):
    """A whole request is refused: with which status, and why. `reason` is what it is counted as."""

    status: int
    reason: str
    message: str = ""


class Stored(NamedTuple):
    """A point that was taken, with the name and the labels that it has in the backend."""

    point: WirePoint
    name: str
    labels: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Judgement:
    """What becomes of one request.

    `refused` counts points by reason, `warnings` what a test should know although the points
    were taken. `rejected` is what the answer says, which need not be what is true.
    """

    status: int = 200
    message: str = ""
    rejected: int = 0
    stored: list[Stored] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)


class Backend(Protocol):
    """One kind of backend, with what it already holds."""

    path: str
    """Where OTLP metrics are posted to, below the base URL."""
    most_bytes: int
    """Of a request, uncompressed."""

    def refusal(self, head: Head) -> Refusal | None:
        """Why a request is refused before its body is looked at, if it is."""

    def judge(self, payload: Payload, *, now: float) -> Judgement:
        """Judge a request and remember what was taken."""


def unread(head: Head, *, types: tuple[str, ...], encodings: tuple[str, ...]) -> str | None:
    """What about the form of the body is not understood, if anything."""
    if head.content_type not in types:
        return "unsupported content type"
    if head.encoding not in ("", *encodings):
        return "unsupported compression"
    return None
