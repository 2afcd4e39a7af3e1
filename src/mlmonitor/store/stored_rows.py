"""Read the predictions of a period from the store in chunks, ordered by time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from mlmonitor.errors import ConfigError

StoredRow = dict[str, Any]
"""The fields of a prediction event; `at`: its time in seconds since 1970; `actual`: if known."""

CHUNK_ROWS = 5_000

_QUERY = """
    select extract(epoch from p.time)::double precision as at, p.status, p.segment,
        coalesce(to_jsonb(p.prediction_class), to_jsonb(p.prediction)) as prediction,
        p.scores, p.outputs, p.features, p.derived, p.invalid,
        coalesce(to_jsonb(o.actual_class), to_jsonb(o.actual)) as actual
    from mlmonitor.prediction p
    left join mlmonitor.outcome o on o.event_id = p.event_id and o.time = p.time
        and o.time >= %(first)s and o.time < %(last)s
    where p.model = %(model)s and p.model_version = %(version)s
        and p.time >= %(first)s and p.time < %(last)s
    order by p.time, p.event_id
"""
_RANGE = """
    select min(time), max(time) from mlmonitor.rollup_traffic
    where model = %s and model_version = %s and span = 'day' and segment = 'all'
"""
_WITHHELD = """
    select distinct field from mlmonitor.reference
    where model = %s and model_version = %s and role = 'feature' and withheld
"""


class StoredPredictions(Protocol):
    """The stored predictions of a model in a period, in a database or in files."""

    @property
    def since(self) -> datetime:
        """The beginning of the period."""
        ...

    def read(self, connection: Any, *, chunk_rows: int = ...) -> Iterator[list[StoredRow]]:
        """Yield the predictions in chunks, from the oldest to the newest."""
        ...

    def withheld(self, connection: Any) -> list[str]:
        """Return the features whose values are not stored."""
        ...


class StoredModel(NamedTuple):
    """A model's version in the store, and the period of its predictions.

    since, until: the period; `until` is exclusive.
    """

    model: str
    version: str
    since: datetime
    until: datetime

    @classmethod
    def find(
        cls,
        connection: Any,
        model: str,
        version: str,
        *,
        since: date | datetime | None = None,
        until: date | datetime | None = None,
    ) -> "StoredModel":
        """Return a model in the store, by default with the period of all its predictions.

        Raises:
            ConfigError: the store has no predictions of this model, or the period is empty.
        """
        first, last = connection.execute(_RANGE, (model, version)).fetchone()
        if first is None:
            raise ConfigError("model, version: the store has no predictions of these")
        period = choose_period(first, last + timedelta(days=1), since=since, until=until)
        return cls(model, version, *period)

    def read(self, connection: Any, *, chunk_rows: int = CHUNK_ROWS) -> Iterator[list[StoredRow]]:
        """Yield chunks, oldest first. Price: the memory of one chunk, and one query per day."""
        for first, last in list_days(self.since, self.until):
            parameters = {
                "model": self.model,
                "version": self.version,
                "first": first,
                "last": last,
            }
            with connection.transaction(), connection.cursor("mlmonitor_rows") as cursor:
                cursor.execute(_QUERY, parameters)
                names = [column.name for column in cursor.description]
                while rows := cursor.fetchmany(chunk_rows):
                    yield [dict(zip(names, row, strict=True)) for row in rows]

    def withheld(self, connection: Any) -> list[str]:
        """Return the features whose values are not stored, to protect privacy."""
        rows = connection.execute(_WITHHELD, (self.model, self.version)).fetchall()
        return [row[0] for row in rows]


def choose_period(
    first: datetime, end: datetime, *, since: date | datetime | None, until: date | datetime | None
) -> tuple[datetime, datetime]:
    """Return the beginning and the exclusive end of a period, by default of all predictions.

    first, end: the period of all predictions; `end` is exclusive.

    Raises:
        ConfigError: the period is empty.
    """
    begin = first if since is None else convert_moment(since)
    end = end if until is None else convert_moment(until)
    if begin >= end:
        raise ConfigError("since, until: expected a period that is not empty")
    return begin, end


def list_days(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the beginning and the exclusive end of each UTC day in a period."""
    first = since
    while first < until:
        day = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        last = min(day + timedelta(days=1), until)
        yield first, last
        first = last


def convert_moment(when: date | datetime) -> datetime:
    """Convert a date to its beginning in UTC; a naive datetime counts as UTC."""
    if isinstance(when, datetime):
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return datetime(when.year, when.month, when.day, tzinfo=UTC)
