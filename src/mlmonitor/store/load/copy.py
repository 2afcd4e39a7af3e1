"""Insert rows by binary COPY: directly if all are new, otherwise through a staging table."""

from typing import Any

from mlmonitor.formats.events import STAGING_COLUMNS, StagingSchema
from mlmonitor.store.database import sqlstate

_BLOCK_BYTES = 1 << 17
_UNIQUE_VIOLATION = "23505"
_SHARDED: tuple[StagingSchema, ...] = ("prediction", "label", "kpi", "reference")


def copy_rows(connection: Any, table: str, schema: StagingSchema, data: bytes) -> None:
    """Copy encoded rows into a table that has the columns of this schema."""
    columns = ", ".join(f'"{column.name}"' for column in STAGING_COLUMNS[schema])
    statement = f"copy {table} ({columns}) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for start in range(0, len(data), _BLOCK_BYTES):
            copy.write(data[start : start + _BLOCK_BYTES])


def copy_new(connection: Any, data: bytes) -> bool:
    """Copy predictions directly into their table; return whether all were new.

    If any is stored already, none is inserted, and the transaction can continue.
    """
    try:
        with connection.transaction():
            copy_rows(connection, "mlmonitor.prediction", "prediction", data)
    except Exception as error:
        if sqlstate(error) == _UNIQUE_VIOLATION:
            return False
        raise
    return True


def merge(connection: Any, schema: StagingSchema, data: bytes, shard: int) -> int:
    """Copy events into a staging table and insert the new ones; return the number inserted.

    Rollups and outcomes are updated in the same transaction.
    """
    copy_rows(connection, f"pg_temp.staging_{schema}", schema, data)
    arguments = "%s" if schema in _SHARDED else ""
    query = f"select mlmonitor.merge_{schema}({arguments})"
    rows = connection.execute(query, (shard,) if arguments else ())
    return int(rows.fetchone()[0])
