"""Create the database schema, directly or by migrations, with the same result."""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from mlmonitor.errors import ConfigError
from mlmonitor.store.database import sqlstate

_VIEWS = (
    "data_drift",
    "data_statistics",
    "anomaly_band",
    "prediction_drift",
    "kpi_daily",
    "traffic",
    "performance_by_bucket",
    "reference_statistics",
    "cohort",
)
"""Ordered so that a view depends only on views before it."""

_ROLES = ("mlmonitor_loader", "mlmonitor_reader")
_LOCK = "select pg_advisory_xact_lock(hashtextextended('mlmonitor.schema', 0))"
_INSUFFICIENT_PRIVILEGE = "42501"
_EXISTING = ("42710", "23505")  # a role existed, or was created concurrently


class Migration(NamedTuple):
    """One step from a version of the schema to the next."""

    version: int
    name: str
    sql: str


@lru_cache
def read_sql(*path: str) -> str:
    """Read an SQL file of this package; such files contain no input from users."""
    resource: Traversable = files("mlmonitor.store") / "sql"
    for part in path:
        resource = resource / part
    return resource.read_text(encoding="utf-8")


def list_migrations() -> list[Migration]:
    """Return all migrations, from the oldest to the newest."""
    folder = files("mlmonitor.store") / "sql" / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [
        Migration(int(name[:4]), name[5:-4], read_sql("migrations", name))
        for name in names
        if re.fullmatch(r"\d{4}_\w+\.sql", name)
    ]


LATEST = len(list_migrations())
"""The version of the schema that this library needs."""


def read_version(connection: Any) -> int:
    """Return the version of a database's schema; 0 if it has none."""
    # Do not use to_regclass: after waiting for a lock, it may still not see a new table.
    query = "select exists (select from pg_tables where (schemaname, tablename) = (%s, %s))"
    if not connection.execute(query, ("mlmonitor", "schema_version")).fetchone()[0]:
        return 0
    query = "select coalesce(max(version), 0) from mlmonitor.schema_version"
    return int(connection.execute(query).fetchone()[0])


def require_latest(connection: Any) -> None:
    """Raise ConfigError unless the schema has the version that this library needs."""
    version = read_version(connection)
    if version == 0:
        raise ConfigError("database: has no schema mlmonitor: run `mlmonitor store init`")
    if version < LATEST:
        raise ConfigError(
            f"database: schema version {version}, expected {LATEST}: run `mlmonitor store upgrade`"
        )
    if version > LATEST:
        raise ConfigError(
            f"database: schema version {version} is newer than this library, which knows {LATEST}: "
            "install the release that made it"
        )


def initialise(connection: Any, *, with_roles: bool = True) -> int:
    """Create the schema, its views and roles in one transaction; return its version.

    An existing schema is not changed.

    Raises:
        ConfigError: the user may not create the schema or the roles.
    """
    with _permission(), connection.transaction():
        connection.execute(_LOCK)
        if read_version(connection) == 0:
            connection.execute(read_sql("schema.sql"))
            _record(connection, list_migrations())
            _finish(connection, with_roles=with_roles)
        return read_version(connection)


def upgrade(connection: Any, *, with_roles: bool = True) -> list[Migration]:
    """Apply missing migrations in one transaction; return the applied ones.

    Raises:
        ConfigError: the database has no schema, or a newer schema than this library knows.
    """
    with _permission(), connection.transaction():
        connection.execute(_LOCK)
        version = read_version(connection)
        if version == 0 or version > LATEST:
            require_latest(connection)
        return _apply_after(connection, version, with_roles=with_roles)


def migrate_from_nothing(connection: Any, *, with_roles: bool = True) -> None:
    """Create the schema only by migrations; the result is the same as that of `initialise`."""
    with connection.transaction():
        connection.execute("create schema mlmonitor")
        connection.execute(
            "create table mlmonitor.schema_version (version integer primary key, "
            "name text not null, applied_at timestamptz not null default now())"
        )
        _apply_after(connection, 0, with_roles=with_roles)


def _apply_after(connection: Any, version: int, *, with_roles: bool) -> list[Migration]:
    missing = [migration for migration in list_migrations() if migration.version > version]
    drop_views(connection)
    for migration in missing:
        connection.execute(migration.sql)
    _record(connection, missing)
    _finish(connection, with_roles=with_roles)
    return missing


def drop_views(connection: Any) -> None:
    """Drop the views of this library, which are created again after every migration."""
    for name in reversed(_VIEWS):
        connection.execute(f"drop view if exists mlmonitor.{name}")


def _record(connection: Any, migrations: list[Migration]) -> None:
    for migration in migrations:
        connection.execute(
            "insert into mlmonitor.schema_version (version, name) values (%s, %s)",
            (migration.version, migration.name),
        )


def _finish(connection: Any, *, with_roles: bool) -> None:
    for name in _VIEWS:
        connection.execute(read_sql("views", f"{name}.sql"))
    if not with_roles:
        return
    for role in _ROLES:
        ensure_role(connection, role)
    connection.execute(read_sql("roles.sql"))
    database = connection.execute("select quote_ident(current_database())").fetchone()[0]
    connection.execute(f"grant temporary on database {database} to mlmonitor_loader")


def ensure_role(connection: Any, role: str) -> None:
    """Create a role that cannot log in, unless it exists; `role` must be a trusted name.

    Roles belong to the server, but our lock belongs to one database. So another database of the
    server may create the role at the same time, which is not an error.
    """
    query = "select exists (select from pg_roles where rolname = %s)"
    if connection.execute(query, (role,)).fetchone()[0]:
        return
    try:
        with connection.transaction():
            connection.execute(f"create role {role} nologin")
    except Exception as error:
        if sqlstate(error) not in _EXISTING:
            raise


def list_views() -> Iterator[tuple[str, str]]:
    """Yield each view's name, with the SQL that creates it."""
    for name in _VIEWS:
        yield name, read_sql("views", f"{name}.sql")


class _permission:  # noqa: N801 - reads as a sentence where it is used
    """Convert an error about missing privileges to a ConfigError that says what to do."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and sqlstate(error) == _INSUFFICIENT_PRIVILEGE:
            raise ConfigError(
                "database: this user may not create the schema or its roles. Expected the owner of "
                "the database with CREATEROLE; or have `create role mlmonitor_loader nologin` and "
                "`create role mlmonitor_reader nologin` run before; or use --no-roles"
            ) from error
