"""Connect to PostgreSQL, and classify its errors."""

import logging
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mlmonitor.errors import ConfigError, import_extra

log: logging.Logger = logging.getLogger("mlmonitor.store")
Answer = TypeVar("Answer")

_SLOWEST_RETRY_SECONDS = 5.0
_LOGGED_AT_SECONDS = 0.8  # the fourth attempt: a short outage is not logged
_APPLICATION = "mlmonitor"
_OUTAGE_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE classes: connection lost, insufficient resources, operator action, system error."""
_RETRIED_STATES = ("40001", "40P01", "55P03", "25006")
"""SQLSTATEs: serialization failure, deadlock, lock not available, read-only after a failover."""


def connect(url: str, *, autocommit: bool = True, timeout_seconds: int = 10) -> Any:
    """Open a connection by its URL; times are UTC, and statements have no time limit.

    Raises:
        ConfigError: the URL is malformed. The message does not contain it, because it may hold a
            password.
        MissingExtra: psycopg is not installed.
        psycopg.OperationalError: the server cannot be reached or refuses the login. The client
            cannot distinguish these, because it gets no SQLSTATE before it is connected.
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
    except psycopg.ProgrammingError:  # its text repeats the URL
        raise ConfigError(
            "database: expected an address such as postgresql://user@host:5432/name"
        ) from None


def ask_patiently(
    url: str, question: Callable[[Any], Answer], *, may_wait: Callable[[], bool]
) -> Answer:
    """Call `question` with a new connection; try again during an outage while `may_wait()`.

    Raises:
        psycopg.Error: the database refuses, or cannot be reached and `may_wait()` is False.
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
    """Whether a database error is temporary, so that the same statements can be tried again.

    Errors of the connection, which have no SQLSTATE, are temporary.
    """
    psycopg = import_extra("psycopg", extra="postgres")
    state = sqlstate(error)
    if state:
        return state[:2] in _OUTAGE_CLASSES or state in _RETRIED_STATES
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def explain_refusal(error: Any) -> str:
    """Describe why the database refuses to load; a message is quoted only if it holds no value."""
    state = sqlstate(error)
    reason = f"SQLSTATE {state}" if state else type(error).__name__
    if state[:2] == "42":
        reason += f": {error.diag.message_primary}"
    return f"database: refuses to load ({reason})"
