"""The event log in files, for machines without a broker."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.events.content.event_source import EventSource
from mlmonitor.events.event_options import EventOptions
from mlmonitor.events.sinks.event_sink import EventSink
from mlmonitor.events.sinks.file_sink import FileLimits, LineSink
from mlmonitor.events.sinks.parquet_sink import ParquetSink
from mlmonitor.formatting import describe_kind


class Files:
    """Write every prediction, label and alert to files of a folder: JSON lines, or Parquet.

    Promise: an incomplete file is named `*.part`; a complete file gets its name and is not changed
        again. Each process writes its own files. After a crash, the next process that starts
        completes the files of JSON lines. Events beyond `max_total_bytes`, or without room on the
        disk, are dropped and counted in `status().events`.
    Price: the worker's time for each row, as for `Kafka` (`benchmarks/events.py`), and for writing.

    Args:
        folder: created if it does not exist.
        format: `jsonl` writes one event per line; `parquet` (extra `parquet`) writes a compressed
            file per schema with the columns of the database, which is lost if the process crashes.
        max_file_bytes, max_file_seconds: a file is completed at this size or age, and at each
            flush and at the end.
        max_total_bytes: the maximum total size of the files in the folder.
        redact, hash, fields, sample, ids, hash_key: as for `Kafka`.

    Raises:
        ConfigError: an option is invalid, or the folder cannot be written to.
        MissingExtra: orjson or pyarrow is not installed.
    """

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        folder: str | os.PathLike[str],
        *,
        format: Literal["jsonl", "parquet"] = "jsonl",  # noqa: A002 - the word that users know
        max_file_bytes: int = 64 << 20,
        max_file_seconds: float = 300.0,
        max_total_bytes: int = 10 << 30,
        redact: Sequence[str] = (),
        hash: Sequence[str] = (),  # noqa: A002 - as above
        fields: Sequence[str] | None = None,
        sample: float = 1.0,
        ids: Literal["hashed", "plain"] = "hashed",
        hash_key: str | None = None,
    ) -> None:
        self.options: EventOptions = EventOptions.check(
            redact=redact, hashed=hash, fields=fields, sample=sample, ids=ids, hash_key=hash_key
        )
        if format not in ("jsonl", "parquet"):
            raise ConfigError("format: expected 'jsonl' or 'parquet'")
        import_extra("orjson", extra="kafka")
        if format == "parquet":
            import_extra("pyarrow.parquet", extra="parquet")
        if not isinstance(folder, str | os.PathLike):
            raise ConfigError(f"folder: expected the path of one, got {describe_kind(folder)}")
        self._format, self._folder = format, Path(folder)
        self._limits = FileLimits.check(max_file_bytes, max_file_seconds, max_total_bytes)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"folder: cannot be created ({type(error).__name__}): name one that this process "
                "may write to"
            ) from None
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise ConfigError("folder: this process may not write to it")

    def open(self, source: EventSource) -> EventSink:
        """Make the sink of this process; its first event opens a file."""
        kind = ParquetSink if self._format == "parquet" else LineSink
        return kind(self._folder, source, self._limits)

    def __repr__(self) -> str:
        return f"Files({str(self._folder)!r}, format={self._format!r})"
