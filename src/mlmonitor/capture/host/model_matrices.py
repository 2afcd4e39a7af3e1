"""Read the matrices into which XGBoost and CatBoost pack features before they predict."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlmonitor.errors import SchemaError

MatrixReader = Callable[[Any], tuple[Any, Sequence[str]]]
"""Returns an array `[rows, columns]` and the names of its columns, empty if it has none."""

_CODES = (
    "features: expected a matrix of numbers, got one whose categories have become codes: "
    "watch the function that makes it, or an estimator that accepts a data frame"
)


def find_matrix_reader(kind: type) -> MatrixReader | None:
    """Return the function that reads a `DMatrix` or a `Pool`; None for other types."""
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        if package == "xgboost" and hasattr(base, "get_data"):
            return read_dmatrix
        if package == "catboost" and hasattr(base, "get_cat_feature_indices"):
            return read_pool
    return None


def read_dmatrix(matrix: Any) -> tuple[Any, Sequence[str]]:
    """Read a `DMatrix` of XGBoost, a sparse matrix that omits missing values instead of zeros.

    Raises:
        SchemaError: the matrix has categorical features.
    """
    if "c" in (matrix.feature_types or ()):
        raise SchemaError(_CODES)
    sparse = matrix.get_data()
    values = np.full(sparse.shape, np.nan, np.float32)
    rows = np.repeat(np.arange(sparse.shape[0]), np.diff(sparse.indptr))
    values[rows, sparse.indices] = sparse.data
    return values, matrix.feature_names or ()


def read_pool(pool: Any) -> tuple[Any, Sequence[str]]:
    """Read a `Pool` of CatBoost; names that are empty or only positions are dropped.

    Raises:
        SchemaError: the matrix has categorical features.
    """
    if pool.get_cat_feature_indices():
        raise SchemaError(_CODES)
    names = list(pool.get_feature_names())
    is_named = all(names) and names != [str(place) for place in range(len(names))]
    return np.array(pool.get_features()), names if is_named else ()
