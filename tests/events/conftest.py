"""Brokers and databases shared by a session."""

from support.brokers import (  # noqa: F401 - fixtures
    database_url,
    kafka_broker,
    own_broker,
    postgres_server,
    tansu_broker,
)
