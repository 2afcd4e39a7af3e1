"""Columns become the entries of a reference: kinds inferred, each field sampled and summarised."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from numbers import Number
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.aggregate.bins import bin_counts, counts_up_to, padded, quantile_edges
from mlmonitor.aggregate.categories import NEW, OTHER, category_name
from mlmonitor.aggregate.moments import Moments
from mlmonitor.capture.columns import Values, is_missing, moments_in_time, numbers
from mlmonitor.compare.critical import tables
from mlmonitor.compare.slots import Sample, Slots
from mlmonitor.compare.strata import Strata
from mlmonitor.compare.training import Chunk, Columns
from mlmonitor.errors import SchemaError
from mlmonitor.records import Field, Floats, Kind, Role
from mlmonitor.reference_format import (
    QUANTILE_POINTS,
    CategoricalReference,
    NumericReference,
    SegmentReference,
)

TOP_CATEGORIES = 50
OTHER_CATEGORIES = 2_000
SAMPLE_ROWS = 100_000

Entry = NumericReference | CategoricalReference

_WRONG_TYPE = 2
_BY_DTYPE = {
    "b": Kind.BOOLEAN,
    "i": Kind.NUMERIC,
    "u": Kind.NUMERIC,
    "f": Kind.NUMERIC,
    "M": Kind.DATETIME,
    "U": Kind.CATEGORICAL,
    "S": Kind.CATEGORICAL,
    "T": Kind.CATEGORICAL,
}


def infer_kind(name: str, values: Values) -> Kind:
    """The kind of a column, numeric where all is missing.

    Raises:
        SchemaError: its values are of no kind known here.
    """
    return known_kind(name, values) or Kind.NUMERIC


def known_kind(name: str, values: Values) -> Kind | None:
    """The kind that most values of a column are of; None where all are missing.

    Raises:
        SchemaError: its values are of no kind known here.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        kind = _BY_DTYPE.get(values.dtype.kind)
        if values.dtype.kind in "fM" and kind is not None:
            return None if np.all(np.isnan(np.asarray(values))) else kind
    else:
        found = _kinds_of(list(values))
        if not found:
            return None
        if set(found) == {Kind.BOOLEAN, Kind.NUMERIC}:
            return Kind.NUMERIC
        kind = found.most_common(1)[0][0]
    if kind is None:
        raise SchemaError(
            f"column {name!r}: wanted numbers, text, booleans or datetimes; leave it out, turn it "
            f"into numbers first, or, if it holds vectors, say schema={{{name!r}: 'embedding'}}"
        )
    return kind


def _kinds_of(values: list[object]) -> Counter[Kind | None]:
    """How many values are of each kind: told by their types, of which there are few."""
    found: Counter[Kind | None] = Counter()
    examples = dict(zip(map(type, values), values, strict=True))
    for kind, count in Counter(map(type, values)).items():
        if issubclass(kind, float | np.floating | np.datetime64 | np.timedelta64):
            count = sum(type(value) is kind and not is_missing(value) for value in values)  # noqa: PLW2901 - NaN is of a type, too
        elif is_missing(examples[kind]):
            continue
        if count:
            found[_kind_of(examples[kind])] += count
    return found


def _kind_of(value: object) -> Kind | None:
    if isinstance(value, bool | np.bool_):
        return Kind.BOOLEAN
    if isinstance(value, complex | np.complexfloating | np.timedelta64):
        return None
    if isinstance(value, Number):
        return Kind.NUMERIC
    if isinstance(value, date | np.datetime64):
        return Kind.DATETIME
    return None if category_name(value) is None else Kind.CATEGORICAL


class FieldSample:
    """One field's training values: a uniform sample of rows, and moments of all of them.

    Until a value tells the kind, all values are missing, and only their number is kept.
    """

    def __init__(self, role: Role, name: str, *, declared: Kind | None) -> None:
        self.role: Role = role
        self.name: str = name
        self.moments: Moments = Moments(1)
        self.refused: int = 0
        self._kind = self._declared = declared
        self._sample: Sample | None = None

    def take(self, values: Values, slots: Slots) -> None:
        """Keep those rows of a chunk that the sample has slots for.

        Raises:
            SchemaError: the values are of no kind, or of another than those before them.
        """
        if self._declared is None:
            self._settle(known_kind(self.name, values))
        if self._kind is None:
            return
        field = Field(self.name, self.role, self._kind)
        column = self._numbers(field, values) if field.is_numeric else self._names(field, values)
        if self._sample is None:
            self._sample = Sample(np.nan if field.is_numeric else None)
        self._sample.take(column, slots)

    def _settle(self, met: Kind | None) -> None:
        if self._kind is None:
            self._kind = met
        elif met not in (None, self._kind) and (self._kind, met) != (Kind.NUMERIC, Kind.BOOLEAN):
            raise SchemaError(
                f"column {self.name!r}: {self._kind.value} in one chunk, {met} in a later one; say "
                f"which it is: schema={{{self.name!r}: ...}}"
            )

    def _numbers(self, field: Field, values: Values) -> Floats:
        column, refused = (moments_in_time if field.kind is Kind.DATETIME else numbers)(values)
        self.refused += int(refused[_WRONG_TYPE])
        self.moments.update(column[None, :])
        return column

    def _names(self, field: Field, values: Values) -> Any:
        listed = list(values)
        texts = {value for value in listed if type(value) is str}
        known = {text: _category(field, text) for text in texts}
        column = np.empty(len(listed), object)
        column[:] = [
            known[value] if type(value) is str else _category(field, value) for value in listed
        ]
        unnamed = (value for value, name in zip(listed, column, strict=True) if name is None)
        self.refused += sum(not is_missing(value) for value in unnamed)
        return column

    def rows(self, slots: Slots) -> Any:
        """The sampled values: numbers, NaN where missing, or categories, None where missing."""
        is_numeric = self._kind in (None, Kind.NUMERIC, Kind.DATETIME)
        return (self._sample or Sample(np.nan if is_numeric else None)).rows(slots)

    def entry(self, slots: Slots, *, bins: int, has_critical: bool) -> Entry:
        """The field as it is saved.

        Raises:
            SchemaError: it was declared to be of a kind that none of its values is of.
        """
        kind = self._kind or Kind.NUMERIC
        field = Field(self.name, self.role, kind)
        rows = self.rows(slots)
        ordered = np.sort(rows)[: np.count_nonzero(~np.isnan(rows))] if field.is_numeric else None
        entry = (
            _categorical(field, rows)
            if ordered is None
            else self._numeric(field, ordered, rows.size, bins)
        )
        if self._declared is not None and self.refused and not sum(entry.counts):
            raise SchemaError(
                f"column {self.name!r}: wanted {kind.value}, as the schema says, but no value is"
            )
        if not has_critical:
            return entry
        return entry.model_copy(update={"critical": tables(entry, ordered)})

    def _numeric(self, field: Field, ordered: Floats, rows: int, bins: int) -> NumericReference:
        has_values = ordered.size > 0
        edges = quantile_edges(ordered, bins=bins) if has_values else np.empty(0)
        upto = counts_up_to(ordered[None, :], padded([edges]))
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


def _categorical(field: Field, sample: Any) -> CategoricalReference:
    counts = Counter(sample.tolist())
    missing = counts.pop(None, 0)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if field.kind is Kind.BOOLEAN:
        ranked = [(name, counts.get(name, 0)) for name in ("false", "true")]
    top = [item for item in ranked if item[0] not in (OTHER, NEW)][:TOP_CATEGORIES]
    listed = {name for name, _ in top}
    rest = [item for item in ranked if item[0] not in listed]
    return CategoricalReference(
        name=field.name,
        role=field.role.value,  # type: ignore[arg-type]  # kpis have no reference
        kind=field.kind.value,  # type: ignore[arg-type]  # categorical or boolean: no other comes here
        rows=len(sample),
        missing=missing,
        categories=[name for name, _ in top],
        counts=[count for _, count in top] + [sum(count for _, count in rest)],
        others=[name for name, _ in rest[:OTHER_CATEGORIES]],
        is_closed=len(rest) <= OTHER_CATEGORIES,
    )


class Fitted(NamedTuple):
    """The entries of all fields, the rows behind them, the rows seen, and the segments."""

    entries: list[Entry]
    rows: int
    rows_seen: int
    segments: list[SegmentReference]


def fitted(  # noqa: PLR0913 - one name for each thing that decides
    parts: Iterator[Chunk],
    *,
    schema: Mapping[str, Kind],
    sample_rows: int | None,
    bins: int,
    rng: "np.random.Generator",
    has_critical: bool = True,
    strata: Strata,
) -> Fitted:
    """What training data looks like, field by field and part by part.

    has_critical: whether it is simulated what chance makes of each distance. strata: by what the
    rows are parted.

    Raises:
        SchemaError: there are no rows, chunks differ in their columns, a kind cannot be told, or
            the schema names a column that is not there.
    """
    slots = Slots(sample_rows, rng)
    samples: dict[tuple[Role, str], FieldSample] = {}
    for columns, rows, marks in parts:
        if rows == 0:
            continue
        if not samples:
            samples = _begun(columns, schema)
        if columns.keys() != samples.keys():
            odd = sorted(f"{name!r}" for _, name in columns.keys() ^ samples.keys())
            raise SchemaError(f"chunks differ in their columns: {', '.join(odd[:10])}")
        slots.next_chunk(rows)
        for identity, sample in samples.items():
            sample.take(columns[identity], slots)
        strata.take(marks, slots)
    if slots.seen == 0:
        raise SchemaError("features: wanted at least one column with at least one row")
    fields = list(samples.values())
    entries = [sample.entry(slots, bins=bins, has_critical=has_critical) for sample in fields]
    entries = [
        strata.with_seasons(entry, sample.rows(slots), slots)
        for entry, sample in zip(entries, fields, strict=True)
    ]
    segments = strata.segments(fields, entries, slots, has_critical=has_critical)
    return Fitted(entries, slots.kept, slots.seen, segments)


def _begun(columns: Columns, schema: Mapping[str, Kind]) -> dict[tuple[Role, str], FieldSample]:
    known = {name for _, name in columns}
    for name in schema:
        if name not in known:
            raise SchemaError(f"schema: there is no column {name!r}")
    return {
        (role, name): FieldSample(role, name, declared=schema.get(name)) for role, name in columns
    }
