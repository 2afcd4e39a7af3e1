"""`mlmonitor reference show`: the contents of a saved reference."""

import argparse
from typing import Any

from mlmonitor.cli.exit_status import OK
from mlmonitor.reference.reference import Reference
from mlmonitor.status.privacy_text import privacy_text
from mlmonitor.status.reference_text import shown


def add_command(commands: Any) -> None:
    """Add `reference` and its own commands."""
    reference = commands.add_parser("reference", help="what a saved reference holds")
    own_commands = reference.add_subparsers(required=True, metavar="command")
    show = own_commands.add_parser("show", help="its fields, one a line")
    show.add_argument("file")
    show.add_argument(
        "--privacy", action="store_true", help="what of each field may leave the process"
    )
    show.set_defaults(run=_show)


def _show(options: argparse.Namespace) -> int:
    reference = Reference.load(options.file)
    print(privacy_text(reference) if options.privacy else shown(reference))
    return OK
