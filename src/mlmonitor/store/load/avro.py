"""Decode events in Confluent's wire format for Avro, with the writer's schema from a registry."""

import json
from io import BytesIO
from struct import unpack_from
from typing import Any

import requests

from mlmonitor.errors import ConfigError, FormatError, import_extra
from mlmonitor.formats.events import check_event, dump_event

_HEADER_BYTES = 5
_TIMEOUT_SECONDS = 10.0


class AvroDecoder:
    """Decodes Avro messages; each schema is fetched from the registry once.

    Without a registry, Avro messages are refused.
    """

    def __init__(self, registry: str | None) -> None:
        self._registry = registry.rstrip("/") if registry else None
        self._schemas: dict[int, Any] = {}
        if registry and not registry.startswith(("http://", "https://")):
            raise ConfigError("schema registry: expected an http or https URL")

    def decode(self, data: bytes) -> dict[str, Any] | FormatError:
        """Decode one event to a dictionary as in JSON; return an error if the message is invalid.

        Raises:
            OSError: the registry cannot be reached, so the message cannot be decoded now.
            MissingExtra: fastavro is not installed.
        """
        if self._registry is None:
            return FormatError("avro: a message in Avro, and no schema registry was given")
        if len(data) <= _HEADER_BYTES:
            return FormatError("avro: expected a schema's number and a record")
        fastavro = import_extra("fastavro", extra="avro")
        try:
            schema = self._fetch_schema(unpack_from("!i", data, 1)[0])
            stream = BytesIO(data[_HEADER_BYTES:])
            content = fastavro.schemaless_reader(stream, schema, None)
        except (OSError, ImportError):
            raise
        except Exception as error:  # noqa: BLE001 - fastavro raises any kind for damaged bytes
            return FormatError(f"avro: expected a record of its schema ({type(error).__name__})")
        try:
            return dump_event(check_event(content))
        except FormatError as error:
            return error

    def _fetch_schema(self, number: int) -> Any:
        if number not in self._schemas:
            url = f"{self._registry}/schemas/ids/{number}"
            answer = requests.get(url, timeout=_TIMEOUT_SECONDS)
            if answer.status_code == requests.codes.not_found:
                raise LookupError("schema")
            answer.raise_for_status()
            parse = import_extra("fastavro", extra="avro").parse_schema
            self._schemas[number] = parse(json.loads(answer.json()["schema"]))
        return self._schemas[number]
