"""Rows become a block: every field's values in the schema's order, the rest counted by reason."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.numbers import parse_datetimes, parse_floats
from mlmonitor.capture.read.refusals import Reasons, column_reasons, matrix_reasons
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.records import ABSENT, Block, Counts, Field, Floats, Kind, Role, Schema

Extend = Callable[[Block, Sequence[Values]], Block]


class Reader:
    """Reads rows by one schema; what the schema does not know is counted in `unknown`.

    The raw values of `sources`, which are known but have no place in the schema, are given to
    `extend` together with each block; what it returns is the block.

    A name too many is remembered only while there are fewer than `UNKNOWN_NAMES` of them; all
    others are counted under None, and a long name is cut, so that a hostile client cannot fill the
    memory.
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
        """Those to ignore that rows have had."""
        self._ignore = frozenset(ignore)
        self._features = [(at, f) for at, f in enumerate(schema.numeric) if f.role is Role.FEATURE]
        self._matrix_names = [field.name for _, field in self._features]
        self._is_plain = all(field.kind is Kind.NUMERIC for _, field in self._features)
        self._rest = [(at, f) for at, f in enumerate(schema.numeric) if f.role is not Role.FEATURE]
        self._sources, self._extend = sources, extend
        self._known = {
            role: frozenset(f.name for f in (*schema.fields, *sources) if f.role is role)
            for role in (Role.FEATURE, Role.PREDICTION)
        }
        outputs = self._known[Role.PREDICTION]
        self._only_output = next(iter(outputs)) if len(outputs) == 1 else None

    def block(self, rows: Rows) -> Block:
        """The rows as a block. A value that cannot be read is counted; nothing is raised for it."""
        rows = self._with_known_output(rows)
        numeric = np.full((len(self.schema.numeric), rows.count), np.nan)
        refused = np.zeros((len(self.schema.numeric), 3), np.int64)
        reasons = np.zeros(numeric.shape, np.int8) if self._keeps_reasons else None
        read_at_once = self._read_matrix(rows, numeric, refused, reasons)
        by_column = self._rest if read_at_once else self._features + self._rest
        for at, field in by_column:
            values, read = self._values(rows, field), _read(field)
            numeric[at], refused[at] = read(values)
            if reasons is not None and refused[at].any():
                reasons[at] = column_reasons(read, values, numeric[at], refused[at])
        categorical = [self._values(rows, field) for field in self.schema.categorical]
        raw = [self._values(rows, field) for field in self._sources]
        self._count_unknown(rows)
        listed = [_listed(values) for values in categorical]
        reasons = reasons if refused.any() else None
        block = Block(rows.count, numeric, refused, listed, reasons)
        return block if self._extend is None else self._extend(block, raw)

    def _with_known_output(self, rows: Rows) -> Rows:
        """One output is the one that the schema knows, if one of the two has no name of its own.

        So `{"predictions": [0.7]}` and a frame of one column are what `[0.7]` is.
        """
        known = self._only_output
        if known is None or len(rows.predictions) != 1:
            return rows
        ((name, column),) = rows.predictions.items()
        if name == known or PREDICTION not in (name, known):
            return rows
        return replace(rows, predictions={known: column})

    def _read_matrix(
        self, rows: Rows, numeric: Floats, refused: Counts, reasons: Reasons | None
    ) -> bool:
        """Read all numeric features together if they allow it."""
        if not self._is_plain or not self._matrix_names:
            return False
        matrix = rows.features.matrix(self._matrix_names)
        if matrix is None:
            return False
        positions = [at for at, _ in self._features]
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

    def _values(self, rows: Rows, field: Field) -> Values:
        """The raw values of one field; missing throughout where no row has it."""
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
        features = self._known[Role.FEATURE]
        if not rows.features.holds_only(len(features)):
            self._count_names(rows.features.names(), features | {rows.identity})
        all_failed = bool(rows.failed) and all(rows.failed)
        if not rows.predictions.keys() <= self._known[Role.PREDICTION] and not all_failed:
            filled = {name: _filled(column) for name, column in rows.predictions.items()}
            self._count_names(filled, self._known[Role.PREDICTION])

    def _count_names(self, found: Mapping[str, int], known: Collection[str | None]) -> None:
        for name, count in found.items():
            if not count or name in known:
                continue
            if name in self._ignore:
                self.ignored.add(name)
                continue
            short = name[: self.NAME_CHARACTERS]
            kept = short in self.unknown or len(self.unknown) < self.UNKNOWN_NAMES
            key = short if kept else None
            self.unknown[key] = self.unknown.get(key, 0) + count


def _read(field: Field) -> Callable[[Values], tuple[Floats, Counts]]:
    return parse_datetimes if field.kind is Kind.DATETIME else parse_floats


def _listed(values: Values) -> Sequence[object]:
    if not isinstance(values, np.ndarray):
        return values
    if values.dtype.kind == "M":  # finer datetimes than Python has would be listed as integers
        values = values.astype("M8[us]")
    listed: list[object] = values.tolist()
    return listed


def _filled(column: Values) -> int:
    """How many rows have something under this name."""
    if isinstance(column, np.ndarray):
        return len(column)
    return sum(1 for value in column if value is not None and value is not ABSENT)
