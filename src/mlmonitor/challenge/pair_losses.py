"""Losses of two models on the same rows, and the numbers that their predictions are kept as."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from mlmonitor.aggregate.outcomes.class_codes import ClassCodes
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.values import Values, plain_values
from mlmonitor.errors import CallbackError, ConfigError
from mlmonitor.records import Floats

LossName = Literal["absolute", "squared", "error", "log"]
LossFunction = Callable[[Floats, Floats], Any]

_LEAST = np.finfo(np.float64).eps  # as scikit-learn clips


class PairLosses:
    """Reads predictions and actuals as numbers, and computes the loss of each row.

    loss: `absolute` or `squared` for numbers, `error` for classes, `log` for the probability of a
    class that the actual names by 1 and 0, or a function of two arrays. Classes are kept as codes.

    Raises:
        ConfigError: the loss is none of these.
    """

    def __init__(self, loss: LossName | LossFunction) -> None:
        if not callable(loss) and loss not in _FUNCTIONS:
            raise ConfigError(
                f"loss: expected {', '.join(_FUNCTIONS)}, or a function of predictions and actuals"
            )
        self.is_own: bool = callable(loss)
        self.has_classes: bool = loss == "error"
        self.name: str = getattr(loss, "__name__", "loss") if callable(loss) else loss
        self._function: LossFunction = loss if callable(loss) else _FUNCTIONS[loss]
        self._classes = ClassCodes()

    def read(self, values: Values) -> Floats:
        """Return one number a value, NaN where there is none."""
        if self.has_classes:
            codes = self._classes.encode(list(plain_values(values))).astype(np.float64)
            return np.where(codes < 0, np.nan, codes)
        numbers, _ = parse_floats(values)
        return numbers

    def measure(self, predicted: Floats, actual: Floats) -> Floats:
        """Return the losses; NaN where a side is missing, or the loss is not a finite number.

        Raises:
            CallbackError: a function of the user raised, or did not return one number a row.
        """
        is_known = ~(np.isnan(predicted) | np.isnan(actual))
        losses = np.full(len(predicted), np.nan)
        if not is_known.any():
            return losses
        try:
            with np.errstate(all="ignore"):
                values = np.asarray(
                    self._function(predicted[is_known], actual[is_known]), np.float64
                )
        except Exception as error:
            raise CallbackError(f"loss: raised {type(error).__name__}") from error
        if values.shape != (int(is_known.sum()),):
            raise CallbackError("loss: expected one number for each row")
        losses[is_known] = np.where(np.isfinite(values), values, np.nan)
        return losses


def _log_loss(probability: Floats, actual: Floats) -> Floats:
    """Return the log loss; NaN unless the probability and the actual are valid."""
    is_sound = (probability >= 0) & (probability <= 1) & ((actual == 0) | (actual == 1))
    chance = np.clip(np.where(actual == 1, probability, 1 - probability), _LEAST, 1 - _LEAST)
    return np.where(is_sound, -np.log(chance), np.nan)


_FUNCTIONS: dict[str, LossFunction] = {
    "absolute": lambda predicted, actual: np.abs(predicted - actual),
    "squared": lambda predicted, actual: (predicted - actual) ** 2,
    "error": lambda predicted, actual: (predicted != actual) * 1.0,
    "log": _log_loss,
}
