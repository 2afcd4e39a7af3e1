"""Training data in a distributed frame: draw a sample of its rows, and count them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.reference.distributed.dask_rows import sample_dask
from mlmonitor.reference.distributed.row_sample import RowSample
from mlmonitor.reference.distributed.spark_rows import sample_spark

_Sampling = Callable[..., RowSample | None]


class DrawnRows(NamedTuple):
    """The rows drawn from a distributed frame, and how many rows it has (`seen`).

    features: the columns that are features. columns: the other arguments of `fit`, by name.
    """

    features: Any
    columns: dict[str, Any]
    seen: int


def find_sampling(features: Any) -> _Sampling | None:
    """Return the function that samples this kind of frame; None for data in memory."""
    module = type(features).__module__.partition(".")[0]
    if module == "pyspark" and hasattr(features, "mapInArrow"):
        return sample_spark
    if module in ("dask", "dask_expr") and hasattr(features, "to_delayed"):
        return sample_dask
    return None


def draw_rows(
    features: Any, named: dict[str, Any], sampling: _Sampling, *, seed: int, limit: int
) -> DrawnRows:
    """Draw at most `limit` rows, and separate the columns that are not features.

    named: maps an argument of `fit` to the names of its columns, to a function, or to None.

    Raises:
        SchemaError: there are no rows, or an argument is data instead of the name of a column.
        ConfigError: a named column does not exist.
    """
    columns = [str(name) for name in features.columns]
    wanted = {argument: _check_names(argument, value, columns) for argument, value in named.items()}
    sample = sampling(features, seed=seed, limit=limit)
    if sample is None:
        raise SchemaError("features: expected at least one column with at least one row")
    rows = sample.sort().rows
    values: dict[str, Any] = {}
    for argument, names in wanted.items():
        if names is None:
            values[argument] = named[argument]
        elif isinstance(named[argument], str):
            values[argument] = rows[named[argument]]
        else:
            values[argument] = {name: rows[name] for name in names}
    others = {name for names in wanted.values() for name in names or ()}
    kept = [name for name in columns if name not in others]
    return DrawnRows(
        rows.select(kept) if hasattr(rows, "select") else rows[kept], values, sample.seen
    )


def _check_names(argument: str, value: Any, columns: Sequence[str]) -> list[str] | None:
    """Return the names of an argument's columns; None if it is a function or not given."""
    if value is None or callable(value):
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise SchemaError(
            f"{argument}: expected the name of a column of the distributed frame, several names, "
            f"or a function of its rows, got {type(value).__name__}"
        )
    for name in names:
        if name not in columns:
            raise ConfigError(f"{argument}: there is no column {name!r}")
    return list(names)
