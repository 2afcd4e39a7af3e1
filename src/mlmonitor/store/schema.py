"""The database's schema: made at once or step by step, always the same."""

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
"""In an order in which each needs only those before it."""

_ROLES = ("mlmonitor_loader", "mlmonitor_reader")
_LOCK = "select pg_advisory_xact_lock(hashtextextended('mlmonitor.schema', 0))"
_INSUFFICIENT_PRIVILEGE = "42501"
_EXISTING = ("42710", "23505")  # a role that was there, and one that was made meanwhile


class Migration(NamedTuple):
    """One step from a version of the schema to the next."""

    version: int
    name: str
    sql: str


@lru_cache
def read_sql(*path: str) -> str:
    """Read a file of the package's SQL, which holds no value from outside."""
    resource: Traversable = files("mlmonitor.store") / "sql"
    for part in path:
        resource = resource / part
    return resource.read_text(encoding="utf-8")


def list_migrations() -> list[Migration]:
    """Return every migration, the oldest first."""
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
    # Not to_regclass: what it once did not find, it may not find after waiting for a lock either.
    query = "select exists (select from pg_tables where (schemaname, tablename) = (%s, %s))"
    if not connection.execute(query, ("mlmonitor", "schema_version")).fetchone()[0]:
        return 0
    query = "select coalesce(max(version), 0) from mlmonitor.schema_version"
    return int(connection.execute(query).fetchone()[0])


def require_latest(connection: Any) -> None:
    """Raise ConfigError unless the schema is the one that this library needs."""
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
    """Make the schema, its views and roles in one transaction; return its version.

    An existing schema is left as it is.

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
    """Apply the migrations that a database lacks, in one transaction; return them.

    Raises:
        ConfigError: the database has no schema, or one that is newer than this library.
    """
    with _permission(), connection.transaction():
        connection.execute(_LOCK)
        version = read_version(connection)
        if version == 0 or version > LATEST:
            require_latest(connection)
        return _apply_after(connection, version, with_roles=with_roles)


def migrate_from_nothing(connection: Any, *, with_roles: bool = True) -> None:
    """Make the schema by its migrations alone; `initialise` leads to the same."""
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
    """Drop the views, which are made again after every migration; users' own views stay."""
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
    """Make a role that cannot log in, unless it is there; `role` is a name of our own.

    Roles belong to the server, locks to a database: a store that is being made in another database
    may make it first.
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
    """Yield the views by name, with the SQL that makes them."""
    for name in _VIEWS:
        yield name, read_sql("views", f"{name}.sql")


class _permission:  # noqa: N801 - reads as a sentence where it is used
    """Turn a refusal of the database into what the user can do about it."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None and sqlstate(error) == _INSUFFICIENT_PRIVILEGE:
            raise ConfigError(
                "database: this user may not create the schema or its roles. Expected the owner of "
                "the database with CREATEROLE; or have `create role mlmonitor_loader nologin` and "
                "`create role mlmonitor_reader nologin` run before; or use --no-roles"
            ) from error
