"""The event log in PostgreSQL, for machines without a broker."""

from collections.abc import Sequence
from typing import Any, Literal

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.events.content.event_source import EventSource
from mlmonitor.events.event_options import EventOptions
from mlmonitor.events.sinks.postgres_sink import PostgresSink
from mlmonitor.secret import Secret


class Postgres:
    """Write every prediction, label and alert to the tables that `mlmonitor load` fills.

    `mlmonitor store init` creates the tables. A separate thread writes events by binary COPY and
    merges them by their ids, so that a batch whose outcome is unknown can be sent again.

    Promise: no call of the application waits, each event is stored once, `buffer_bytes`
        bounds the memory, and every event that is dropped or refused is counted.
    Price: the worker's time for each row, as for `Kafka` (`benchmarks/events.py`); one thread and
        one connection per process.

    Args:
        url: such as `postgresql://user:password@host:5432/database`; it is never shown.
        buffer_bytes: the maximum bytes of events that wait for the database.
        redact, hash, fields, sample, ids, hash_key: as for `Kafka`.

    Raises:
        ConfigError: an option is invalid.
        MissingExtra: psycopg or orjson is not installed.
    """

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        url: str,
        *,
        buffer_bytes: int = 32 << 20,
        redact: Sequence[str] = (),
        hash: Sequence[str] = (),  # noqa: A002 - the word that users know
        fields: Sequence[str] | None = None,
        sample: float = 1.0,
        ids: Literal["hashed", "plain"] = "hashed",
        hash_key: str | None = None,
    ) -> None:
        self.options: EventOptions = EventOptions.check(
            redact=redact, hashed=hash, fields=fields, sample=sample, ids=ids, hash_key=hash_key
        )
        self._psycopg = import_extra("psycopg", extra="postgres")
        import_extra("orjson", extra="postgres")
        if type(buffer_bytes) is not int or buffer_bytes < 1 << 20:
            raise ConfigError("buffer_bytes: expected at least 1 MiB as an integer, as in 32 << 20")
        self._url, self._buffer_bytes = Secret(url), buffer_bytes
        self._place = self._read_place(url)

    def _read_place(self, url: Any) -> str:
        """Check the URL; return its host and database, which may be shown."""
        try:
            parts = self._psycopg.conninfo.conninfo_to_dict(url)
        except (self._psycopg.Error, TypeError, AttributeError):
            raise ConfigError(
                "url: expected an address such as postgresql://user@host:5432/database"
            ) from None
        return f"{parts.get('host', 'localhost')}/{parts.get('dbname', '')}"

    def open(self, source: EventSource) -> PostgresSink:
        """Start the thread that writes the events of this process."""
        del source
        return PostgresSink(self._psycopg, self._url, self._buffer_bytes)

    def __repr__(self) -> str:
        return f"Postgres({self._place!r})"
