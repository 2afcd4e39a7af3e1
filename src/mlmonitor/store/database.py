"""Connections to PostgreSQL, and what its errors mean."""

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mlmonitor.errors import ConfigError, import_extra

log: logging.Logger = logging.getLogger("mlmonitor.store")
Answer = TypeVar("Answer")

_SLOWEST_RETRY_SECONDS = 5.0
_LOGGED_AT_SECONDS = 0.8  # the fourth attempt: a short outage is not worth a line
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


def ask_patiently(
    url: str, question: Callable[[Any], Answer], *, may_wait: Callable[[], bool]
) -> Answer:
    """Ask a database through a connection of its own, again and again while it is away.

    Raises:
        psycopg.Error: the database refuses, or is away and there is no more waiting for it.
    """
    delay = 0.1
    while True:
        try:
            with connect(url) as connection:
                return question(connection)
        except Exception as error:
            if not is_outage(error) or not may_wait():
                raise
            if delay == _LOGGED_AT_SECONDS:
                log.warning(
                    "database: cannot be reached, or refuses the user, the password or the "
                    "name; waiting for it"
                )
        time.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads instances
        delay = min(2 * delay, _SLOWEST_RETRY_SECONDS)


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


def explain_refusal(error: Any) -> str:
    """Return why the database refuses to load: names and rights, and never a value."""
    state = sqlstate(error)
    reason = f"SQLSTATE {state}" if state else type(error).__name__
    if state[:2] == "42":
        reason += f": {error.diag.message_primary}"
    return f"database: refuses to load ({reason})"
