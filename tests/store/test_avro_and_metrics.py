"""Events in Avro, and the loader's own metrics over OTLP."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from mlmonitor.cli.store.load_command import _Progress
from mlmonitor.cli.store.loader_metrics import LoaderMetrics
from mlmonitor.errors import ConfigError, FormatError
from mlmonitor.events.sinks.avro_encoder import AvroEncoder
from mlmonitor.export.destinations import Otlp
from mlmonitor.formats.events import check_event
from mlmonitor.store.load.avro import AvroDecoder
from mlmonitor.store.load.decode import Decoder, Message, PartitionKey
from mlmonitor.store.load.loader import Loader, LoadOptions
from mlmonitor.testing import OtlpReceiver
from support.schema_registry import serve_registry

GOLDEN = Path(__file__).parents[1] / "golden" / "events_v1.jsonl"
CONTENTS: list[dict[str, Any]] = [json.loads(line) for line in GOLDEN.read_text().splitlines()]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: content["event_id"][-2:])
def test_an_event_in_avro_is_decoded_as_in_json(content: dict[str, Any]) -> None:
    """The decoder uses the writer's schema from the registry."""
    with serve_registry() as registry:
        (message,) = AvroEncoder({"url": registry.url}, "t").encode([content])
        decoded = AvroDecoder(registry.url).decode(message)
    assert isinstance(decoded, dict)
    assert check_event(decoded) == check_event(content)


def test_damaged_avro_is_refused_with_a_reason() -> None:
    """Reasons are an unknown schema, too few bytes or no registry; if it is down, loading waits."""
    with serve_registry() as registry:
        decoder = AvroDecoder(registry.url)
        (message,) = AvroEncoder({"url": registry.url}, "t").encode(CONTENTS[:1])
        for data in (b"\x00", b"\x00\x00\x00\x00\x63abc", message[:-20]):
            assert isinstance(decoder.decode(data), FormatError), data
    with pytest.raises(requests.ConnectionError):
        AvroDecoder(registry.url).decode(message)
    assert "registry" in str(AvroDecoder(None).decode(message))
    with pytest.raises(ConfigError, match="schema registry"):
        AvroDecoder("registry:8081")


def test_avro_and_json_may_share_a_topic() -> None:
    """The first byte of a message says which of the two it is."""
    with serve_registry() as registry:
        (binary,) = AvroEncoder({"url": registry.url}, "t").encode(CONTENTS[:1])
        place = PartitionKey("t", 0)
        text = json.dumps(CONTENTS[0]).encode()
        messages = [Message(place, n, None, value) for n, value in enumerate((binary, text))]
        batch = Decoder(AvroDecoder(registry.url)).decode(messages, {place: 0})
    assert batch.dead_letters == []
    assert batch.predictions is not None
    columns = batch.predictions.columns._replace(features=batch.predictions.features)
    assert [first for first, _ in columns] == [second for _, second in columns]


@pytest.fixture
def loader() -> Loader:
    """A loader that has loaded some events."""
    idle_loader = Loader(LoadOptions({}, "t", "g", "postgresql://nowhere"))
    idle_loader.counts.loaded = {"prediction": 7}
    idle_loader.counts.dead, idle_loader.counts.batches, idle_loader.committed_at = 2, 1, 0.0
    return idle_loader


def test_the_loader_exports_its_own_metrics(loader: Loader) -> None:
    """These are events by schema and outcome, lag, outages, and the age of the last commit."""
    with OtlpReceiver() as receiver:
        metrics = LoaderMetrics(loader, Otlp.collector(receiver.url), interval_seconds=3_600)
        metrics.close()
        assert metrics.failed == 0
        total = receiver.ledger.total("mlmonitor.loader.events", outcome="loaded")
        assert total == 7
        assert receiver.ledger.total("mlmonitor.loader.events", outcome="dead_letter") == 2
        assert "mlmonitor.loader.commit.age" in receiver.ledger.names


def test_undeliverable_metrics_of_the_loader_are_counted_and_do_not_delay_loading(
    loader: Loader,
) -> None:
    """The next export contains all totals again."""
    exporter = Otlp.collector("http://127.0.0.1:9", timeout_seconds=0.5)
    metrics = LoaderMetrics(loader, exporter, interval_seconds=3_600)
    metrics.close()
    assert metrics.failed == 1


def test_the_loader_shows_its_progress_on_one_line(
    loader: Loader, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each update overwrites the line, and the last one ends it."""
    progress = _Progress(loader)
    progress()
    progress.finish()
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "7 events loaded" in printed
    assert "2 dead letters" in printed
