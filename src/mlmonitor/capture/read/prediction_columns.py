"""Convert a model's results, in any form, to prediction fields.

One output is called `prediction`. Several are `prediction.<name>`: the keys of a mapping, the
declared names of an array's columns, or their positions. Class probabilities become one field per
class, and `prediction` is the label of the most probable one. For a list with an array per output
the fields are `prediction.<output>` and `prediction.<output>.<name>`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frames import is_prediction_frame
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.outputs import PREDICTION, Outputs, is_output_list
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.tables import batch_table
from mlmonitor.capture.values import Values
from mlmonitor.records import ABSENT

NamedColumns = dict[str, Values]
"""Columns by the name of their output; a single output is called ""."""


class PredictionColumns:
    """Reads the predictions of many calls, or of one batch, as an `Outputs` describes."""

    __slots__ = ("_outputs", "fault")

    def __init__(self, outputs: Outputs) -> None:
        self.fault: str | None = None
        """Why a prediction did not fit the declared outputs; None if all did."""
        self._outputs = outputs

    def read_calls(self, predictions: Sequence[Any], rows: Sequence[int]) -> NamedColumns:
        """Prediction fields of consecutive calls; call `i` predicted `rows[i]` rows.

        A call whose prediction does not fit its rows gets one value of a wrong type per row, so
        that the other calls stay aligned. A failed call gets values that count as absent.
        """
        if rows.count(1) == len(rows) and all(map(is_value, set(map(type, predictions)))):
            first = predictions[0] if len(self._outputs.names) > 1 else None
            if first is not None and first is not ABSENT:
                self._report(len(self._outputs.names), 1, "columns")
            return {PREDICTION: list(predictions)}
        joined = self._join_single(predictions, rows)
        if joined is not None:
            return {PREDICTION: joined}
        calls = [
            {} if prediction is ABSENT else self._read_call(prediction, count)
            for prediction, count in zip(predictions, rows, strict=True)
        ]
        if len(calls) == 1 and calls[0]:
            return calls[0]
        names = list(dict.fromkeys(name for fields in calls for name in fields)) or [PREDICTION]
        columns: dict[str, list[object]] = {name: [] for name in names}
        for fields, count in zip(calls, rows, strict=True):
            filler = None if fields else ABSENT
            for name, column in columns.items():
                column.extend(fields.get(name, [filler] * count))
        return dict(columns)

    def _join_single(
        self, predictions: Sequence[Any], rows: Sequence[int]
    ) -> np.ndarray[Any, Any] | None:
        """Join the predictions of calls; None unless all returned an array of one number."""
        first = predictions[0] if predictions else None
        is_plain = self._outputs.kind == "value" and not (
            self._outputs.names or self._outputs.groups
        )
        if type(first) is not np.ndarray or first.dtype.kind not in "fiub" or not is_plain:
            return None
        is_same = rows.count(1) == len(rows) and all(
            type(prediction) is np.ndarray
            and prediction.shape == (1,)
            and prediction.dtype == first.dtype
            for prediction in predictions
        )
        return np.concatenate(predictions) if is_same else None

    def read_batch(self, prediction: Any, rows: int) -> NamedColumns:
        """Return the fields of one batch; a `prediction` that does not fit fills every row."""
        return self._read_fields(prediction, rows) or {PREDICTION: [prediction] * rows}

    def _read_call(self, prediction: Any, rows: int) -> NamedColumns:
        """Return the fields of one call, or values of a wrong type if it does not fit the rows."""
        fields = self._read_fields(prediction, rows)
        if not fields and rows > 1 and isinstance(prediction, list | np.ndarray):
            self.fault = self.fault or (
                f"prediction: expected one for each of the {rows} rows, got {len(prediction)}"
            )
        return fields or {PREDICTION: [_mark_misfit(prediction)] * rows}

    def _read_fields(self, prediction: Any, rows: int) -> NamedColumns:
        """Return the fields of one result; empty if it does not fit the rows."""
        if is_output_list(prediction, rows):
            if len(prediction) > 1:
                return self._read_output_list(prediction)
            (prediction,) = prediction
        if isinstance(prediction, Mapping):
            columns = _read_mapping(prediction, rows)
        elif is_prediction_frame(prediction):
            columns = _read_frame(prediction, rows)
        elif isinstance(prediction, list):
            columns = self._read_list(prediction, rows)
        else:
            columns = self._read_array(prediction, rows)
        return self._finish(columns, PREDICTION)

    def _finish(self, columns: NamedColumns, output: str) -> NamedColumns:
        """Name the columns of one output; add the label if they are class probabilities."""
        fields = {f"{output}.{name}" if name else output: c for name, c in columns.items()}
        if self._outputs.kind == "probabilities" and len(columns) > 1:
            fields[output] = _find_likeliest(columns)
        return fields

    def _read_output_list(self, arrays: Sequence[np.ndarray[Any, Any]]) -> NamedColumns:
        """Read a list of one array per output, as returned by Keras and by `predict_proba`."""
        outputs, fields = self._outputs, NamedColumns()
        has_names = len(outputs.names) == len(arrays)
        groups = outputs.groups if len(outputs.groups) == len(arrays) else [()] * len(arrays)
        if (outputs.names and not has_names) or len(groups) < len(outputs.groups):
            self._report(len(outputs.names or outputs.groups), len(arrays), "outputs")
        for place, (matrix, group) in enumerate(zip(arrays, groups, strict=True)):
            output = f"{PREDICTION}.{outputs.names[place] if has_names else place}"
            names = group or _name_positions(matrix.shape[1])
            if len(names) != matrix.shape[1]:
                self._report(len(names), matrix.shape[1], "columns")
                names = _name_positions(matrix.shape[1])
            columns: NamedColumns = {name: matrix[:, i] for i, name in enumerate(names)}
            fields |= self._finish(columns, output)
        return fields

    def _read_list(self, prediction: list[Any], rows: int) -> NamedColumns:
        """Read a list of values, rows or mappings; empty unless it has one entry per row."""
        if len(prediction) == rows:
            if _are_mostly(_is_mapping, prediction):
                return _read_mappings(prediction)
            if _are_mostly(_is_row, prediction):
                return self._read_rows(prediction)
            if len(self._outputs.names) < 2:
                return {"": prediction}
        return self._read_rows([prediction]) if rows == 1 else {}

    def _read_rows(self, prediction: Sequence[Any]) -> NamedColumns:
        """Read outputs by position; a row of unexpected width becomes values of a wrong type."""
        widths = Counter(len(row) for row in prediction if _is_row(row))
        width = widths.most_common(1)[0][0]
        names = self._name_columns(width)
        if len(names) != width:
            self._report(len(names), width, "columns")
        whole = [
            row if _is_row(row) and len(row) == len(names) else [_mark_misfit(row)] * len(names)
            for row in prediction
        ]
        return {name: [row[i] for row in whole] for i, name in enumerate(names)}

    def _read_array(self, prediction: Any, rows: int) -> NamedColumns:
        """Read an array or a single value; empty unless there is one entry per row."""
        if is_value(type(prediction)):
            return {"": [prediction]} if rows == 1 else {}
        array = np.asarray(prediction)
        if array.ndim == 1 and array.dtype.hasobject:
            return self._read_list(array.tolist(), rows)
        if array.size == rows and array.ndim <= 2 and len(self._outputs.names) < 2:
            return {"": array.reshape(rows)}
        matrix = array.reshape(1, -1) if array.ndim == 1 and rows == 1 else array
        if matrix.ndim != 2 or len(matrix) != rows:
            return {}
        names = self._name_columns(matrix.shape[1])
        if len(names) != matrix.shape[1]:
            self._report(len(names), matrix.shape[1], "columns")
            return {}
        return {name: matrix[:, i] for i, name in enumerate(names)}

    def _name_columns(self, width: int) -> Sequence[str]:
        """Return the declared names of the columns or else their positions; "" for a single one."""
        return self._outputs.names if len(self._outputs.names) > 1 else _name_positions(width)

    def _report(self, expected: int, got: int, what: str) -> None:
        self.fault = (
            f"prediction: expected {expected} {what}, one for each of names=, got {got}: "
            "name all of them, in their order"
        )


def _name_positions(width: int) -> Sequence[str]:
    return [str(i) for i in range(width)] if width > 1 else [""]


def _read_mapping(prediction: Mapping[Any, Any], rows: int) -> NamedColumns:
    """Read the columns of a mapping; a column that does not fit gets values of a wrong type."""
    columns: NamedColumns = {}
    for key, value in prediction.items():
        if isinstance(value, np.ndarray) and value.size == rows and value.ndim <= 2:
            columns[str(key)] = value.reshape(rows)
        elif isinstance(value, list) and len(value) == rows:
            columns[str(key)] = value
        elif rows == 1 and is_value(type(value)):
            columns[str(key)] = [value]
        else:
            columns[str(key)] = [_mark_misfit(value)] * rows
    return columns


def _read_mappings(prediction: Sequence[Any]) -> NamedColumns:
    """Read rows that map names to outputs; an output that a row does not name is missing."""
    rows = [
        {str(key): value for key, value in row.items()} if isinstance(row, Mapping) else row
        for row in prediction
    ]
    names = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    return {
        name: [row.get(name) if isinstance(row, dict) else _mark_misfit(row) for row in rows]
        for name in names
    }


def _read_frame(prediction: Any, rows: int) -> NamedColumns:
    table = batch_table(PayloadForm.FRAME, prediction, rows)
    columns = {name: table.column(name) for name in table.names()}
    return {name: column for name, column in columns.items() if column is not None}


def _mark_misfit(prediction: Any) -> Any:
    """Return what each row gets if a result does not fit: None, or a value of a wrong type."""
    return [prediction] if prediction is not None and is_value(type(prediction)) else prediction


def _find_likeliest(columns: NamedColumns) -> list[object]:
    """Return the name of the most probable class in each row; ties go to the first.

    A row in which any probability is missing has no label.
    """
    matrix = np.stack([parse_floats(column)[0] for column in columns.values()])
    classes = np.array([*columns, None], object)
    is_complete = ~np.isnan(matrix).any(axis=0)
    best = np.where(is_complete, np.argmax(np.where(is_complete, matrix, 0.0), axis=0), -1)
    labels: list[object] = classes[best].tolist()
    return labels


def _is_row(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_mostly(is_kind: Callable[[Any], bool], prediction: Sequence[Any]) -> bool:
    """Whether at least half of the items other than None satisfy `is_kind`."""
    count = sum(map(is_kind, prediction))
    return count > 0 and 2 * count >= sum(value is not None for value in prediction)
