"""A model's results as prediction fields, whatever shape they come in.

One output is called `prediction`. Several are `prediction.<name>`: the keys of a mapping, the
declared names of an array's columns, or their positions. Class probabilities become one field a
class, and `prediction` is the label of the most probable one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.frames import is_prediction_frame
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.outputs import PREDICTION, Outputs
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.tables import batch_table
from mlmonitor.capture.values import Values
from mlmonitor.records import ABSENT


class PredictionColumns:
    """Reads predictions by one `Outputs`, many calls or one batch at a time."""

    __slots__ = ("_outputs",)

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def columns(self, predictions: Sequence[Any], rows: Sequence[int]) -> dict[str, Values]:
        """Prediction fields of consecutive calls; call `i` predicted `rows[i]` rows.

        A call's prediction that does not fit its rows is one wrong value a row, so its neighbours
        stay in place; a call that failed has none.
        """
        if rows.count(1) == len(rows) and all(map(is_value, set(map(type, predictions)))):
            return {PREDICTION: list(predictions)}
        parts = [
            {} if prediction is ABSENT else self._columns(prediction, count)
            for prediction, count in zip(predictions, rows, strict=True)
        ]
        if len(parts) == 1 and parts[0]:
            return parts[0]
        names = list(dict.fromkeys(name for part in parts for name in part)) or [PREDICTION]
        joined: dict[str, list[object]] = {name: [] for name in names}
        for part, count in zip(parts, rows, strict=True):
            filler = None if part else ABSENT
            for name, column in joined.items():
                column.extend(part.get(name, [filler] * count))
        return dict(joined)

    def batch(self, prediction: Any, rows: int) -> dict[str, Values]:
        """Prediction fields of one batch; `prediction` itself in each row where it does not fit."""
        return self._fields(prediction, rows) or {PREDICTION: [prediction] * rows}

    def _columns(self, prediction: Any, rows: int) -> dict[str, Values]:
        """Prediction fields of one call; a wrong value in each row where it does not fit."""
        return self._fields(prediction, rows) or {PREDICTION: [_misfit(prediction)] * rows}

    def _fields(self, prediction: Any, rows: int) -> dict[str, Values]:
        """Each output's values, arrays where it came in arrays; empty if nothing fits."""
        if isinstance(prediction, Mapping):
            named = _of_mapping(prediction, rows)
        elif is_prediction_frame(prediction):
            named = _of_frame(prediction, rows)
        elif isinstance(prediction, list):
            named = self._of_list(prediction, rows)
        else:
            named = self._of_array(prediction, rows)
        return _labelled(named) if self._outputs.kind == "probabilities" else _prefixed(named)

    def _of_list(self, prediction: list[Any], rows: int) -> dict[str, Values]:
        """Each output's values; empty where there is not one entry a row."""
        if len(prediction) == rows:
            if _holds(_is_mapping, prediction):
                return _of_mappings(prediction)
            if _holds(_is_row, prediction):
                return self._of_rows(prediction)
            if len(self._outputs.names) < 2:
                return {"": prediction}
        return self._of_rows([prediction]) if rows == 1 else {}

    def _of_rows(self, prediction: Sequence[Any]) -> dict[str, Values]:
        """Outputs by position, as many as most rows have; a row of another width is a bad one."""
        widths = Counter(len(row) for row in prediction if _is_row(row))
        names = self._names(widths.most_common(1)[0][0])
        whole = [
            row if _is_row(row) and len(row) == len(names) else [_misfit(row)] * len(names)
            for row in prediction
        ]
        return {name: [row[at] for row in whole] for at, name in enumerate(names)}

    def _of_array(self, prediction: Any, rows: int) -> dict[str, Values]:
        """Each output's values; empty where there is not one entry a row."""
        if is_value(type(prediction)):
            return {"": [prediction]} if rows == 1 else {}
        array = np.asarray(prediction)
        if array.ndim == 1 and array.dtype.hasobject:
            return self._of_list(array.tolist(), rows)
        if array.size == rows and array.ndim <= 2 and len(self._outputs.names) < 2:
            return {"": array.reshape(rows)}
        matrix = array.reshape(1, -1) if array.ndim == 1 and rows == 1 else array
        if matrix.ndim != 2 or len(matrix) != rows:
            return {}
        names = self._names(matrix.shape[1])
        if len(names) != matrix.shape[1]:
            return {}
        return {name: matrix[:, at] for at, name in enumerate(names)}

    def _names(self, width: int) -> Sequence[str]:
        """What several columns are called: as declared, or by position; one alone has no name."""
        if len(self._outputs.names) > 1:
            return self._outputs.names
        return [str(at) for at in range(width)] if width > 1 else [""]


def _of_mapping(prediction: Mapping[Any, Any], rows: int) -> dict[str, Values]:
    """The columns of a mapping; one that does not fit is one wrong value a row."""
    named: dict[str, Values] = {}
    for name, value in prediction.items():
        if isinstance(value, np.ndarray) and value.size == rows and value.ndim <= 2:
            named[str(name)] = value.reshape(rows)
        elif isinstance(value, list) and len(value) == rows:
            named[str(name)] = value
        elif rows == 1 and is_value(type(value)):
            named[str(name)] = [value]
        else:
            named[str(name)] = [_misfit(value)] * rows
    return named


def _of_mappings(prediction: Sequence[Any]) -> dict[str, Values]:
    """The columns of rows that name their outputs; an output not named is missing."""
    rows = [
        {str(key): value for key, value in row.items()} if isinstance(row, Mapping) else row
        for row in prediction
    ]
    names = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    return {
        name: [row.get(name) if isinstance(row, dict) else _misfit(row) for row in rows]
        for name in names
    }


def _of_frame(prediction: Any, rows: int) -> dict[str, Values]:
    table = batch_table(PayloadForm.FRAME, prediction, rows)
    columns = {name: table.column(name) for name in table.names()}
    return {name: column for name, column in columns.items() if column is not None}


def _misfit(prediction: Any) -> Any:
    """What stands in each row for a prediction that is not one: a wrong type, or still nothing."""
    return [prediction] if prediction is not None and is_value(type(prediction)) else prediction


def _prefixed(named: Mapping[str, Values]) -> dict[str, Values]:
    return {
        f"{PREDICTION}.{name}" if name else PREDICTION: column for name, column in named.items()
    }


def _labelled(named: Mapping[str, Values]) -> dict[str, Values]:
    """The fields of the classes, and the label of the likeliest; ties go to the first.

    A row that lacks the probability of any class has no label. A single column is no choice among
    classes: it stays a value.
    """
    fields = _prefixed(named)
    if len(named) > 1:
        matrix = np.stack([parse_floats(column)[0] for column in named.values()])
        classes = np.array([*named, None], object)
        known = ~np.isnan(matrix).any(axis=0)
        best = np.where(known, np.argmax(np.where(known, matrix, 0.0), axis=0), -1)
        fields[PREDICTION] = classes[best].tolist()
    return fields


def _is_row(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _holds(is_kind: Callable[[Any], bool], prediction: Sequence[Any]) -> bool:
    """Whether half of these or more are of a kind: then another among them is the bad one."""
    found = sum(map(is_kind, prediction))
    return found > 0 and 2 * found >= sum(each is not None for each in prediction)
