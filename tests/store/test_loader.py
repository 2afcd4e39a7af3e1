"""Events from a broker are stored exactly once, whatever they contain."""

import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.request import urlopen

import orjson
import psycopg
import pytest

from mlmonitor.cli.main import main
from mlmonitor.errors import ConfigError
from mlmonitor.store.database import connect
from mlmonitor.store.load.consumer import client_settings
from mlmonitor.store.load.health_server import HealthServer
from mlmonitor.store.load.loader import Loader, LoadOptions
from support.brokers import KafkaBroker
from support.store_events import START, EventSource, Keyed, keyed, send

Connection = psycopg.Connection[tuple[Any, ...]]


def count(store: Connection, query: str) -> Any:
    """Return the single number of a query."""
    row = store.execute(query).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def load(store: Connection, kafka_broker: KafkaBroker, database_url: str) -> Callable[..., Loader]:
    """Send messages to a topic and load it until it is idle; return the loader."""

    def run(messages: list[Keyed], *, topic: str = "", group: str = "", **options: Any) -> Loader:
        topic = topic or kafka_broker.make_topic()
        send(kafka_broker.address, topic, messages)
        loader = Loader(
            LoadOptions(
                kafka=client_settings(kafka_broker.address, ()),
                topic=topic,
                group=group or topic,  # a member that was killed is missed for a while
                database=database_url,
                until_idle_seconds=0.6,
                linger_seconds=0.2,
                **options,
            )
        )
        loader.run()
        return loader

    return run


def test_events_of_all_schemas_arrive_in_their_tables(store: Connection, load: Any) -> None:
    """These are predictions, labels, figures, alerts, verdicts and references."""
    source = EventSource()
    alert = source.envelope("alert", START) | {
        "alert_id": "a",
        "state": "firing",
        "field": "age",
        "role": "feature",
        "measure": "psi",
        "started_at": "2026-11-27T00:00:00Z",
        "reason": "drifts",
    }
    verdict = source.envelope("verdict", START) | {
        "action": "retrain",
        "reasons": ["mae doubled"],
        "since": "2026-11-27T00:00:00Z",
    }
    events = [*source.reference(), *source.stream(200), alert, verdict]
    loader = load(keyed(events))
    expected: dict[str, int] = {}
    for event in events:
        expected[event["schema"]] = expected.get(event["schema"], 0) + 1
    assert loader.counts.loaded == expected
    for schema, rows in expected.items():
        assert count(store, f"select count(*) from mlmonitor.{schema}") == rows, schema
    assert count(store, "select reasons ->> 0 from mlmonitor.verdict") == "mae doubled"
    assert count(store, "select count(*) from mlmonitor.outcome") == expected["label"]
    assert count(store, "select count(*) from mlmonitor.waiting_label") == 0


@pytest.mark.slow
def test_loading_a_topic_again_as_another_group_adds_no_event(
    store: Connection, load: Any, kafka_broker: KafkaBroker
) -> None:
    """Offsets belong to a group, but events are recognised by their ids."""
    topic = kafka_broker.make_topic()
    source = EventSource()
    load(keyed([*source.reference(), *source.stream(100)]), topic=topic)
    tables = (
        "rollup_field",
        "rollup_traffic",
        "rollup_outcome",
        "rollup_kpi",
        "prediction",
        "label",
    )
    before = {
        t: store.execute(f"select * from mlmonitor.{t} order by 1, 2, 3, 4, 5").fetchall()
        for t in tables
    }
    again = load([], topic=topic, group="other")
    assert again.counts.events == 0
    assert again.counts.replayed > 100
    for table, rows in before.items():
        assert sorted(map(repr, rows)) == sorted(
            map(repr, store.execute(f"select * from mlmonitor.{table}").fetchall())
        )


@pytest.mark.slow
def test_new_events_among_replayed_ones_are_loaded_and_summed_up(
    store: Connection, load: Any
) -> None:
    """A batch with an event already stored is stored row by row, and sums are the same."""
    source = EventSource()
    events = [*source.reference(), *source.stream(60, labelled=0)]
    load(keyed(events))
    more = [source.prediction(START + timedelta(hours=1)) for _ in range(40)]
    loader = load(keyed([*events, *more, *more[:5]]), topic="")
    assert loader.counts.loaded["prediction"] == 40
    assert count(store, "select count(*) from mlmonitor.prediction") == 100
    query = "select sum(predictions) from mlmonitor.traffic where span = '{}'"
    assert [count(store, query.format(span)) for span in ("hour", "day")] == [100, 100]
    query = (
        "select sum(count) from mlmonitor.data_statistics "
        "where span = 'day' and field = 'feature_1'"
    )
    assert count(store, query) == 100


POISON: dict[str, bytes] = {
    "empty": b"",
    "no_json": b"{",
    "not_utf8": b"\xff\xfe\x00",
    "nan": b'{"schema": "prediction", "prediction": NaN}',
    "list": b"[]",
    "number": b"7",
    "two_objects": b"{},{}",
    "deep": b"[" * 100_000,
    "unknown_schema": b'{"schema": "gossip"}',
    "avro": b"\x00\x00\x00\x00\x01abc",
}


def changed(**changes: Any) -> bytes:
    """Return the message of a prediction with some fields changed."""
    return orjson.dumps(EventSource(9).prediction(START) | changes)


HOSTILE = {
    "no_id": orjson.dumps({**EventSource(9).prediction(START), "event_id": None}),
    "no_time": changed(time="yesterday"),
    "naive_time": changed(time="2026-01-01T00:00:00"),
    "before_1970": changed(time="1969-12-31T23:59:59Z"),
    "far_future": changed(time="9999-12-31T23:59:59Z"),
    "nested": changed(features={"a": {"b": [1]}}),
    "null_character": changed(features={"a": "x\x00y"}),
    "surrogate": changed().replace(b'"test"', b'"\\ud800"'),
    "huge_version": changed().replace(b'"schema_version":1', b'"schema_version":' + b"9" * 400),
    "huge_number": changed().replace(b'"latency_seconds":0.012', b'"latency_seconds":1e999'),
    "huge_integer": changed().replace(b'"prediction":', b'"prediction":1' + b"0" * 400 + b',"x":'),
    "wrong_status": changed(status="perhaps"),
    "long_name": changed(features={"n" * 5_000: 1.0}),
}


def test_a_message_that_is_not_an_event_becomes_a_dead_letter_with_a_reason(
    store: Connection, load: Any, kafka_broker: KafkaBroker
) -> None:
    """It is stored in the table and the topic, and the events around it are loaded."""
    source = EventSource()
    poison = POISON | HOSTILE
    good = keyed(source.stream(30, labelled=0))
    messages = list(good)
    for place, value in enumerate(poison.values()):
        messages.insert(3 * place, (f"p{place}", value))
    letters = kafka_broker.make_topic(1)
    loader = load(messages, dead_letter_topic=letters)
    rows = store.execute("select value, reason, bytes from mlmonitor.dead_letter").fetchall()
    # Brokers may hand on a message without content as one without a value: both are empty here.
    expected = {value[: 1 << 16] for value in poison.values()}
    assert {bytes(value) for value, _, _ in rows} == expected
    assert loader.counts.dead == len(rows) == len(poison)
    assert loader.counts.events == len(good)
    for _, reason, _ in rows:
        assert ":" in reason, reason
        assert "perhaps" not in reason
        assert "yesterday" not in reason
    assert max(size for _, _, size in rows) == 100_000
    sent = kafka_broker.read_all(letters, len(poison))
    assert len(sent) == len(poison)
    assert {dict(m.headers())["mlmonitor.reason"].decode() for m in sent} == {r for _, r, _ in rows}


INJECTIONS = (
    "'; drop schema mlmonitor cascade; --",
    'a"; delete from mlmonitor.prediction; --',
    "$$; select pg_sleep(60); $$",
    "%s %(rows)s {0} \\' \\x00",
    "\\.",
    "Robert'); DROP TABLE prediction;--",
    "\u202etfel-ot-thgir 🦄 \t\n\r",
)


def test_names_and_values_that_look_like_sql_are_stored_as_plain_text(
    store: Connection, load: Any
) -> None:
    """Names of models, fields, classes, segments and ids are stored unchanged."""
    source = EventSource()
    events = []
    for text in INJECTIONS:
        event = source.prediction(START) | {
            "model": text,
            "model_version": text,
            "segment": text,
            "group": text,
            "prediction_id": text,
            "prediction": text,
            "instance": text,
            "features": {text: text},
            "outputs": {text: text},
            "status": "ok",
        }
        label = source.label(event | {"prediction": 1.0}, START, model=text, actual=text)
        events += [event, label | {"model_version": text, "prediction_id": text}]
        kpi = source.kpi(START, 1.0, name=text) | {"model": text, "unit": text}
        hostile = EventSource(model=text)
        hostile.names = [text]
        reference = [e | {"model_version": text} for e in hostile.reference()]
        events += [kpi, *reference]
    loader = load(keyed(events))
    assert loader.counts.dead == 0
    assert loader.counts.events == len(events)
    for text in INJECTIONS:
        row = store.execute(
            "select model, segment, prediction_class, features from mlmonitor.prediction "
            "where prediction_id = %s",
            (text,),
        ).fetchone()
        assert row == (text, text, text, {text: text})
        accuracies = store.execute(
            "select accuracy from mlmonitor.cohort where model = %s", (text,)
        )
        assert accuracies.fetchone() == (1.0,)


@pytest.mark.slow
def test_extreme_numbers_are_stored_and_do_not_break_the_rollups(
    store: Connection, load: Any
) -> None:
    """The sums of squares of the largest floats would overflow in the database."""
    source = EventSource()
    extremes = [1.7e308, -1.7e308, 5e-324, 1e300, -0.0, 2.0**53]
    events = source.reference()
    for place, number in enumerate(extremes * 4):
        event = source.prediction(START + timedelta(minutes=place), prediction=number)
        event["features"]["feature_0"] = number
        event["latency_seconds"] = abs(number)
        events += [event, source.label(event, START, actual=-number)]
        events.append(source.kpi(START, number))
    loader = load(keyed(events))
    assert loader.counts.dead == 0
    assert loader.counts.events == len(events)
    for view in ("data_drift", "data_statistics", "anomaly_band", "cohort", "kpi_daily"):
        store.execute(f"select * from mlmonitor.{view}").fetchall()
    query = "select max((features ->> 'feature_0')::float8) from mlmonitor.prediction"
    assert count(store, query) == 1.7e308


@pytest.mark.slow
def test_an_event_of_a_newer_schema_version_is_read_without_its_unknown_fields(
    store: Connection, load: Any
) -> None:
    """Versions of a schema only add optional fields."""
    event = EventSource().prediction(START, schema_version=3, mood="sunny", extra={"a": [1]})
    old = EventSource(2).prediction(START)
    for name in ("latency_seconds", "instance", "model_version"):
        del old[name]
    loader = load(keyed([event, old]))
    assert (loader.counts.events, loader.counts.dead) == (2, 0)
    assert count(store, "select max(schema_version) from mlmonitor.prediction") == 3


@pytest.mark.slow
def test_a_label_before_its_prediction_waits_for_it(store: Connection, load: Any) -> None:
    """The label arrives in an earlier batch than the prediction."""
    source = EventSource()
    prediction = source.prediction(START)
    label = source.label(prediction, START + timedelta(days=1), actual=5.0)
    load(keyed([label]))
    assert count(store, "select count(*) from mlmonitor.waiting_label") == 1
    load(keyed([prediction]))
    assert count(store, "select count(*) from mlmonitor.waiting_label") == 0
    row = store.execute("select actual, prediction, labelled_at - time from mlmonitor.outcome")
    assert row.fetchone() == (5.0, prediction["prediction"], timedelta(days=1))


@pytest.mark.slow
def test_a_loader_joins_a_label_that_missed_its_prediction(store: Connection, load: Any) -> None:
    """Both were stored at the same moment; a later batch about another prediction joins them."""
    load(keyed([EventSource().prediction(START)]))
    store.execute(
        "insert into mlmonitor.waiting_label (event_id, time, model, prediction_id, actual)"
        " select gen_random_uuid(), time, model, prediction_id, 5 from mlmonitor.prediction"
    )
    load(keyed([EventSource(2).prediction(START)]))
    assert count(store, "select count(*) from mlmonitor.waiting_label") == 0
    assert count(store, "select actual from mlmonitor.outcome") == 5.0


@pytest.mark.slow
def test_the_first_label_of_a_prediction_counts(store: Connection, load: Any) -> None:
    """Later labels are stored but change no sum."""
    source = EventSource()
    prediction = source.prediction(START, prediction=10.0)
    first = source.label(prediction, START + timedelta(hours=1), actual=12.0)
    later = source.label(prediction, START + timedelta(hours=2), actual=99.0)
    load(keyed([prediction, later, first]))
    load(keyed([source.label(prediction, START + timedelta(hours=3), actual=77.0)]))
    assert count(store, "select count(*) from mlmonitor.label") == 3
    assert count(store, "select mae from mlmonitor.cohort") == 2.0


@pytest.mark.slow
def test_pairs_without_an_id_are_stored_as_outcomes(store: Connection, load: Any) -> None:
    """These are reported by `record_outcomes`."""
    source = EventSource()
    pair = source.envelope("label", START + timedelta(days=2)) | {
        "actual": 10.0,
        "prediction": 13.0,
        "predicted_at": "2026-11-27T08:00:00+01:00",
        "segment": "motor",
    }
    load([("k", orjson.dumps(pair))])
    row = store.execute(
        "select time::text, mae, labelled from mlmonitor.performance_by_bucket "
        "where span = 'hour' and dimension = 'segment' and bucket = 'motor'"
    ).fetchone()
    assert row == ("2026-11-27 07:00:00+00", 3.0, 1)


@pytest.mark.slow
def test_rows_loaded_before_their_reference_are_summed_up_when_it_arrives(
    store: Connection, load: Any
) -> None:
    """The sums equal those of loading the reference first."""
    events = list(EventSource().stream(120))
    load(keyed(events))
    assert count(store, "select count(*) from mlmonitor.rollup_field") == 0
    load(keyed(EventSource().reference()))
    late = _sums(store)
    store.execute("delete from mlmonitor.active_reference")
    for table in ("prediction", "label", "kpi", "outcome", "reference", "reference_bin"):
        store.execute(f"delete from mlmonitor.{table}")
    for table in ("rollup_field", "rollup_outcome", "rollup_traffic", "rollup_delay"):
        store.execute(f"delete from mlmonitor.{table}")
    load(keyed(EventSource().reference()))
    load(keyed(events))
    early = _sums(store)
    assert len(early) > 20
    assert early.keys() == late.keys()
    for key, numbers in early.items():
        assert late[key] == pytest.approx(numbers, rel=1e-9, abs=1e-12), key


def _sums(store: Connection) -> dict[tuple[Any, ...], list[Any]]:
    fields = store.execute(
        "select span, time, role, field, valid, missing, out_of_range, new_category, below, above, "
        "count, mean, stddev, minimum, maximum from mlmonitor.data_statistics"
    ).fetchall()
    drift = store.execute(
        "select span, time, role, field, rows, psi, jensen_shannon from mlmonitor.data_drift"
    ).fetchall()
    buckets = store.execute(
        "select span, time, dimension, bucket, labelled, mae, rmse, bias "
        "from mlmonitor.performance_by_bucket"
    ).fetchall()
    named = (("statistics", fields), ("drift", drift), ("buckets", buckets))
    return {
        (name, *row[:4]): [0.0 if n is None else float(n) for n in row[4:]]
        for name, rows in named
        for row in rows
    }


@pytest.mark.slow
def test_the_database_and_the_loader_compute_the_same_sums(store: Connection, load: Any) -> None:
    """One path is `merge_prediction`, which events=Postgres(...) uses; the other is the loader."""
    source = EventSource()
    events = [*source.reference(), *source.stream(80, labelled=0)]
    odd = [
        source.prediction(START, features={}, prediction=None),
        source.prediction(START, features={"feature_0": None}, invalid={"feature_0": "nonfinite"}),
        source.prediction(START, features={"feature_0": None}, invalid={"feature_0": "wrong_type"}),
        source.prediction(START, features={"feature_0": "text", "line": 7}, status="error"),
        source.prediction(START, features={"line": True, "feature_1": -350.0, "feature_2": 351.0}),
        source.prediction(START, segment="motor", features={"line": "__new__", "feature_0": 0.0}),
        source.prediction(START, segment="motor", features={"line": "unheard of"}, sample=0.5),
    ]
    load(keyed([*events, *odd]))
    by_loader = _sums(store)
    traffic = store.execute("select * from mlmonitor.traffic order by 1, 2, 3, 4, 5").fetchall()
    store.execute("delete from mlmonitor.prediction")
    for table in ("rollup_field", "rollup_traffic"):
        store.execute(f"delete from mlmonitor.{table}")
    reference_events = [*source.reference()][:1]
    load(
        keyed([*reference_events, *source.stream(1, labelled=0)])
    )  # so that the next batch is a replay
    from mlmonitor.formats.events import encode_copy
    from mlmonitor.store.load.copy import merge

    store.execute("delete from mlmonitor.prediction")
    for table in ("rollup_field", "rollup_traffic"):
        store.execute(f"delete from mlmonitor.{table}")
    predictions = [e for e in (*events, *odd) if e["schema"] == "prediction"]
    with store.transaction():
        store.execute("select mlmonitor.begin_staging(), mlmonitor.begin_outcomes()")
        merge(store, "prediction", encode_copy("prediction", predictions), 3)
    by_database = _sums(store)
    assert by_database.keys() == by_loader.keys()
    for key, numbers in by_loader.items():
        assert by_database[key] == pytest.approx(numbers, rel=1e-9, abs=1e-12), key
    merged = store.execute("select * from mlmonitor.traffic order by 1, 2, 3, 4, 5").fetchall()
    for one, other in zip(merged, traffic, strict=True):
        assert one[:5] == other[:5]
        assert one[5:] == pytest.approx(other[5:])


@pytest.mark.slow
def test_a_message_that_only_the_database_refuses_is_isolated(store: Connection, load: Any) -> None:
    """Halving the batch isolates it, and the other messages are loaded."""
    store.execute("alter table mlmonitor.kpi add constraint no_thirteen check (value <> 13)")
    source = EventSource()
    kpis = [source.kpi(START, float(value)) for value in range(10, 20)]
    loader = load(keyed(kpis))
    assert count(store, "select count(*) from mlmonitor.kpi") == 9
    assert loader.counts.dead == 1
    assert count(store, "select reason from mlmonitor.dead_letter") == "database: SQLSTATE 23514"


@pytest.mark.slow
def test_a_loader_continues_where_another_stopped(
    store: Connection, load: Any, kafka_broker: KafkaBroker
) -> None:
    """The offsets are in the database, so nothing is read twice."""
    topic = kafka_broker.make_topic()
    source = EventSource()
    first = load(keyed(source.stream(50, labelled=0)), topic=topic)
    second = load(keyed(source.stream(30, labelled=0)), topic=topic)
    kpis = count(store, "select count(*) from mlmonitor.kpi")
    assert first.counts.events + second.counts.events == 80 + kpis
    assert (first.counts.replayed, second.counts.replayed) == (0, 0)
    ends = store.execute("select sum(next_offset) from mlmonitor.offsets").fetchone()
    assert ends == (80 + kpis,)


def wait_until(holds: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait until a condition set by other threads holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_each_event_is_stored_once_while_one_of_two_loaders_leaves(
    store: Connection, kafka_broker: KafkaBroker, database_url: str
) -> None:
    """Partitions are reassigned while both load."""
    topic = kafka_broker.make_topic()
    source = EventSource()
    options = LoadOptions(
        kafka=client_settings(kafka_broker.address, ()),
        topic=topic,
        group=topic,
        database=database_url,
        batch_messages=200,
        linger_seconds=0.1,
    )
    loaders = [Loader(options), Loader(options)]
    threads = [threading.Thread(target=loader.run) for loader in loaders]

    def stream(predictions: int) -> int:
        messages = keyed(source.stream(predictions, labelled=0))
        return send(kafka_broker.address, topic, messages)

    sent = stream(1_000)
    for thread in threads:
        thread.start()
    wait_until(lambda: all(loader.owned for loader in loaders))
    sent += stream(1_000)
    loaders[0].stop()
    threads[0].join(60)
    sent += stream(500)
    wait_until(lambda: count(store, "select sum(next_offset) from mlmonitor.offsets") == sent)
    loaders[1].stop()
    threads[1].join(60)
    assert sum(loader.counts.events for loader in loaders) == sent
    for query in ("prediction", "traffic where span = 'day'"):
        what = "count(*)" if query == "prediction" else "sum(predictions)"
        assert count(store, f"select {what} from mlmonitor.{query}") == 2_500


@pytest.mark.slow
def test_a_user_with_only_the_loader_role_can_load(
    store: Connection, kafka_broker: KafkaBroker, database_url: str
) -> None:
    """The role is enough for rows, partitions of days, rollups and outcomes."""
    name = f"loader_{store.info.dbname}"
    store.execute(f"create role {name} login in role mlmonitor_loader")
    topic = kafka_broker.make_topic()
    source = EventSource()
    late = source.prediction(START)
    messages = [*source.reference(), source.label(late, START), *source.stream(50), late]
    sent = send(kafka_broker.address, topic, [*keyed(messages), ("p", b"poison")])
    options = LoadOptions(
        kafka=client_settings(kafka_broker.address, ()),
        topic=topic,
        group=topic,
        database=database_url.replace("//postgres:", f"//{name}:"),
        until_idle_seconds=0.6,
        linger_seconds=0.2,
    )
    loader = Loader(options)
    loader.run()
    assert loader.counts.events + loader.counts.dead == sent
    assert loader.counts.dead == 1
    assert count(store, "select count(*) from mlmonitor.waiting_label") == 0
    again = Loader(replace(options, group="other"))
    again.run()
    assert again.counts.replayed == sent - 1


@pytest.mark.slow
def test_a_loader_stops_quickly_while_its_database_is_unavailable(
    store: Connection, kafka_broker: KafkaBroker, database_url: str
) -> None:
    """The next loader reads again what this one had not stored."""
    topic = kafka_broker.make_topic()
    events = keyed(EventSource().stream(2_000, labelled=0))
    send(kafka_broker.address, topic, events[:1_000])
    options = LoadOptions(
        kafka=client_settings(kafka_broker.address, ()),
        topic=topic,
        group=topic,
        database=database_url,
        batch_messages=50,
        linger_seconds=0.1,
    )
    loader = Loader(options)
    (thread := threading.Thread(target=loader.run)).start()
    wait_until(lambda: loader.counts.events > 0)
    name = store.info.dbname
    with connect(database_url.replace(name, "postgres")) as other:
        other.execute(f"alter database {name} allow_connections false")
        query = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
        other.execute(query, (name,))
        send(kafka_broker.address, topic, events[1_000:])  # something to store in any case
        wait_until(lambda: loader.outages > 2)
        began = time.monotonic()
        loader.stop()
        thread.join(60)
        assert not thread.is_alive()
        assert time.monotonic() - began < 50
        other.execute(f"alter database {name} allow_connections true")
    Loader(replace(options, until_idle_seconds=0.6, batch_messages=5_000)).run()
    with connect(database_url) as fresh:
        assert count(fresh, "select count(*) from mlmonitor.prediction") == 2_000
        assert count(fresh, "select sum(next_offset) from mlmonitor.offsets") == len(events)


def test_the_options_of_a_loader_show_no_password() -> None:
    """Passwords in addresses and in the client's settings are covered."""
    options = LoadOptions(
        kafka=client_settings("broker:9092", ["sasl.password=hunter2"]),
        topic="events",
        group="g",
        database="postgresql://loader:hunter2@db/events",
        schema_registry="https://reader:hunter2@registry",
    )
    assert "hunter2" not in repr(options)
    assert "events" in repr(options)


def test_the_health_endpoint_answers_on_this_machine_only(
    store: Connection, kafka_broker: KafkaBroker, database_url: str
) -> None:
    """`/livez` and `/readyz` answer, the latter with counts as JSON."""
    settings = client_settings(kafka_broker.address, ())
    loader = Loader(LoadOptions(settings, "t", "g", database_url))
    server = HealthServer(loader, 0)
    try:
        with urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=60) as answer:
            health = json.load(answer)
        assert health["ready"] is True
        assert health["loaded"] == {}
        with pytest.raises(ConfigError, match="health port"):
            HealthServer(loader, server.port)
    finally:
        server.close()


def test_an_error_in_an_option_of_the_loader_names_the_option(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is raised before loading begins, and holds no password."""
    base = ["load", "--brokers", "127.0.0.1:1", "--database"]
    assert main([*base, database_url]) == 2
    assert "store init" in capsys.readouterr().err
    assert main([*base, database_url, "--property", "sasl.password"]) == 2
    assert main([*base, database_url, "--property", "group.id=x"]) == 2
    assert main([*base, database_url, "--batch", "0"]) == 2
    assert main([*base, "postgresql://u:hunter2@127.0.0.1:1/x", "--until-idle", "1"]) == 2
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err


def test_the_load_command_leaves_the_garbage_collector_as_it_was() -> None:
    """It collects rarely while it loads; a program that calls it goes on as before."""
    before = gc.get_threshold(), gc.get_freeze_count()
    command = ["load", "--brokers", "127.0.0.1:1", "--until-idle", "1", "--database"]
    assert main([*command, "postgresql://127.0.0.1:1/nothing"]) == 2
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
    gc.freeze()
    try:
        assert main([*command, "postgresql://127.0.0.1:1/nothing"]) == 2
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_a_database_that_refuses_the_loader_stops_it(store: Connection, load: Any) -> None:
    """Waiting does not help if a permission is missing."""
    store.execute("alter table mlmonitor.kpi rename to kpi_away")
    from mlmonitor.store.load.loader import LoaderStopped

    with pytest.raises(LoaderStopped, match="SQLSTATE 42P01"):
        load(keyed([EventSource().kpi(START, 1.0)]))


@pytest.mark.slow
def test_the_load_command_prints_no_progress_into_a_pipe(
    store: Connection, kafka_broker: KafkaBroker, database_url: str
) -> None:
    """Progress is shown only in a terminal."""
    topic = kafka_broker.make_topic()
    send(kafka_broker.address, topic, keyed(EventSource().stream(20)))
    command = [sys.executable, "-m", "mlmonitor", "load", "--brokers", kafka_broker.address]
    command += ["--topic", topic, "--database", database_url, "--until-idle", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert count(store, "select count(*) from mlmonitor.prediction") == 20
