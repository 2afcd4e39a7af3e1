"""The brokers and the database that the other tests of this folder use."""

import psycopg
from confluent_kafka import Producer

from support.brokers import KafkaBroker


def test_a_message_arrives_once_at_each_broker(
    kafka_broker: KafkaBroker, tansu_broker: KafkaBroker
) -> None:
    """An idempotent producer sends compressed messages with headers, which are read back."""
    for broker in (kafka_broker, tansu_broker):
        topic = broker.make_topic()
        settings = {"bootstrap.servers": broker.address, "enable.idempotence": True}
        producer = Producer(settings | {"compression.type": "lz4"})
        for row in range(20):
            producer.produce(topic, b"%d" % row, f"key{row % 4}", headers=[("schema", b"x")])
        assert producer.flush(20) == 0
        messages = broker.read_all(topic, 20)
        assert sorted(int(message.value()) for message in messages) == list(range(20))
        assert messages[0].headers() == [("schema", b"x")]


def test_each_test_gets_an_empty_database_of_its_own(database_url: str) -> None:
    """A table made by another test does not exist in it."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert row.fetchone() == (0,)


def test_a_restarted_broker_still_has_its_messages(own_broker: KafkaBroker) -> None:
    """It restarts on the same port."""
    topic = own_broker.make_topic(1)
    producer = Producer({"bootstrap.servers": own_broker.address, "log_level": 0})
    producer.produce(topic, b"x")
    assert producer.flush(10) == 0
    own_broker.stop()
    own_broker.start()
    assert [message.value() for message in own_broker.read_all(topic, 1)] == [b"x"]
