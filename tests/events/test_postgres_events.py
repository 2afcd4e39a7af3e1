"""The event log in a real PostgreSQL, in the tables that the loader also fills."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from mlmonitor import ConfigError, Monitor, Postgres, Reference
from mlmonitor.cli.main import main
from mlmonitor.events.sinks.postgres_sink import PostgresSink
from mlmonitor.formats.events import EVENT_MODELS, STAGING_COLUMNS, encode_copy
from mlmonitor.secret import Secret
from support.references import fit_reference
from support.store_events import START
from support.store_events import EventSource as StoreEvents


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of a number and a category."""
    rng = np.random.default_rng(0)
    columns = {"amount": rng.normal(size=300), "line": rng.choice(["motor", "home"], 300).tolist()}
    return fit_reference(columns, predictions=rng.normal(size=300))


@pytest.fixture
def store_url(database_url: str) -> str:
    """The address of a database with the tables of the event store."""
    assert main(["store", "init", "--database", database_url]) == 0
    return database_url


def make_monitor(reference: Reference, events: Postgres) -> Monitor:
    """Make a monitor with an event log and no exporters."""
    return Monitor("claims", version="7", reference=reference, exporters=[], events=events)


def rows(count: int) -> dict[str, Any]:
    """Return columns of random values."""
    rng = np.random.default_rng(1)
    return {"amount": rng.normal(size=count), "line": rng.choice(["motor", "boat"], count).tolist()}


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with psycopg.connect(url) as connection:
        return connection.execute(sql).fetchall()  # type: ignore[call-overload, no-any-return]  # a test's own text


def test_every_event_is_one_row_with_its_values(store_url: str, reference: Reference) -> None:
    """Rows hold predictions, labels, business figures and the reference."""
    ids = [f"claim-{place}" for place in range(1_000)]
    with make_monitor(reference, Postgres(store_url, ids="plain")) as monitor:
        columns = rows(1_000)
        monitor.record(columns, np.arange(1_000.0), ids=ids)
        monitor.label(ids, np.arange(1_000.0) + 1)
        monitor.kpi("saved", 12.5)
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status().events
    assert status is not None
    assert (status.sink, status.dropped, status.refused, status.waiting) == ("postgres", 0, 0, 0)
    stored = query(
        store_url,
        "select prediction_id, prediction, features, latency_seconds, model, model_version"
        " from mlmonitor.prediction order by prediction",
    )
    assert [row[0] for row in stored] == ids
    assert [row[1] for row in stored] == list(range(1_000))
    assert [row[2]["amount"] for row in stored] == columns["amount"].tolist()
    assert {row[2]["line"] for row in stored} == {"motor", "__new__", "boat"}
    assert query(store_url, "select count(*), sum(actual) from mlmonitor.label") == [
        (1_000, float(sum(range(1, 1_001))))
    ]
    assert query(store_url, "select name, value, count from mlmonitor.kpi") == [("saved", 12.5, 1)]
    (fields,) = query(store_url, "select count(*) from mlmonitor.reference")
    assert fields == (len(reference.fields),)


def test_events_that_are_sent_again_are_stored_once(store_url: str) -> None:
    """Merging skips events whose ids are already stored, as after an unknown outcome."""
    golden = Path(__file__).parents[1] / "golden" / "events_v1.jsonl"
    contents = [json.loads(line) for line in golden.read_text(encoding="utf-8").splitlines()]
    for content in contents:
        content["time"] = "2026-11-29T04:00:00Z"
    for _ in range(2):
        with psycopg.connect(store_url) as connection, connection.transaction():
            connection.execute("select mlmonitor.begin_staging()")
            for schema in ("reference", "prediction", "label", "kpi", "alert", "verdict"):
                columns = ", ".join(f'"{column.name}"' for column in STAGING_COLUMNS[schema])
                events = [content for content in contents if content["schema"] == schema]
                with connection.cursor().copy(
                    f"copy pg_temp.staging_{schema} ({columns}) from stdin (format binary)"
                ) as copy:
                    copy.write(encode_copy(schema, events))
                connection.execute(f"select mlmonitor.merge_{schema}()")
    for schema in EVENT_MODELS:
        expected = sum(content["schema"] == schema for content in contents)
        (count,) = query(store_url, f"select count(*) from mlmonitor.{schema}")  # noqa: S608 - a name of ours
        assert count == (expected,), schema


@pytest.mark.slow
def test_events_wait_for_a_database_that_has_no_tables_yet(
    database_url: str, reference: Reference
) -> None:
    """The status says what to do; once it is done, everything arrives."""
    with make_monitor(reference, Postgres(database_url)) as monitor:
        monitor.record(rows(100), np.zeros(100))
        assert not monitor.flush(timeout_seconds=2)
        status = monitor.status().events
        assert status is not None
        assert status.waiting >= 100
        assert status.last_error is not None
        assert "mlmonitor store init" in status.last_error
        assert main(["store", "init", "--database", database_url]) == 0
        assert monitor.flush(timeout_seconds=60)
    assert query(database_url, "select count(*) from mlmonitor.prediction") == [(100,)]


@pytest.mark.slow
def test_no_event_is_lost_or_stored_twice_when_the_database_ends_connections(
    store_url: str, reference: Reference
) -> None:
    """Connections are terminated again and again while events are written."""
    done = threading.Event()

    def kill() -> None:
        while not done.wait(0.15):
            query(
                store_url,
                "select pg_terminate_backend(pid) from pg_stat_activity where pid <>"
                " pg_backend_pid() and datname = current_database()"
                " and application_name = 'mlmonitor'",
            )

    killing = threading.Thread(target=kill)
    with make_monitor(reference, Postgres(store_url)) as monitor:
        killing.start()
        try:
            for _ in range(20):
                monitor.record(rows(500), np.zeros(500))
                time.sleep(0.05)
        finally:
            done.set()
            killing.join()
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status().events
    assert status is not None
    assert status.dropped == status.refused == 0
    assert query(
        store_url, "select count(*), count(distinct event_id) from mlmonitor.prediction"
    ) == [(10_000, 10_000)]


def test_an_unreachable_database_costs_no_prediction_and_every_lost_event_is_counted(
    reference: Reference,
) -> None:
    """Memory is bounded, counts are exact, and the exit keeps to its limit."""
    url = "postgresql://mary:hunter2-hunter2@127.0.0.1:1/none"
    events = Postgres(url, buffer_bytes=1 << 20)
    monitor = make_monitor(reference, events)
    predict = monitor.watch(lambda _: 1.0)
    for _ in range(6_000):
        predict({"amount": 0.5, "line": "motor"})
    before = monitor.status()
    assert before.predictions == 6_000
    assert before.dropped == 0
    assert before.events is not None
    assert before.events.dropped > 0
    assert not monitor.close(timeout_seconds=2.0)
    after = monitor.status().events
    assert after is not None
    assert (after.delivered, after.waiting) == (0, 0)
    assert after.by_schema["prediction"] == 6_000
    assert after.by_schema["reference"] == len(reference.fields)
    assert after.dropped == sum(after.by_schema.values())
    assert "hunter2" not in repr(events) + repr(vars(events)) + monitor.status().to_json()


def test_a_running_batch_hides_no_partition_and_blocks_no_reader(store_url: str) -> None:
    """The partitions of a new day are created before the transaction of the batch begins."""
    source = StoreEvents()
    with (
        psycopg.connect(store_url) as blocker,
        psycopg.connect(store_url, autocommit=True) as reader,
    ):
        blocker.execute("lock table mlmonitor.rollup_traffic in exclusive mode")
        sink = PostgresSink(psycopg, Secret(store_url), 1 << 20)
        sink.put([source.prediction(START)])
        wait_for_lock(reader)
        reader.execute("set lock_timeout = '2s'")
        for table in ("prediction", "outcome"):
            counted = reader.execute(f"select count(*) from mlmonitor.{table}")  # noqa: S608 - ours
            assert counted.fetchone() == (0,)
            child = f"mlmonitor.{table}_{START:%Y%m%d}"
            assert reader.execute("select to_regclass(%s)", (child,)).fetchone() != (None,)
        blocker.rollback()
        assert sink.flush(60)
        assert reader.execute("select count(*) from mlmonitor.prediction").fetchone() == (1,)
        sink.close(1.0)


def wait_for_lock(connection: psycopg.Connection[Any]) -> None:
    """Wait until the session of the sink waits for a lock."""
    deadline = time.monotonic() + 60
    waiting = (
        "select count(*) from pg_stat_activity"
        " where application_name = 'mlmonitor' and wait_event_type = 'Lock'"
    )
    while connection.execute(waiting).fetchone() == (0,) and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_transaction_unfinished_at_exit_counts_as_dropped_once(store_url: str) -> None:
    """Its outcome is unknown to the process, even if the rows are stored later."""
    source = StoreEvents()
    with psycopg.connect(store_url) as blocker, psycopg.connect(store_url) as reader:
        blocker.execute("lock table mlmonitor.rollup_traffic in exclusive mode")
        sink = PostgresSink(psycopg, Secret(store_url), 1 << 20)
        sink.put([source.prediction(START) for _ in range(3)])
        reader.autocommit = True
        wait_for_lock(reader)
        sink.close(0.1)
        assert (sink.status().dropped, sink.status().waiting) == (3, 0)
        blocker.rollback()
    sink._thread.join(60)
    assert (sink.status().dropped, sink.status().delivered) == (3, 0)


def test_an_event_that_cannot_be_encoded_is_refused_and_counted(store_url: str) -> None:
    """A number beyond 64 bits is refused, and the other events are stored."""
    sink = PostgresSink(psycopg, Secret(store_url), 1 << 20)
    figure = StoreEvents().kpi(START, 1.0)
    sink.put([figure | {"count": 1 << 70}])
    sink.put([figure])
    assert sink.flush(60)
    status = sink.status()
    assert (status.refused, status.delivered) == (1, 1)
    assert status.last_error == "encoding: error"
    sink.close(1.0)


@pytest.mark.parametrize("url", ["host:5432", "postgresql://a:hunter2@[::1/x", None])
def test_a_wrong_database_address_is_refused_without_its_text(url: Any) -> None:
    """The address may contain a password."""
    with pytest.raises(ConfigError) as refusal:
        Postgres(url)
    assert "hunter2" not in str(refusal.value)
