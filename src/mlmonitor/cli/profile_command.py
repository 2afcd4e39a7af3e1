"""`mlmonitor profile`: count the rows of files in the bins of a reference."""

import argparse
from typing import Any

from mlmonitor.cli.exit_status import OK
from mlmonitor.errors import FormatError, SchemaError
from mlmonitor.profiling.row_profile import Profile
from mlmonitor.reference.reference import Reference


def add_command(commands: Any) -> None:
    """Add `profile` with its options."""
    parser = commands.add_parser("profile", help="count the rows of files, to be compared later")
    parser.description = (
        "Reads Parquet or CSV files in constant memory, and writes their counts over the bins of "
        "a saved reference. `mlmonitor fleet` merges such files into one status."
    )
    parser.add_argument("data", nargs="+", help="rows to count: .parquet or .csv")
    parser.add_argument("--reference", required=True, metavar="FILE")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="profile to write")
    parser.add_argument(
        "--prediction", help="column of the predictions, if not named as at training"
    )
    parser.add_argument("--ignore", action="append", default=[], metavar="COLUMN")
    parser.add_argument(
        "--segments", action="store_true", help="count by the segments of the reference, too"
    )
    parser.add_argument(
        "--at",
        type=float,
        metavar="SECONDS",
        help="when the rows were predicted, in seconds since 1970",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that count; by default one per core"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    reference = Reference.load(options.reference)
    profile = Profile()
    for path in options.data:
        try:
            own = Profile.read(
                path,
                reference=reference,
                prediction=options.prediction,
                segments=reference.segments if options.segments else (),
                ignore=options.ignore,
                at=options.at,
                workers=options.workers,
            )
        except SchemaError as error:
            raise FormatError(f"{path}: {error}") from error
        profile.merge(own)
    profile.save(options.out)
    print(f"{options.out}: {profile.rows:,} rows")
    return OK
