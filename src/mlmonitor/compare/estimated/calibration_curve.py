"""The expected outcome of live rows, from the calibration on training rows."""

from collections.abc import Sequence

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.formats.reference.calibration_entries import FieldEffect, OutcomeMap
from mlmonitor.records import Block, Counts, Floats, Role
from mlmonitor.reference.calibration.field_effects import logistic
from mlmonitor.reference.calibration.isotonic import monotone_rates

_LARGEST_EFFECT = 20.0
_MOST_FACTOR = 1e6


class CalibrationCurve:
    """The mean and variance of the outcome in each bin of an output, and effects of features.

    is_class: whether the outcome is 0 or 1, so that the means are monotone probabilities.
    """

    def __init__(self, entry: OutcomeMap, plan: Plan, *, is_class: bool) -> None:
        rows, sums = np.array(entry.rows, np.int64), np.array(entry.sums, np.float64)
        self.edges: Floats = np.array(entry.edges, np.float64)
        self.rows: int = int(rows.sum())
        self._is_class = is_class
        shown = np.maximum(rows, 1)
        if is_class:
            self.mean: Floats = monotone_rates(rows, sums)
            self.variance: Floats = self.mean * (1 - self.mean)
        else:
            whole = sums.sum() / max(self.rows, 1)
            self.mean = np.where(rows > 0, sums / shown, whole)
            squares = np.array(entry.squares, np.float64) / shown
            self.variance = np.maximum(squares - self.mean**2, 0.0)
        self.uncertainty: Floats = self.variance / shown
        """The variance of each bin's mean, from the limited number of training rows."""
        self._offsets: Floats = np.array(entry.offsets, np.float64)
        candidates = (_LiveEffect.find(effect, plan) for effect in entry.effects)
        effects = [effect for effect in candidates if effect is not None]
        # The effects were fitted together: if one is unusable, the others are wrong.
        self._effects = effects if len(effects) == len(entry.effects) else []

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.mean)

    @property
    def fields(self) -> tuple[str, ...]:
        """The features with an effect."""
        return tuple(effect.field for effect in self._effects)

    def bins_of(self, scores: Floats) -> Counts:
        """Return the bin of each score."""
        return np.searchsorted(self.edges, scores, side="left").astype(np.int64)

    def expect(self, bins: Counts, block: Block | None = None) -> tuple[Floats, Floats]:
        """Return the expected outcome of each row, and its variance.

        block: the features of the rows; None to leave out their effects.
        """
        if block is None or not self._effects:
            return self.mean[bins], self.variance[bins]
        shift = np.sum([effect.of_rows(block) for effect in self._effects], axis=0)
        shift = np.clip(shift, -_LARGEST_EFFECT, _LARGEST_EFFECT)
        if not self._is_class:
            means = np.exp(self._offsets[bins] + shift)
            factor = means / np.maximum(self.mean[bins], np.finfo(np.float64).tiny)
            return means, self.variance[bins] * np.minimum(factor, _MOST_FACTOR) ** 2
        chances = logistic(self._offsets[bins] + shift)
        return chances, chances * (1 - chances)


class _LiveEffect:
    """The effect of one feature on the rows of a block."""

    def __init__(self, field: str, place: int, values: Floats, plan: Plan) -> None:
        self.field = field
        self._place, self._values, self._plan = place, values, plan

    @classmethod
    def find(cls, effect: FieldEffect, plan: Plan) -> "_LiveEffect | None":
        """Find the feature in the plan; None if it is absent or has other bins."""
        fields = plan.schema.fields
        for place, field in enumerate(fields):
            if field.role is not Role.FEATURE or field.name != effect.field:
                continue
            values = np.array(effect.values, np.float64)
            position = place - len(plan.schema.numeric)
            if position < 0:
                size = len(plan.numeric[place].edges) + 1
            else:
                size = len(plan.dictionaries[position].top) + 1
                values = np.insert(values, size, 0.0) if len(values) > size else values
                size += 1  # a new category has no effect
            return cls(field.name, place, values, plan) if len(values) == size + 1 else None
        return None

    def of_rows(self, block: Block) -> Floats:
        """Return the feature's effect on the outcome of each row."""
        position = self._place - len(self._plan.schema.numeric)
        if position < 0:
            numbers = block.numeric[self._place]
            cells = np.searchsorted(self._plan.numeric[self._place].edges, numbers, side="left")
            cells = np.where(np.isnan(numbers), len(self._values) - 1, cells)
        else:
            codes = self._plan.dictionaries[position].encode(block.categorical[position]).codes
            cells = np.where(codes < 0, len(self._values) - 1, codes)
        return self._values[cells]


def join_fields(curves: Sequence[CalibrationCurve]) -> tuple[str, ...]:
    """Return the features that have an effect on any of the outcomes."""
    return tuple(dict.fromkeys(field for curve in curves for field in curve.fields))
