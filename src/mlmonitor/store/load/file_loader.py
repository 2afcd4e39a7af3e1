"""Load events from files that `events=Files(...)` has written, without a broker."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.formats.events import STAGING_COLUMNS, StagingSchema
from mlmonitor.store.database import connect
from mlmonitor.store.load.dead_letters import DeadLetterTopic
from mlmonitor.store.load.decode import Decoder, Message, PartitionKey
from mlmonitor.store.load.offsets import read_offsets
from mlmonitor.store.load.writer import BatchWriter, LoadCounts
from mlmonitor.store.schema import require_latest

_GROUP_ROWS = 5_000
_NULLABLE = ("prediction", "actual", "value")  # null is a value here, not an absent field


def load_files(
    folder: Path, *, group: str, database: str, batch_messages: int = 10_000
) -> LoadCounts:
    """Load the complete files of a folder, `*.jsonl` and `*.parquet`; return counts of events.

    Each file is treated as a partition: the number of loaded events is stored with its rows, so
    that another run continues where this one stopped, and loads only new events.

    Raises:
        ConfigError: the folder does not exist, or the database has no schema of this library.
        MissingExtra: a file is Parquet, and pyarrow is not installed.
        psycopg.Error: the database is unavailable; call this function again later.
    """
    if not folder.is_dir():
        raise ConfigError("files: expected a folder")
    counts, decoder = LoadCounts(), Decoder()
    writer = BatchWriter(group, decoder, DeadLetterTopic({}, None))
    with connect(database) as connection:
        require_latest(connection)
        writer.prepare(connection)
        for path in sorted([*folder.glob("*.jsonl"), *folder.glob("*.parquet")]):
            place = PartitionKey(path.name, 0)
            start = read_offsets(connection, group, [place])[place]
            messages = (
                Message(place, offset, None, value)
                for offset, value in islice(enumerate(_read_values(path)), start, None)
            )
            while batch := list(islice(messages, batch_messages)):
                decoded = decoder.decode(batch, {place: batch[0].offset})
                counts.add(writer.write(connection, decoded))
        writer.match_missed(connection)
    return counts


def _read_values(path: Path) -> Iterator[bytes]:
    if path.suffix == ".jsonl":
        with path.open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)
        return
    schema = path.name.partition("-")[0]
    if schema not in get_args(StagingSchema):
        raise ConfigError("files: expected Parquet files that begin with the name of a schema")
    parquet = import_extra("pyarrow.parquet", extra="parquet")
    with parquet.ParquetFile(path) as file:
        for group in file.iter_batches(_GROUP_ROWS):
            yield from (_write_event(row, schema) for row in group.to_pylist())  # type: ignore[arg-type]  # checked


def _write_event(row: dict[str, Any], schema: StagingSchema) -> bytes:
    """Convert a row of a Parquet file back to the JSON of its event."""
    event: dict[str, Any] = {"schema": schema}
    for column in STAGING_COLUMNS[schema]:
        value = row[column.name]
        if column.name.endswith("_class") and column.field != column.name:
            if value is not None:
                event[column.field] = value == "true" if _is_boolean(row, column) else value
        elif isinstance(value, datetime):
            event[column.field] = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        elif value is not None or column.field in _NULLABLE:
            event[column.field] = json.loads(value) if column.type == "jsonb" else value
    return json.dumps(event).encode()


def _is_boolean(row: dict[str, Any], column: Any) -> bool:
    """Whether the text of a class is a boolean: its row then has a number as well."""
    return row[column.field] is not None and row[column.name] in ("true", "false")
