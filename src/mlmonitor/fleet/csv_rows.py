"""Read rows of a CSV file, from its beginning or from the byte offset of any row."""

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
    """A CSV file's column names, its number of rows, and the byte offset of every `step`-th row."""

    names: tuple[str, ...]
    rows: int
    starts: tuple[int, ...]


def index_csv(path: str, argument: str, *, step: int) -> CsvIndex:
    """Index a file in one pass, by the rules of `read_csv`, without parsing its values.

    Raises:
        FormatError: the file is not CSV in UTF-8, has no column names or repeats one, or a row has
            more or fewer values than there are names.
        OSError: the file cannot be read.
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
                if row and len(row) != len(names):
                    raise FormatError(_describe_ragged(argument, reader.line_num, names, row))
                rows += bool(row)
                start = offset
        except (csv.Error, UnicodeDecodeError) as error:
            raise FormatError(f"{argument}: not a CSV file in UTF-8") from error
    _check_names(argument, names)
    return CsvIndex(tuple(names), rows, tuple(starts))


def _describe_ragged(argument: str, line: int, names: Sequence[str], row: Sequence[str]) -> str:
    return (
        f"{argument}: line {line}: expected {len(names)} values, as there are names in the first "
        f"line, got {len(row)}: is a separator missing, or a text with separators not quoted?"
    )


def _check_names(argument: str, names: Sequence[str]) -> None:
    """Raise FormatError unless the first line of a file names each column once."""
    if not any(names):
        raise FormatError(
            f"{argument}: expected a first line with the names of the columns, got none: is the "
            "file empty?"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FormatError(f"{argument}: expected each column name once, got {twice!r} twice")
    if len(names) == 1 and ";" in names[0]:
        raise FormatError(
            f"{argument}: expected commas between the values, got semicolons: save it with commas, "
            "or as .tsv with tabs"
        )


def read_csv(
    path: str,
    names: Sequence[str],
    kinds: Mapping[str, Kind],
    *,
    start: int,
    rows: int,
    chunk_rows: int,
) -> Iterator[dict[str, list[object]]]:
    """Yield `rows` rows from byte offset `start` in chunks of columns by name; skip empty lines."""
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
    """Convert rows to columns by name; the values that a short row lacks are None."""
    columns: dict[str, Any] = {}
    for place, (name, read) in enumerate(zip(head, readers, strict=True)):
        columns[name] = [read(row[place]) if place < len(row) else None for row in rows]
    return columns


def _read_text(text: str) -> object:
    return text or None


def _read_number(text: str) -> object:
    """Return a number, None for empty text, or other text itself, to be counted as a wrong type."""
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
