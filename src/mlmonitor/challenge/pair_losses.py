"""Reads the predictions of two models as numbers, and computes their losses."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.outcomes.class_codes import ClassCodes
from mlmonitor.aggregate.outcomes.outcome_plan import MOST_SCORED_CLASSES
from mlmonitor.buffer.pending import IS_MISSING, IS_UNREADABLE, SAYS_SOMETHING
from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.outputs import PREDICTION, Outputs, output_names
from mlmonitor.capture.read.numbers import category_names, parse_floats
from mlmonitor.capture.read.prediction_columns import PredictionColumns
from mlmonitor.capture.values import Values, plain_values
from mlmonitor.challenge.loss_functions import LOSS_FUNCTIONS, SCORED
from mlmonitor.challenge.running_sums import MOST
from mlmonitor.errors import CallbackError, SchemaError
from mlmonitor.records import Challenger, Counts, Floats, LossName

_PREFIX = f"{PREDICTION}."
_SAMPLE = 64
"""The number of values that decide whether a column holds numbers."""

LossFunction = Callable[[Floats, Floats], Any]
"""A custom loss: takes predictions and actuals, returns one number for each row."""

OutputColumns = Mapping[str, Values]
"""Columns of predictions by name: `prediction`, or `prediction.<output>`."""


def read_predictions(predictions: Any, outputs: Outputs, rows: int) -> OutputColumns:
    """Return the columns of copied predictions by the name of their output.

    Raises:
        SchemaError: the columns do not match the declared names.
    """
    reader = PredictionColumns(outputs)
    columns = reader.read_batch(predictions, rows)
    if reader.fault is not None:
        raise SchemaError(reader.fault)
    return columns


class PairLosses:
    """Reads predictions and actuals as numbers, and computes the loss of each row.

    The first predictions decide which outputs are compared, and the loss if none is declared.
    Predictions are stored as `[rows, width]`: numbers, codes of classes, or scores of classes.
    """

    def __init__(self, challenger: Challenger) -> None:
        self.name: str | None = None
        """The name of the loss; None before the first predictions."""
        self.width: int = 0
        self._own = challenger.loss if callable(challenger.loss) else None
        self._declared = challenger.loss
        self._names = output_names("probabilities", challenger.classes)
        self._classes = ClassCodes(self._names)
        self._outputs: tuple[str, ...] = ()
        self._positions: Mapping[str, str] = {}

    @property
    def has_codes(self) -> bool:
        """Whether predictions are stored as codes of classes."""
        return self.name == "error"

    @property
    def has_classes(self) -> bool:
        """Whether the comparison without labels compares classes rather than numbers."""
        return self.has_codes or self.width > 1

    def begin(self, outputs: OutputColumns) -> bool:
        """Choose the outputs to compare from the first predictions; return whether they are known.

        Raises:
            SchemaError: there are several outputs, and the loss applies to none of them.
        """
        if not self.width and any(map(_has_values, outputs.values())):
            self._choose(outputs)
        return self.width > 0

    def read(self, outputs: OutputColumns) -> Floats:
        """Return the predictions `[rows, width]`; NaN where a row has neither a number nor a class.

        Raises:
            SchemaError: an output that is compared is absent, although others are present.
        """
        if self.has_codes:
            return self._read_classes(outputs)[:, None]
        rows = len(next(iter(outputs.values())))
        numbers = np.full((rows, self.width), np.nan)
        for place, name in enumerate(self._outputs):
            column = self._find(outputs, name)
            if column is not None:
                numbers[:, place] = parse_floats(column)[0]
            elif any(map(_has_values, outputs.values())):
                raise SchemaError(
                    f"challenge: expected the outputs that are compared, {self.width} a row, got "
                    f"{len(outputs)} of other names: record both models alike, with output= and "
                    "names= if they are scores"
                )
        return numbers

    def _find(self, outputs: OutputColumns, name: str) -> Values | None:
        """Return an output by its name, or else by the position of its class; None if absent."""
        column = outputs.get(name)
        if column is None and self.width == 1 and len(outputs) == 1:
            return next(iter(outputs.values()))
        return outputs.get(self._positions.get(name, "")) if column is None else column

    def _choose(self, outputs: OutputColumns) -> None:
        """Choose the outputs, and the loss if none is declared; raise SchemaError if unclear."""
        scores = self._list_scores(outputs)
        numeric = [name for name, values in outputs.items() if _is_numeric(values)]
        are_labels = not numeric or _are_labels(outputs[numeric[0]], self._names)
        name = self._declared or _infer_loss(
            has_scores=bool(scores), has_numbers=not are_labels, has_classes=bool(self._names)
        )
        if name in SCORED and scores:
            self._use_scores(scores)
        elif name != "error":
            first = PREDICTION if PREDICTION in outputs else next(iter(numeric), PREDICTION)
            if first != PREDICTION and len(numeric) > 1:
                raise SchemaError(
                    "challenge: expected one prediction a row, or a score for each of the classes, "
                    f"got {len(numeric)} numbers: declare classes=, or record one of them"
                )
            self._outputs = (first,)
        self.name = name if isinstance(name, str) else getattr(name, "__name__", "loss")
        self.width = max(len(self._outputs), 1)

    def _use_scores(self, scores: Sequence[str]) -> None:
        """Compare the scores of several classes, in the order of the first predictions."""
        names = self._name_scores(scores)
        self._classes = ClassCodes(names)
        self._outputs = tuple(f"{_PREFIX}{name}" for name in names)
        self._positions = dict(zip(self._outputs, scores, strict=True))

    def _list_scores(self, outputs: OutputColumns) -> list[str]:
        """Return the names of outputs that are scores of classes; none unless there are several."""
        others = [name for name in outputs if name != PREDICTION and _is_numeric(outputs[name])]
        are_scores = PREDICTION in outputs or len(others) == len(self._names)
        return others if are_scores and 1 < len(others) <= MOST_SCORED_CLASSES else []

    def _name_scores(self, scores: Sequence[str]) -> list[str]:
        """Return the class of each score: its own name, or else the declared class at its index.

        Raises:
            SchemaError: there are not as many scores as declared classes.
        """
        names = [name.removeprefix(_PREFIX) for name in scores]
        if not self._names or set(names) == set(self._names):
            return names
        if len(names) != len(self._names):
            raise SchemaError(
                f"challenge: expected a score for each of the {len(self._names)} classes, got "
                f"{len(names)}"
            )
        return list(self._names)

    def _read_classes(self, outputs: OutputColumns) -> Floats:
        """Return the code of each row's predicted class, named or with the highest score."""
        scores = self._list_scores(outputs)
        if scores:
            matrix = np.stack([parse_floats(outputs[name])[0] for name in scores], axis=1)
            codes = self._encode(self._name_scores(scores))
            best: Floats = codes[_find_best(matrix)]
            return np.where(np.isnan(matrix).any(axis=1), np.nan, best)
        named = (values for values in outputs.values() if not _is_numeric(values))
        chosen = outputs.get(PREDICTION)
        if chosen is None:
            chosen = next(named, next(iter(outputs.values())))
        return self._encode(list(plain_values(chosen)))

    def _encode(self, values: Sequence[object]) -> Floats:
        codes = self._classes.encode(values).astype(np.float64)
        return np.where(codes < 0, np.nan, codes)

    def read_actuals(self, actuals: Values) -> Floats:
        """Return the actuals as numbers, codes of classes, or indices of scored classes."""
        if self.has_codes:
            return self._encode(list(plain_values(actuals)))
        classes = len(self._classes.names)
        if self.name not in SCORED or not classes:
            numbers = parse_floats(actuals)[0]
            is_class = (numbers == 0) | (numbers == 1)
            return np.where(is_class, numbers, np.nan) if self.name in SCORED else numbers
        codes = self._encode(list(plain_values(actuals)))
        return np.where(codes < max(self.width, 2), codes, np.nan)

    def measure(self, predicted: Floats, actual: Floats) -> Floats:
        """Return each row's loss; NaN if it exceeds `MOST`, or a prediction or actual is missing.

        Raises:
            CallbackError: the custom loss raised, or did not return one number for each row.
        """
        is_present = ~(np.isnan(predicted).any(axis=1) | np.isnan(actual))
        losses = np.full(len(predicted), np.nan)
        if not is_present.any() or self.name is None:
            return losses
        own_scores, own_actual = predicted[is_present], actual[is_present]
        with np.errstate(all="ignore"):
            if self._own is None:
                values = LOSS_FUNCTIONS[self.name](own_scores, own_actual)
            else:
                values = _call(self._own, own_scores[:, 0], own_actual)
        losses[is_present] = np.where(np.abs(values) <= MOST, values, np.nan)
        return losses

    def summarise(self, predicted: Floats) -> Floats:
        """Return one number for each row to compare without labels: the prediction or its class."""
        if self.width == 1:
            return predicted[:, 0]
        is_missing = np.isnan(predicted).any(axis=1)
        return np.where(is_missing, np.nan, _find_best(predicted))


def judge_actuals(actuals: Values, numbers: Floats) -> NDArray[np.int8]:
    """Return `SAYS_SOMETHING`, `IS_MISSING` or `IS_UNREADABLE` for each actual."""
    verdicts = np.full(len(numbers), SAYS_SOMETHING, np.int8)
    for row in np.flatnonzero(np.isnan(numbers)).tolist():
        verdicts[row] = IS_MISSING if is_missing(actuals[row]) else IS_UNREADABLE
    return verdicts


def _call(loss: LossFunction, predicted: Floats, actual: Floats) -> Floats:
    try:
        values = np.asarray(loss(predicted, actual), np.float64)
    except Exception as error:
        raise CallbackError(f"loss: raised {type(error).__name__}") from error
    if values.shape != actual.shape:
        raise CallbackError("loss: expected one number for each row")
    return values


def _infer_loss(*, has_scores: bool, has_numbers: bool, has_classes: bool) -> LossName:
    if has_scores or (has_numbers and has_classes):
        return "log"
    return "absolute" if has_numbers else "error"


def _has_values(values: Values) -> bool:
    """Whether any prediction is not missing."""
    numbers, refused = parse_floats(values)
    return bool(refused[-1]) or not np.isnan(numbers).all()


def _are_labels(values: Values, names: Sequence[str]) -> bool:
    """Whether the values are names of declared classes; floats are scores."""
    sample = plain_values(values[:_SAMPLE])
    has_floats = any(isinstance(value, float | np.floating) for value in sample)
    return not has_floats and set(category_names(sample)) <= {*names, None}


def _is_numeric(values: Values) -> bool:
    """Whether the first values are numbers, or missing."""
    return not parse_floats(values[:_SAMPLE])[1][-1]


def _find_best(scores: Floats) -> Counts:
    """Return the index of the highest score of each row."""
    best: Counts = np.argmax(np.where(np.isnan(scores), -np.inf, scores), axis=1)
    return best
