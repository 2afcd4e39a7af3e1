"""The scores and the predicted class of live rows, in the codes of a calibration."""

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.capture.canonical import category_name
from mlmonitor.formats.reference.calibration_entries import CalibrationReference
from mlmonitor.records import Block, Counts, Floats, Role

_DIGITS = {"true": "1", "false": "0"}


def unify_name(name: str) -> str:
    """Return the name of a class, with `true` as `1` and `false` as `0`."""
    return _DIGITS.get(name, name)


class LiveOutputs:
    """Reads the scores and classes that a calibration needs from blocks of one plan."""

    def __init__(self, calibration: CalibrationReference, plan: Plan) -> None:
        self._calibration = calibration
        self._codes = {unify_name(name): code for code, name in enumerate(calibration.classes)}
        predictions = {
            field.name: place
            for place, field in enumerate(plan.schema.fields)
            if field.role is Role.PREDICTION
        }
        numeric = len(plan.schema.numeric)
        places = [predictions.get(entry.output, numeric) for entry in calibration.maps]
        if calibration.task == "regression":
            places = places[:1]
        self._scores: list[int] | None = places if max(places) < numeric else None
        label = None if calibration.label is None else predictions.get(calibration.label)
        self._number = label if label is not None and label < numeric else None
        self._category = None if label is None or label < numeric else label - numeric
        self._table = np.empty(0, np.int64)
        if self._category is not None:
            self._dictionary = plan.dictionaries[self._category]
            names = [unify_name(name) for name in self._dictionary.top]
            codes = [self._codes.get(name, -1) for name in names]
            self._table = np.array([*codes, -1, -1], np.int64)

    def scores(self, block: Block) -> Floats | None:
        """Return the scores `[curves, rows]`; None if an output is not in the plan.

        NaN replaces a score that should be a probability but is not.
        """
        if self._scores is None:
            return None
        scores = block.numeric[self._scores]
        if self._calibration.task == "regression" or not self._calibration.is_probability:
            return scores
        return np.where((scores >= 0) & (scores <= 1), scores, np.nan)

    def predicted_classes(self, block: Block, scores: Floats) -> Counts | None:
        """Return the code of each row's predicted class, -1 if unknown; None for a regression."""
        if self._calibration.task == "regression":
            return None
        if self._category is not None:
            codes = self._dictionary.encode(block.categorical[self._category]).codes
            predicted = np.where(codes < 0, -1, self._table[codes])
        elif self._number is not None:
            predicted = self._name_numbers(block.numeric[self._number])
        else:
            predicted = np.full(block.rows, -1)
        return np.where(predicted < 0, self._decide(scores), predicted)

    def _name_numbers(self, numbers: Floats) -> Counts:
        values, places = np.unique(numbers, return_inverse=True)
        names = ["" if np.isnan(v) else category_name(v) or "" for v in values.tolist()]
        codes = [self._codes.get(unify_name(name), -1) for name in names]
        return np.array(codes, np.int64)[places]

    def _decide(self, scores: Floats) -> Counts:
        """Return the class that the scores imply, -1 where one is missing."""
        calibration, is_known = self._calibration, ~np.isnan(scores).any(axis=0)
        if calibration.task == "binary":
            threshold = 0.5 if calibration.is_probability else 0.0
            is_positive = scores[0] > threshold
            codes = np.where(is_positive, calibration.positive, 1 - calibration.positive)
        else:
            codes = np.argmax(np.where(is_known, scores, 0.0), axis=0)
        return np.where(is_known, codes, -1)
