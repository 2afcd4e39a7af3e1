"""`mlmonitor fleet`: the status, report and page of many processes at once."""

import argparse
import threading
from contextlib import suppress
from typing import Any

from mlmonitor.cli.fail_conditions import add_fail_on, judge
from mlmonitor.cli.fleet_files import FleetFiles
from mlmonitor.cli.store.store_command import add_database
from mlmonitor.cli.store.stored_fleet import StoredFleet
from mlmonitor.cli.store.stored_model_options import add_period
from mlmonitor.errors import ConfigError
from mlmonitor.fleet.rounds import ROUND_SECONDS
from mlmonitor.present.page.page_server import start_server
from mlmonitor.present.page.page_source import PageSource
from mlmonitor.present.report.report_file import check_path, write_report


def add_command(commands: Any) -> None:
    """Add `fleet` with its options."""
    parser = commands.add_parser("fleet", help="merge the rows of many processes into one status")
    parser.description = (
        "Merges profiles, or with --from-store the sums of the event store, and compares all their "
        "rows with the reference. Exit status: 0 done, 1 a condition of --fail-on is met, 2 the "
        "arguments, a file or the store are wrong."
    )
    parser.add_argument(
        "profiles",
        nargs="*",
        metavar="profile",
        help="a profile, or a folder of files that end in .profile",
    )
    parser.add_argument(
        "--from-store",
        action="store_true",
        help="instead of profiles, the rows that all processes have sent to the event store",
    )
    add_database(parser)
    add_period(parser)
    parser.add_argument("--reference", required=True, metavar="FILE")
    parser.add_argument(
        "--model", default="model", help="name of the model in the status, and in the store"
    )
    parser.add_argument(
        "--version", "--model-version", dest="model_version", default="", help="its version"
    )
    parser.add_argument("--ignore", action="append", default=[], metavar="COLUMN")
    parser.add_argument("-o", "--out", metavar="FILE", help="write the merged profile, too")
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        metavar="FILE",
        help="report to write: .html for people, .json for machines; may be given twice",
    )
    parser.add_argument("--json", action="store_true", help="the status as one JSON object")
    add_fail_on(parser)
    parser.add_argument(
        "--by",
        choices=list(ROUND_SECONDS),
        help="evaluate the rows of each hour or day in order, and show the newest; with "
        "--from-store, an hour by default",
    )
    parser.add_argument(
        "--serve",
        type=int,
        metavar="PORT",
        help="then serve a live page at this port of this machine, until it is interrupted; "
        "0 takes a free one",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    for path in options.report:
        check_path(path)
    fleet = _find_fleet(options)
    reading = fleet.read()
    if options.out is not None:
        fleet.newest.save(options.out)
    for path in options.report:
        write_report(reading, path)
    status = reading.status
    print(status.to_json(indent=1) if options.json else status)
    if options.serve is not None:
        _serve(fleet, options.serve)
    return judge(options.fail_on, status)


def _find_fleet(options: argparse.Namespace) -> FleetFiles | StoredFleet:
    """Return the source of the fleet's counts: the given profiles, or the store."""
    if options.from_store == bool(options.profiles):
        raise ConfigError("profiles: expected at least one file or folder, or --from-store alone")
    if options.from_store:
        return StoredFleet(options)
    return FleetFiles(
        options.profiles,
        options.reference,
        round_seconds=None if options.by is None else ROUND_SECONDS[options.by],
        identity=(options.model, options.model_version),
        ignore=options.ignore,
    )


def _serve(fleet: FleetFiles | StoredFleet, port: int) -> None:
    """Serve the page until Ctrl-C; a refresh reads the counts again if they have changed."""
    server = start_server([PageSource(fleet.read)], host="127.0.0.1", port=port, allowed_hosts=())
    print(f"serving {server.url} until Ctrl-C", flush=True)
    with suppress(KeyboardInterrupt):
        _wait()
    server.close()


def _wait() -> None:
    threading.Event().wait()
