"""The event log on real brokers: each event once, in order, with exact counts of losses."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, ConfigError, Kafka, Monitor, Reference
from mlmonitor.events.content.event_source import EventSource
from mlmonitor.formats.events import decode_events, parse_event
from support.brokers import PARTITIONS, KafkaBroker
from support.references import fit_reference

FEATURES = [f"f{place}" for place in range(5)]
SOURCE = EventSource("claims", "7", "process")


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of five features."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=500) for name in FEATURES}
    return fit_reference(columns, predictions=rng.normal(size=500))


def rows(count: int) -> dict[str, Any]:
    """Return columns of random numbers."""
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=count) for name in FEATURES}


def make_monitor(reference: Reference, events: Kafka, **options: Any) -> Monitor:
    """Make a monitor with an event log and no exporters."""
    return Monitor(
        "claims", version="7", reference=reference, exporters=[], events=events, **options
    )


def read_events(broker: KafkaBroker, topic: str, count: int) -> list[dict[str, Any]]:
    """Read all events of a topic, each with its key and partition."""
    messages = broker.read_all(topic, count)
    events = [json.loads(message.value()) for message in messages]
    for event, message in zip(events, messages, strict=True):
        event["key"], event["partition"] = message.key().decode(), message.partition()
    return events


@pytest.mark.parametrize("name", ["kafka_broker", "tansu_broker"])
def test_every_kafka_event_arrives_once_with_its_key(
    name: str, reference: Reference, request: pytest.FixtureRequest
) -> None:
    """Calls, a batch and labels are sent to two implementations of a broker."""
    broker: KafkaBroker = request.getfixturevalue(name)
    topic = broker.make_topic()
    with make_monitor(reference, Kafka(broker.address, topic=topic)) as monitor:
        predict = monitor.watch(lambda _: 1.0)
        for place in range(500):
            predict({feature: float(place) for feature in FEATURES})
        ids = [f"claim-{place}" for place in range(2_000)]
        monitor.record(rows(2_000), np.zeros(2_000), ids=ids)
        monitor.label(ids, np.ones(2_000))
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status().events
        assert status is not None
    events = read_events(broker, topic, status.delivered)
    counts = Counter(event["schema"] for event in events)
    assert counts["prediction"] == 2_500
    assert counts["label"] == 2_000
    assert counts["reference"] == len(reference.fields)
    assert len({event["event_id"] for event in events}) == len(events)
    assert status.dropped == status.refused == 0
    assert {event["partition"] for event in events} == set(range(PARTITIONS))
    for event in events:
        assert event["key"] == event.get("prediction_id", event["model"])


def test_events_of_one_prediction_are_in_order_in_one_partition(
    kafka_broker: KafkaBroker, reference: Reference
) -> None:
    """A label follows its prediction, and a second label follows the first."""
    topic = kafka_broker.make_topic()
    ids = [f"claim-{place}" for place in range(300)]
    with make_monitor(reference, Kafka(kafka_broker.address, topic=topic)) as monitor:
        monitor.record(rows(300), np.zeros(300), ids=ids)
        monitor.label(ids, np.ones(300))
        monitor.flush(timeout_seconds=20)
        monitor.label(ids, np.full(300, 2.0))
    events = read_events(kafka_broker, topic, 900 + len(reference.fields))
    by_id: dict[str, list[Any]] = defaultdict(list)
    for event in events:
        if "prediction_id" in event:
            by_id[event["prediction_id"]].append((event.get("actual"), event["partition"]))
    assert len(by_id) == 300
    for parts in by_id.values():
        assert [actual for actual, _ in parts] == [None, 1.0, 2.0]
        assert len({partition for _, partition in parts}) == 1


@pytest.mark.slow
def test_messages_other_than_predictions_name_their_schema_in_a_header(
    kafka_broker: KafkaBroker, reference: Reference
) -> None:
    """A router can read it without parsing the body, which says the same."""
    topic = kafka_broker.make_topic()
    with make_monitor(reference, Kafka(kafka_broker.address, topic=topic)) as monitor:
        monitor.record(rows(10), np.zeros(10))
        monitor.kpi("saved", 3.0)
    messages = kafka_broker.read_all(topic, 11 + len(reference.fields))
    for message in messages:
        event = parse_event(message.value())
        header = f"{event.schema_name}/{event.schema_version}".encode()
        if event.schema_name == "prediction":  # it would cost too much
            assert message.headers() is None
        else:
            assert dict(message.headers())["schema"] == header


def time_calls(function: Callable[[Any], object], inputs: list[Any]) -> Iterator[float]:
    """Measure the seconds that each call takes."""
    for given in inputs:
        started = time.perf_counter()
        function(given)
        yield time.perf_counter() - started


@pytest.mark.slow
def test_an_unreachable_broker_costs_no_prediction_and_every_lost_event_is_counted(
    own_broker: KafkaBroker, reference: Reference
) -> None:
    """Memory is bounded, and the queued events are delivered when the broker returns."""
    topic = own_broker.make_topic()
    events = Kafka(own_broker.address, topic=topic, buffer_bytes=1 << 20)
    columns = rows(6_001)
    inputs = [{name: column[at] for name, column in columns.items()} for at in range(6_001)]
    with make_monitor(reference, events, config=Config(poll_interval_seconds=0.05)) as monitor:
        predict = monitor.watch(lambda row: row["f0"])
        predict(inputs[0])
        assert monitor.flush(timeout_seconds=60)
        own_broker.stop()
        # A busy machine may hold up a few calls, a call that waits for a broker all of them.
        assert sum(seconds > 1.0 for seconds in time_calls(predict, inputs[1:])) < 60
        away = monitor.status()
        assert (away.predictions, away.dropped, away.internal_errors) == (6_001, 0, 0)
        assert away.events is not None
        assert away.events.dropped > 0
        own_broker.start()
        assert monitor.flush(timeout_seconds=60)
        back = monitor.status().events
    assert back is not None
    arrived = read_events(own_broker, topic, back.delivered)
    assert len(arrived) == len({event["event_id"] for event in arrived}) == back.delivered
    counts = Counter(event["schema"] for event in arrived)
    assert counts == {"reference": len(reference.fields), "prediction": 6_001 - back.dropped}
    assert back.waiting == back.refused == 0
    assert back.by_schema == counts + Counter(prediction=back.dropped)


@pytest.mark.slow
def test_events_still_undelivered_at_exit_are_dropped_and_counted(
    reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    """The exit keeps to its limit, the log has the number dropped, and `close` returns False."""
    monitor = make_monitor(reference, Kafka("127.0.0.1:1"))
    monitor.watch(lambda _: 1.0)(dict.fromkeys(FEATURES, 0.0))
    started = time.monotonic()
    assert not monitor.close(timeout_seconds=2.0)
    assert time.monotonic() - started < 60  # librdkafka would try for five minutes
    status = monitor.status().events
    assert status is not None
    assert status.dropped == 1 + len(reference.fields)
    assert status.waiting == status.delivered == 0
    assert "events were not delivered to kafka" in caplog.text
    assert "events to kafka: dropped 7\n" in str(monitor.status())
    assert "Connection refused" in str(monitor.status())


@pytest.mark.parametrize("ending", ["closed", "replaced"])
def test_a_closed_producer_has_counted_every_event_of_every_schema(ending: str) -> None:
    """Events that the client gives up only after it was closed are included."""
    destination = Kafka("127.0.0.1:1")
    sink = destination.open(SOURCE)
    sent = 0
    for schema in ("prediction", "label", "alert", "kpi"):
        own = [
            SOURCE.envelope(schema, f"{place}", 0.0) | {"prediction_id": f"{place}"}
            for place in range(1_000)
        ]
        sink.put(own)
        sent += len(own)
    if ending == "replaced":
        sink._is_fatal = True
        sink.poll()
        assert sink.status().dropped == sent
    sink.close(0.0)
    sink.put([SOURCE.envelope("verdict", "late", 0.0)])
    status = sink.status()
    assert (status.dropped, status.delivered, status.waiting) == (sent + 1, 0, 0)


@pytest.mark.slow
def test_events_that_waited_too_long_are_dropped_and_counted(reference: Reference) -> None:
    """`message.timeout.ms` limits the wait, and the service goes on."""
    events = Kafka("127.0.0.1:1", options={"message.timeout.ms": 300})
    with make_monitor(reference, events) as monitor:
        monitor.watch(lambda _: 1.0)(dict.fromkeys(FEATURES, 0.0))
        deadline = time.monotonic() + 60
        status = monitor.status().events
        while (status is None or status.waiting) and time.monotonic() < deadline:
            time.sleep(0.1)
            status = monitor.status().events
    assert status is not None
    assert (status.waiting, status.dropped) == (0, 1 + len(reference.fields))


@pytest.mark.slow
def test_a_batch_job_waits_for_room_and_loses_nothing(
    kafka_broker: KafkaBroker, reference: Reference
) -> None:
    """The client's queue holds only a fraction of its events."""
    topic = kafka_broker.make_topic()
    events = Kafka(kafka_broker.address, topic=topic, buffer_bytes=1 << 20)
    with make_monitor(reference, events) as monitor:
        monitor.record(rows(20_000), np.zeros(20_000))
    status = monitor.status().events
    assert status is not None
    assert status.dropped == 0
    arrived = kafka_broker.read_all(topic, status.delivered)
    schemas = Counter(event["schema"] for event in decode_events([m.value() for m in arrived]))  # type: ignore[index]  # none is refused
    assert schemas["prediction"] == 20_000


def test_an_event_above_the_message_size_limit_is_refused_and_counted(
    kafka_broker: KafkaBroker, reference: Reference
) -> None:
    """The reference's events exceed the limit, and the prediction's event arrives."""
    topic = kafka_broker.make_topic()
    events = Kafka(kafka_broker.address, topic=topic, options={"message.max.bytes": 1_000})
    with make_monitor(reference, events) as monitor:
        monitor.watch(lambda _: 1.0)(dict.fromkeys(FEATURES, 1.0))
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status().events
    assert status is not None
    assert (status.refused, status.delivered) == (len(reference.fields), 1)
    assert status.last_error is not None
    assert "size" in status.last_error.lower()


SERVICE = """
import os, sys
import numpy as np
from mlmonitor import Kafka, Monitor, Reference
address, topic, way = sys.argv[1:]
rng = np.random.default_rng(0)
reference = Reference.fit(
    {"a": rng.normal(size=200)}, predictions=rng.normal(size=200), thresholds="asymptotic"
)
monitor = Monitor("m", reference=reference, exporters=[], events=Kafka(address, topic=topic))
predict = monitor.watch(lambda row: row["a"])
for place in range(50):
    predict({"a": float(place)})
if way == "fork":
    monitor.flush(timeout_seconds=20)
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            for place in range(50):
                predict({"a": float(place)})
            sys.exit(0)
        children.append(child)
    for child in children:
        _, status = os.waitpid(child, 0)
        assert status == 0, status
    for place in range(50):
        predict({"a": float(place)})
"""


def run_service(broker: KafkaBroker, topic: str, way: str) -> None:
    """Run a service in a process of its own until it ends."""
    subprocess.run(
        [sys.executable, "-c", SERVICE, broker.address, topic, way],
        check=True,
        timeout=250,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )


@pytest.mark.slow
def test_a_process_that_ends_has_delivered_its_events(kafka_broker: KafkaBroker) -> None:
    """The process does not close its monitor; its exit waits for the events."""
    topic = kafka_broker.make_topic()
    run_service(kafka_broker, topic, "exit")
    events = read_events(kafka_broker, topic, 52)
    assert Counter(event["schema"] for event in events)["prediction"] == 50


@pytest.mark.slow
def test_forked_processes_send_their_own_events(kafka_broker: KafkaBroker) -> None:
    """Each process is an instance with a producer of its own, and nothing is sent twice."""
    topic = kafka_broker.make_topic()
    run_service(kafka_broker, topic, "fork")
    events = read_events(kafka_broker, topic, 250)
    predictions = [event for event in events if event["schema"] == "prediction"]
    counts = Counter(event["instance"] for event in predictions)
    assert sorted(counts.values()) == [50, 50, 50, 100]
    assert len({event["event_id"] for event in predictions}) == 250


def test_threads_that_read_the_status_do_not_disturb_the_counts(
    kafka_broker: KafkaBroker, reference: Reference
) -> None:
    """Counts never decrease, and end at the number of events sent."""
    topic = kafka_broker.make_topic()
    seen: list[int] = []
    with make_monitor(reference, Kafka(kafka_broker.address, topic=topic)) as monitor:
        predict = monitor.watch(lambda _: 1.0)

        def ask() -> None:
            for _ in range(30):
                status = monitor.status().events
                seen.append(0 if status is None else status.delivered)

        asking = threading.Thread(target=ask)
        asking.start()
        for place in range(3_000):
            predict(dict.fromkeys(FEATURES, float(place)))
        asking.join()
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status().events
    assert seen == sorted(seen)
    assert status is not None
    assert status.delivered >= 3_000


WRONG: list[dict[str, Any]] = [
    {"servers": ""},
    {"topic": ""},
    {"sample": 0},
    {"sample": 1.5},
    {"sample": float("nan")},
    {"sample": True},
    {"ids": "open"},
    {"hash_key": ""},
    {"redact": "amount"},
    {"redact": [1]},
    {"redact": ["a"], "hash": ["a"]},
    {"format": "xml"},
    {"format": "avro"},
    {"schema_registry": "http://127.0.0.1:1"},
    {"buffer_bytes": 10},
    {"buffer_bytes": "lots"},
    {"options": {"no.such.setting": "hunter2-hunter2"}},
    {"options": {"linger.ms": "hunter2-hunter2"}},
    {"options": {"sasl.passwordd": "hunter2-hunter2"}},
]


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_a_wrong_kafka_option_is_refused_at_set_up_without_its_value(
    options: dict[str, Any],
) -> None:
    """The error names the option."""
    with pytest.raises(ConfigError) as refusal:
        Kafka(**({"servers": "127.0.0.1:1"} | options))
    assert "hunter2" not in str(refusal.value)
    assert any(name in str(refusal.value) for name in options), options


def test_redacting_a_field_that_the_model_does_not_have_is_refused(reference: Reference) -> None:
    """A misspelt name in `redact` would otherwise send what must not be sent."""
    with pytest.raises(ConfigError, match=r"redact: .*did you mean 'f1'"):
        make_monitor(reference, Kafka("127.0.0.1:1", redact=["ff1"]))


def test_secrets_are_in_no_repr_and_no_error(reference: Reference) -> None:
    """Neither the options nor the key of the hash appear in them."""
    events = Kafka(
        "127.0.0.1:1",
        hash_key="a-key-of-hashes",
        options={"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                 "sasl.username": "mary", "sasl.password": "a-password-of-mary"},
    )  # fmt: skip
    texts = repr(events) + repr(vars(events)) + repr(events.options)
    monitor = make_monitor(reference, events)
    monitor.watch(lambda _: 1.0)(dict.fromkeys(FEATURES, 0.0))
    monitor.close(timeout_seconds=1.0)
    texts += repr(monitor.status()) + monitor.status().to_json()
    assert "a-password-of-mary" not in texts
    assert "a-key-of-hashes" not in texts


def test_anything_but_an_event_destination_is_refused(reference: Reference) -> None:
    """The error says what was expected."""
    with pytest.raises(ConfigError, match="events: expected Kafka"):
        make_monitor(reference, "localhost:9092")  # type: ignore[arg-type]  # what is refused
