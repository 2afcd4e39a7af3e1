"""Read rows of any source in chunks: frames, columns, readers, datasets, iterators."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mlmonitor.capture.frames import is_frame
from mlmonitor.errors import ConfigError
from mlmonitor.records import Kind, Role
from mlmonitor.reference.reference import Reference

_PAIR = 2


class RowChunk(NamedTuple):
    """A chunk of rows: their features, and their predictions or None."""

    features: Any
    predictions: Any


class ColumnRoles:
    """Decides which columns are predictions or actuals, by their names in the reference.

    prediction: the column of the predictions, if its name differs from that in training.
    """

    def __init__(self, reference: Reference, prediction: str | None = None) -> None:
        fields = [field for field in reference.fields if field.role is not Role.DERIVED]
        features = {field.name for field in fields if field.role is Role.FEATURE}
        names = [field.name for field in fields if field.role is Role.PREDICTION]
        self._outputs = {name: name for name in names if name not in features}
        if prediction is not None:
            self._outputs = {prediction: names[0] if names else "prediction"}
        actuals = {field.name for field in fields if field.role is Role.ACTUAL}
        self._left_out = actuals - features
        renamed = {output: column for column, output in self._outputs.items()}
        self.kinds: Mapping[str, Kind] = {renamed.get(f.name, f.name): f.kind for f in fields}

    def split(self, rows: Any) -> RowChunk:
        """Separate features from predictions in rows with named columns, and drop the actuals."""
        rows = _to_frame(rows)
        names = _list_column_names(rows)
        outputs = {new: rows[old] for old, new in self._outputs.items() if old in names}
        others = {*self._outputs, *self._left_out} & set(names)
        if others:
            rows = _select(rows, [name for name in names if name not in others])
        is_plain = list(outputs) == ["prediction"]
        return RowChunk(rows, outputs["prediction"] if is_plain else outputs or None)


def read_chunks(data: Any, predictions: Any, roles: ColumnRoles) -> Iterator[RowChunk]:
    """Yield a frame, columns, an array or a list of rows as it is; read other sources in chunks.

    A chunk is a frame, columns, an array, or a pair of features and predictions.

    Raises:
        ConfigError: `data` is not a source of rows, or arrives in chunks although `predictions` are
            given.
    """
    if _is_whole(data):
        yield roles.split(data) if predictions is None else RowChunk(_to_frame(data), predictions)
        return
    chunks = data.to_batches() if hasattr(data, "to_batches") else data
    if isinstance(chunks, str | bytes) or not hasattr(chunks, "__iter__"):
        raise ConfigError(
            "features: expected a frame, columns, an array, rows, or an iterator of them, got "
            f"{type(data).__name__}; Profile.read reads files"
        )
    if predictions is not None:
        raise ConfigError(
            "predictions: expected none with chunks: give pairs of features and predictions"
        )
    for chunk in chunks:
        is_pair = isinstance(chunk, tuple) and len(chunk) == _PAIR
        yield RowChunk(_to_frame(chunk[0]), chunk[1]) if is_pair else roles.split(chunk)


def _is_whole(data: Any) -> bool:
    """Whether all rows are in memory; pyarrow's datasets and readers are read in chunks instead."""
    is_rows = isinstance(data, Mapping | list | tuple) or hasattr(data, "__array_interface__")
    return is_rows or is_frame(type(_to_frame(data)))


def _to_frame(rows: Any) -> Any:
    """Convert a pyarrow record batch to a table; return anything else unchanged."""
    if type(rows).__module__.startswith("pyarrow") and type(rows).__name__ == "RecordBatch":
        import pyarrow as pa

        return pa.Table.from_batches([rows])
    return rows


def _list_column_names(rows: Any) -> list[Any]:
    if isinstance(rows, Mapping):
        return list(rows)
    if is_frame(type(rows)):
        return list(rows.column_names if hasattr(rows, "column_names") else rows.columns)
    return []


def find_names(rows: Any) -> list[str] | None:
    """Return the column names of some rows; None if their values are given by position."""
    if isinstance(rows, Mapping) or is_frame(type(rows)):
        return list(map(str, _list_column_names(rows)))
    if isinstance(rows, list | tuple) and rows and all(isinstance(row, Mapping) for row in rows):
        return list(dict.fromkeys(str(name) for row in rows for name in row))
    return None


def _select(rows: Any, names: list[str]) -> Any:
    if isinstance(rows, Mapping):
        return {name: rows[name] for name in names}
    return rows.select(names) if hasattr(rows, "select") else rows[names]
