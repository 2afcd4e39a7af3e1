"""Rows of a CSV file, from its beginning or from the place of a later row."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from mlmonitor.errors import FormatError
from mlmonitor.records import Kind

_BOM = b"\xef\xbb\xbf"
_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


class CsvIndex(NamedTuple):
    """The names of a CSV file's columns, its rows, and where every `step`-th row begins."""

    names: tuple[str, ...]
    rows: int
    starts: tuple[int, ...]


def index_csv(path: str, argument: str, *, step: int) -> CsvIndex:
    """Read a file once, by the same rules as `read_csv`, without its values.

    Raises:
        FormatError: it is not a CSV file in UTF-8, or a name is missing or used twice.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        has_mark = file.read(len(_BOM)) == _BOM
    offset = len(_BOM) if has_mark else 0
    starts: list[int] = []
    rows = 0
    with _open_text(path, offset) as text:

        def measure_lines() -> Iterator[str]:
            nonlocal offset
            for line in text:
                offset += len(line) if line.isascii() else len(line.encode())
                yield line

        reader = csv.reader(measure_lines(), delimiter=_separator(path))
        try:
            names = next(reader, [])
            start = offset
            for row in reader:
                if row and rows % step == 0:
                    starts.append(start)
                rows += bool(row)
                start = offset
        except (csv.Error, UnicodeDecodeError) as error:
            raise FormatError(f"{argument}: not a CSV file in UTF-8") from error
    if not names or len(set(names)) < len(names):
        raise FormatError(
            f"{argument}: expected a first line with a different name for each column"
        )
    return CsvIndex(tuple(names), rows, tuple(starts))


def read_csv(
    path: str,
    names: Sequence[str],
    kinds: Mapping[str, Kind],
    *,
    start: int,
    rows: int,
    chunk_rows: int,
) -> Iterator[dict[str, list[object]]]:
    """Yield some rows from the place `start` on, as columns by name; empty lines are no rows."""
    readers = [_READERS.get(kinds.get(name, Kind.CATEGORICAL), _read_text) for name in names]
    with _open_text(path, start) as text:
        reader = (row for row in csv.reader(text, delimiter=_separator(path)) if row)
        while rows > 0:
            chunk = list(islice(reader, min(chunk_rows, rows)))
            if not chunk:
                return
            yield _to_columns(names, readers, chunk)
            rows -= len(chunk)


def _open_text(path: str, start: int) -> TextIOWrapper:
    file = Path(path).open("rb")  # noqa: SIM115 - closed by the wrapper
    file.seek(start)
    return TextIOWrapper(file, encoding="utf-8", newline="")


def _separator(path: str) -> str:
    return "\t" if Path(path).suffix.lower() == ".tsv" else ","


def _to_columns(
    head: Sequence[str], readers: Sequence[Callable[[str], object]], rows: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Columns of rows; a short row has no value in its last columns."""
    columns: dict[str, Any] = {}
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
