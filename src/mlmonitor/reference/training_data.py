"""Training data, in whatever form it is held, as columns by name: chunk by chunk if wished."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.form import Copied, PayloadForm
from mlmonitor.capture.host.copiers import Copiers, copy_unreadable
from mlmonitor.capture.host.results import copy_result
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.prediction_columns import PredictionColumns
from mlmonitor.capture.read.tables import ColumnTable, MappingTable
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError, import_extra
from mlmonitor.records import Role
from mlmonitor.reference.fitting.stratification import StratumKeys

ACTUAL = "actual"

Columns = dict[tuple[Role, str], Values]


class Chunk(NamedTuple):
    """Some training rows: their columns, how many they are, and what parts them."""

    columns: Columns
    rows: int
    marks: StratumKeys = StratumKeys()


_NAME_CHARACTERS = 1_000
_TEXTS = str, bytes
_PLAIN = Outputs()


def chunks(  # noqa: PLR0913 - one name for each thing that belongs to a row
    features: Any,
    predictions: Any,
    actuals: Any,
    names: Sequence[str],
    *,
    outputs: Outputs = _PLAIN,
    segments: Sequence[str] = (),
    times: Any = None,
) -> Iterator[Chunk]:
    """The training data, one chunk after another; data that is not an iterator is one chunk.

    `outputs` says how predictions are read; `segments` names the features that part the rows.

    Raises:
        SchemaError: what came is no data, or its parts do not fit each other.
    """
    is_stream = hasattr(features, "__next__")
    named = checked_names(names)
    predicted = AlignedInput("predictions", predictions, outputs, is_stream=is_stream)
    actual = AlignedInput("actuals", actuals, _PLAIN, is_stream=is_stream)
    dated = AlignedInput("times", times, _PLAIN, is_stream=is_stream)
    for chunk in features if is_stream else [features]:
        columns, rows = feature_columns(chunk, named)
        found: Columns = {(Role.FEATURE, name): column for name, column in columns.items()}
        fields = predicted.next_fields(chunk, rows)
        found.update({(Role.PREDICTION, name): column for name, column in fields.items()})
        for column in actual.next_fields(chunk, rows, most=1).values():
            found[Role.ACTUAL, ACTUAL] = column
        moments = list(dated.next_fields(chunk, rows, most=1).values())
        parts = [_segment_column(columns, name) for name in segments]
        yield Chunk(found, rows, StratumKeys(parts, moments[0] if moments else None))
    for source in (predicted, actual, dated):
        source.finish()


def _segment_column(columns: Mapping[str, Values], name: str) -> Values:
    if name not in columns:
        raise SchemaError(f"segments: there is no column {name!r} among the features")
    return columns[name]


class AlignedInput:
    """What belongs to the features, chunk by chunk: predictions, actuals or times."""

    def __init__(self, what: str, values: Any, outputs: Outputs, *, is_stream: bool) -> None:
        self._what, self._outputs = what, outputs
        self._function: Callable[[Any], Any] | None = values if callable(values) else None
        self._parts: Iterator[Any] | None = None
        if values is None or callable(values):
            return
        if hasattr(values, "__next__") != is_stream:
            came = "in chunks: expected an" if is_stream else "whole: expected no"
            raise SchemaError(
                f"{what}: features come {came} iterator of chunks; a function of a chunk suits both"
            )
        self._parts = values if is_stream else iter([values])

    def next_fields(
        self, chunk: Any, rows: int, *, most: int | None = None
    ) -> Mapping[str, Values]:
        """Each output's values for the rows of `chunk`."""
        if self._function is not None:
            values = self._function(chunk)
        elif self._parts is not None:
            try:
                values = next(self._parts)
            except StopIteration:
                raise SchemaError(f"{self._what}: fewer chunks than features have") from None
        else:
            return {}
        fields = _fields(values, rows, self._what, self._outputs)
        if most is not None and len(fields) > most:
            raise SchemaError(f"{self._what}: expected one value a row, got {len(fields)} columns")
        return {checked_name(name): column for name, column in fields.items()}

    def finish(self) -> None:
        """Refuse chunks that no features belong to."""
        if self._parts is not None and next(self._parts, self) is not self:
            raise SchemaError(f"{self._what}: more chunks than features have")


def _fields(values: Any, rows: int, what: str, outputs: Outputs) -> Mapping[str, Values]:
    expected = f"{what}: expected one for each of the {rows} rows"
    if values is None or isinstance(values, set | frozenset) or hasattr(values, "__next__"):
        raise SchemaError(f"{expected}, got {type(values).__name__}")
    taken = list(values) if isinstance(values, range) else copy_result(values)
    fields = PredictionColumns(outputs).batch(taken, rows)
    is_one_value = rows == 1 and (isinstance(taken, _TEXTS) or not hasattr(taken, "__iter__"))
    for column in fields.values():
        is_spread = len(column) > 0 and column[0] is taken and not is_one_value
        if is_spread or len(column) != rows or _holds_collections(column):
            raise SchemaError(f"{expected}, got {_met(taken, rows)}")
    return fields


def _holds_collections(column: Values) -> bool:
    """Whether a row has several values, or stands for outputs that fit no rows."""
    if isinstance(column, np.ndarray):
        return False
    return any(isinstance(value, list | tuple | dict | np.ndarray) for value in column)


def _met(values: Any, rows: int) -> str:
    """What stood in place of one value a row, its values left unsaid."""
    if not hasattr(values, "__len__") or isinstance(values, _TEXTS):
        return f"one {type(values).__name__}"
    if isinstance(values, Mapping):
        return "columns of another length"
    return "rows of several values" if len(values) == rows else str(len(values))


def feature_columns(features: Any, names: Sequence[str] = ()) -> tuple[dict[str, Values], int]:
    """Columns by name, and how many rows there are, of whatever holds rows.

    Raises:
        SchemaError: `features` holds no rows, its columns differ in length or share a name, or an
            array came without `names`.
    """
    if isinstance(features, Mapping):
        known = checked_names(features)
        found = {
            name: _values(name, column)
            for name, column in zip(known, features.values(), strict=True)
        }
    else:
        found = _read(features, checked_names(names))
    rows = max(map(len, found.values()), default=0)
    for name, column in found.items():
        if len(column) != rows:
            raise SchemaError(f"column {name!r}: expected {rows} rows, got {len(column)}")
    return found, rows


def _read(features: Any, names: Sequence[str]) -> dict[str, Values]:
    form, rows, payload = _copied(features)
    match form:
        case PayloadForm.FRAME:
            return _frame_columns(payload, rows)
        case PayloadForm.MAPPING:
            return _row_columns([payload])
        case PayloadForm.MAPPINGS:
            return _row_columns(payload)
        case PayloadForm.MATRIX:
            _fits(payload.shape[1], names)
            return {name: payload[:, at] for at, name in enumerate(names)}
        case PayloadForm.SEQUENCES:
            return _sequence_columns(payload, names)
        case _:
            raise SchemaError(
                "features: expected a frame in memory, columns by name, a two-dimensional array, "
                f"rows, or an iterator of chunks of these; met {_called(features)}"
            )


def _copied(features: Any) -> Copied:
    if hasattr(features, "to_frame"):  # a series: a column, or one row, and no telling which
        return copy_unreadable(features)
    try:
        return Copiers()[type(features)](features)
    except TypeError:  # a frame that is not in memory has no length
        return copy_unreadable(features)


def _called(features: Any) -> str:
    if isinstance(features, list | tuple):
        return "no rows" if not features else f"a list of {type(features[0]).__name__}"
    dimensions = getattr(features, "ndim", None)
    kind = type(features).__name__
    return kind if dimensions is None else f"{kind} of {dimensions} dimensions"


def _frame_columns(native: Any, rows: int) -> dict[str, Values]:
    narwhals = import_extra("narwhals", extra="frames")
    try:
        frame = narwhals.from_native(native, eager_only=True)
        names = checked_names(frame.columns)
    except narwhals.exceptions.DuplicateError:
        raise SchemaError("features: expected each column name once") from None
    table = ColumnTable(dict(zip(names, frame.iter_columns(), strict=True)), rows)
    found = {name: table.column(name) for name in names}
    return {name: column for name, column in found.items() if column is not None}


def _row_columns(rows: Sequence[Mapping[Any, object] | None]) -> dict[str, Values]:
    named: list[Mapping[Any, object]] = []
    for at, row in enumerate(rows):
        if row is None:
            raise SchemaError(
                f"features: row {at}: expected values by name, as the other rows have"
            )
        named.append(row if all(isinstance(key, str) for key in row) else _with_texts(row))
    table = MappingTable(named)
    found = {name: table.column(name) for name in checked_names(table.names())}
    return {name: column for name, column in found.items() if column is not None}


def _with_texts(row: Mapping[Any, object]) -> dict[str, object]:
    return dict(zip(checked_names(row), row.values(), strict=True))


def _sequence_columns(rows: Sequence[Sequence[object]], names: Sequence[str]) -> dict[str, Values]:
    _fits(len(rows[0]), names)
    for at, row in enumerate(rows):
        if len(row) != len(names):
            raise SchemaError(f"features: row {at}: expected {len(names)} values, got {len(row)}")
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _fits(width: int, names: Sequence[str]) -> None:
    if len(names) != width:
        raise SchemaError(
            f"features have {width} columns without names: pass names= with {width} of them"
        )


def _values(name: str, column: Any) -> Values:
    """One column of a mapping: a copy, as an array where it is one, else as a list."""
    if isinstance(column, np.ndarray) and column.ndim in (1, 2):
        return column.copy() if column.ndim == 1 else list(column.copy())
    if hasattr(column, "to_pylist"):  # pyarrow's own
        listed: list[object] = column.to_pylist()
        return listed
    is_sequence = hasattr(column, "__len__") and hasattr(column, "__getitem__")
    if not is_sequence or isinstance(column, np.ndarray | Mapping | str | bytes):
        raise SchemaError(
            f"column {name!r}: expected a sequence of values, got {_called(column)}; features that "
            "are a mapping hold a column under each name"
        )
    if not hasattr(column, "dtype"):
        return list(column)
    values = ColumnTable({name: column}, len(column)).column(name)
    return [] if values is None else values


def checked_names(names: Any, what: str = "names") -> tuple[str, ...]:
    """Names as texts, each once.

    Raises:
        SchemaError: a name cannot be one, or stands there twice.
    """
    if isinstance(names, _TEXTS):
        raise SchemaError(f"{what}: expected a sequence of names, got one text")
    found = tuple(checked_name(name) for name in names)
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise SchemaError(f"column {twice!r}: expected each column name once")
    return found


def checked_name(name: object) -> str:
    """A column's name as text; raises SchemaError where it is empty, too long, or no text."""
    text = str(name)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SchemaError(f"column {text!r}: expected a name that is valid Unicode") from None
    if not 1 <= len(text) <= _NAME_CHARACTERS:
        raise SchemaError(
            f"column {text[:40]!r}: expected a name of 1 to {_NAME_CHARACTERS:,} characters"
        )
    return text
