"""`mlmonitor fleet`: the status, report and page of many profiles at once."""

import argparse
import threading
from contextlib import suppress
from typing import Any

from mlmonitor.cli.fail_conditions import add_fail_on, judge
from mlmonitor.cli.fleet_files import FleetFiles
from mlmonitor.fleet.rounds import ROUND_SECONDS
from mlmonitor.present.page.page_server import start_server
from mlmonitor.present.page.page_source import PageSource
from mlmonitor.present.report.report_file import check_path, write_report


def add_command(commands: Any) -> None:
    """Add `fleet` with its options."""
    parser = commands.add_parser("fleet", help="merge profiles of many processes into one status")
    parser.description = (
        "Merges profiles and compares all their rows with the reference. Exit status: 0 done, 1 "
        "what --fail-on names was found, 2 the arguments or a file are wrong."
    )
    parser.add_argument(
        "profiles",
        nargs="+",
        metavar="profile",
        help="a profile, or a folder of files that end in .profile",
    )
    parser.add_argument("--reference", required=True, metavar="FILE")
    parser.add_argument("--model", default="model", help="name of the model in the status")
    parser.add_argument("--version", dest="model_version", default="", help="its version")
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
        help="evaluate the profiles of each hour or day in order, and show the newest",
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
    seconds = None if options.by is None else ROUND_SECONDS[options.by]
    files = FleetFiles(
        options.profiles,
        options.reference,
        round_seconds=seconds,
        identity=(options.model, options.model_version),
        ignore=options.ignore,
    )
    reading = files.read()
    if options.out is not None:
        files.newest.save(options.out)
    for path in options.report:
        write_report(reading, path)
    status = reading.status
    print(status.to_json(indent=1) if options.json else status)
    if options.serve is not None:
        _serve(files, options.serve)
    return judge(options.fail_on, status)


def _serve(files: FleetFiles, port: int) -> None:
    """Serve the page until the process is interrupted; changed files are read again."""
    server = start_server([PageSource(files.read)], host="127.0.0.1", port=port, allowed_hosts=())
    print(f"serving {server.url} until Ctrl-C", flush=True)
    with suppress(KeyboardInterrupt):
        _wait()
    server.close()


def _wait() -> None:
    threading.Event().wait()
