"""A service without a reference makes one from its first rows."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from mlmonitor.capture.calls import Rows
from mlmonitor.capture.columns import Values
from mlmonitor.compare.fit import fitted, infer_kind
from mlmonitor.compare.reference import Reference
from mlmonitor.compare.segments import MOST_SEGMENTS
from mlmonitor.compare.strata import Marks, Strata
from mlmonitor.compare.training import Chunk, Columns, checked_name
from mlmonitor.errors import SchemaError
from mlmonitor.records import ABSENT, Role
from mlmonitor.reference_format import ReferenceFile


class Learner:
    """Keeps rows until there are `wanted`, then says what they look like.

    Price: it holds these rows, and nothing once they became the reference. Of names that clients
    make up, the `FIELDS` most frequent become features.
    """

    FIELDS = 2_000

    def __init__(
        self,
        wanted: int,
        *,
        ignore: Collection[str] = (),
        segments: Sequence[str] = (),
        most_segments: int = MOST_SEGMENTS,
    ) -> None:
        self.wanted = wanted
        self._segments, self._most_segments = tuple(segments), most_segments
        self.rows: list[Rows] = []
        self._ignore = frozenset(ignore)

    @property
    def learned(self) -> int:
        """How many rows were kept so far."""
        return sum(rows.count for rows in self.rows)

    def take(self, rows: Rows) -> bool:
        """Keep these rows; whether they are enough now."""
        self.rows.append(rows)
        return self.learned >= self.wanted

    def reference(self) -> Reference:
        """The reference of the first rows kept, `wanted` of them at most.

        A column of no known kind is left out of it.
        """
        count = min(self.learned, self.wanted)
        columns = [self._column((Role.FEATURE, name), count) for name in self._segments]
        marks = Marks([[None] * count if column is None else column for column in columns])
        entries, rows, seen, segments = fitted(
            iter([Chunk(self._columns(count), count, marks)]),
            schema={},
            sample_rows=None,
            bins=10,
            rng=np.random.default_rng(0),  # draws nothing: all rows are kept
            has_critical=False,  # the service is running: what it would cost it cannot spare
            strata=Strata(self._segments, self._most_segments, None),
        )
        content = ReferenceFile(
            rows=rows,
            rows_seen=seen,
            fields=entries,
            segmented_by=list(self._segments),
            segments=segments,
        )
        return Reference(content, is_learned=True)

    def _columns(self, count: int) -> Columns:
        """Every column met in the first `count` rows, None where a row had no value."""
        columns = {each: self._column(each, count) for each in self._known()}
        return {each: c for each, c in columns.items() if c is not None and _has_kind(each, c)}

    def _column(self, identity: tuple[Role, str], count: int) -> list[object] | None:
        """One column; None if no row has it."""
        column: list[object] = [None] * count
        start, is_met = 0, False
        for rows in self.rows:
            stop = min(start + rows.count, count)
            values = _column(rows, identity)
            if values is not None:
                is_met, met = True, values[: stop - start]
                column[start:stop] = [None if value is ABSENT else value for value in met]
            start = stop
        return column if is_met else None

    def _known(self) -> list[tuple[Role, str]]:
        """The fields that may be learned, in the order they were met."""
        found: Counter[tuple[Role, str]] = Counter()
        for rows in self.rows:
            hidden = self._ignore | {rows.identity}
            for name, count in rows.features.names().items():
                if name not in hidden and _is_name(name):
                    found[Role.FEATURE, name] += count
            for name in rows.predictions:
                if _is_name(name):
                    found[Role.PREDICTION, name] += rows.count
        kept = {each for each, _ in found.most_common(self.FIELDS)}
        return [each for each in found if each in kept]


def _column(rows: Rows, identity: tuple[Role, str]) -> Values | None:
    role, name = identity
    return rows.features.column(name) if role is Role.FEATURE else rows.predictions.get(name)


def _is_name(name: str) -> bool:
    try:
        return checked_name(name) == name
    except SchemaError:
        return False


def _has_kind(identity: tuple[Role, str], column: Values) -> bool:
    try:
        infer_kind(identity[1], column)
    except SchemaError:
        return False
    return True
