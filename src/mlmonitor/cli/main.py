"""The command line: a module per command, each adding its own parser."""

import argparse
import os
import sys
from collections.abc import Sequence

from mlmonitor.cli import (
    dashboards_command,
    doctor_command,
    fleet_command,
    profile_command,
    reference_command,
    report_command,
    simulate_command,
)
from mlmonitor.cli.exit_status import OK, WRONG
from mlmonitor.cli.store import backtest_command, evaluate_command, load_command, store_command
from mlmonitor.errors import ConfigError, FormatError, MissingExtra

_COMMANDS = (
    dashboards_command.add_command,
    doctor_command.add_command,
    reference_command.add_command,
    report_command.add_command,
    store_command.add_command,
    load_command.add_command,
    evaluate_command.add_command,
    backtest_command.add_command,
    simulate_command.add_command,
    profile_command.add_command,
    fleet_command.add_command,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _make_parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe, like `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
        return OK
    except (ConfigError, FormatError, MissingExtra) as error:
        print(f"failed   configuration: {error}", file=sys.stderr)
        return WRONG
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"failed   file: {error.strerror or type(error).__name__}{where}", file=sys.stderr)
        return WRONG
    return status


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlmonitor",
        description="Check destinations, read references, write dashboards, manage event stores.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    for add_command in _COMMANDS:
        add_command(commands)
    return parser
