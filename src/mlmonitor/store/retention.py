"""Delete rows of old days; daily rollups are kept."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from mlmonitor.errors import ConfigError
from mlmonitor.formats.events import MATCH_MISSED

PARTITIONED = ("prediction", "label", "kpi", "outcome")
_HOURLY = ("rollup_traffic", "rollup_field", "rollup_kpi", "rollup_outcome")
_BY_TIME = {"alert": "time", "verdict": "time", "dead_letter": "loaded_at", "waiting_label": "time"}

_LOCK = "hashtextextended('mlmonitor.retain', 0)"


class Removed(NamedTuple):
    """A partition that was dropped, or the number of rows deleted from a table."""

    table: str
    rows: int | None


def retain(connection: Any, *, days: int, now: datetime | None = None) -> list[Removed]:
    """Remove rows older than `days` whole days; return what was removed from each table.

    Daily rollups and references are kept: they are small and do not contain individual rows.
    Concurrent calls run one after another.

    Raises:
        ConfigError: `days` is not at least 1.
    """
    if days < 1:
        raise ConfigError("days: expected at least 1")
    oldest = oldest_day(days, now or datetime.now(UTC))
    connection.execute(f"select pg_advisory_lock({_LOCK})")
    try:
        connection.execute(MATCH_MISSED)  # before their day is deleted
        return _remove_before(connection, oldest)
    finally:
        if not connection.broken:
            connection.execute(f"select pg_advisory_unlock({_LOCK})")


def _remove_before(connection: Any, oldest: date) -> list[Removed]:
    removed: list[Removed] = []
    for table in PARTITIONED:
        with connection.transaction():
            rows = connection.execute(
                "select name, deleted from mlmonitor.drop_partitions(%s, %s)", (table, oldest)
            )
            removed += [Removed(*row) for row in rows.fetchall()]
    for table, column in _BY_TIME.items():
        removed += _delete(connection, table, f"{column} < %s", oldest)
    for table in _HOURLY:
        removed += _delete(connection, table, "span = 'hour' and time < %s", oldest)
    return removed


def oldest_day(days: int, now: datetime) -> date:
    """Return the first day, in UTC, that is not deleted."""
    return (now.astimezone(UTC) - timedelta(days=days)).date()


def _delete(connection: Any, table: str, condition: str, oldest: date) -> list[Removed]:
    query = f"delete from mlmonitor.{table} where {condition}"  # noqa: S608 - our own names
    deleted = connection.execute(
        query, (datetime(oldest.year, oldest.month, oldest.day, tzinfo=UTC),)
    )
    return [Removed(table, deleted.rowcount)] if deleted.rowcount else []
