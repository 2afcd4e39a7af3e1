"""`mlmonitor fleet`: the status of many profiles at once."""

import argparse
from collections.abc import Sequence
from typing import Any

from mlmonitor.cli.exit_status import FAILED, OK
from mlmonitor.errors import FormatError, IncompatibleSketch
from mlmonitor.fleet.rounds import ROUND_SECONDS
from mlmonitor.profiling.row_profile import Profile
from mlmonitor.reference.reference import Reference


def add_command(commands: Any) -> None:
    """Add `fleet` with its options."""
    parser = commands.add_parser("fleet", help="merge profiles of many processes into one status")
    parser.description = (
        "Merges profiles and compares all their rows with the reference. Exit status: 0 done, 1 "
        "an alert fires and --fail-on-alert was given, 2 the arguments or a file are wrong."
    )
    parser.add_argument("profiles", nargs="+", metavar="profile")
    parser.add_argument("--reference", required=True, metavar="FILE")
    parser.add_argument("--model", default="model", help="name of the model in the status")
    parser.add_argument("--version", dest="model_version", default="", help="its version")
    parser.add_argument("--ignore", action="append", default=[], metavar="COLUMN")
    parser.add_argument("-o", "--out", metavar="FILE", help="write the merged profile, too")
    parser.add_argument("--json", action="store_true", help="the status as one JSON object")
    parser.add_argument("--fail-on-alert", action="store_true")
    parser.add_argument(
        "--by",
        choices=list(ROUND_SECONDS),
        help="evaluate the profiles of each hour or day in order, and show the newest",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    reference = Reference.load(options.reference)
    seconds = None if options.by is None else ROUND_SECONDS[options.by]
    rounds = _merge_rounds(options.profiles, seconds)
    newest = max(rounds)
    merged = rounds[newest]
    try:
        status = merged.status(
            reference,
            earlier=[rounds[number] for number in sorted(rounds) if number < newest],
            model=options.model,
            version=options.model_version,
            ignore=options.ignore,
        )
    except IncompatibleSketch as error:
        raise FormatError(f"{options.reference}: {error}") from error
    if options.out is not None:
        merged.save(options.out)
    print(status.to_json(indent=1) if options.json else status)
    return FAILED if options.fail_on_alert and status.alerts else OK


def _merge_rounds(paths: Sequence[str], seconds: float | None) -> dict[int, Profile]:
    """Merge the profiles of each round of this length, by its number; without one, all of them."""
    rounds: dict[int, Profile] = {}
    for path in paths:
        try:
            profile = Profile.load(path)
            rounds.setdefault(_round_number(profile, seconds), Profile()).merge(profile)
        except (FormatError, IncompatibleSketch) as error:
            raise FormatError(f"{path}: {error}") from error
    return rounds


def _round_number(profile: Profile, seconds: float | None) -> int:
    if seconds is None or not profile.rows:
        return 0
    if profile.last_at is None:
        raise FormatError("has no time: --by needs profiles of a newer release")
    return int(profile.last_at // seconds)
