"""The design effect of a stream of values, from blocks of neighbours as they arrive."""

from typing import Final

import numpy as np

from mlmonitor.records import Floats

_LENGTHS: Final = (8, 16, 32, 64, 128)
_KEPT = 64  # newest blocks that are stored of each length
_LEAST = 9
_MOST_WAITING = 2_048  # once this many values wait, all are counted
_MOST_PARTS = 128  # the same for waiting arrays, which take 112 bytes each besides their values
_ROUNDING = 1e-12
_CHANGED = 2  # number of large differences that one change of the level causes
_SPREAD = 1.73  # relative error of a mean squared difference is this / sqrt(blocks)
_DEVIATIONS = 3.0


class RunningOverdispersion:
    """Estimates how many dependent values count as one independent value, from the newest blocks.

    For independent values, the variance of single values implies how much the means of neighbouring
    blocks differ. The estimate is the largest significant excess of the mean squared difference
    over all block lengths. The two largest differences of each length are left out, because one
    change of the level makes one or two of them large, which would look like dependence.
    Promise: 1 for most streams of independent values, even if their level changes once.
    Price: 38 kB; a few microseconds a block of values.
    Source: Von Neumann, "Distribution of the ratio of the mean square successive difference to the
        variance" (1941).
    """

    def __init__(self) -> None:
        self._rests: list[Floats] = [np.empty(0) for _ in _LENGTHS]
        self._blocks: list[Floats] = [np.empty((2, 0)) for _ in _LENGTHS]  # means, mean squares
        self._waiting: list[Floats] = []
        self._waiting_rows = 0
        self._effect: float | None = None

    def update(self, values: Floats) -> None:
        """Add values, in their order; their squares must be finite."""
        self._waiting.append(values)
        self._waiting_rows += values.size
        self._effect = None
        if self._waiting_rows >= _MOST_WAITING or len(self._waiting) >= _MOST_PARTS:
            self._count_waiting()

    def _count_waiting(self) -> None:
        """Add the waiting values to the blocks; adding many costs as much as adding a few."""
        values = np.concatenate(self._waiting) if self._waiting else np.empty(0)
        self._waiting, self._waiting_rows = [], 0
        for place, length in enumerate(_LENGTHS):
            joined = np.concatenate([self._rests[place], values])
            whole = joined.size // length * length
            self._rests[place] = joined[whole:]
            if whole:
                blocks = joined[:whole].reshape(-1, length)[-_KEPT:]
                added = np.stack([blocks.mean(axis=1), (blocks**2).mean(axis=1)])
                self._blocks[place] = np.hstack([self._blocks[place], added])[:, -_KEPT:]

    def design_effect(self) -> float:
        """Return the largest significant effect over all block lengths; 1 if there is none."""
        if self._effect is None:
            self._count_waiting()
            self._effect = self._compute()
        return self._effect

    def _compute(self) -> float:
        largest = 1.0
        for length, (means, squares) in zip(_LENGTHS, self._blocks, strict=True):
            if means.size < _LEAST:
                continue
            variance = float(squares.mean() - means.mean() ** 2)
            differences = np.sort(np.diff(means) ** 2)[:-_CHANGED]
            if variance > _ROUNDING * float(squares.mean()):
                effect = length * float(differences.mean()) / (2 * variance)
                if effect > 1 + _DEVIATIONS * _SPREAD / differences.size**0.5:
                    largest = max(largest, effect)
        return largest

    @property
    def nbytes(self) -> int:
        """Maximum memory held, in bytes."""
        values = 8 * (_MOST_WAITING + sum(_LENGTHS) + 2 * _KEPT * len(_LENGTHS))
        return values + 112 * _MOST_PARTS
