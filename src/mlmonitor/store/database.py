"""Connections to PostgreSQL, and what its errors mean."""

from typing import Any

from mlmonitor.errors import ConfigError, import_extra

_APPLICATION = "mlmonitor"
_OUTAGE_CLASSES = ("08", "53", "57", "58")
"""Connection lost, resources short, operator intervention, system error."""
_RETRIED_STATES = ("40001", "40P01", "55P03", "25006")
"""Serialization failure, deadlock, lock not available, read-only after a failover."""


def connect(url: str, *, autocommit: bool = True, timeout_seconds: int = 10) -> Any:
    """Open a connection by its URL; times are UTC, and statements have no time limit.

    Raises:
        ConfigError: the address is malformed. The message never holds it, since it may contain a
            password.
        MissingExtra: psycopg is not installed.
        psycopg.OperationalError: there is no connection now. The client learns no SQLSTATE before
            it is connected, so a wrong password looks like a server that is away.
    """
    psycopg = import_extra("psycopg", extra="postgres")
    try:
        return psycopg.connect(
            url,
            autocommit=autocommit,
            connect_timeout=timeout_seconds,
            application_name=_APPLICATION,
            options="-c timezone=UTC -c client_min_messages=warning",
            client_encoding="utf-8",
        )
    except psycopg.ProgrammingError:  # its text repeats the address
        raise ConfigError(
            "database: expected an address such as postgresql://user@host:5432/name"
        ) from None


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of a database's error; empty if the server sent none."""
    return getattr(error, "sqlstate", None) or ""


def is_outage(error: BaseException) -> bool:
    """Whether a database's error passes by itself, so that the same batch may be tried again.

    An error without a state is a broken connection.
    """
    psycopg = import_extra("psycopg", extra="postgres")
    state = sqlstate(error)
    if state:
        return state[:2] in _OUTAGE_CLASSES or state in _RETRIED_STATES
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
