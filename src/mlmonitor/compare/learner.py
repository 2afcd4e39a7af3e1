"""A service without a reference makes one from its first rows."""

from collections import Counter
from collections.abc import Collection

import numpy as np

from mlmonitor.capture.calls import Rows
from mlmonitor.capture.columns import Values
from mlmonitor.compare.fit import fitted, infer_kind
from mlmonitor.compare.reference import Reference
from mlmonitor.compare.training import Columns, checked_name
from mlmonitor.errors import SchemaError
from mlmonitor.records import ABSENT, Role
from mlmonitor.reference_format import ReferenceFile


class Learner:
    """Keeps rows until there are `wanted`, then says what they look like.

    Price: it holds these rows, and nothing once they became the reference. Of names that clients
    make up, the `FIELDS` most frequent become features.
    """

    FIELDS = 2_000

    def __init__(self, wanted: int, *, ignore: Collection[str] = ()) -> None:
        self.wanted = wanted
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
        found = fitted(
            iter([(self._columns(count), count)]),
            schema={},
            sample_rows=None,
            bins=10,
            rng=np.random.default_rng(0),  # draws nothing: all rows are kept
            has_critical=False,  # the service is running: what it would cost it cannot spare
        )
        content = ReferenceFile(
            rows=found.rows,
            rows_seen=found.rows_seen,
            fields=found.entries,
            explained=found.explained,
        )
        return Reference(content, is_learned=True)

    def _columns(self, count: int) -> Columns:
        """Every column met in the first `count` rows, None where a row had no value."""
        known = self._known()
        columns: dict[tuple[Role, str], list[object]] = {}
        start = 0
        for rows in self.rows:
            stop = min(start + rows.count, count)
            for identity in known:
                values = _column(rows, identity)
                if values is not None:
                    column = columns.setdefault(identity, [None] * count)
                    met = values[: stop - start]
                    column[start:stop] = [None if value is ABSENT else value for value in met]
            start = stop
        return {each: column for each, column in columns.items() if _has_kind(each, column)}

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
