"""Convert attributions, in any supported form, to one column per feature."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.errors import SchemaError
from mlmonitor.records import Floats

MOST_FEATURES = 2_000


def read_attributions(given: Any, rows: int, names: Sequence[str]) -> dict[str, Floats]:
    """Return one array per feature with the attribution in each row, NaN where there is none.

    given: columns or single numbers by feature, a frame, a mapping for each row, an array `[rows,
    features]` in the order of `names`, or an object with such `values` and perhaps `feature_names`,
    such as SHAP's `Explanation`.

    Raises:
        SchemaError: `given` has another form, not one value for each row, or too many features.
    """
    own_names = getattr(given, "feature_names", None)
    if hasattr(given, "values") and not callable(given.values):
        frame_columns = getattr(given, "columns", None)
        own_names = own_names if frame_columns is None else [str(name) for name in frame_columns]
        given = given.values
    elif hasattr(given, "to_dict") and hasattr(given, "columns"):
        given = {name: given[name].to_numpy() for name in given.columns}
    if isinstance(given, Mapping):
        columns = {str(name): _read_column(values, rows) for name, values in given.items()}
    elif isinstance(given, list | tuple) and given and isinstance(given[0], Mapping):
        columns = _read_rows(given, rows)
    else:
        columns = _read_matrix(given, rows, tuple(names if own_names is None else own_names))
    if len(columns) > MOST_FEATURES:
        raise SchemaError(f"attributions: expected at most {MOST_FEATURES:,} features")
    return columns


def _read_column(values: Any, rows: int) -> Floats:
    if np.ndim(values) == 0:
        values = [values]
    numbers, _ = parse_floats(values if isinstance(values, np.ndarray) else list(values))
    if numbers.shape != (rows,):
        raise SchemaError(
            f"attributions: expected one for each of the {rows} rows, got {numbers.size}"
        )
    return numbers


def _read_rows(given: Sequence[Mapping[Any, Any]], rows: int) -> dict[str, Floats]:
    if len(given) != rows:
        raise SchemaError(
            f"attributions: expected one for each of the {rows} rows, got {len(given)}"
        )
    names = dict.fromkeys(name for row in given for name in row)
    return {str(name): _read_column([row.get(name) for row in given], rows) for name in names}


def _read_matrix(given: Any, rows: int, names: Sequence[str]) -> dict[str, Floats]:
    try:
        matrix = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        kind = type(given).__name__
        raise SchemaError(
            f"attributions: expected numbers by feature, or an array, got {kind}"
        ) from None
    matrix = matrix.reshape(1, -1) if matrix.ndim == 1 and rows == 1 else matrix
    if matrix.shape != (rows, len(names)):
        raise SchemaError(
            f"attributions: expected an array of {rows} rows and {len(names)} features, got one of "
            f"shape {matrix.shape}"
        )
    return {str(name): matrix[:, place] for place, name in enumerate(names)}
