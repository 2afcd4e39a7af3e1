"""`mlmonitor reference fit`: fit a reference to the stored predictions of a period."""

import argparse
from typing import Any

from mlmonitor.cli.exit_status import OK
from mlmonitor.cli.store.store_command import open_database
from mlmonitor.cli.store.stored_model_options import add_stored_model, find_stored_model
from mlmonitor.store.stored_reference import fit_stored


def add_fit(commands: Any) -> None:
    """Add `reference fit` with its options."""
    fit = commands.add_parser("fit", help="from the predictions of a period in the store")
    fit.add_argument("output", help="file to write")
    fit.add_argument(
        "--from-store", action="store_true", required=True, help="the source, which is the store"
    )
    fit.add_argument("--segment", action="append", default=[], help="a feature; repeatable")
    fit.add_argument("--actuals", action="store_true", help="also make the labels a field")
    add_stored_model(fit)
    fit.set_defaults(run=_fit)


def _fit(options: argparse.Namespace) -> int:
    with open_database(options) as connection:
        stored = find_stored_model(connection, options)
        reference = fit_stored(
            connection, stored, segments=options.segment, with_actuals=options.actuals
        )
    reference.save(options.output)
    print(f"written  {options.output}: {reference!r}")
    return OK
