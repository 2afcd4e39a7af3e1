"""A sample of the values of one field, and its summary for a reference."""

from typing import Any

import numpy as np

from mlmonitor.aggregate.sketches.bins import (
    FLOAT32_TOLERANCE,
    FLOAT64_TOLERANCE,
    bin_counts,
    counts_up_to,
    pad_edges,
    quantile_edges,
)
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.read.numbers import category_names, parse_datetimes, parse_floats
from mlmonitor.capture.read.refusals import Reasons, RefusalReason, column_reasons
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import QUANTILE_POINTS, CountedEntry, NumericReference
from mlmonitor.records import Field, Floats, Kind, Role
from mlmonitor.reference.disclosure import (
    coarsen,
    coarsen_range,
    is_advancing,
    is_number_id_like,
    is_sequential,
)
from mlmonitor.reference.fitting.reservoir import Reservoir, Sample
from mlmonitor.reference.fitting.stratified_field import refused_of
from mlmonitor.reference.fitting.top_categories import categorical
from mlmonitor.reference.kind_inference import infer_kind, warn_of_texts
from mlmonitor.reference.order.tail_edges import add_tail_edges
from mlmonitor.reference.thresholds import FieldOptions, critical_tables


class FieldSample:
    """A uniform sample of the values of one field, with moments over all its values.

    Until a chunk has a value that shows the kind, all values are missing and none is stored.
    """

    def __init__(
        self, role: Role, name: str, *, declared: Kind | None, is_public: bool = False
    ) -> None:
        self.role: Role = role
        self.name: str = name
        self.moments: Moments = Moments(1)
        self.wrong_type: int = 0
        self._kind = self._declared = declared
        self._is_public = is_public
        self._sample: Sample | None = None
        self._reasons: Sample | None = None  # None until a value is refused

    def ingest(self, values: Values, slots: Reservoir) -> None:
        """Store the values of the chunk's rows that are in the sample.

        Raises:
            SchemaError: the kind cannot be inferred, or differs from that of earlier chunks.
        """
        if self._declared is None:
            self._settle(infer_kind(self.name, values))
        if self._kind is None:
            return
        field = Field(self.name, self.role, self._kind)
        read = self._read_numbers if field.is_numeric else self._read_names
        column, reasons = read(field, values)
        if self._sample is None:
            self._sample = Sample(np.nan if field.is_numeric else None)
        self._sample.ingest(column, slots)
        if reasons is not None or self._reasons is not None:
            self._reasons = self._reasons or Sample(0.0)
            codes = np.zeros(len(column)) if reasons is None else reasons.astype(np.float64)
            self._reasons.ingest(codes, slots)

    def _settle(self, kind: Kind | None) -> None:
        if self._kind is None:
            self._kind = kind
        elif kind not in (None, self._kind) and (self._kind, kind) != (Kind.NUMERIC, Kind.BOOLEAN):
            raise SchemaError(
                f"column {self.name!r}: {self._kind.value} in one chunk, {kind} in a later one; "
                f"say which it is: schema={{{self.name!r}: ...}}"
            )

    def _read_numbers(self, field: Field, values: Values) -> tuple[Floats, Reasons | None]:
        """Return the column, and the reason of each refused value; None if none was refused."""
        read = parse_datetimes if field.kind is Kind.DATETIME else parse_floats
        column, refused = read(values)
        self.wrong_type += int(refused[RefusalReason.WRONG_TYPE.column])
        self.moments.update(column[None, :])
        has_other_reasons = refused[RefusalReason.NONFINITE.column :].any()
        return column, column_reasons(read, values, column, refused) if has_other_reasons else None

    def _read_names(self, field: Field, values: Values) -> tuple[Any, Reasons | None]:
        names = category_names(values, is_boolean=field.kind is Kind.BOOLEAN)
        column = np.empty(len(names), object)
        column[:] = names
        wrong = [
            row
            for row in [row for row, name in enumerate(names) if name is None]
            if not is_missing(values[row])
        ]
        self.wrong_type += len(wrong)
        if not wrong:
            return column, None
        reasons = np.zeros(len(names), np.int8)
        reasons[wrong] = RefusalReason.WRONG_TYPE
        return column, reasons

    def rows(self, slots: Reservoir) -> Any:
        """The sampled values: numbers, NaN where missing, or categories, None where missing."""
        is_numeric = self._saved_kind in (Kind.NUMERIC, Kind.DATETIME)
        return (self._sample or Sample(np.nan if is_numeric else None)).rows(slots)

    @property
    def _saved_kind(self) -> Kind:
        """The kind to save; a feature without values is categorical, which any later value fits."""
        unknown = Kind.CATEGORICAL if self.role is Role.FEATURE else Kind.NUMERIC
        return self._kind or unknown

    def entry(self, slots: Reservoir, options: FieldOptions) -> CountedEntry:
        """Summarise the sample as the entry of the field.

        Raises:
            SchemaError: no value has the declared kind.
        """
        kind = self._saved_kind
        field = Field(self.name, self.role, kind)
        rows = self.rows(slots)
        ordered = np.sort(rows)[: np.count_nonzero(~np.isnan(rows))] if field.is_numeric else None
        entry = (
            categorical(field, rows, is_public=self._is_public)
            if ordered is None
            else self._summarise_numbers(field, ordered, rows, options.bins)
        )
        if self._declared is not None and self.wrong_type and not sum(entry.counts):
            raise SchemaError(
                f"column {self.name!r}: expected {kind.value}, as the schema says, but no value is"
            )
        if self._declared is None and kind is Kind.CATEGORICAL:
            warn_of_texts(self.name, rows)
        update: dict[str, Any] = refused_of(self.reasons(slots))
        if self._kind is None and ordered is None:
            update["is_closed"] = False  # so that later values do not count as new categories
        update["critical"] = critical_tables(entry, ordered, options.thresholds)
        return entry.model_copy(update=update)

    def reasons(self, slots: Reservoir) -> Reasons:
        """Return the refusal reason of each sampled row; 0 if its value is valid or missing."""
        sample = Sample(0.0) if self._reasons is None else self._reasons
        reasons: Reasons = sample.rows(slots).astype(np.int8)
        return reasons

    def _is_sequential(self, field: Field, ordered: Floats) -> bool:
        is_candidate = field.kind is Kind.NUMERIC and field.role is Role.FEATURE
        return is_candidate and not self._is_public and is_sequential(ordered)

    def _summarise_numbers(
        self, field: Field, ordered: Floats, sampled: Floats, bins: int
    ) -> NumericReference:
        rows = sampled.size
        has_values = ordered.size > 0
        is_time = field.kind is Kind.DATETIME  # seconds since 1970, never float32
        tolerance = FLOAT64_TOLERANCE if is_time else FLOAT32_TOLERANCE
        moments = self.moments
        low, high = float(moments.min[0]), float(moments.max[0])
        looks_like_id = is_advancing(sampled) if is_time else is_number_id_like(ordered)
        id_like = looks_like_id and not self._is_public
        edges = quantile_edges(ordered, bins=bins, tolerance=tolerance)
        quantiles = np.empty(0)
        if has_values:
            quantiles = np.quantile(ordered, _GRID, method="inverted_cdf")
        if not id_like:
            edges = add_tail_edges(edges, ordered, tolerance=tolerance)
        else:
            edges = np.unique(coarsen(edges, low, high))
            low, high = coarsen_range(low, high)
            quantiles = np.clip(
                coarsen(quantiles, float(ordered[0]), float(ordered[-1])), low, high
            )
        upto = counts_up_to(ordered[None, :], pad_edges([edges]))
        return NumericReference(
            name=field.name,
            role=field.role.value,  # type: ignore[arg-type]  # kpis have no reference
            kind=field.kind.value,  # type: ignore[arg-type]  # numeric or datetime, see above
            rows=rows,
            missing=rows - ordered.size,
            mean=float(moments.mean[0]) if has_values else None,
            stddev=float(moments.stddev[0]) if has_values else None,
            skewness=_compute_skewness(ordered),
            min=low if has_values else None,
            max=high if has_values else None,
            quantiles=quantiles.tolist(),
            id_like=id_like,
            sequential=self._is_sequential(field, ordered) and not id_like,
            edges=edges.tolist(),
            counts=bin_counts(upto, np.array([ordered.size]))[0].tolist(),
        )


_GRID = np.linspace(0, 1, QUANTILE_POINTS)


def _compute_skewness(values: Floats) -> float | None:
    """Return the third standardised moment; None if the values are constant or too large."""
    if not values.size:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = values.std()
        is_usable = 0 < deviation < np.inf
        scaled = (values - values.mean()) / deviation if is_usable else np.full(1, np.nan)
        third = (scaled * scaled * scaled).mean()  # five times as fast as a power of 3
    return float(f"{third:.6g}") if np.isfinite(third) else None
