"""Options that select a stored model and a period."""

import argparse
from datetime import UTC, datetime
from typing import Any

from mlmonitor.cli.store.store_command import add_database
from mlmonitor.errors import ConfigError
from mlmonitor.store.schema import require_latest
from mlmonitor.store.stored_rows import StoredModel


def add_stored_model(parser: argparse.ArgumentParser) -> None:
    """Add the options that `find_stored_model` reads."""
    add_database(parser)
    parser.add_argument("--model", help="the model's name in the store")
    parser.add_argument("--model-version", default="", help="its version")
    add_period(parser)


def add_period(parser: argparse.ArgumentParser) -> None:
    """Add the options that bound a period of the store."""
    parser.add_argument("--since", type=_read_time, help="such as 2026-01-31, in UTC; included")
    parser.add_argument("--until", type=_read_time, help="not included")


def find_stored_model(connection: Any, options: argparse.Namespace) -> StoredModel:
    """Return the model and the period that the options name.

    Raises:
        ConfigError: there is no such model, or the database's schema is missing or not the latest.
    """
    require_latest(connection)
    if not options.model:
        raise ConfigError("--model: expected a name; `mlmonitor store status` lists the models")
    return StoredModel.find(
        connection,
        options.model,
        options.model_version,
        since=options.since,
        until=options.until,
    )


def _read_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("expected a date such as 2026-01-31") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
