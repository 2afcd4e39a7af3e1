"""Copy the features that the host passes, in the cheapest form that keeps every value.

A copier turns features into `(form, rows, payload)`. Rows, matrices and columns are copied; single
values are kept, since numbers and texts are immutable. A container inside a row is neither copied
nor read: it counts as a value of a wrong type. The worker validates; nothing is validated here.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np

from mlmonitor.capture.form import PLAIN_TYPES, UNREADABLE_ROW, Copied, PayloadForm
from mlmonitor.capture.frame_rows import copy_frame_row
from mlmonitor.capture.frames import check_collected, frame_owner, is_frame, package_of, series_row
from mlmonitor.capture.host.model_matrices import MatrixReader, find_matrix_reader
from mlmonitor.capture.values import UNREADABLE, unmask
from mlmonitor.errors import SchemaError

Copier = Callable[[Any], Copied]


# Reading an enum member from its class costs twice as much as building the tuple.
_MAPPING, _SEQUENCE, _ARRAY = PayloadForm.MAPPING, PayloadForm.SEQUENCE, PayloadForm.ARRAY

SPARSE_VALUES = 100_000
"""A larger sparse matrix is not read, because it would be made dense in the host's thread."""

_TYPES_KEPT = 1_024  # a service that creates types at run time must not fill the memory
_SCALARS = (str, bytes, Number, date, timedelta, np.generic, type(None), Enum)


class Copiers(dict[type, Copier]):
    """Maps a type of features to its copier, which is chosen at the first use."""

    def __missing__(self, kind: type) -> Copier:
        if len(self) >= _TYPES_KEPT:
            self.clear()
        copier = _choose_copier(kind)
        self[kind] = copier
        return copier


def copy_mapping(features: Mapping[str, object]) -> Copied:
    """Copy one row of named values."""
    return _MAPPING, 1, dict(features)


def copy_unreadable(_features: object) -> Copied:
    """Return the payload for features that cannot be read as a row."""
    return UNREADABLE_ROW


def copy_array(array: np.ndarray[Any, Any]) -> Copied:
    """Copy a vector as one row, a matrix as rows; a numeric vector is copied as its bytes."""
    if type(array) is not np.ndarray:
        array = unmask(array)
    dtype = array.dtype
    if array.ndim == 1 and dtype.kind in "fiubMm" and array.size:
        return _ARRAY, 1, (dtype, array.tobytes())
    if dtype.names is not None:
        return copy_sequence(_copy_records(array.reshape(-1)))
    if array.ndim == 1:
        return copy_sequence(array.tolist())
    if array.ndim == 2:
        return PayloadForm.MATRIX, len(array), array.copy()
    rows = len(array) if array.ndim else 1
    return PayloadForm.UNREADABLE, rows, rows


def copy_sequence(features: Sequence[Any]) -> Copied:
    """Copy a sequence of values as one row; copy a sequence of rows, or an empty one, as a batch.

    If rows and values are mixed, the majority decides and the others are invalid. A row of named
    values cannot be a value, so one such row makes the sequence a batch.
    """
    if PLAIN_TYPES.issuperset(map(type, features)):
        if not features:
            return PayloadForm.MAPPINGS, 0, []
        return _SEQUENCE, 1, tuple(features)
    copied = [_copy_row(row) for row in features]
    forms = Counter(form for form, _ in copied)
    if forms[_MAPPING]:
        return PayloadForm.MAPPINGS, len(copied), _keep_form(_MAPPING, copied, empty={}, bad=None)
    if forms[_SEQUENCE] > 0 and forms[_SEQUENCE] >= forms[PayloadForm.UNREADABLE]:
        return (
            PayloadForm.SEQUENCES,
            len(copied),
            _keep_form(_SEQUENCE, copied, empty=(), bad=UNREADABLE),
        )
    return _SEQUENCE, 1, tuple(features)


def _copy_row(row: Any) -> tuple[PayloadForm | None, Any]:
    """Copy one row of a batch as MAPPING or SEQUENCE; an error makes only this row unreadable."""
    if row is None:
        return None, None
    try:
        if isinstance(row, list | tuple) and not hasattr(row, "_fields"):
            return _SEQUENCE, tuple(row)
        form, _, payload = ROW_COPIERS[type(row)](row)
    except Exception:  # noqa: BLE001 - a hostile row: the others are kept
        return PayloadForm.UNREADABLE, None
    if form is _ARRAY:
        return _SEQUENCE, tuple(np.frombuffer(payload[1], payload[0]))
    return (form, payload) if form in (_MAPPING, _SEQUENCE) else (PayloadForm.UNREADABLE, None)


def _keep_form(
    form: PayloadForm, copied: Sequence[tuple[PayloadForm | None, Any]], *, empty: Any, bad: Any
) -> Any:
    """Keep payloads of `form`; replace a row of None by `empty`, and any other form by `bad`."""
    return [
        payload if row_form is form else (empty if row_form is None else bad)
        for row_form, payload in copied
    ]


def _choose_copier(kind: type) -> Copier:
    by_base: list[tuple[type | tuple[type, ...], Copier]] = [
        (np.ndarray, copy_array),
        (Mapping, copy_mapping),
        (list, copy_sequence),
        (tuple, _copy_named if hasattr(kind, "_fields") else copy_sequence),
        (np.void, _copy_record),
    ]
    for base, copier in by_base:
        if issubclass(kind, base):
            return copier
    if kind.__module__.startswith("scipy.sparse") and hasattr(kind, "toarray"):
        return _copy_sparse
    read_matrix = find_matrix_reader(kind)
    if read_matrix is not None:
        return lambda matrix: _copy_matrix(matrix, read_matrix)
    return _make_object_copier(kind) if package_of(kind) is None else _make_frame_copier(kind)


def _copy_sparse(matrix: Any) -> Copied:
    """Copy a sparse matrix as a dense one; raise SchemaError beyond `SPARSE_VALUES` values."""
    _check_size("a sparse matrix", math.prod(matrix.shape))
    return copy_array(matrix.toarray())


def _copy_matrix(matrix: Any, read_matrix: MatrixReader) -> Copied:
    """Copy a matrix of XGBoost or CatBoost; raise SchemaError beyond `SPARSE_VALUES` values."""
    _check_size("a matrix", matrix.num_row() * matrix.num_col())
    values, names = read_matrix(matrix)
    if not names:
        return PayloadForm.MATRIX, len(values), values
    return PayloadForm.COLUMNS, len(values), dict(zip(names, values.T, strict=True))


def _check_size(what: str, values: int) -> None:
    if values > SPARSE_VALUES:
        raise SchemaError(
            f"features: expected {what} of at most {SPARSE_VALUES:,} values, zeros "
            "included: watch its source, or a dense part of it"
        )


def _copy_named(row: Any) -> Copied:
    return _MAPPING, 1, row._asdict()


def _copy_records(array: np.ndarray[Any, Any]) -> list[dict[str, object]]:
    """List the rows of a structured array; times stay numpy scalars, to keep their resolution."""
    names = array.dtype.names or ()
    columns = [
        list(array[name]) if array[name].dtype.kind in "Mm" else array[name].tolist()
        for name in names
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _copy_record(record: Any) -> Copied:
    """Copy one row of a structured array."""
    if record.dtype.names is None:
        return copy_unreadable(record)
    return _MAPPING, 1, _copy_records(np.array([record], record.dtype))[0]


def _make_object_copier(kind: type) -> Copier:
    """Copier for pydantic models, dataclasses, attrs classes, msgspec structs, plain objects."""
    if hasattr(kind, "model_fields") and hasattr(kind, "__pydantic_validator__"):
        return _copy_model
    names = getattr(kind, "__struct_fields__", None)
    if dataclasses.is_dataclass(kind):
        names = tuple(field.name for field in dataclasses.fields(kind))
    elif hasattr(kind, "__attrs_attrs__"):
        names = tuple(field.name for field in kind.__attrs_attrs__)
    if names is not None:
        return lambda row: (_MAPPING, 1, {name: getattr(row, name, None) for name in names})
    if issubclass(kind, _SCALARS):
        return copy_unreadable
    if hasattr(kind, "__array__"):
        return lambda tensor: copy_array(np.asarray(tensor))
    has_items = getattr(kind, "__dictoffset__", 0) != 0
    return _copy_attributes if has_items else copy_unreadable


def _copy_attributes(row: object) -> Copied:
    return _MAPPING, 1, dict(vars(row))


def _copy_model(model: Any) -> Copied:
    row = dict(model.__dict__)
    if getattr(model, "__pydantic_root_model__", False):
        return ROW_COPIERS[type(row["root"])](row["root"])
    if model.__pydantic_extra__:
        row.update(model.__pydantic_extra__)
    return _MAPPING, 1, row


def _make_frame_copier(kind: type) -> Copier:
    if is_frame(kind):
        if not hasattr(kind, "__len__"):
            return _refuse_lazy
        copy_frame = frame_owner(kind)
        if package_of(kind) == "pandas":
            return lambda frame: _copy_pandas(frame, copy_frame)
        return lambda frame: (PayloadForm.FRAME, len(frame), copy_frame(frame))
    if kind.__name__ == "Series":
        return _copy_series
    return copy_unreadable if is_value(kind) else lambda index: copy_array(np.asarray(index))


def _copy_pandas(frame: Any, copy_frame: Callable[[Any], Any]) -> Copied:
    """Copy a frame; for one row copy only the values, which is up to five times as fast."""
    rows = len(frame)
    values = copy_frame_row(frame) if rows == 1 else None
    if values is None:
        return PayloadForm.FRAME, rows, copy_frame(frame)
    return PayloadForm.FRAME_ROW, 1, (frame.columns, values)


def _refuse_lazy(frame: Any) -> Copied:
    check_collected("features", frame)
    return UNREADABLE_ROW


def _copy_series(series: Any) -> Copied:
    row = series_row(series)
    return (_MAPPING if isinstance(row, dict) else _SEQUENCE), 1, row


ROW_COPIERS: Copiers = Copiers()


class _Values(dict[type, bool]):
    """Caches whether the objects of each type are single values."""

    def __missing__(self, kind: type) -> bool:
        if len(self) >= _TYPES_KEPT:
            self.clear()
        self[kind] = is_single = _is_value(kind)
        return is_single


_VALUES = _Values()


def is_value(kind: type) -> bool:
    """Whether an object of this type is one value, not a row or a collection of values."""
    return _VALUES[kind]


def _is_value(kind: type) -> bool:
    if issubclass(kind, _SCALARS):
        return not issubclass(kind, np.void)
    if hasattr(kind, "__array__") or hasattr(kind, "__len__"):
        return False
    # The remaining types of a frame library are single values: timestamps, missing values, ...
    return package_of(kind) is not None or _make_object_copier(kind) is copy_unreadable
