"""The same rows as dicts, tuples, arrays, pydantic models and frames, and a monitor for them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, create_model

from mlmonitor import Config, Monitor, Reference

FIELDS = (5, 20, 100)
SHAPES = ("dict", "tuple", "ndarray", "pydantic", "frame")
_RESTING = {"poll_interval_seconds": 3_600.0, "export_interval_seconds": 86_400.0}


def names(fields: int) -> list[str]:
    """Return the names of this many fields."""
    return [f"f{at}" for at in range(fields)]


def model_of(fields: int) -> type[BaseModel]:
    """Create a pydantic model of this many floats."""
    columns: dict[str, Any] = dict.fromkeys(names(fields), (float, ...))
    return create_model("Row", **columns)


def rows(shape: str, values: np.ndarray) -> list[Any]:
    """Return one object of this shape per row of `values`."""
    named = names(values.shape[1])
    as_dict: Callable[[Sequence[float]], dict[str, float]] = lambda row: dict(  # noqa: E731
        zip(named, row, strict=True)
    )
    match shape:
        case "dict":
            return [as_dict(row) for row in values.tolist()]
        case "tuple":
            return [tuple(row) for row in values.tolist()]
        case "ndarray":
            return [row.copy() for row in values]
        case "pydantic":
            model = model_of(values.shape[1])
            return [model(**as_dict(row)) for row in values.tolist()]
        case _:
            return [pd.DataFrame([as_dict(row)]) for row in values.tolist()]


def reference(fields: int, *, categorical: int = 0) -> Reference:
    """Fit a reference of normal features, categorical features of 30 names, and one prediction."""
    rng = np.random.default_rng(1)
    columns: dict[str, Any] = dict(
        zip(names(fields), rng.normal(size=(fields, 2_000)), strict=True)
    )
    for at in range(categorical):
        columns[f"c{at}"] = categories(rng, 2_000)
    return Reference.fit(columns, predictions=rng.normal(size=2_000))


def categories(rng: np.random.Generator, rows: int) -> list[str]:
    """Draw rows of thirty category names with falling frequencies."""
    weights = 1 / np.arange(1, 31)
    listed: list[str] = rng.choice(
        [f"category {at}" for at in range(30)], rows, p=weights / weights.sum()
    ).tolist()
    return listed


def monitor(fields: int, *, categorical: int = 0, **options: Any) -> Monitor:
    """Return a monitor whose worker does not run by itself, so that `drain` can do its work."""
    config = Config(**{"buffer_rows": 10_000_000, **_RESTING, **options})
    fitted = reference(fields, categorical=categorical)
    return Monitor("bench", reference=fitted, exporters=[], config=config)


def drain(monitor: Monitor) -> None:
    """Do the worker's part in this thread: count the waiting rows, block by block."""
    pipeline = monitor._worker.pipeline  # noqa: SLF001 - to time it apart from its thread
    now = monitor._clock()  # noqa: SLF001 - as the worker would
    while pipeline.absorb(now):
        pass
