"""A label and a prediction that two processes store at the same moment are joined later."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from mlmonitor.cli.main import main
from mlmonitor.events.sinks.postgres_sink import PostgresSink
from mlmonitor.formats.events import MATCH_MISSED, RecheckTimes, encode_copy
from mlmonitor.secret import Secret
from mlmonitor.store.database import connect
from mlmonitor.store.load.copy import merge
from mlmonitor.store.load.file_loader import load_files
from support.store_events import START, EventSource

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def other(store: Connection, database_url: str) -> Iterator[Connection]:
    """A second connection to the store, as of another process."""
    with connect(database_url) as opened:
        yield opened


def add(connection: Connection, schema: Any, events: Sequence[dict[str, Any]]) -> None:
    """Store events as the service's own sink does."""
    with connection.transaction():
        connection.execute("select mlmonitor.begin_staging()")
        merge(connection, schema, encode_copy(schema, events), 0)


def count(store: Connection, table: str) -> int:
    """Count the rows of a table of the store."""
    row = store.execute(f"select count(*) from mlmonitor.{table}").fetchone()
    assert row is not None
    return int(row[0])


def miss(store: Connection, other: Connection, *, looks: int = 0) -> None:
    """Store a prediction and its label concurrently, with this many checks for it meanwhile."""
    source = EventSource()
    add(store, "prediction", [source.prediction(START)])  # the first of a day makes a partition
    prediction = source.prediction(START)
    with store.transaction():
        add(store, "prediction", [prediction])
        add(other, "label", [source.label(prediction, START + timedelta(days=1), actual=5.0)])
        for _ in range(looks):
            other.execute(MATCH_MISSED)
    assert (count(store, "outcome"), count(store, "waiting_label")) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("looks", [0, 1, 2, 3])
def test_a_label_that_missed_its_prediction_is_joined_once_the_prediction_is_stored(
    store: Connection, other: Connection, looks: int
) -> None:
    """Checks during the prediction's transaction do not count as the last one."""
    miss(store, other, looks=looks)
    assert other.execute(MATCH_MISSED).fetchone() == (1,)
    assert (count(store, "outcome"), count(store, "waiting_label")) == (1, 0)
    sums = store.execute(
        "select sum(labelled) from mlmonitor.rollup_outcome"
        " where dimension = 'all' and span = 'day'"
    )
    assert sums.fetchone() == (1,)


def test_two_concurrent_checks_for_missed_labels_join_a_label_once(
    store: Connection, other: Connection
) -> None:
    """The second check skips labels that the first one has locked."""
    miss(store, other)
    with store.transaction():
        assert store.execute(MATCH_MISSED).fetchone() == (1,)
        assert other.execute(MATCH_MISSED).fetchone() == (0,)
    assert count(store, "outcome") == 1


def test_a_user_with_only_the_loader_role_may_check_for_missed_labels(
    store: Connection, other: Connection, database_url: str
) -> None:
    """It writes outcomes and sums, and removes the waiting label."""
    miss(store, other)
    with connect(database_url) as loader:
        loader.execute("set role mlmonitor_loader")
        assert loader.execute(MATCH_MISSED).fetchone() == (1,)
    assert (count(store, "outcome"), count(store, "waiting_label")) == (1, 0)


def test_a_label_whose_prediction_was_never_stored_is_looked_up_twice_and_not_again(
    store: Connection, other: Connection
) -> None:
    """Later checks write nothing, and the label still waits for its prediction."""
    source = EventSource()
    prediction = source.prediction(START)
    add(store, "label", [source.label(prediction, START)])
    marks = []
    for _ in range(5):
        other.execute(MATCH_MISSED)
        marks.append(store.execute("select * from mlmonitor.waiting_check").fetchone())
    assert len(set(marks)) < len(marks)
    assert marks[-1] == marks[-2]
    add(store, "prediction", [prediction])
    assert (count(store, "outcome"), count(store, "waiting_label")) == (1, 0)


def test_a_store_that_was_restored_on_another_server_finds_missed_labels(
    store: Connection, other: Connection
) -> None:
    """The new server's transaction numbers are lower than those in the dump."""
    miss(store, other)
    store.execute("update mlmonitor.waiting_label set written_by = '900000000000'")
    store.execute(
        "update mlmonitor.waiting_check set settled = '900000000001',"
        " stored_before = '900000000001', next_transaction = '900000000002'"
    )
    assert other.execute(MATCH_MISSED).fetchone() == (1,)
    for _ in range(4):
        other.execute(MATCH_MISSED)
    source = EventSource(2)
    prediction = source.prediction(START)
    with store.transaction():
        add(store, "prediction", [prediction])
        add(other, "label", [source.label(prediction, START)])
    assert other.execute(MATCH_MISSED).fetchone() == (1,)


def retain(database_url: str, folder: Path) -> None:
    """Prune rows older than three thousand years."""
    del folder
    assert main(["store", "retain", "--days", "700000", "--database", database_url]) == 0


def evaluate(database_url: str, folder: Path) -> None:
    """Compute the performance of the version."""
    del folder
    command = ["evaluate", "--database", database_url, "--model", "claims", "--model-version", "7"]
    assert main(command) == 0


def load_other_files(database_url: str, folder: Path) -> None:
    """Load one event that is unrelated to the label."""
    event = EventSource(3).prediction(START)
    (folder / "events.jsonl").write_bytes(orjson.dumps(event) + b"\n")
    load_files(folder, group="g", database=database_url)


def write_elsewhere(database_url: str, folder: Path) -> None:
    """Write one prediction with the service's sink, and close it."""
    del folder
    sink = PostgresSink(psycopg, Secret(database_url), 1 << 20)
    sink.put([EventSource(3).prediction(START)])
    sink.close(timeout_seconds=60)
    assert sink.status().delivered == 1


@pytest.mark.parametrize("act", [retain, evaluate, load_other_files, write_elsewhere])
def test_the_next_command_on_the_store_joins_missed_labels(
    store: Connection,
    other: Connection,
    database_url: str,
    tmp_path: Path,
    act: Callable[[str, Path], None],
) -> None:
    """Commands are the loader, the service's own sink, and those that evaluate or prune."""
    miss(store, other)
    act(database_url, tmp_path)
    assert (count(store, "outcome"), count(store, "waiting_label")) == (1, 0)


def test_checks_for_missed_labels_become_rarer_after_a_batch_and_then_end() -> None:
    """A new batch starts the series again without delaying a check that is due."""
    times = RecheckTimes()
    assert times.seconds_left(0.0) is None
    times.start(100.0)
    times.start(100.5)
    looks, now = [], 100.0
    while (wait := times.seconds_left(now)) is not None:
        now += wait
        looks.append(now - 100.0)
        times.advance(now)
    assert looks == [1.0, 5.0, 21.0, 85.0, 341.0]
    times.start(1_000.0)
    assert times.seconds_left(1_000.25) == 0.75
