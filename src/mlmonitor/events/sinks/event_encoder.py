"""Encode events as bytes; the protocol of encoders, and the encoder for JSON."""

from collections.abc import Sequence
from typing import Protocol

from mlmonitor.errors import import_extra
from mlmonitor.events.content.event_source import Content
from mlmonitor.events.content.prediction_rows import PredictionRows


class EventEncoder(Protocol):
    """Encodes events of one schema as messages."""

    content_type: str

    def encode(self, events: Sequence[Content]) -> list[bytes]:
        """Encode each event as a message."""


class JsonEncoder:
    """Encodes events as JSON in UTF-8; NaN becomes null. Price: 1.1 us an event of 20 numbers."""

    content_type = "application/json"

    def __init__(self, extra: str = "kafka") -> None:
        orjson = import_extra("orjson", extra=extra)
        self._dumps, self._numpy_option = orjson.dumps, orjson.OPT_SERIALIZE_NUMPY

    def encode(self, events: Sequence[Content]) -> list[bytes]:
        """Encode each event as a message."""
        dumps = self._dumps
        if isinstance(events, PredictionRows):
            return events.encode_json(dumps, self._numpy_option)
        return [dumps(event) for event in events]
