"""How far a row lies from the reference's, all numeric features together."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlmonitor.derived.matmul import product
from mlmonitor.formats.reference import AnomalyReference
from mlmonitor.records import Floats

REACH = 5.0
"""Deviations at which a value is clipped: one extreme value does not make a row anomalous."""

TRIM = 0.01
LEAST_SHRINKAGE = 1e-3
STEPS = 12
"""Steps of conjugate gradients: a row that misses no more fields is judged exactly."""


class Scaling(NamedTuple):
    """What the features' values are measured in: their trimmed mean and deviation."""

    centre: Floats
    scale: Floats

    @classmethod
    def fit(cls, values: Floats) -> Self:
        """Of values `[fields, rows]`, NaN where there is none; a constant field's scale is 0.

        Mean and deviation are of values cut at their 1 % and 99 % points, so that a heavy tail
        neither hides in its own variance nor decides the correlations.
        """
        centre, scale = np.zeros(len(values)), np.zeros(len(values))
        for at, row in enumerate(values):
            known = row[~np.isnan(row)]
            if known.size == 0 or known.min() == known.max():
                continue
            cut = np.clip(known, *np.quantile(known, [TRIM, 1 - TRIM]))
            if np.ptp(cut) == 0:  # nearly constant: its few other values are what it is about
                cut = known
            with np.errstate(over="ignore", invalid="ignore"):
                centre[at], scale[at] = cut.mean(), cut.std()
        lost = ~np.isfinite(centre) | ~np.isfinite(scale) | (scale < np.abs(centre) * 1e-12)
        return cls(np.where(lost, 0.0, centre), np.where(lost, 0.0, scale))

    def apply(self, values: Floats) -> Floats:
        """In deviations, `REACH` at most to either side; NaN stays."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: Floats = (values - self.centre[:, None]) / self.scale[:, None]
        cut: Floats = np.clip(scaled, -REACH, REACH)
        return cut


def shrunk_covariance(z: Floats) -> Floats:
    """The covariance of scaled values `[fields, rows]`, shrunk until it can be inverted.

    Towards a multiple of the identity, by as much as sampling error asks for, and at least by
    `LEAST_SHRINKAGE`: columns that repeat each other leave no direction without variance. Pairs
    with missing values are estimated from the rows that have both.
    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
        matrices", 2004.
    """
    known = ~np.isnan(z)
    filled = np.where(known, z, 0.0)
    filled = np.where(
        known,
        filled
        - filled.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1),
        0.0,
    )
    both = known.astype(np.float64) @ known.T.astype(np.float64)
    sample = (filled @ filled.T) / np.maximum(both, 1.0)
    size, rows = z.shape
    level = float(np.trace(sample)) / size or 1.0  # nothing varies: nothing is known
    spread = float(((sample - level * np.eye(size)) ** 2).sum()) / size
    square = filled**2
    fourth = float((square @ square.T).sum()) / rows
    error = (fourth - float((sample**2).sum())) / (rows * size)
    share = min(max(error / spread if spread > 0 else 1.0, LEAST_SHRINKAGE), 1.0)
    shrunk: Floats = (1 - share) * sample + share * level * np.eye(size)
    if known.all():
        return shrunk
    values, vectors = np.linalg.eigh(shrunk)  # pairs of different rows may contradict each other
    mended: Floats = (vectors * np.maximum(values, LEAST_SHRINKAGE * level)) @ vectors.T
    return mended


class Distances:
    """Distance of rows from the centre of the reference's, in the reference's own measure.

    The square of the Mahalanobis distance of the fields a row has, which for `k` normal fields is
    a chi-square of `k` degrees of freedom, as a normal deviate (Wilson and Hilferty): about 0 for
    an ordinary row, 2.3 for one in a hundred, for any number of fields. Other laws
    than the normal move the scale, but not the order.

    Promise: the fields that a row lacks are left out exactly, as if the others had been all, where
        they are up to `STEPS`; of more, the score is a little too high.
    Price: a product of a row with a matrix `[fields, fields]`, `STEPS + 1` for a row with gaps.
    Source: Mahalanobis 1936; Wilson and Hilferty 1931.
    """

    def __init__(self, scaling: Scaling, covariance: Floats) -> None:
        self._scaling = scaling
        self._whitening: Floats = np.linalg.inv(np.linalg.cholesky(covariance))
        self._precision: Floats = self._whitening.T @ self._whitening

    @classmethod
    def read(cls, content: AnomalyReference) -> Self:
        """As they stand in a reference."""
        size = len(content.names)
        lower = np.zeros((size, size))
        lower[np.tril_indices(size)] = content.covariance
        covariance = lower + np.tril(lower, -1).T
        return cls(Scaling(np.array(content.centre), np.array(content.scale)), covariance)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self._whitening.nbytes + self._precision.nbytes + 2 * self._scaling.scale.nbytes

    def squared(self, values: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """The squared distance of each row of `[fields, rows]`, and of how many fields it is."""
        z = self._scaling.apply(values).T
        known = ~np.isnan(z)
        fields = known.sum(axis=1)
        z = np.where(known, z, 0.0)
        gaps = np.flatnonzero(fields < z.shape[1])
        if gaps.size:
            z[gaps] = self._completed(z[gaps], ~known[gaps])
        squared: Floats = (product(z, self._whitening.T) ** 2).sum(axis=1)
        return squared, fields

    def score(self, values: Floats) -> Floats:
        """The distance of each row as a normal deviate; NaN for a row that has no field."""
        squared, fields = self.squared(values)
        width = 2 / (9 * np.maximum(fields, 1))
        mean = squared / np.maximum(fields, 1)
        deviate = (np.cbrt(mean) - (1 - width)) / np.sqrt(width)
        return np.where(fields > 0, deviate, np.nan)

    def _completed(self, z: Floats, lacks: NDArray[np.bool_]) -> Floats:
        """The missing as the known ones let expect: no other values have a smaller distance.

        Conjugate gradients over the missing fields of all rows at once.
        """
        residual = np.where(lacks, -product(z, self._precision), 0.0)
        direction = residual
        size = (residual**2).sum(axis=1, keepdims=True)
        for _ in range(min(STEPS, int(lacks.sum(axis=1).max()))):
            turned = np.where(lacks, product(direction, self._precision), 0.0)
            bent = (direction * turned).sum(axis=1, keepdims=True)
            step = np.where(bent > 0, size / np.where(bent > 0, bent, 1.0), 0.0)
            z = z + step * direction
            residual = residual - step * turned
            fresh = (residual**2).sum(axis=1, keepdims=True)
            direction = residual + np.where(size > 0, fresh / np.where(size > 0, size, 1), 0.0) * (
                direction
            )
            size = fresh
        return z
