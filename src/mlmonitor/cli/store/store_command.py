"""`mlmonitor store`: make, upgrade, prune and show the event store's database."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlmonitor.cli.exit_status import FAILED, OK
from mlmonitor.cli.store.dynatrace_command import add_dynatrace
from mlmonitor.errors import ConfigError
from mlmonitor.store.database import connect, is_outage
from mlmonitor.store.retention import retain
from mlmonitor.store.schema import LATEST, initialise, read_version, require_latest, upgrade
from mlmonitor.store.store_status import read_store_status

_VARIABLE = "MLMONITOR_DATABASE"


def add_command(commands: Any) -> None:
    """Add `store` and its own commands."""
    store = commands.add_parser("store", help="the database of the event log")
    own_commands = store.add_subparsers(required=True, metavar="command")
    init = own_commands.add_parser("init", help="create the schema, its views and roles")
    init.set_defaults(run=_run_init)
    later = own_commands.add_parser("upgrade", help="apply the migrations that are missing")
    later.set_defaults(run=_upgrade)
    prune = own_commands.add_parser("retain", help="drop data older than some days")
    prune.add_argument("--days", type=int, required=True, help="whole days to keep")
    prune.set_defaults(run=_retain)
    status = own_commands.add_parser("status", help="rows, days, offsets and dead letters")
    status.set_defaults(run=_print_status)
    add_dynatrace(own_commands)
    for parser in (init, later, prune, status):
        add_database(parser)
    for parser in (init, later):
        parser.add_argument(
            "--no-roles", action="store_true", help="leave roles and grants to the administrator"
        )


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the database."""
    parser.add_argument(
        "--database",
        default=os.environ.get(_VARIABLE),
        help=f"such as postgresql://user@host/name; by default the variable {_VARIABLE}, which "
        "keeps a password out of the list of processes",
    )


def require_database(options: argparse.Namespace) -> str:
    """Return the database's address; raise ConfigError if none is given."""
    if not options.database:
        raise ConfigError(f"--database: expected an address, or the variable {_VARIABLE}")
    return str(options.database)


def open_database(options: argparse.Namespace) -> Any:
    """Connect to the database that the options name.

    Raises:
        ConfigError: no database is named, or it refuses the connection or cannot be reached.
    """
    url = require_database(options)
    with waiting_refused():
        return connect(url)


@contextmanager
def waiting_refused() -> Iterator[None]:
    """Raise ConfigError, instead of the driver's error, if the database cannot be reached."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        if is_outage(error):
            raise ConfigError(
                "database: cannot be reached, or refuses the user, the password or the name"
            ) from None
        raise


def _run_init(options: argparse.Namespace) -> int:
    with open_database(options) as connection:
        version = initialise(connection, with_roles=not options.no_roles)
        print(f"ok       schema mlmonitor, version {version}")
        if version != LATEST:
            require_latest(connection)
    return OK


def _upgrade(options: argparse.Namespace) -> int:
    with open_database(options) as connection:
        applied = upgrade(connection, with_roles=not options.no_roles)
        for migration in applied:
            print(f"applied  {migration.version:04d} {migration.name}")
        print(f"ok       schema mlmonitor, version {read_version(connection)}")
    return OK


def _retain(options: argparse.Namespace) -> int:
    with open_database(options) as connection:
        require_latest(connection)
        removed = retain(connection, days=options.days)
        for table, rows in removed:
            print(f"dropped  {table}" if rows is None else f"deleted  {rows:,} rows of {table}")
        if not removed:
            print("ok       nothing is that old")
    return OK


def _print_status(options: argparse.Namespace) -> int:
    with open_database(options) as connection:
        version = read_version(connection)
        print(f"schema   version {version}, this library needs {LATEST}")
        if version != LATEST:
            return FAILED
        for line in read_store_status(connection):
            print(line)
    return OK
