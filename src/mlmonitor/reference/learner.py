"""Learn a reference from the first rows of a service, if it was given none."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from mlmonitor.aggregate.segments import MOST_SEGMENTS
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import ReferenceFile
from mlmonitor.records import ABSENT, SOURCES, Declared, Role
from mlmonitor.reference.column_names import check_column_name
from mlmonitor.reference.fit_options import public_names
from mlmonitor.reference.fitting.derived_fields import Derivations
from mlmonitor.reference.fitting.field_sample import FieldSample
from mlmonitor.reference.fitting.fit import fit_fields
from mlmonitor.reference.fitting.reservoir import Reservoir
from mlmonitor.reference.fitting.stratification import Stratification, StratumKeys
from mlmonitor.reference.kind_inference import infer_kind
from mlmonitor.reference.reference import Reference
from mlmonitor.reference.thresholds import FieldOptions
from mlmonitor.reference.training_data import Chunk, Columns

if TYPE_CHECKING:
    from numpy.random import Generator

_NOTHING = Declared()


class Learner:
    """Stores the first `expected` rows, then summarises them as a reference.

    Clients may send any name, so only the `FIELDS` most frequent names become features.
    Price: the memory of these rows, until the reference replaces them.
    """

    FIELDS = 2_000

    def __init__(
        self,
        expected: int,
        declared: Declared = _NOTHING,
        *,
        most_segments: int = MOST_SEGMENTS,
    ) -> None:
        self.expected = expected
        self._declared, self._most_segments = declared, most_segments
        self.rows: list[Rows] = []

    @property
    def learned(self) -> int:
        """Number of rows stored so far."""
        return sum(rows.count for rows in self.rows)

    def ingest(self, rows: Rows) -> bool:
        """Store rows; return whether there are enough for a reference now."""
        self.rows.append(rows)
        return self.learned >= self.expected

    def reference(self) -> Reference:
        """Fit a reference to the first `expected` rows, or to those stored if they are fewer.

        A column is left out if its kind cannot be inferred, or is not the declared kind.
        """
        count = min(self.learned, self.expected)
        columns = self._list_columns(count)
        names = {name for _, name in columns}
        schema = self._declared.schema.items()
        public = public_names(self._declared.fields)
        strata = Stratification(self._declared.segments, self._most_segments, None, public)
        # Simulating thresholds would take too much CPU from a running service.
        options = FieldOptions(thresholds=None, public=public)
        derivations = Derivations(
            {name: kind for name, kind in schema if name in names}, strata, is_lenient=True
        )
        fitted = fit_fields(
            derivations.passing(iter([Chunk(columns, count, self._list_marks(count))])),
            schema=derivations.others,
            sample_rows=None,
            rng=_make_unused_rng(),
            strata=strata,
            options=options,
        )
        whole = derivations.completed(fitted, options)
        content = ReferenceFile(
            rows=fitted.rows,
            rows_seen=fitted.rows_seen,
            fields=whole.fields,
            explained=fitted.explained,
            segmented_by=list(strata.fields),
            segments=whole.segments,
            grouped=strata.order.grouped(self._declared.groups, fitted.slots),
        )
        return Reference(content, is_learned=True)

    def _list_marks(self, count: int) -> StratumKeys:
        """Return the segment fields and groups of the rows; None where a row has no value."""
        fields = self._declared.segments
        columns = [self._get_column((Role.FEATURE, name), count) for name in fields]
        by_segment = [[None] * count if column is None else column for column in columns]
        groups = self._declared.groups
        group = None if groups is None else self._get_column((Role.FEATURE, groups), count)
        return StratumKeys(by_segment, groups=group)

    def _list_columns(self, count: int) -> Columns:
        """Return the learnable columns of the first `count` rows; None where a row has no value."""
        columns = {
            identity: self._get_column(identity, count) for identity in self._list_learnable()
        }
        return {
            identity: c
            for identity, c in columns.items()
            if c is not None and self._is_learnable(identity, c)
        }

    def _get_column(self, identity: tuple[Role, str], count: int) -> list[object] | None:
        """Return one column; None if no row has a value."""
        column: list[object] = [None] * count
        start, has_column = 0, False
        for rows in self.rows:
            stop = min(start + rows.count, count)
            values = _get_column(rows, identity)
            if values is not None:
                has_column, values_kept = True, values[: stop - start]
                column[start:stop] = [None if value is ABSENT else value for value in values_kept]
            start = stop
        return column if has_column else None

    def _is_learnable(self, identity: tuple[Role, str], column: list[object]) -> bool:
        """Whether the kind of a column can be learned, and agrees with a declared kind."""
        role, name = identity
        declared = self._declared.schema.get(name)
        if declared in SOURCES:
            return True
        sample, slots = (
            FieldSample(role, name, declared=declared),
            Reservoir(None, _make_unused_rng()),
        )
        slots.next_chunk(len(column))
        try:
            if declared is None:
                infer_kind(name, column)
            else:
                sample.ingest(column, slots)
                sample.entry(slots, FieldOptions(bins=1, thresholds=None))
        except SchemaError:
            return False
        return True

    def _list_learnable(self) -> list[tuple[Role, str]]:
        """Return the fields that may be learned, in order of their first row."""
        counts: Counter[tuple[Role, str]] = Counter()
        for rows in self.rows:
            hidden = self._declared.ignore | {rows.identity, self._declared.groups}
            for name, count in rows.features.names().items():
                if name not in hidden and _is_name(name):
                    counts[Role.FEATURE, name] += count
            for name in rows.predictions:
                if _is_name(name):
                    counts[Role.PREDICTION, name] += rows.count
        kept = {identity for identity, _ in counts.most_common(self.FIELDS)}
        return [identity for identity in counts if identity in kept]


def _make_unused_rng() -> "Generator":
    """Return a generator for a `Reservoir` without a limit, which never draws."""
    return np.random.default_rng(0)


def _get_column(rows: Rows, identity: tuple[Role, str]) -> Values | None:
    role, name = identity
    return rows.features.column(name) if role is Role.FEATURE else rows.predictions.get(name)


def _is_name(name: str) -> bool:
    try:
        return check_column_name(name) == name
    except SchemaError:
        return False
