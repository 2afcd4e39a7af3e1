"""The distance of a row from the reference, over all numeric features."""

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
"""Steps of conjugate gradients: exact for rows with at most this many missing fields."""


class Scaling(NamedTuple):
    """The mean and standard deviation of each feature, of values clipped at quantiles."""

    centre: Floats
    scale: Floats

    @classmethod
    def fit(cls, values: Floats) -> Self:
        """Fit to values `[fields, rows]`, NaN if missing; the scale of a constant field is 0.

        Values are clipped at their 1% and 99% quantiles, so that a heavy tail neither inflates
        the variance nor dominates the correlations.
        """
        centre, scale = np.zeros(len(values)), np.zeros(len(values))
        for field, column in enumerate(values):
            present = column[~np.isnan(column)]
            if present.size == 0 or present.min() == present.max():
                continue
            cut = np.clip(present, *np.quantile(present, [TRIM, 1 - TRIM]))
            if np.ptp(cut) == 0:  # nearly constant: keep its few other values
                cut = present
            with np.errstate(over="ignore", invalid="ignore"):
                centre[field], scale[field] = cut.mean(), cut.std()
        lost = ~np.isfinite(centre) | ~np.isfinite(scale) | (scale < np.abs(centre) * 1e-12)
        return cls(np.where(lost, 0.0, centre), np.where(lost, 0.0, scale))

    def apply(self, values: Floats) -> Floats:
        """Scale to standard deviations, clipped at `REACH` on either side; NaN stays NaN."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: Floats = (values - self.centre[:, None]) / self.scale[:, None]
        cut: Floats = np.clip(scaled, -REACH, REACH)
        return cut


def shrunk_covariance(z: Floats) -> Floats:
    """Estimate an invertible covariance of scaled values `[fields, rows]` by shrinkage.

    The estimate is shrunk towards a multiple of the identity according to its sampling error, and
    by `LEAST_SHRINKAGE` or more, so that duplicate columns keep it invertible. Each pair of fields
    is estimated from the rows that have both.
    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
        matrices", 2004.
    """
    is_valid = ~np.isnan(z)
    filled = np.where(is_valid, z, 0.0)
    filled = np.where(
        is_valid,
        filled
        - filled.sum(axis=1, keepdims=True) / np.maximum(is_valid.sum(axis=1, keepdims=True), 1),
        0.0,
    )
    both = is_valid.astype(np.float64) @ is_valid.T.astype(np.float64)
    sample = (filled @ filled.T) / np.maximum(both, 1.0)
    size, rows = z.shape
    level = float(np.trace(sample)) / size or 1.0  # 1 if nothing varies
    spread = float(((sample - level * np.eye(size)) ** 2).sum()) / size
    square = filled**2
    fourth = float((square @ square.T).sum()) / rows
    error = (fourth - float((sample**2).sum())) / (rows * size)
    share = min(max(error / spread if spread > 0 else 1.0, LEAST_SHRINKAGE), 1.0)
    shrunk: Floats = (1 - share) * sample + share * level * np.eye(size)
    if is_valid.all():
        return shrunk
    values, vectors = np.linalg.eigh(shrunk)  # pairs from different rows may be inconsistent
    mended: Floats = (vectors * np.maximum(values, LEAST_SHRINKAGE * level)) @ vectors.T
    return mended


class Distances:
    """Mahalanobis distances of rows from the centre of the reference, as scores.

    The squared distance over a row's `k` fields is chi-square with `k` degrees of freedom if the
    fields are normal. The score is its normal deviate (Wilson and Hilferty): about 0 for a typical
    row and 2.3 for one in a hundred, for any number of fields. Other distributions change the scale
    but not the order.

    Promise: up to `STEPS` missing fields of a row are left out exactly; with more, the score is
        slightly too high.
    Price: one product of a row with a matrix `[fields, fields]`, or `STEPS + 1` products for a row
        with gaps.
    Source: Mahalanobis 1936; Wilson and Hilferty 1931.
    """

    def __init__(self, scaling: Scaling, covariance: Floats) -> None:
        self._scaling = scaling
        self._whitening: Floats = np.linalg.inv(np.linalg.cholesky(covariance))
        self._precision: Floats = self._whitening.T @ self._whitening

    @classmethod
    def read(cls, content: AnomalyReference) -> Self:
        """Build the distances from their entry in a reference."""
        size = len(content.names)
        lower = np.zeros((size, size))
        lower[np.tril_indices(size)] = content.covariance
        covariance = lower + np.tril(lower, -1).T
        return cls(Scaling(np.array(content.centre), np.array(content.scale)), covariance)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._whitening.nbytes + self._precision.nbytes + 2 * self._scaling.scale.nbytes

    def squared(self, values: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """Return the squared distance of each row of `[fields, rows]`, and its number of fields."""
        z = self._scaling.apply(values).T
        is_valid = ~np.isnan(z)
        fields = is_valid.sum(axis=1)
        z = np.where(is_valid, z, 0.0)
        gaps = np.flatnonzero(fields < z.shape[1])
        if gaps.size:
            z[gaps] = self._fill_in(z[gaps], ~is_valid[gaps])
        squared: Floats = (product(z, self._whitening.T) ** 2).sum(axis=1)
        return squared, fields

    def score(self, values: Floats) -> Floats:
        """Return the distance of each row as a normal deviate; NaN for a row without fields."""
        squared, fields = self.squared(values)
        width = 2 / (9 * np.maximum(fields, 1))
        mean = squared / np.maximum(fields, 1)
        deviate = (np.cbrt(mean) - (1 - width)) / np.sqrt(width)
        return np.where(fields > 0, deviate, np.nan)

    def _fill_in(self, z: Floats, lacks: NDArray[np.bool_]) -> Floats:
        """Fill in the missing fields with the values that minimise the distance.

        Uses conjugate gradients over the missing fields of all rows at once.
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
