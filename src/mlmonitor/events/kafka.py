"""The event log in a Kafka topic."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mlmonitor.catalog import EVENTS
from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.events.content.event_source import EventSource
from mlmonitor.events.event_options import EventOptions
from mlmonitor.events.sinks.avro_encoder import AvroEncoder
from mlmonitor.events.sinks.client_settings import describe_error, hide_secret, reveal
from mlmonitor.events.sinks.event_encoder import EventEncoder, JsonEncoder
from mlmonitor.events.sinks.kafka_sink import KafkaSink
from mlmonitor.secret import Secret

TOPIC = EVENTS.name
"""The topic has the name of the metric that counts its events."""
_MOST_BYTES = 2_147_483_647 << 10  # the limit of librdkafka
_DEFAULTS: Mapping[str, Any] = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 50,
    "batch.size": 1_000_000,
    "partitioner": "murmur2_random",  # as in Java's clients, so that topics can be joined
    "queue.buffering.max.messages": 1_000_000,
    "log_level": 0,  # errors are shown in the status instead, so an outage does not fill the log
}


class Kafka:
    """Send every prediction, label and alert to a topic, as JSON or Avro (extra `kafka`).

    Promise: calls of the application are not slowed down: the worker builds events from blocks of
        rows. Each event is delivered once; events of one prediction stay in order, in one
        partition. Memory is bounded: during an outage of the broker, events beyond `buffer_bytes`
        are dropped and counted in `status().events`.
    Price: the worker's time for each row (`benchmarks/events.py`), and `buffer_bytes` of memory.

    Args:
        servers: `host:port` of one or more brokers.
        topic: the topic to send to; it must exist, or the broker must create it.
        redact: fields that are never sent. hash: fields whose values are sent as hashes.
        fields: the only fields to send; all if None.
        sample: the share of predictions to send, with their labels.
        ids: how prediction ids that the caller gave are sent: `hashed` or `plain`. Ids made by the
            library are always plain.
        hash_key: a key for hashes, without which nobody can compute them.
        format: `json`, or `avro` with schemas in a `schema_registry`.
        schema_registry: the URL of the registry, or settings of confluent-kafka's registry client.
        buffer_bytes: the maximum bytes of events that wait for the broker.
        options: further settings of librdkafka, such as `security.protocol`, `sasl.password`,
            `ssl.ca.location`. Secret settings are never shown.

    Raises:
        ConfigError: an option is invalid.
        MissingExtra: confluent-kafka is not installed.
    """

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        servers: str | Sequence[str],
        *,
        topic: str = TOPIC,
        redact: Sequence[str] = (),
        hash: Sequence[str] = (),  # noqa: A002 - the word that users know
        fields: Sequence[str] | None = None,
        sample: float = 1.0,
        ids: Literal["hashed", "plain"] = "hashed",
        hash_key: str | None = None,
        format: Literal["json", "avro"] = "json",  # noqa: A002 - as above
        schema_registry: str | Mapping[str, Any] | None = None,
        buffer_bytes: int = 32 << 20,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.options: EventOptions = EventOptions.check(
            redact=redact, hashed=hash, fields=fields, sample=sample, ids=ids, hash_key=hash_key
        )
        self._kafka = import_extra("confluent_kafka", extra="kafka")
        self._servers = servers if isinstance(servers, str) else ",".join(servers)
        if not self._servers or not topic or "/" in self._servers:
            raise ConfigError(
                "servers, topic: expected 'host:port', without a scheme, and the name of a topic"
            )
        if type(buffer_bytes) is not int or not 1 << 20 <= buffer_bytes <= _MOST_BYTES:
            raise ConfigError("buffer_bytes: expected 1 MiB to 2 TiB as an integer, as in 32 << 20")
        self._topic = topic
        self._registry = _check_registry(format, schema_registry)
        self._settings = {
            **_DEFAULTS,
            "queue.buffering.max.kbytes": max(buffer_bytes >> 10, 1),
            **{name: hide_secret(name, value) for name, value in (options or {}).items()},
            "bootstrap.servers": self._servers,
            "delivery.report.only.error": True,  # deliveries are counted without reports
        }
        self._make_encoder()  # raises now if the client is not installed
        if options:
            self._check_settings()

    def _make_encoder(self) -> EventEncoder:
        if self._registry is None:
            return JsonEncoder()
        return AvroEncoder(self._registry, self._topic)

    def _check_settings(self) -> None:
        """Let the client check its settings at set-up instead of in the worker."""
        try:
            self._kafka.Producer(reveal(self._settings)).close()
        except self._kafka.KafkaException as error:
            reason = describe_error(error.args[0], self._secrets)
            raise ConfigError(f"options: {reason}") from None
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"options: expected settings of librdkafka ({type(error).__name__})"
            ) from None

    @property
    def _secrets(self) -> list[Secret]:
        return [value for value in self._settings.values() if isinstance(value, Secret)]

    def open(self, source: EventSource) -> KafkaSink:
        """Start a producer in this process."""
        del source
        return KafkaSink(self._kafka, self._settings, self._topic, self._make_encoder())

    def __repr__(self) -> str:
        return f"Kafka({self._servers!r}, topic={self._topic!r})"


def _check_registry(
    form: str, registry: str | Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    if form not in ("json", "avro"):
        raise ConfigError("format: expected 'json' or 'avro'")
    if form == "json":
        if registry is not None:
            raise ConfigError("schema_registry: expected with format='avro' only")
        return None
    if not registry:
        raise ConfigError("schema_registry: expected the registry's URL, since format='avro'")
    settings = {"url": registry} if isinstance(registry, str) else dict(registry)
    return {name: hide_secret(name, value) for name, value in settings.items()}
