"""Convert training data of any form to columns by name, in one or more chunks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

import numpy as np

from mlmonitor.capture.form import Copied, PayloadForm
from mlmonitor.capture.frames import find_twice, frame_owner, is_frame
from mlmonitor.capture.host.copiers import Copiers, copy_unreadable
from mlmonitor.capture.host.results import copy_result, is_column
from mlmonitor.capture.outputs import ACTUAL, Outputs
from mlmonitor.capture.read.prediction_columns import PredictionColumns
from mlmonitor.capture.read.tables import ColumnTable, MappingTable
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError, import_extra
from mlmonitor.formatting import ask_similar
from mlmonitor.records import Role
from mlmonitor.reference.column_names import check_column_name, check_column_names
from mlmonitor.reference.fitting.stratification import StratumKeys

Columns = dict[tuple[Role, str], Values]


class Chunk(NamedTuple):
    """Some training rows: columns, number of rows, and the keys that assign rows to strata."""

    columns: Columns
    rows: int
    marks: StratumKeys = StratumKeys()


_TEXTS = str, bytes
_PLAIN = Outputs()


def chunks(  # noqa: PLR0913 - one name for each thing that belongs to a row
    features: Any,
    predictions: Any,
    actuals: Any,
    names: Iterable[object],
    *,
    outputs: Outputs = _PLAIN,
    segments: Sequence[str] = (),
    times: Any = None,
    groups: Any = None,
) -> Iterator[Chunk]:
    """Yield the training data chunk by chunk; data that is not an iterator is one chunk.

    `outputs` describes the model's outputs; `segments` names the features that split the rows.
    `groups` is the group of each row, or the name of its column, which is not a feature then.

    Raises:
        SchemaError: an argument is not data, or the arguments do not fit each other.
    """
    is_stream = hasattr(features, "__next__")
    column_names = check_column_names(names)
    predicted = AlignedInput("predictions", predictions, outputs, is_stream=is_stream)
    actual = AlignedInput("actuals", actuals, _PLAIN, is_stream=is_stream)
    dated = AlignedInput("times", times, _PLAIN, is_stream=is_stream)
    column = groups if isinstance(groups, str) else None
    grouped = AlignedInput("groups", None if column else groups, _PLAIN, is_stream=is_stream)
    for chunk in features if is_stream else [features]:
        features_by_name, rows = feature_columns(chunk, column_names)
        all_columns = dict(features_by_name)
        group = None if column is None else _pop_group(features_by_name, column)
        columns: Columns = {(Role.FEATURE, n): column for n, column in features_by_name.items()}
        fields = predicted.next_fields(chunk, rows)
        columns.update({(Role.PREDICTION, name): column for name, column in fields.items()})
        for values in actual.next_fields(chunk, rows, most=1).values():
            columns[Role.ACTUAL, ACTUAL] = values
        moments = next(iter(dated.next_fields(chunk, rows, most=1).values()), None)
        for values in grouped.next_fields(chunk, rows, most=1).values():
            group = values
        segment_columns = [_get_segment_column(all_columns, name) for name in segments]
        yield Chunk(columns, rows, StratumKeys(segment_columns, moments, group))
    for source in (predicted, actual, dated, grouped):
        source.finish()


def _pop_group(columns: dict[str, Values], name: str) -> Values:
    if name not in columns:
        hint = ask_similar(name, columns)
        raise SchemaError(f"groups: there is no column {name!r} among the features{hint}")
    return columns.pop(name)


def _get_segment_column(columns: Mapping[str, Values], name: str) -> Values:
    if name not in columns:
        hint = ask_similar(name, columns)
        raise SchemaError(f"segments: there is no column {name!r} among the features{hint}")
    return columns[name]


class AlignedInput:
    """Reads predictions, actuals or times for each chunk of features."""

    def __init__(self, what: str, values: Any, outputs: Outputs, *, is_stream: bool) -> None:
        self._what, self._outputs = what, outputs
        self._function: Callable[[Any], Any] | None = values if callable(values) else None
        self._parts: Iterator[Any] | None = None
        if values is None or callable(values):
            return
        if hasattr(values, "__next__") != is_stream:
            expected = "in chunks: expected an" if is_stream else "whole: expected no"
            raise SchemaError(
                f"{what}: features are {expected} iterator of chunks; a function of a "
                "chunk fits both"
            )
        self._parts = values if is_stream else iter([values])

    def next_fields(
        self, chunk: Any, rows: int, *, most: int | None = None
    ) -> Mapping[str, Values]:
        """Return the values of each output for the rows of `chunk`."""
        if self._function is not None:
            values = self._function(chunk)
        elif self._parts is not None:
            try:
                values = next(self._parts)
            except StopIteration:
                raise SchemaError(f"{self._what}: fewer chunks than features have") from None
        else:
            return {}
        fields = _read_fields(values, rows, self._what, self._outputs)
        if most is not None and len(fields) > most:
            raise SchemaError(f"{self._what}: expected one value a row, got {len(fields)} columns")
        return {check_column_name(name): column for name, column in fields.items()}

    def finish(self) -> None:
        """Raise SchemaError if this input has more chunks than the features."""
        if self._parts is not None and next(self._parts, self) is not self:
            raise SchemaError(f"{self._what}: more chunks than features have")


def _read_fields(values: Any, rows: int, what: str, outputs: Outputs) -> Mapping[str, Values]:
    expected = f"{what}: expected one for each of the {rows} rows"
    if isinstance(values, str) and rows != 1:
        raise SchemaError(
            f"{expected}, got one text: pass the column itself, such as frame['{what}'], and "
            "features without it; a name stands for a column of Spark and Dask frames alone"
        )
    if values is None or isinstance(values, set | frozenset) or hasattr(values, "__next__"):
        raise SchemaError(f"{expected}, got {type(values).__name__}")
    copied = list(values) if isinstance(values, range) else copy_result(values)
    reader = PredictionColumns(outputs)
    fields = reader.read_batch(copied, rows)
    if reader.fault is not None:
        raise SchemaError(reader.fault.replace("prediction", what, 1).replace("names=", "classes="))
    is_one_value = rows == 1 and (isinstance(copied, _TEXTS) or not hasattr(copied, "__iter__"))
    for column in fields.values():
        is_spread = len(column) > 0 and column[0] is copied and not is_one_value
        if is_spread or len(column) != rows or _holds_collections(column):
            raise SchemaError(f"{expected}, got {_describe(copied, rows)}")
    return fields


def _holds_collections(column: Values) -> bool:
    """Whether the value of any row is a collection, such as a list of outputs."""
    if isinstance(column, np.ndarray):
        return False
    return any(isinstance(value, list | tuple | dict | np.ndarray) for value in column)


def _describe(values: Any, rows: int) -> str:
    """Describe an input that is not one value per row, without disclosing values."""
    if not hasattr(values, "__len__") or isinstance(values, _TEXTS):
        return f"one {type(values).__name__}"
    if isinstance(values, Mapping):
        return "columns of another length"
    if len(values) != rows:
        return str(len(values))
    shape = getattr(values, "shape", (rows,))
    widths = set(shape[1:]) or {len(row) if hasattr(row, "__len__") else 1 for row in values}
    return f"rows of {widths.pop() if len(widths) == 1 else 'several'} values"


def feature_columns(features: Any, names: Sequence[str] = ()) -> tuple[dict[str, Values], int]:
    """Return columns by name, and the number of rows.

    Raises:
        SchemaError: `features` cannot be read as rows or columns, columns differ in length or share
            a name, or an array has no `names`.
    """
    if isinstance(features, Mapping):
        columns = {
            name: _copy_column(name, column)
            for name, column in zip(check_column_names(features), features.values(), strict=True)
        }
    else:
        columns = _read_features(features, check_column_names(names))
    rows = max(map(len, columns.values()), default=0)
    for name, column in columns.items():
        if len(column) != rows:
            raise SchemaError(f"column {name!r}: expected {rows} rows, got {len(column)}")
    return columns, rows


def _read_features(features: Any, names: Sequence[str]) -> dict[str, Values]:
    form, rows, payload = _copy_features(features)
    match form:
        case PayloadForm.FRAME:
            return _read_frame_columns(payload, rows)
        case PayloadForm.MAPPING:
            return _read_row_columns([payload])
        case PayloadForm.MAPPINGS:
            return _read_row_columns(payload)
        case PayloadForm.MATRIX:
            _check_width(payload.shape[1], names)
            return {name: payload[:, at] for at, name in enumerate(names)}
        case PayloadForm.SEQUENCES:
            return _read_sequence_columns(payload, names)
        case _:
            raise SchemaError(
                "features: expected a frame in memory, columns by name, a two-dimensional array, "
                f"rows, or an iterator of chunks of these; got {_describe_type(features)}"
            )


def _copy_features(features: Any) -> Copied:
    if hasattr(features, "to_frame"):  # a series could be a column or a row
        return copy_unreadable(features)
    kind = type(features)
    try:
        if is_frame(kind) and hasattr(kind, "__len__"):
            return PayloadForm.FRAME, len(features), frame_owner(kind)(features)
        return Copiers()[kind](features)
    except SchemaError:
        raise
    except (TypeError, ValueError):  # such as lazy or grouped frames
        return copy_unreadable(features)


def _describe_type(features: Any) -> str:
    if isinstance(features, list | tuple):
        return "no rows" if not features else f"a list of {type(features[0]).__name__}"
    dimensions = getattr(features, "ndim", None)
    kind = type(features).__name__
    return kind if dimensions is None else f"{kind} of {dimensions} dimensions"


def _read_frame_columns(native: Any, rows: int) -> dict[str, Values]:
    narwhals = import_extra("narwhals", extra="frames")
    try:
        frame = narwhals.from_native(native, eager_only=True)
        names = check_column_names(frame.columns)
    except narwhals.exceptions.DuplicateError:
        twice = f"column {find_twice(native.columns)!r}: " if hasattr(native, "columns") else ""
        raise SchemaError(f"{twice}expected each column name once: rename one of them") from None
    table = ColumnTable(dict(zip(names, frame.iter_columns(), strict=True)), rows)
    columns = {name: table.column(name) for name in names}
    return {name: column for name, column in columns.items() if column is not None}


def _read_row_columns(rows: Sequence[Mapping[Any, object] | None]) -> dict[str, Values]:
    rows_by_name: list[Mapping[Any, object]] = []
    for at, row in enumerate(rows):
        if row is None:
            raise SchemaError(f"features: row {at}: expected values by name, as the others have")
        is_text = all(isinstance(key, str) for key in row)
        names = row if is_text else check_column_names(row)
        rows_by_name.append(dict(zip(names, row.values(), strict=True)))
    table = MappingTable(rows_by_name)
    columns = {name: table.column(name) for name in check_column_names(table.names())}
    return {name: column for name, column in columns.items() if column is not None}


def _read_sequence_columns(
    rows: Sequence[Sequence[object]], names: Sequence[str]
) -> dict[str, Values]:
    _check_width(len(rows[0]), names)
    for at, row in enumerate(rows):
        if len(row) != len(names):
            raise SchemaError(f"features: row {at}: expected {len(names)} values, got {len(row)}")
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _check_width(width: int, names: Sequence[str]) -> None:
    if len(names) != width:
        msg = f"names: expected {width}, one for each column of the features, got {len(names)}"
        raise SchemaError(f"{msg}: pass names= with {width} of them")


def _copy_column(name: str, column: Any) -> Values:
    """Copy one column of a mapping in the same way as `record`: as an array, or else as a list."""
    values = None
    with suppress(Exception):  # an object that raises is not a column
        values = list(column) if isinstance(column, range) else copy_result(column)
    if isinstance(values, np.ndarray) and values.ndim == 2:
        values = values.reshape(-1) if values.shape[1] == 1 else list(values)
    is_one_dimensional = is_column(values) and getattr(values, "ndim", 1) == 1
    if isinstance(column, set | frozenset) or not is_one_dimensional:
        raise SchemaError(
            f"column {name!r}: expected a sequence of values, got {_describe_type(column)}; "
            "features that are a mapping hold a column under each name"
        )
    return cast("Values", values)
