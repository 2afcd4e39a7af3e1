"""Write events to Parquet files, one per schema, with the columns of the database tables."""

import ctypes
import os
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

from mlmonitor.compare.event_status import EventStatus
from mlmonitor.errors import import_extra
from mlmonitor.events.content.event_source import Content, EventSource
from mlmonitor.events.sinks.event_sink import EventCounter
from mlmonitor.events.sinks.file_sink import PART, FileLimits, file_stem, has_room
from mlmonitor.formats.events import STAGING_COLUMNS, StagingColumn, StagingSchema

_GROUP_ROWS = 8_192


class _ParquetFile:
    """An open file of one schema, with events that are not written yet."""

    def __init__(self, path: Path, schema: StagingSchema) -> None:
        self._arrow = import_extra("pyarrow", extra="parquet")
        parquet = import_extra("pyarrow.parquet", extra="parquet")
        self._columns = STAGING_COLUMNS[schema]
        types = {
            "timestamptz": self._arrow.timestamp("us", tz="UTC"),
            "float8": self._arrow.float64(),
            "int8": self._arrow.int64(),
            "bool": self._arrow.bool_(),
        }
        text = self._arrow.string()
        self._schema = self._arrow.schema(
            [(column.name, types.get(column.type, text)) for column in self._columns]
        )
        self._dumps = import_extra("orjson", extra="kafka").dumps
        self.path, self.opened_at = path, time.monotonic()
        self.events: list[Content] = []
        self.written = self.bytes = 0
        self._writer: Any = parquet.ParquetWriter(path, self._schema, compression="zstd")
        # Protects it from garbage collection in a forked child, which would write the file's end.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._writer))

    def write(self) -> None:
        """Write the events that wait as one row group."""
        if not self.events:
            return
        arrays = [
            self._arrow.array([self._get_cell(event, column) for event in self.events], field.type)
            for column, field in zip(self._columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self.written += len(self.events)
        self.events = []
        self.bytes = self.path.stat().st_size

    def close(self) -> None:
        """Write the events that wait, and the footer of the file."""
        self.write()
        self._writer.close()
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(self._writer))

    def _get_cell(self, event: Content, column: StagingColumn) -> Any:
        """Return an event's value for a column; objects and arrays become JSON texts."""
        value = event.get(column.field, column.default)
        if column.field in ("prediction", "actual"):
            is_text = isinstance(value, str | bool)
            if column.type == "text":
                return str(value).lower() if isinstance(value, bool) else value if is_text else None
            value = None if isinstance(value, str) else value
        if value is None:
            return None
        match column.type:
            case "timestamptz":
                return datetime.fromisoformat(value)
            case "jsonb":
                return self._dumps(value).decode()
            case "float8":
                return float(value) if isfinite(value) else None
            case _:
                return value


class ParquetSink:
    """Writes each schema to a separate file, in row groups."""

    suffix = ".parquet"

    def __init__(self, folder: Path, source: EventSource, limits: FileLimits) -> None:
        self._folder, self._source, self._limits = folder, source, limits
        self._counter = EventCounter("files")
        self._pid, self._number = os.getpid(), 0
        self._lock = threading.RLock()  # a flush may run in another thread than `put`
        self._files: dict[StagingSchema, _ParquetFile] = {}

    def put(self, events: Sequence[Content], *, waits: bool = False) -> None:
        """Add events of one schema; if the disk or the folder is full, drop and count them."""
        del waits
        with self._lock:
            self._put(events)

    def _put(self, events: Sequence[Content]) -> None:
        schema: StagingSchema = events[0]["schema"]
        try:
            file = self._files.get(schema) or self._begin(schema)
        except OSError as error:
            reason = f"{type(error).__name__} while opening"
            return self._counter.add("dropped", len(events), reason)
        if file is None:
            return self._counter.add("dropped", len(events), "max_total_bytes is reached")
        file.events += events
        try:
            if len(file.events) >= _GROUP_ROWS:
                file.write()
        except Exception as error:  # noqa: BLE001 - such as a number that Arrow refuses
            return self._lose(schema, error)
        if file.bytes >= self._limits.file_bytes:
            self._complete(schema)
        return None

    def _begin(self, schema: StagingSchema) -> _ParquetFile | None:
        if not has_room(self._folder, self._limits):
            return None
        self._number += 1
        stem = f"{schema}-{file_stem(self._source, self._number)}"
        self._files[schema] = _ParquetFile(self._folder / f"{stem}{self.suffix}{PART}", schema)
        return self._files[schema]

    def _lose(self, schema: StagingSchema, error: Exception) -> None:
        """Delete a file that cannot be written, and count its events as dropped."""
        file = self._files.pop(schema, None)
        if file is not None:
            lost = file.written + len(file.events)
            self._counter.add("dropped", lost, f"{type(error).__name__} while writing")
            file.path.unlink(missing_ok=True)

    def _complete(self, schema: StagingSchema) -> None:
        """Close a file, and rename it to its final name."""
        file = self._files[schema]
        try:
            file.close()
            file.path.replace(file.path.with_suffix(""))
        except Exception as error:  # noqa: BLE001 - as above
            return self._lose(schema, error)
        del self._files[schema]
        self._counter.add("delivered", file.written)
        return None

    def poll(self) -> None:
        """Complete files that are old enough."""
        now = time.monotonic()
        with self._lock:
            for schema, file in list(self._files.items()):
                if now - file.opened_at >= self._limits.file_seconds:
                    self._complete(schema)

    def flush(self, timeout_seconds: float) -> bool:
        """Complete all files, so that all events can be read."""
        del timeout_seconds
        with self._lock:
            for schema in list(self._files):
                self._complete(schema)
        return True

    def close(self, timeout_seconds: float) -> None:
        """Complete all files; in a forked child, do nothing."""
        if os.getpid() == self._pid:
            self.flush(timeout_seconds)

    def status(self) -> EventStatus:
        """Return counts by outcome; events of incomplete files count as waiting."""
        waiting = sum(file.written + len(file.events) for file in list(self._files.values()))
        return self._counter.status(waiting=waiting)
