"""Add business figures and attributions to training rows as columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonitor.capture.read.attribution_rows import read_attributions
from mlmonitor.capture.values import Values
from mlmonitor.derived.kpi_values import RowColumns, check_kpis, compute_kpi
from mlmonitor.errors import CallbackError, SchemaError
from mlmonitor.records import Floats, Kpi, Role
from mlmonitor.reference.column_names import check_column_name
from mlmonitor.reference.training_data import Chunk

Figures = Mapping[str, Any] | Sequence[Kpi]


class RowFigures:
    """Adds figures and attributions to each chunk, and sums the absolute attributions.

    kpis: figures to compute, or their columns by name. attributions: columns by feature name, an
    array with one column for each feature, or a function of a chunk that returns either.
    """

    def __init__(self, kpis: Figures, attributions: Any, *, is_stream: bool) -> None:
        self._kpis, self._columns = _split(kpis, is_stream=is_stream)
        if attributions is not None and is_stream and not callable(attributions):
            raise SchemaError("attributions: expected a function for an iterator of chunks")
        self._attributions = attributions
        self._absolute: dict[str, list[float]] = {}

    def add(self, chunk: Chunk) -> None:
        """Add these columns to a chunk, in place; raise SchemaError if they do not fit its rows."""
        features = {name: c for (role, name), c in chunk.columns.items() if role is Role.FEATURE}
        outputs = {name: c for (role, name), c in chunk.columns.items() if role is Role.PREDICTION}
        columns = RowColumns(outputs, features.get, lambda: iter(features), chunk.rows)
        for kpi in self._kpis:
            try:
                chunk.columns[Role.KPI, kpi.name] = compute_kpi(kpi, columns, chunk.rows)
            except CallbackError as error:
                raise SchemaError(f"kpis: {error}") from None
        for name, values in self._columns.items():
            chunk.columns[Role.KPI, name] = _check_length("kpis", name, values, chunk.rows)
        for name, values in self._read_attributions(columns, features, chunk.rows).items():
            chunk.columns[Role.ATTRIBUTION, name] = values
            sums = self._absolute.setdefault(name, [0.0, 0.0])
            is_known = np.isfinite(values)
            sums[0] += float(np.count_nonzero(is_known))
            sums[1] += float(np.abs(values[is_known]).sum())

    def _read_attributions(
        self, columns: RowColumns, features: Mapping[str, Values], rows: int
    ) -> dict[str, Floats]:
        given = self._attributions(columns) if callable(self._attributions) else self._attributions
        if given is None or not rows:
            return {}
        by_name = read_attributions(given, rows, tuple(features))
        for name in by_name:
            if name not in features:
                raise SchemaError(f"attributions: there is no feature {name!r}")
        return by_name

    @property
    def mean_attributions(self) -> dict[str, float]:
        """The mean absolute attribution of each feature, over the rows that have one."""
        return {name: total / count for name, (count, total) in self._absolute.items() if count}


def _split(kpis: Any, *, is_stream: bool) -> tuple[tuple[Kpi, ...], dict[str, Any]]:
    if isinstance(kpis, Mapping):
        if is_stream and kpis:
            raise SchemaError("kpis: expected Kpi(name, function) for an iterator of chunks")
        return (), {check_column_name(name): values for name, values in kpis.items()}
    return check_kpis(kpis), {}


def _check_length(what: str, name: str, values: Any, rows: int) -> Values:
    column = np.asarray(values)
    if column.shape != (rows,):
        raise SchemaError(f"{what}: {name!r}: expected one for each of the {rows} rows")
    return column


def list_chunks(chunks: Iterator[Chunk], figures: RowFigures) -> Iterator[Chunk]:
    """Yield the chunks with their figures and attributions."""
    for chunk in chunks:
        figures.add(chunk)
        yield chunk
