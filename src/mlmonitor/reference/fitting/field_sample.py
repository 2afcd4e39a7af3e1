"""The sample of one field that a reference is fitted on."""

from typing import Any

import numpy as np

from mlmonitor.aggregate.sketches.bins import bin_counts, counts_up_to, pad_edges, quantile_edges
from mlmonitor.aggregate.sketches.categories import category_name
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.capture.read.numbers import parse_datetimes, parse_floats
from mlmonitor.capture.read.refusals import NONFINITE, WRONG_TYPE, Reasons, column_reasons
from mlmonitor.capture.values import Values, is_missing
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import QUANTILE_POINTS, CountedEntry, NumericReference
from mlmonitor.records import Field, Floats, Kind, Role
from mlmonitor.reference.fitting.reservoir import Reservoir, Sample
from mlmonitor.reference.fitting.stratified_field import refused_of
from mlmonitor.reference.fitting.top_categories import categorical
from mlmonitor.reference.kind_inference import known_kind
from mlmonitor.reference.thresholds import Thresholds, critical_tables


class FieldSample:
    """One field's training values: a uniform sample of rows, and moments of all of them.

    Until a value tells the kind, all values are missing, and only their number is kept.
    """

    def __init__(self, role: Role, name: str, *, declared: Kind | None) -> None:
        self.role: Role = role
        self.name: str = name
        self.moments: Moments = Moments(1)
        self.wrong_type: int = 0
        self._kind = self._declared = declared
        self._sample: Sample | None = None
        self._reasons: Sample | None = None  # none but that values are missing

    def take(self, values: Values, slots: Reservoir) -> None:
        """Keep those rows of a chunk that the sample has slots for.

        Raises:
            SchemaError: the values are of no kind, or of another than those before them.
        """
        if self._declared is None:
            self._settle(known_kind(self.name, values))
        if self._kind is None:
            return
        field = Field(self.name, self.role, self._kind)
        read = self._numbers if field.is_numeric else self._names
        column, reasons = read(field, values)
        if self._sample is None:
            self._sample = Sample(np.nan if field.is_numeric else None)
        self._sample.take(column, slots)
        if reasons is not None or self._reasons is not None:
            self._reasons = self._reasons or Sample(0.0)
            told = np.zeros(len(column)) if reasons is None else reasons.astype(np.float64)
            self._reasons.take(told, slots)

    def _settle(self, met: Kind | None) -> None:
        if self._kind is None:
            self._kind = met
        elif met not in (None, self._kind) and (self._kind, met) != (Kind.NUMERIC, Kind.BOOLEAN):
            raise SchemaError(
                f"column {self.name!r}: {self._kind.value} in one chunk, {met} in a later one; say "
                f"which it is: schema={{{self.name!r}: ...}}"
            )

    def _numbers(self, field: Field, values: Values) -> tuple[Floats, Reasons | None]:
        """The column, and why values were refused; None where they are missing, and no more."""
        read = parse_datetimes if field.kind is Kind.DATETIME else parse_floats
        column, refused = read(values)
        self.wrong_type += int(refused[WRONG_TYPE - 1])
        self.moments.update(column[None, :])
        told = refused[NONFINITE - 1 :].any()
        return column, column_reasons(read, values, column, refused) if told else None

    def _names(self, field: Field, values: Values) -> tuple[Any, Reasons | None]:
        listed = list(values)
        texts = {value for value in listed if type(value) is str}
        known = {text: _category(field, text) for text in texts}
        column = np.empty(len(listed), object)
        column[:] = [
            known[value] if type(value) is str else _category(field, value) for value in listed
        ]
        lost = [at for at, name in enumerate(column) if name is None and not is_missing(listed[at])]
        self.wrong_type += len(lost)
        if not lost:
            return column, None
        reasons = np.zeros(len(listed), np.int8)
        reasons[lost] = WRONG_TYPE
        return column, reasons

    def rows(self, slots: Reservoir) -> Any:
        """The sampled values: numbers, NaN where missing, or categories, None where missing."""
        is_numeric = self._kind in (None, Kind.NUMERIC, Kind.DATETIME)
        return (self._sample or Sample(np.nan if is_numeric else None)).rows(slots)

    def entry(self, slots: Reservoir, *, bins: int, thresholds: Thresholds | None) -> CountedEntry:
        """The field as it is saved.

        Raises:
            SchemaError: it was declared to be of a kind that none of its values is of.
        """
        kind = self._kind or Kind.NUMERIC
        field = Field(self.name, self.role, kind)
        rows = self.rows(slots)
        ordered = np.sort(rows)[: np.count_nonzero(~np.isnan(rows))] if field.is_numeric else None
        entry = (
            categorical(field, rows)
            if ordered is None
            else self._numeric(field, ordered, rows.size, bins)
        )
        if self._declared is not None and self.wrong_type and not sum(entry.counts):
            raise SchemaError(
                f"column {self.name!r}: expected {kind.value}, as the schema says, but no value is"
            )
        update: dict[str, Any] = refused_of(self.reasons(slots))
        update["critical"] = critical_tables(entry, ordered, thresholds)
        return entry.model_copy(update=update)

    def reasons(self, slots: Reservoir) -> Reasons:
        """Why each sampled value is missing, as in a block; 0 also where that is all there is."""
        found = Sample(0.0) if self._reasons is None else self._reasons
        told: Reasons = found.rows(slots).astype(np.int8)
        return told

    def _numeric(self, field: Field, ordered: Floats, rows: int, bins: int) -> NumericReference:
        has_values = ordered.size > 0
        edges = quantile_edges(ordered, bins=bins) if has_values else np.empty(0)
        upto = counts_up_to(ordered[None, :], pad_edges([edges]))
        q = np.linspace(0, 1, QUANTILE_POINTS)
        moments = self.moments
        return NumericReference(
            name=field.name,
            role=field.role.value,  # type: ignore[arg-type]  # kpis have no reference
            kind=field.kind.value,  # type: ignore[arg-type]  # numeric or datetime, see above
            rows=rows,
            missing=rows - ordered.size,
            mean=float(moments.mean[0]) if has_values else None,
            stddev=float(moments.stddev[0]) if has_values else None,
            min=float(moments.min[0]) if has_values else None,
            max=float(moments.max[0]) if has_values else None,
            quantiles=np.quantile(ordered, q, method="inverted_cdf").tolist() if has_values else [],
            edges=edges.tolist(),
            counts=bin_counts(upto, np.array([ordered.size]))[0].tolist(),
        )


def _category(field: Field, value: object) -> str | None:
    """A category's name; None where the value is missing or cannot be one."""
    if is_missing(value):
        return None
    if field.kind is Kind.BOOLEAN:
        known = isinstance(value, bool | np.bool_ | int | float | np.number) and value in (0, 1)
        return category_name(bool(value)) if known else None
    return category_name(value)
