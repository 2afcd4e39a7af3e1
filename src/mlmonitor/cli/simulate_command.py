"""`mlmonitor simulate`: how many rows it would take to detect a change of a field."""

import argparse
import os
from typing import Any

from mlmonitor.cli.exit_status import OK
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.reference.reference import Reference


def add_command(commands: Any) -> None:
    """Add `simulate`."""
    simulate = commands.add_parser(
        "simulate", help="after how many rows a change would be found, with these settings"
    )
    simulate.add_argument("--reference", required=True, metavar="FILE")
    simulate.add_argument(
        "--shift",
        required=True,
        action="append",
        metavar="FIELD=CHANGE",
        help="0.3sd or 12.5 (moved), *1.1 (scaled), missing:5%%, new:2%%; may be repeated",
    )
    simulate.add_argument("--runs", type=int, default=10)
    simulate.add_argument("--rows", type=int, default=20_000, help="changed rows in each run")
    simulate.add_argument("--clean-rows", type=int, default=2_000, help="rows before the change")
    simulate.add_argument("--seed", type=int, default=0)
    simulate.set_defaults(run=_simulate)


def _simulate(options: argparse.Namespace) -> int:
    from mlmonitor.testing.simulation import PlannedChange, simulate

    for name, least in (("runs", 1), ("rows", 1), ("clean_rows", 0)):
        if getattr(options, name) < least:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option}: expected a whole number of at least {least}")
    reference = Reference.load(options.reference)
    config = Config.from_environment(os.environ)
    changes = [PlannedChange.parse(text, reference) for text in options.shift]
    print(reference)
    for change in changes:
        result = simulate(
            reference,
            change,
            runs=options.runs,
            rows=options.rows,
            clean_rows=options.clean_rows,
            config=config,
            seed=options.seed,
        )
        print(result)
        if result.false_alerts:
            print(f"  {result.describe_false_alerts()}")
    return OK
