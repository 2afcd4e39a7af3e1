"""Store messages that could not be loaded, with the reason, in a table and in a topic."""

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from mlmonitor.errors import import_extra
from mlmonitor.store.load.decode import DeadLetter

MOST_BYTES = 1 << 16
"""The table keeps the first bytes of a larger message; the topic has all."""

_INSERT = """
    insert into mlmonitor.dead_letter
        (topic, partition, kafka_offset, digest, reason, key, value, bytes)
    values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""
_MOST_REASON = 1_000
_DELIVERY_SECONDS = 30.0


def insert_dead_letters(connection: Any, letters: Iterable[DeadLetter]) -> None:
    """Insert dead letters that the table does not contain yet."""
    rows = [
        (
            message.place.topic,
            message.place.partition,
            message.offset,
            UUID(bytes=hashlib.blake2b(message.value, digest_size=16).digest()),
            reason[:_MOST_REASON].replace("\x00", ""),
            message.key and message.key[:MOST_BYTES],
            message.value[:MOST_BYTES],
            len(message.value),
        )
        for message, reason in letters
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)


class DeadLetterTopic:
    """Sends dead letters to a topic, at least once each, before their batch is committed.

    topic: None means that letters are only stored in the table.
    """

    def __init__(self, settings: dict[str, Any], topic: str | None) -> None:
        self.topic = topic
        self._settings = settings
        self._producer: Any = None
        self.undelivered: int = 0
        """Letters that the broker refused; they are in the table."""

    def send(self, letters: list[DeadLetter]) -> None:
        """Send letters, and wait at most half a minute for the broker to accept them."""
        if self.topic is None or not letters:
            return
        if self._producer is None:
            kafka = import_extra("confluent_kafka", extra="kafka")
            self._producer = kafka.Producer(self._settings | {"linger.ms": 5})
        for (place, offset, key, value), reason in letters:
            headers = {
                "mlmonitor.reason": reason[:_MOST_REASON],
                "mlmonitor.topic": place.topic,
                "mlmonitor.partition": str(place.partition),
                "mlmonitor.offset": str(offset),
            }
            self._produce(key, value, headers)
        self.undelivered += self._producer.flush(_DELIVERY_SECONDS)

    def _produce(self, key: bytes | None, value: bytes, headers: dict[str, str]) -> None:
        kafka = import_extra("confluent_kafka", extra="kafka")
        for _ in range(100):
            try:
                self._producer.produce(
                    self.topic, value, key, headers=headers, on_delivery=self._count
                )
            except BufferError:  # the queue is full: wait until some are delivered
                self._producer.poll(0.3)
            except kafka.KafkaException:
                self.undelivered += 1
                return
            else:
                return
        self.undelivered += 1

    def _count(self, error: Any, _message: Any) -> None:
        self.undelivered += error is not None
