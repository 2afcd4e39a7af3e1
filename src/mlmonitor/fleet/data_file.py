"""Columns of a Parquet or CSV file, some thousand rows at a time."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from mlmonitor.errors import ConfigError, FormatError
from mlmonitor.records import Kind

ROWS = 16_384
"""Rows of a chunk, unless a row group of the file is smaller."""

Columns = dict[str, Any]

_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


class DataFile(NamedTuple):
    """A file of rows: its number of rows, its columns, and its chunks in order."""

    rows: int
    names: tuple[str, ...]
    chunks: Iterator[Any]


def open_data_file(
    path: str,
    kinds: Mapping[str, Kind],
    *,
    argument: str = "current",
    as_tables: bool = False,
) -> DataFile:
    """Open a file by its ending.

    kinds: how the values of a CSV file are read, by column. argument: what errors call the file.
    as_tables: whether the chunks of a Parquet file are tables of pyarrow, with texts as
    dictionaries, and not columns by name.

    Raises:
        ConfigError: the ending is neither, or Parquet is to be read without pyarrow.
        FormatError: the file is not what its ending says.
        OSError: the file cannot be read.
    """
    ending = Path(path).suffix.lower()
    if ending in (".parquet", ".pq"):
        return _open_parquet(path, argument, as_tables=as_tables)
    if ending in (".csv", ".tsv", ".txt"):
        return _open_csv(path, kinds, "\t" if ending == ".tsv" else ",", argument)
    raise ConfigError(f"{argument}: expected a file that ends in .parquet or .csv")


def _open_parquet(path: str, argument: str, *, as_tables: bool) -> DataFile:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise ConfigError(
            f"{argument}: reading Parquet needs pyarrow: pip install pyarrow, or give a CSV file"
        ) from None
    try:
        file = pq.ParquetFile(path)
        if as_tables:  # categories are then counted by their codes
            texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
            file = pq.ParquetFile(path, read_dictionary=texts)
    except pa.ArrowInvalid as error:
        raise FormatError(f"{argument}: not a Parquet file, or a damaged one") from error
    batches = _read_batches(file, argument)
    read = _to_table if as_tables else _to_values_by_name
    names = tuple(file.schema_arrow.names)
    return DataFile(file.metadata.num_rows, names, map(read, batches))


def _read_batches(file: Any, argument: str) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from file.iter_batches(batch_size=ROWS)
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"{argument}: a damaged Parquet file") from error


def _to_table(batch: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _to_values_by_name(batch: Any) -> Columns:
    return {name: _to_values(batch.column(name)) for name in batch.schema.names}


def _to_values(column: Any) -> Any:
    """An array of numbers, or a list of everything else, where null is None."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.to_numpy(zero_copy_only=False)
    return column.to_pylist()


def _open_csv(path: str, kinds: Mapping[str, Kind], separator: str, argument: str) -> DataFile:
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=separator)
        try:
            head = next(reader, [])
            rows = sum(1 for row in reader if row)
        except (csv.Error, UnicodeDecodeError) as error:
            raise FormatError(f"{argument}: not a CSV file in UTF-8") from error
    if not head or len(set(head)) < len(head):
        raise FormatError(
            f"{argument}: expected a first line with a different name for each column"
        )
    return DataFile(rows, tuple(head), _read_csv(path, head, kinds, separator))


def _read_csv(
    path: str, head: Sequence[str], kinds: Mapping[str, Kind], separator: str
) -> Iterator[Columns]:
    readers = [_READERS.get(kinds.get(name, Kind.CATEGORICAL), _read_text) for name in head]
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=separator)
        next(reader)
        rows: list[list[str]] = []
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == ROWS:
                yield _to_columns(head, readers, rows)
                rows = []
        if rows:
            yield _to_columns(head, readers, rows)


def _to_columns(
    head: Sequence[str], readers: Sequence[Callable[[str], object]], rows: Sequence[Sequence[str]]
) -> Columns:
    """Columns of rows; a short row has no value in its last columns."""
    columns: Columns = {}
    for place, (name, read) in enumerate(zip(head, readers, strict=True)):
        columns[name] = [read(row[place]) if place < len(row) else None for row in rows]
    return columns


def _read_text(text: str) -> object:
    return text or None


def _read_number(text: str) -> object:
    """A number; other text stays text, so that it is counted as a wrong type."""
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _read_boolean(text: str) -> object:
    word = text.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else text or None


def _read_datetime(text: str) -> object:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return text
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


_READERS: dict[Kind, Callable[[str], object]] = {
    Kind.NUMERIC: _read_number,
    Kind.BOOLEAN: _read_boolean,
    Kind.DATETIME: _read_datetime,
}
