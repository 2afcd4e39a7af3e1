"""Read a Parquet or CSV file in chunks of thousands of rows, as a whole or in separate parts."""

from collections.abc import Iterator, Mapping
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from mlmonitor.errors import ConfigError, FormatError
from mlmonitor.fleet.csv_rows import index_csv, read_csv
from mlmonitor.formatting import describe_kind
from mlmonitor.records import Kind

ROWS = 16_384
"""Rows of a chunk; fewer if a row group of the file is smaller."""

PART_ROWS = 1 << 18
"""Rows in each part of a CSV file, and the minimum for a Parquet file, except in the last part."""

Columns = dict[str, Any]


class FilePart(NamedTuple):
    """A part of a file that can be read without the other parts.

    first: the byte offset of its first row in a CSV file, or its first row group in a Parquet file.
    last: its last row group.
    """

    first: int
    last: int
    rows: int


class DataFile(NamedTuple):
    """A file of rows: the number of rows, the names of the columns, and the chunks in order."""

    rows: int
    names: tuple[str, ...]
    chunks: Iterator[Any]


class SplitFile(NamedTuple):
    """A file split into parts that can be read separately, always in the same way."""

    rows: int
    names: tuple[str, ...]
    parts: tuple[FilePart, ...]


def open_data_file(
    path: str,
    kinds: Mapping[str, Kind],
    *,
    argument: str = "current",
    as_tables: bool = False,
) -> DataFile:
    """Open a Parquet or CSV file, according to its extension.

    kinds: how the values of a CSV file are read, by column. argument: the name of the file in
    errors. as_tables: whether the chunks of a Parquet file are pyarrow tables with
    dictionary-encoded texts, instead of columns by name.

    Raises:
        ConfigError: the extension is neither Parquet's nor CSV's, or pyarrow is not installed.
        FormatError: the contents do not match the extension.
        OSError: the file cannot be read.
    """
    file = split_data_file(path, argument=argument)
    chunks = chain.from_iterable(
        read_part(path, part, file.names, kinds, argument=argument, as_tables=as_tables)
        for part in file.parts
    )
    return DataFile(file.rows, file.names, chunks)


def split_data_file(path: str | PathLike[str], *, argument: str = "data") -> SplitFile:
    """Split a file into parts of a few hundred thousand rows.

    Parquet is split between row groups. A CSV file is scanned once, because quoted line breaks
    make it impossible to find the start of a row otherwise.

    Raises:
        ConfigError, FormatError, OSError: as in `open_data_file`.
    """
    if not isinstance(path, str | PathLike):
        raise ConfigError(f"{argument}: expected the path of a file, got {describe_kind(path)}")
    path = fspath(path)
    if not _is_parquet(path, argument):
        index = index_csv(path, argument, step=PART_ROWS)
        sizes = [
            min(PART_ROWS, index.rows - PART_ROWS * place) for place in range(len(index.starts))
        ]
        parts = (FilePart(*part) for part in zip(index.starts, index.starts, sizes, strict=True))
        return SplitFile(index.rows, index.names, tuple(parts))
    file = _open_parquet(path, argument, as_tables=False)
    parts_of_groups: list[FilePart] = []
    first = rows = 0
    for group in range(file.metadata.num_row_groups):
        rows += file.metadata.row_group(group).num_rows
        if rows >= PART_ROWS or group == file.metadata.num_row_groups - 1:
            parts_of_groups.append(FilePart(first, group, rows))
            first, rows = group + 1, 0
    names = tuple(file.schema_arrow.names)
    return SplitFile(file.metadata.num_rows, names, tuple(parts_of_groups))


def read_part(
    path: str,
    part: FilePart,
    names: tuple[str, ...],
    kinds: Mapping[str, Kind],
    *,
    argument: str = "data",
    as_tables: bool = True,
) -> Iterator[Any]:
    """Yield the chunks of one part; `kinds` and `as_tables` as in `open_data_file`.

    Raises:
        FormatError: the part is damaged.
        OSError: the file cannot be read.
    """
    if _is_parquet(path, argument):
        file = _open_parquet(path, argument, as_tables=as_tables)
        groups = range(part.first, part.last + 1)
        yield from map(
            _to_table if as_tables else _to_values_by_name, _read(file, groups, argument)
        )
    else:
        yield from read_csv(path, names, kinds, start=part.first, rows=part.rows, chunk_rows=ROWS)


def _is_parquet(path: str, argument: str) -> bool:
    ending = Path(path).suffix.lower()
    if ending not in (".parquet", ".pq", ".csv", ".tsv", ".txt"):
        raise ConfigError(f"{argument}: expected a file that ends in .parquet or .csv")
    return ending in (".parquet", ".pq")


def _open_parquet(path: str, argument: str, *, as_tables: bool) -> Any:
    """Open a Parquet file; `as_tables` reads texts dictionary-encoded, which is faster to count."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise ConfigError(
            f"{argument}: reading Parquet needs pyarrow: pip install pyarrow, or give a CSV file"
        ) from None
    try:
        file = pq.ParquetFile(path)
        if as_tables:
            texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
            file = pq.ParquetFile(path, read_dictionary=texts)
    except pa.ArrowInvalid as error:
        raise FormatError(f"{argument}: not a Parquet file, or a damaged one") from error
    return file


def _read(file: Any, groups: range, argument: str) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from file.iter_batches(batch_size=ROWS, row_groups=list(groups))
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"{argument}: a damaged Parquet file") from error


def _to_table(batch: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _to_values_by_name(batch: Any) -> Columns:
    return {name: _to_values(batch.column(name)) for name in batch.schema.names}


def _to_values(column: Any) -> Any:
    """Return a column of numbers as an array, any other column as a list with None for null."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column.to_numpy(zero_copy_only=False)
    return column.to_pylist()
