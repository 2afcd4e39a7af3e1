"""Read rows into a block: values in the order of the schema, refused values counted by reason."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.numbers import lookup_values, parse_datetimes, parse_floats
from mlmonitor.capture.read.refusals import Reasons, column_reasons, matrix_reasons
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.gil import yield_gil
from mlmonitor.records import ABSENT, Block, Counts, Field, Floats, Kind, Role, Schema

Extend = Callable[[Block, Sequence[Values]], Block]


class Reader:
    """Reads rows by one schema; names outside the schema are counted in `unknown`.

    `sources` are fields outside the schema. Their raw values are passed to `extend` together with
    each block, and `extend` returns the block to use.

    At most `UNKNOWN_NAMES` unknown names are kept, each truncated to `NAME_CHARACTERS`; the others
    are counted under None, so that a hostile client cannot fill the memory.
    """

    UNKNOWN_NAMES = 64
    NAME_CHARACTERS = 200

    def __init__(
        self,
        schema: Schema,
        *,
        ignore: Collection[str] = (),
        keeps_reasons: bool = False,
        sources: Sequence[Field] = (),
        extend: Extend | None = None,
    ) -> None:
        self.schema = schema
        self._keeps_reasons = keeps_reasons
        self.unknown: dict[str | None, int] = {}
        self.ignored: set[str] = set()
        """The names of `ignore` that have occurred in rows."""
        self._ignore = frozenset(ignore)
        self._features = [(i, f) for i, f in enumerate(schema.numeric) if f.role is Role.FEATURE]
        self._matrix_names = [field.name for _, field in self._features]
        self._is_plain = all(field.kind is Kind.NUMERIC for _, field in self._features)
        self._other_numeric = [
            (i, f) for i, f in enumerate(schema.numeric) if f.role is not Role.FEATURE
        ]
        self._sources, self._extend = sources, extend
        self._field_names = {
            role: frozenset(f.name for f in (*schema.fields, *sources) if f.role is role)
            for role in (Role.FEATURE, Role.PREDICTION)
        }
        outputs = self._field_names[Role.PREDICTION]
        self._only_output = next(iter(outputs)) if len(outputs) == 1 else None

    def read_block(self, rows: Rows) -> Block:
        """Read rows as a block; a value that cannot be read is counted and raises nothing."""
        rows = self._with_output_name(rows)
        numeric = np.full((len(self.schema.numeric), rows.count), np.nan)
        refused = np.zeros((len(self.schema.numeric), 3), np.int64)
        reasons = np.zeros(numeric.shape, np.int8) if self._keeps_reasons else None
        read_at_once = self._read_matrix(rows, numeric, refused, reasons)
        yield_gil()
        by_column = self._other_numeric if read_at_once else self._features + self._other_numeric
        for i, field in by_column:
            values, read = self._get_raw_values(rows, field), _choose_reader(field)
            numeric[i], refused[i] = read(values)
            if reasons is not None and refused[i].any():
                reasons[i] = column_reasons(read, values, numeric[i], refused[i])
        categorical = [
            lookup_values(self._get_raw_values(rows, field)) for field in self.schema.categorical
        ]
        raw = [self._get_raw_values(rows, field) for field in self._sources]
        yield_gil()
        self._count_unknown(rows)
        reasons = reasons if refused.any() else None
        block = Block(rows.count, numeric, refused, categorical, reasons)
        return block if self._extend is None else self._extend(block, raw)

    def _with_output_name(self, rows: Rows) -> Rows:
        """Give a single output the name of the schema's only output, if either is `prediction`.

        So `{"predictions": [0.7]}` and a frame of one column mean the same as `[0.7]`.
        """
        expected = self._only_output
        if expected is None or len(rows.predictions) != 1:
            return rows
        ((name, column),) = rows.predictions.items()
        if name == expected or PREDICTION not in (name, expected):
            return rows
        return replace(rows, predictions={expected: column})

    def _read_matrix(
        self, rows: Rows, numeric: Floats, refused: Counts, reasons: Reasons | None
    ) -> bool:
        """Read all numeric features in one step; return whether that was possible."""
        if not self._is_plain or not self._matrix_names:
            return False
        matrix = rows.features.matrix(self._matrix_names)
        if matrix is None:
            return False
        positions = [i for i, _ in self._features]
        whole = slice(positions[0], positions[-1] + 1)
        if positions != list(range(whole.start, whole.stop)):
            return False
        values = numeric[whole]
        values[:] = matrix.T
        finite = np.isfinite(values)
        if not finite.all():
            missing = np.isnan(values).sum(axis=1)
            refused[whole, 0] = missing
            refused[whole, 1] = rows.count - finite.sum(axis=1) - missing
            if reasons is not None:
                reasons[whole] = matrix_reasons(values)
            values[~finite] = np.nan
        return True

    def _get_raw_values(self, rows: Rows, field: Field) -> Values:
        """The raw values of one field; all missing if no row has it."""
        if field.role is Role.PREDICTION:
            values = rows.predictions.get(field.name)
        else:
            values = rows.features.column(field.name)
        if values is not None:
            return values
        if field.role is Role.PREDICTION and rows.failed:
            return [ABSENT if failed else None for failed in rows.failed]
        return [None] * rows.count

    def _count_unknown(self, rows: Rows) -> None:
        features = self._field_names[Role.FEATURE]
        if not rows.features.holds_only(len(features)):
            self._count_names(rows.features.names(), features | {rows.identity})
        all_failed = bool(rows.failed) and all(rows.failed)
        if not rows.predictions.keys() <= self._field_names[Role.PREDICTION] and not all_failed:
            counts = {name: _count_filled(column) for name, column in rows.predictions.items()}
            self._count_names(counts, self._field_names[Role.PREDICTION])

    def _count_names(self, counts: Mapping[str, int], expected: Collection[str | None]) -> None:
        for name, count in counts.items():
            if not count or name in expected:
                continue
            if name in self._ignore:
                self.ignored.add(name)
                continue
            short = name[: self.NAME_CHARACTERS]
            has_room = short in self.unknown or len(self.unknown) < self.UNKNOWN_NAMES
            key = short if has_room else None
            self.unknown[key] = self.unknown.get(key, 0) + count


def _choose_reader(field: Field) -> Callable[[Values], tuple[Floats, Counts]]:
    return parse_datetimes if field.kind is Kind.DATETIME else parse_floats


def _count_filled(column: Values) -> int:
    """Number of rows that have a value in this column."""
    if isinstance(column, np.ndarray):
        return len(column)
    return sum(1 for value in column if value is not None and value is not ABSENT)
