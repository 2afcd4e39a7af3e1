"""A Kafka consumer that starts at the offsets stored in the database."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.store.load.decode import Message, PartitionKey, ends_of

log: logging.Logger = logging.getLogger("mlmonitor.store")

ReadOffsets = Callable[[Iterable[PartitionKey]], dict[PartitionKey, int]]
"""Reads up to which offset partitions are loaded; waits while the database is unavailable."""

_AT_ONCE = 500
"""Messages per call; few, so that large messages do not fill the memory."""
_BATCH_BYTES = 32 << 20
_MOST_KEPT = 32
"""Partitions are paused once this many messages have arrived without being read."""
_SETTINGS: Mapping[str, Any] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10_000,
    "max.poll.interval.ms": 300_000,
    "queued.max.messages.kbytes": 65_536,
    "queued.min.messages": 20_000,  # two batches; more would only use memory
    "log_level": 0,
}
_OWN = frozenset(
    {"enable.auto.commit", "enable.auto.offset.store", "group.id", "bootstrap.servers"}
)


def client_settings(brokers: str, properties: Iterable[str]) -> dict[str, Any]:
    """Build librdkafka's settings from `name=value` pairs, such as settings for TLS and SASL.

    Raises:
        ConfigError: a pair is malformed, or names a setting that the loader controls. The message
            contains no value.
    """
    if not brokers:
        raise ConfigError("brokers: expected host:port, or several separated by commas")
    settings: dict[str, Any] = {"bootstrap.servers": brokers, "log_level": 0}
    for pair in properties:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError("property: expected name=value")
        if name in _OWN:
            raise ConfigError(f"property: {name} is set by the loader")
        settings[name] = value
    return settings


class GroupConsumer:
    """Reads a topic as a member of a consumer group, from the offsets in the database.

    Offsets are also committed to Kafka, but only for tools that show lag. Rebalances are
    cooperative: partitions that do not move are read meanwhile.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        topic: str,
        group: str,
        *,
        read_offsets: ReadOffsets,
        before_revoke: Callable[[], None],
    ) -> None:
        kafka = import_extra("confluent_kafka", extra="kafka")
        self._kafka = kafka
        self.topic = topic
        self.positions: dict[PartitionKey, int] = {}
        """The offset of the next message to return, for each owned partition."""
        self.ends: dict[PartitionKey, int] = {}
        self.rewinds: int = 0
        """How often a partition began below its loaded offset, because its topic was recreated."""
        self.lag: int = 0
        """The last result of `measure_lag`; any thread may read it."""
        self.was_assigned: bool = False
        self.active_at: float = time.monotonic()
        """When the last message arrived or the assignment changed."""
        self.last_error: str = ""
        self._logged: set[str] = set()
        self._read: list[Message] = []
        self._is_paused = False
        self._places: dict[int, PartitionKey] = {}
        self._read_offsets, self._before_revoke = read_offsets, before_revoke
        own = {**_SETTINGS, **settings, "group.id": group, "error_cb": self._report}
        try:
            self._consumer = kafka.Consumer(own)
        except kafka.KafkaException as error:
            raise ConfigError(f"kafka: {error.args[0].str()}") from None
        self._consumer.subscribe(
            [topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke
        )

    def read(self, most: int, *, timeout_seconds: float) -> list[Message]:
        """Return the next messages, at most `most`; fewer if the timeout passes.

        A tombstone, which has no value, is returned as an empty message.
        """
        deadline = time.monotonic() + timeout_seconds
        self._resume()
        size = sum(len(message.value) for message in self._read)
        while len(self._read) < most and size < _BATCH_BYTES:
            rest = deadline - time.monotonic()
            at_once = min(_AT_ONCE, most - len(self._read))
            raw = self._consumer.consume(at_once, max(rest, 0.0))
            size += self._add(raw)
            if not raw or rest <= 0:
                break
        owned = [message for message in self._read if message.place in self.positions]
        self._read = []
        if owned:
            self.active_at = time.monotonic()
        return owned

    def _add(self, raw: Iterable[Any]) -> int:
        """Add the client's messages to those to return; log errors; return the size in bytes."""
        size = 0
        for one in raw:
            if one.error() is None:
                value = one.value() or b""
                size += len(value)
                place = self._place(one.partition())
                self._read.append(Message(place, one.offset(), one.key(), value))
            else:
                self._report(one.error())
        return size

    def _place(self, partition: int) -> PartitionKey:
        """Return a cached key for a partition, which is faster than building one per message."""
        place = self._places.get(partition)
        if place is None:
            place = self._places[partition] = PartitionKey(self.topic, partition)
        return place

    def starts(self, messages: Sequence[Message]) -> dict[PartitionKey, int]:
        """Return the positions of all partitions, then advance them past these messages."""
        starts = dict(self.positions)
        firsts = {message.place: message.offset for message in reversed(messages)}
        self.rewinds += sum(offset < starts.get(place, 0) for place, offset in firsts.items())
        self.positions |= ends_of(messages)
        return starts

    def keep_alive(self) -> None:
        """Stay in the group without reading; must be called a few times a second.

        Messages that arrive are stored for `read`. Partitions are paused only once several
        messages are stored, because pausing discards what the client has already fetched.
        """
        if len(self._read) >= _MOST_KEPT:
            self._is_paused = True
            self._consumer.pause(self._consumer.assignment())
        message = self._consumer.poll(0)
        self._add([] if message is None else [message])

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._consumer.resume(self._consumer.assignment())

    def rewind(self) -> None:
        """Go back to the offsets in the database, for all owned partitions."""
        self._resume()
        self._read = []
        for place, offset in self._read_offsets(self.positions).items():
            self.positions[place] = offset
            start = offset or self._kafka.OFFSET_BEGINNING
            self._consumer.seek(self._kafka.TopicPartition(place.topic, place.partition, start))

    def publish(self, ends: Mapping[PartitionKey, int]) -> None:
        """Commit the offsets of loaded partitions to Kafka, for tools that show lag."""
        offsets = [
            self._kafka.TopicPartition(place.topic, place.partition, offset)
            for place, offset in ends.items()
            if place in self.positions
        ]
        try:
            if offsets:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except self._kafka.KafkaException as error:
            self._report(error.args[0])

    def measure_lag(self) -> None:
        """Set `lag` to the number of unread messages in owned partitions."""
        lag = 0
        for place, position in self.positions.items():
            partition = self._kafka.TopicPartition(place.topic, place.partition)
            low, high = self._consumer.get_watermark_offsets(partition, cached=True)
            lag += max(high - max(position, low), 0) if high > 0 else 0
        self.lag = lag

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assign(self, consumer: Any, partitions: list[Any]) -> None:
        places = [PartitionKey(p.topic, p.partition) for p in partitions]
        if places:
            self.positions |= self._read_offsets(places)
        for partition, place in zip(partitions, places, strict=True):
            partition.offset = self.positions[place] or self._kafka.OFFSET_BEGINNING
        consumer.incremental_assign(partitions)
        self.was_assigned, self.active_at = True, time.monotonic()

    def _revoke(self, consumer: Any, partitions: list[Any]) -> None:
        self._before_revoke()
        for partition in partitions:
            self.positions.pop(PartitionKey(partition.topic, partition.partition), None)
        # If a partition is assigned again, it will start at its offset in the database.
        self._read = [message for message in self._read if message.place in self.positions]
        consumer.incremental_unassign(partitions)
        self.active_at = time.monotonic()

    def _report(self, error: Any) -> None:
        """Log each kind of error once; an outage of the brokers does not count as idle time."""
        self.last_error = error.name()
        errors = self._kafka.KafkaError
        if error.code() in (errors._TRANSPORT, errors._ALL_BROKERS_DOWN, errors._RESOLVE):  # noqa: SLF001 - their only names
            self.active_at = time.monotonic()
        elif error.code() == errors.UNKNOWN_TOPIC_OR_PART:
            self.was_assigned = True  # there is nothing to wait for
        if self.last_error not in self._logged:
            self._logged.add(self.last_error)
            log.warning("kafka: %s", self.last_error)
