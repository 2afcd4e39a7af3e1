"""The event store's schema, created at once or by migrations, with its roles and retention."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from mlmonitor.cli.main import main
from mlmonitor.errors import ConfigError
from mlmonitor.store.database import connect
from mlmonitor.store.retention import retain
from mlmonitor.store.schema import (
    LATEST,
    ensure_role,
    initialise,
    list_migrations,
    list_views,
    migrate_from_nothing,
    read_version,
    require_latest,
    upgrade,
)
from support.brokers import PostgresDatabase
from support.hook_server import wait_until

Connection = psycopg.Connection[tuple[Any, ...]]

CATALOGUE = {
    "columns": """
        select table_name, ordinal_position, column_name, data_type, is_nullable, column_default
        from information_schema.columns where table_schema = 'mlmonitor' order by 1, 2""",
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'mlmonitor'::regnamespace order by 1, 2""",
    "indexes": """
        select indexname, indexdef from pg_indexes where schemaname = 'mlmonitor' order by 1""",
    "functions": """
        select oid::regprocedure::text, pg_get_functiondef(oid), proacl::text from pg_proc
        where pronamespace = 'mlmonitor'::regnamespace and prokind = 'f' order by 1""",
    "views": "select viewname, definition from pg_views where schemaname = 'mlmonitor' order by 1",
    "relations": """
        select relname, relkind::text, reloptions::text, relacl::text from pg_class
        where relnamespace = 'mlmonitor'::regnamespace order by 1""",
}


def catalogue(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything in the schema as the database describes it."""
    return {name: connection.execute(query).fetchall() for name, query in CATALOGUE.items()}


def test_the_schema_and_the_migrations_create_the_same_database(
    postgres_server: PostgresDatabase,
) -> None:
    """Tables, columns, constraints, indexes, functions, views and grants are compared."""
    with (
        connect(postgres_server.make_database()) as at_once,
        connect(postgres_server.make_database()) as stepwise,
    ):
        initialise(at_once)
        migrate_from_nothing(stepwise)
        expected, got = catalogue(at_once), catalogue(stepwise)
        assert len(expected["columns"]) > 150
        for part, rows in expected.items():
            assert got[part] == rows, part
        assert read_version(at_once) == read_version(stepwise) == LATEST


def test_migrations_are_numbered_without_a_gap() -> None:
    """The version of the schema is the number of migrations."""
    assert [m.version for m in list_migrations()] == list(range(1, LATEST + 1))


def test_an_older_schema_is_upgraded_by_the_migrations_it_lacks(connection: Connection) -> None:
    """Versions from 1 on are upgraded, and their tables are kept."""
    connection.execute("create schema mlmonitor")
    connection.execute(
        "create table mlmonitor.schema_version (version integer primary key, name text not null, "
        "applied_at timestamptz not null default now())"
    )
    first = list_migrations()[0]
    connection.execute(first.sql)
    connection.execute(
        "insert into mlmonitor.schema_version (version, name) values (1, %s)", (first.name,)
    )
    with pytest.raises(ConfigError, match="store upgrade"):
        require_latest(connection)
    assert [m.version for m in upgrade(connection)] == list(range(2, LATEST + 1))
    assert upgrade(connection) == []
    require_latest(connection)


def test_a_newer_schema_is_refused(store: Connection) -> None:
    """A library that does not know the schema must not write to it."""
    store.execute("insert into mlmonitor.schema_version values (%s, 'later')", (LATEST + 1,))
    with pytest.raises(ConfigError, match="newer than this library"):
        require_latest(store)
    with pytest.raises(ConfigError, match="newer than this library"):
        upgrade(store)


def test_init_leaves_an_existing_schema_as_it_is(store: Connection) -> None:
    """It can be run at every deployment."""
    store.execute(
        "insert into mlmonitor.active_reference values ('m', '1', repeat('0', 32), now())"
    )
    assert initialise(store) == LATEST
    assert store.execute("select count(*) from mlmonitor.active_reference").fetchone() == (1,)


@pytest.fixture
def no_roles(store: Connection, postgres_server: PostgresDatabase) -> Iterator[Connection]:
    """An empty database whose owner may not create roles, on a server without the store's roles."""
    name = f"owner_{uuid4().hex[:8]}"
    store.execute(f"create role {name}")
    roles = ("mlmonitor_loader", "mlmonitor_reader")
    for role in roles:
        store.execute(f"alter role {role} rename to {role}_away")
    with connect(postgres_server.make_database()) as empty:
        empty.execute(f"grant create on database {empty.info.dbname} to {name}")
        empty.execute(f"set role {name}")
        yield empty
    for role in roles:
        store.execute(f"alter role {role}_away rename to {role}")


def test_a_failed_init_leaves_no_schema(no_roles: Connection) -> None:
    """The message says what to do; without roles, the right to make schemas is enough."""
    with pytest.raises(ConfigError, match="CREATEROLE"):
        initialise(no_roles)
    assert read_version(no_roles) == 0
    initialise(no_roles, with_roles=False)
    assert read_version(no_roles) == LATEST


@pytest.fixture
def as_role(store: Connection) -> Any:
    """Return a function that runs a statement as a role and returns the SQLSTATE of its error."""

    def run(role: str, query: str) -> str:
        store.execute(f"set role {role}")
        try:
            store.execute(query)
        except psycopg.Error as error:
            return error.sqlstate or ""
        finally:
            store.execute("reset role")
        return ""

    return run


def test_the_reader_role_may_select_from_views_but_reads_no_single_row(as_role: Any) -> None:
    """Personal rows and dead letters stay closed to dashboards, which read sums."""
    for view, _ in list_views():
        assert as_role("mlmonitor_reader", f"select * from mlmonitor.{view}") == "", view
    for table in ("prediction", "label", "dead_letter", "outcome", "waiting_label", "offsets"):
        assert as_role("mlmonitor_reader", f"select * from mlmonitor.{table}") == "42501", table
    assert as_role("mlmonitor_reader", "delete from mlmonitor.alert") == "42501"
    assert as_role("mlmonitor_reader", "select mlmonitor.create_partition('kpi', now()::date)") == (
        "42501"
    )


def test_the_loader_role_may_add_rows_and_partitions_but_remove_nothing(as_role: Any) -> None:
    """It creates partitions through a function, and cannot create a table itself."""
    role = "mlmonitor_loader"
    assert as_role(role, "select mlmonitor.create_partition('prediction', current_date)") == ""
    assert as_role(role, "select mlmonitor.begin_staging()") == ""
    assert as_role(role, "create table mlmonitor.mine (x integer)") == "42501"
    for statement in (
        "delete from mlmonitor.prediction",
        "update mlmonitor.prediction set model = 'other'",
        "truncate mlmonitor.offsets",
        "drop table mlmonitor.dead_letter",
        "select mlmonitor.drop_partitions('prediction', current_date)",
        "update mlmonitor.schema_version set version = 99",
    ):
        assert as_role(role, statement) == "42501", statement


@pytest.mark.parametrize("parent", ["offsets", "prediction; drop schema mlmonitor", "x' or '1"])
def test_partitions_are_created_for_known_tables_only(store: Connection, parent: str) -> None:
    """The function runs with its owner's rights, so it checks its arguments."""
    with pytest.raises(psycopg.errors.UndefinedTable):
        store.execute("select mlmonitor.create_partition(%s, current_date)", (parent,))


def test_implausible_days_get_no_partition(store: Connection) -> None:
    """Their rows go to the default partition, so nobody can flood the catalogue with partitions."""
    query = "select mlmonitor.create_partition('prediction', %s::date)"
    assert store.execute(query, ("1969-12-31",)).fetchone() == (False,)
    assert store.execute(query, ("9999-01-01",)).fetchone() == (False,)
    assert store.execute(query, ("2026-01-31",)).fetchone() == (True,)
    assert store.execute(query, ("2026-01-31",)).fetchone() == (True,)


def test_two_loaders_that_create_the_same_partition_both_succeed(
    store: Connection, database_url: str
) -> None:
    """The second waits for the first and then sees its partition."""
    query = "select mlmonitor.create_partition('prediction', '2026-01-31')"
    waiting = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
    with connect(database_url) as other, ThreadPoolExecutor(1) as loader:
        with store.transaction():
            assert store.execute(query).fetchone() == (True,)
            second = loader.submit(lambda: other.execute(query).fetchone())
            wait_until(lambda: store.execute(waiting).fetchone() == (True,))
        assert second.result() == (True,)


def add_kpi(store: Connection, time: datetime, *, partition: bool) -> None:
    """Store one figure, in the partition of its day or in the default one."""
    if partition:
        store.execute("select mlmonitor.create_partition('kpi', %s::date)", (time.date(),))
    store.execute(
        "insert into mlmonitor.kpi (schema_version, event_id, time, model, model_version, instance,"
        " name, value, count, unit, segment) values "
        "(1, gen_random_uuid(), %s, 'm', '1', '', 'total', 1, 1, '', 'all')",
        (time,),
    )


def test_retention_drops_whole_days_and_old_rows_of_the_default_partition(
    store: Connection,
) -> None:
    """The oldest day within the retention period is kept whole."""
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for age in (0, 1, 2, 3, 5):
        add_kpi(store, now - timedelta(days=age), partition=True)
    add_kpi(store, datetime(1960, 1, 1, tzinfo=UTC), partition=False)
    removed = {(r.table, r.rows) for r in retain(store, days=2, now=now)}
    assert removed == {("kpi_20260307", None), ("kpi_20260305", None), ("kpi_default", 1)}
    kept = store.execute("select min(time), count(*) from mlmonitor.kpi").fetchone()
    assert kept == (now - timedelta(days=2), 3)


def is_waiting(connection: Connection, other: Connection) -> bool:
    """Return whether another connection waits for a lock."""
    query = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
    return connection.execute(query, (other.info.backend_pid,)).fetchone() == (True,)


def test_two_stores_of_one_server_can_be_created_concurrently_with_the_same_roles(
    database_url: str, postgres_server: PostgresDatabase
) -> None:
    """They are in two databases, which have no lock in common."""
    role = f"role_{uuid4().hex[:12]}"
    with (
        connect(database_url) as watching,
        connect(database_url, autocommit=False) as first,
        connect(postgres_server.make_database()) as second,
        ThreadPoolExecutor(1) as threads,
    ):
        ensure_role(first, role)
        done = threads.submit(ensure_role, second, role)
        wait_until(lambda: is_waiting(watching, second))
        first.commit()
        done.result(10)
        query = "select rolcanlogin from pg_roles where rolname = %s"
        assert second.execute(query, (role,)).fetchone() == (False,)
        second.execute(f"drop role {role}")


def test_a_store_that_was_created_concurrently_is_used(database_url: str) -> None:
    """A process that checked earlier waits for the one that creates it."""
    with (
        connect(database_url) as watching,
        connect(database_url) as early,
        connect(database_url, autocommit=False) as first,
        ThreadPoolExecutor(1) as threads,
    ):
        assert read_version(early) == read_version(first) == 0  # which opens a transaction
        initialise(first)
        done = threads.submit(initialise, early)
        wait_until(lambda: is_waiting(watching, early))
        first.commit()
        assert done.result(10) == LATEST


def test_retention_that_runs_twice_at_once_removes_each_day_once(
    store: Connection, database_url: str
) -> None:
    """The second run waits, and finds nothing left to remove."""
    now = datetime.now(UTC)
    for days in range(1, 8):
        day = (now - timedelta(days=days)).date()
        store.execute("select mlmonitor.create_partition('prediction', %s)", (day,))
    with (
        connect(database_url) as one,
        connect(database_url) as other,
        ThreadPoolExecutor(2) as threads,
    ):
        calls = [threads.submit(retain, connection, days=2, now=now) for connection in (one, other)]
        removed = [call.result(20) for call in calls]
    assert sorted(map(len, removed)) == [0, 5]


def test_a_retention_of_zero_days_is_refused(store: Connection) -> None:
    """`--days 0` would empty the store."""
    with pytest.raises(ConfigError, match="at least 1"):
        retain(store, days=0)


def test_the_commands_create_show_and_prune_a_store(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are run in this order, as a person would."""
    target = ["--database", database_url]
    assert main(["store", "status", *target]) == 1
    assert main(["store", "upgrade", *target]) == 2
    assert "store init" in capsys.readouterr().err
    assert main(["store", "init", *target]) == 0
    assert main(["store", "upgrade", *target]) == 0
    assert main(["store", "retain", "--days", "30", *target]) == 0
    assert main(["store", "status", *target]) == 0
    assert f"version {LATEST}, this library needs {LATEST}" in capsys.readouterr().out


def test_no_message_contains_the_database_password(capsys: pytest.CaptureFixture[str]) -> None:
    """Addresses are malformed, or of a server that cannot be reached."""
    for url in ("postgresql://me:hunter2-secret@127.0.0.1:1/x", "postgres//me:hunter2-secret@"):
        assert main(["store", "status", "--database", url]) == 2
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err
    assert "cannot be reached" in printed.err
    assert "expected an address" in printed.err
