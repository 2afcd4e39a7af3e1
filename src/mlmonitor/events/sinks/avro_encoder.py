"""Encode events as Avro, with their schemas in a registry."""

import io
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from math import isfinite
from struct import Struct
from typing import Any

from mlmonitor.errors import ExportError, import_extra
from mlmonitor.events.content.event_source import Content
from mlmonitor.formats.events.avro_schemas import build_avro_schema
from mlmonitor.secret import Secret

_HEAD = Struct("!bI").pack
_MAGIC = 0
_RETRY_SECONDS = 10.0
"""Pause between attempts to register a schema; the worker waits for each attempt."""


class AvroEncoder:
    """Encodes events in Confluent's wire format: a zero, the id of the schema, the Avro record.

    The first event of a schema registers it under `<topic>-mlmonitor.<Name>`. While the registry is
    unavailable, `encode` raises, so that events are dropped and counted.
    Source: Confluent's documentation, "Wire format" and "TopicRecordNameStrategy".
    """

    content_type = "application/avro"

    def __init__(self, settings: Mapping[str, Any], topic: str) -> None:
        self._registry = import_extra("confluent_kafka.schema_registry", extra="avro")
        self._avro = import_extra("fastavro", extra="avro")
        self._settings, self._topic = settings, topic
        self._failure, self._next_attempt = "", 0.0
        self._schemas: dict[str, tuple[bytes, Any, Callable[[Content], Content]]] = {}
        self._registering = threading.RLock()

    def encode(self, events: Sequence[Content]) -> list[bytes]:
        """Encode each event of one schema as a message.

        Raises:
            ExportError: the registry refuses the schema, or is unavailable.
        """
        head, schema, prepare = self._ensure_schema(events[0]["schema"])
        write = self._avro.schemaless_writer
        messages = []
        for event in events:
            message = io.BytesIO()
            message.write(head)
            write(message, schema, prepare(event))
            messages.append(message.getvalue())
        return messages

    def _ensure_schema(self, name: str) -> tuple[bytes, Any, Callable[[Content], Content]]:
        with self._registering:
            if name not in self._schemas:
                if time.monotonic() < self._next_attempt:
                    raise ExportError(self._failure)
                self._schemas[name] = self._register(name)
            return self._schemas[name]

    def _register(self, name: str) -> tuple[bytes, Any, Callable[[Content], Content]]:
        content = build_avro_schema(name)
        subject = f"{self._topic}-{content['namespace']}.{content['name']}"
        try:
            client = self._registry.SchemaRegistryClient(self._reveal_settings())
            with closing(client):
                schema = self._registry.Schema(json.dumps(content), "AVRO")
                number = client.register_schema(subject, schema)
        except Exception as error:  # noqa: BLE001 - of any library that the client uses
            self._failure = f"schema registry: {type(error).__name__}"
            self._next_attempt = time.monotonic() + _RETRY_SECONDS
            raise ExportError(self._failure) from None
        defaults = {f["name"]: f["default"] for f in content["fields"] if "default" in f}

        def prepare(event: Content) -> Content:
            return {**defaults, **{name: _convert_plain(value) for name, value in event.items()}}

        return _HEAD(_MAGIC, number), self._avro.parse_schema(content), prepare

    def _reveal_settings(self) -> dict[str, Any]:
        """Return the client's settings, with short timeouts because the worker waits for it."""
        settings = {
            name: value.revealed() if isinstance(value, Secret) else value
            for name, value in self._settings.items()
        }
        return {"timeout": 2.0, "max.retries": 1} | settings


def _convert_plain(value: Any) -> Any:
    """Convert numbers in a JSON value for Avro: NaN and infinity become null."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {name: _convert_plain(item) for name, item in value.items()}
    return value
