"""A service without a reference makes one from its first rows."""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from mlmonitor.aggregate.segments import MOST_SEGMENTS
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import ReferenceFile
from mlmonitor.records import ABSENT, SOURCES, Declared, Role
from mlmonitor.reference.fit_options import public_names
from mlmonitor.reference.fitting.derived_fields import Derivations
from mlmonitor.reference.fitting.field_sample import FieldSample
from mlmonitor.reference.fitting.fit import fit_fields
from mlmonitor.reference.fitting.reservoir import Reservoir
from mlmonitor.reference.fitting.stratification import Stratification, StratumKeys
from mlmonitor.reference.kind_inference import infer_kind
from mlmonitor.reference.reference import Reference
from mlmonitor.reference.thresholds import FieldOptions
from mlmonitor.reference.training_data import Chunk, Columns, checked_name

if TYPE_CHECKING:
    from numpy.random import Generator

_NOTHING = Declared()


class Learner:
    """Keeps rows until there are `expected`, then says what they look like.

    Price: it holds these rows, and nothing once they became the reference. Of names that clients
    make up, the `FIELDS` most frequent become features.
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
        """How many rows were kept so far."""
        return sum(rows.count for rows in self.rows)

    def ingest(self, rows: Rows) -> bool:
        """Keep these rows; whether they are enough now."""
        self.rows.append(rows)
        return self.learned >= self.expected

    def reference(self) -> Reference:
        """The reference of the first rows kept, `expected` of them at most.

        A column of no known kind, or of another than was declared, is left out of it.
        """
        count = min(self.learned, self.expected)
        columns = self._columns(count)
        names = {name for _, name in columns}
        schema = self._declared.schema.items()
        public = public_names(self._declared.fields)
        strata = Stratification(self._declared.segments, self._most_segments, None, public)
        # The service is running: it cannot spare what simulated thresholds would cost.
        options = FieldOptions(thresholds=None, public=public)
        derivations = Derivations(
            {name: kind for name, kind in schema if name in names}, strata, is_lenient=True
        )
        fitted = fit_fields(
            derivations.passing(iter([Chunk(columns, count, self._marks(count))])),
            schema=derivations.others,
            sample_rows=None,
            rng=_unused_rng(),
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
        )
        return Reference(content, is_learned=True)

    def _marks(self, count: int) -> StratumKeys:
        """The values of the segment fields, None where a row had none."""
        fields = self._declared.segments
        columns = [self._column((Role.FEATURE, name), count) for name in fields]
        return StratumKeys([[None] * count if column is None else column for column in columns])

    def _columns(self, count: int) -> Columns:
        """Every column met in the first `count` rows, None where a row had no value."""
        columns = {identity: self._column(identity, count) for identity in self._learnable()}
        return {
            identity: c
            for identity, c in columns.items()
            if c is not None and self._is_learnable(identity, c)
        }

    def _column(self, identity: tuple[Role, str], count: int) -> list[object] | None:
        """One column; None if no row has it."""
        column: list[object] = [None] * count
        start, has_column = 0, False
        for rows in self.rows:
            stop = min(start + rows.count, count)
            values = _column(rows, identity)
            if values is not None:
                has_column, values_kept = True, values[: stop - start]
                column[start:stop] = [None if value is ABSENT else value for value in values_kept]
            start = stop
        return column if has_column else None

    def _is_learnable(self, identity: tuple[Role, str], column: list[object]) -> bool:
        """Whether values are of a kind that can be learned, and of that which was declared."""
        role, name = identity
        declared = self._declared.schema.get(name)
        if declared in SOURCES:
            return True
        sample, slots = FieldSample(role, name, declared=declared), Reservoir(None, _unused_rng())
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

    def _learnable(self) -> list[tuple[Role, str]]:
        """The fields that may be learned, in the order they were met."""
        counts: Counter[tuple[Role, str]] = Counter()
        for rows in self.rows:
            hidden = self._declared.ignore | {rows.identity}
            for name, count in rows.features.names().items():
                if name not in hidden and _is_name(name):
                    counts[Role.FEATURE, name] += count
            for name in rows.predictions:
                if _is_name(name):
                    counts[Role.PREDICTION, name] += rows.count
        kept = {identity for identity, _ in counts.most_common(self.FIELDS)}
        return [identity for identity in counts if identity in kept]


def _unused_rng() -> "Generator":
    """For a sample that keeps all rows, and so draws nothing."""
    return np.random.default_rng(0)


def _column(rows: Rows, identity: tuple[Role, str]) -> Values | None:
    role, name = identity
    return rows.features.column(name) if role is Role.FEATURE else rows.predictions.get(name)


def _is_name(name: str) -> bool:
    try:
        return checked_name(name) == name
    except SchemaError:
        return False
