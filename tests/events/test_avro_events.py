"""Events in Avro, with a schema registry that answers over HTTP."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest

from mlmonitor import Kafka, Monitor, Reference
from mlmonitor.events.sinks.avro_encoder import AvroEncoder
from mlmonitor.formats.events import EVENT_MODELS, check_event
from mlmonitor.formats.events.avro_schemas import build_avro_schema
from support.brokers import KafkaBroker
from support.references import fit_reference
from support.schema_registry import SchemaRegistry, serve_registry

GOLDEN = Path(__file__).parents[1] / "golden" / "events_v1.jsonl"
CONTENTS: list[dict[str, Any]] = [json.loads(line) for line in GOLDEN.read_text().splitlines()]


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of a number and a category."""
    rng = np.random.default_rng(0)
    columns = {"amount": rng.normal(size=300), "line": rng.choice(["motor", "home"], 300).tolist()}
    return fit_reference(columns, predictions=rng.normal(size=300))


def decode(message: bytes, registry: SchemaRegistry) -> Any:
    """Decode Confluent's wire format with fastavro, as any consumer could."""
    assert message[0] == 0
    schema = registry.read_schema(int.from_bytes(message[1:5], "big"))
    return fastavro.schemaless_reader(io.BytesIO(message[5:]), schema)


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content["event_id"][-2:])
def test_an_event_is_the_same_in_avro_as_in_json(content: dict[str, Any]) -> None:
    """Every field of the golden events is read back with the schema in the registry."""
    with serve_registry() as registry:
        encoder = AvroEncoder({"url": registry.url}, "t")
        (message,) = encoder.encode([content])
        record = decode(message, registry)
    assert check_event(record) == check_event(content)
    assert registry.subjects == {f"t-mlmonitor.{content['schema'].capitalize()}": 1}


def test_every_avro_schema_resolves_events_of_older_and_newer_writers() -> None:
    """A reader with a new field uses its default, and one without an old field skips it."""
    for schema in EVENT_MODELS:
        written = build_avro_schema(schema)
        content = next(content for content in CONTENTS if content["schema"] == schema)
        defaults = {f["name"]: f["default"] for f in written["fields"] if "default" in f}
        data = io.BytesIO()
        fastavro.schemaless_writer(data, written, defaults | content)
        newer = json.loads(json.dumps(written))
        newer["fields"].append({"name": "later", "type": ["null", "string"], "default": None})
        older = json.loads(json.dumps(written))
        older["fields"] = [f for f in older["fields"] if f["name"] != "instance"]
        for read, is_there in ((newer, True), (older, False)):
            data.seek(0)
            record: Any = fastavro.schemaless_reader(data, written, read)
            assert ("later" in record) == is_there
            assert record["event_id"] == content["event_id"]


def test_events_arrive_in_avro_at_a_broker(kafka_broker: KafkaBroker, reference: Reference) -> None:
    """The registry receives a user and a password, which are shown nowhere."""
    topic = kafka_broker.make_topic()
    user = "mary:hunter2-hunter2"
    with serve_registry("Basic " + base64.b64encode(user.encode()).decode()) as registry:
        settings = {"url": registry.url, "basic.auth.user.info": user}
        events = Kafka(kafka_broker.address, topic=topic, format="avro", schema_registry=settings)
        with Monitor("claims", reference=reference, exporters=[], events=events) as monitor:
            monitor.watch(lambda _: 2.5)({"amount": float("nan"), "line": "motor"})
            monitor.label("a", 1.0)
            assert monitor.flush(timeout_seconds=60)
            status = monitor.status().events
        assert status is not None
        assert status.dropped == 0
        messages = kafka_broker.read_all(topic, status.delivered)
        records = [decode(message.value(), registry) for message in messages]
    for record in records:
        check_event(record)
    (prediction,) = [record for record in records if record["schema"] == "prediction"]
    assert prediction["features"] == {"amount": None, "line": "motor"}
    assert prediction["prediction"] == 2.5
    assert "hunter2" not in repr(events) + repr(vars(events))


@pytest.mark.parametrize("is_there", [True, False])
def test_events_are_dropped_and_counted_while_the_registry_refuses_or_is_unreachable(
    is_there: bool,  # noqa: FBT001 - a parameter
    kafka_broker: KafkaBroker,
    reference: Reference,
) -> None:
    """No exception reaches the host, and the status names the registry."""
    with serve_registry("Basic right") as registry:
        url = registry.url if is_there else "http://127.0.0.1:1"
        topic = kafka_broker.make_topic()
        events = Kafka(kafka_broker.address, topic=topic, format="avro", schema_registry=url)
        monitor = Monitor("claims", reference=reference, exporters=[], events=events)
        monitor.watch(lambda _: 2.5)({"amount": 1.0, "line": "motor"})
        status = monitor.status()
        monitor.close(timeout_seconds=2.0)
    assert status.internal_errors == 0
    assert status.events is not None
    assert status.events.dropped == 1 + len(reference.fields)
    assert status.events.last_error is not None
    assert "schema registry" in status.events.last_error
