"""Embeddings as numbers: norm, direction, and similarity to those of the reference."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.read.numbers import plain_floats
from mlmonitor.capture.read.refusals import Reasons, RefusalReason
from mlmonitor.capture.values import UNREADABLE, Values, unmask
from mlmonitor.derived.columns import DerivedColumns
from mlmonitor.derived.matmul import product
from mlmonitor.formats.reference import EMBEDDING_FIELDS, EmbeddingReference
from mlmonitor.records import ABSENT, MOST_DIMENSIONS, Floats

KERNEL_FEATURES = 128

_NUMBERS = "fiu"


class Vectors(NamedTuple):
    """The vectors of some rows, and the reason if a row has none.

    matrix: `[rows, dimensions]`, 0 where `known` is false.
    """

    matrix: Floats
    known: NDArray[np.bool_]
    reasons: Reasons


def vectors(values: Values, dimensions: int) -> Vectors:
    """Read a column of vectors, given as arrays or lists of numbers.

    A value that is not a vector of length `dimensions` counts as having a wrong type. A
    vector that contains NaN or infinity, or whose norm overflows, counts as not finite.
    """
    matrix = np.zeros((len(values), dimensions))
    is_valid = np.zeros(len(values), np.bool_)
    reasons = np.zeros(len(values), np.int8)
    for row, value in enumerate(values):
        if value is ABSENT:
            continue
        vector = as_vector(value)
        if vector is None:
            reasons[row] = RefusalReason.MISSING
        elif not isinstance(vector, np.ndarray) or vector.size != dimensions:
            reasons[row] = RefusalReason.WRONG_TYPE
        else:
            matrix[row], is_valid[row] = vector, True
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite((matrix**2).sum(axis=1))
    reasons[~finite] = RefusalReason.NONFINITE
    if not finite.all():
        matrix[~finite], is_valid = 0.0, is_valid & finite
    return Vectors(matrix, is_valid, reasons)


def as_vector(value: object) -> object:
    """Return a vector as float64, None if it is missing, or UNREADABLE if it is not a vector."""
    try:
        if isinstance(value, list | tuple | np.ndarray) and len(value) > MOST_DIMENSIONS:
            return UNREADABLE
        if isinstance(value, np.ndarray):
            return _read_array(value)
        if isinstance(value, list | tuple):
            floats = plain_floats(value) if value else None
            return UNREADABLE if floats is None or isinstance(value[0], bool) else floats
        return None if is_missing(value) else UNREADABLE
    except Exception:  # noqa: BLE001 - a value that raises when it is inspected is not a vector
        return UNREADABLE


def _read_array(value: np.ndarray[Any, Any]) -> object:
    array = unmask(value)
    if array.ndim != 1 or not array.size:
        return UNREADABLE
    if array.dtype.kind == "O":
        floats = plain_floats(array.tolist())
        return UNREADABLE if floats is None else floats
    return array.astype(np.float64) if array.dtype.kind in _NUMBERS else UNREADABLE


class Kernel:
    """Random Fourier features of a Gaussian kernel: their inner products estimate the kernel.

    Promise: the inner product of two vectors' features is `exp(-|x - y|^2 / 2 bandwidth^2)`, with
        a standard error of at most `1 / sqrt(features)`; it is exactly 1 for a vector and itself.
    Price: `dimensions * features / 2` multiplications a row. The frequencies are drawn by a random
        generator whose output is the same in every release of numpy, so a reference always gives
        the same values.
    Source: Rahimi and Recht, "Random features for large-scale kernel machines", NeurIPS 2007.
    """

    def __init__(self, *, dimensions: int, bandwidth: float, seed: int, features: int) -> None:
        rng = np.random.RandomState(seed)
        drawn = rng.standard_normal((features // 2, dimensions))
        self._frequencies: Floats = drawn / bandwidth
        self._size = 1 / np.sqrt(features // 2)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._frequencies.nbytes

    def features(self, matrix: Floats) -> Floats:
        """Return the features `[features, rows]` of vectors `[rows, dimensions]`."""
        with np.errstate(over="ignore", invalid="ignore"):
            turns = product(matrix, self._frequencies.T).T
        turns = np.where(np.isfinite(turns), turns, 0.0)
        features: Floats = self._size * np.concatenate([np.cos(turns), np.sin(turns)])
        return features


def median_distance(matrix: Floats) -> float:
    """Return the bandwidth: the median distance of all pairs of rows, or 1 if that is zero."""
    squares = (matrix**2).sum(axis=1)
    pairs = squares[:, None] + squares[None, :] - 2 * matrix @ matrix.T
    above = np.sqrt(np.maximum(pairs[np.triu_indices(len(matrix), 1)], 0.0))
    median = float(np.median(above)) if above.size else 0.0
    dust = 1e-7 * float(np.sqrt(squares.max(initial=0.0)))
    return median if np.isfinite(median) and median > dust else 1.0


class EmbeddingColumns:
    """Converts vectors to three numeric columns, and to the features that the MMD sums.

    norm: the Euclidean norm. cosine: the cosine similarity to the centroid of the reference;
    missing for a zero vector. kernel_similarity: the mean kernel value with the vectors of the
    reference.
    """

    def __init__(self, centroid: Floats, kernel: Kernel, kernel_mean: Floats) -> None:
        self._length = float(np.linalg.norm(centroid))
        self._centroid, self._kernel, self._mean = centroid, kernel, kernel_mean

    @classmethod
    def read_from(cls, entry: EmbeddingReference) -> Self:
        """Build the columns from their entry in a reference."""
        kernel = Kernel(
            dimensions=len(entry.centroid),
            bandwidth=entry.bandwidth,
            seed=entry.seed,
            features=len(entry.kernel_mean),
        )
        return cls(np.array(entry.centroid), kernel, np.array(entry.kernel_mean))

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._kernel.nbytes + self._centroid.nbytes + self._mean.nbytes

    def read(self, values: Values) -> DerivedColumns:
        """Return `[norm, cosine, kernel_similarity]` and the kernel features, a column per row."""
        parsed = vectors(values, len(self._centroid))
        norm = np.sqrt((parsed.matrix**2).sum(axis=1))
        size = norm * self._length
        has_direction = parsed.known & (size > 0) & np.isfinite(size)
        cosine = np.einsum("rd,d->r", parsed.matrix, self._centroid) / np.where(
            has_direction, size, 1.0
        )
        features = np.where(parsed.known, self._kernel.features(parsed.matrix), 0.0)
        similarity = np.einsum("fr,f->r", features, self._mean)
        numeric = np.stack(
            [
                np.where(parsed.known, norm, np.nan),
                np.where(has_direction, np.clip(cosine, -1.0, 1.0), np.nan),
                np.where(parsed.known, similarity, np.nan),
            ]
        )
        reasons = np.tile(parsed.reasons, (len(EMBEDDING_FIELDS), 1))
        reasons[1, parsed.known & ~has_direction] = RefusalReason.MISSING
        return DerivedColumns(numeric, reasons, features)


def most_common_length(values: Sequence[object]) -> int:
    """Return the most common length of the vectors, or 0 if there are no vectors."""
    lengths = Counter(value.size for value in values if isinstance(value, np.ndarray))
    return max(lengths, key=lambda length: (lengths[length], length), default=0)
