"""`mlmonitor dashboards write`: dashboards and alert rules as files."""

import argparse
from pathlib import Path
from typing import Any

from mlmonitor.cli.exit_status import OK
from mlmonitor.present.dashboards.promql_names import NAMINGS
from mlmonitor.present.dashboards.shipped_files import KINDS, RUNBOOKS, write_files


def add_command(commands: Any) -> None:
    """Add `dashboards` and its own commands."""
    dashboards = commands.add_parser("dashboards", help="dashboards and alert rules as files")
    own_commands = dashboards.add_subparsers(required=True, metavar="command")
    write = own_commands.add_parser("write", help="write them into a folder")
    write.description = (
        "Writes dashboards and alert rules that query the metrics that this version exports. "
        "grafana: dashboards for metrics and for PostgreSQL, provisioning files, Grafana-managed "
        "alerts. alerts: recording and alerting rules of Prometheus and Mimir. "
        "dynatrace: dashboards, metric events, anomaly detectors and metric metadata, for "
        "Terraform and Monaco. Existing files of the same names are replaced."
    )
    write.add_argument("kind", choices=tuple(KINDS))
    write.add_argument(
        "--naming",
        choices=NAMINGS,
        default="prometheus",
        help="prometheus adds units and _total (its default), mimir adds nothing (its default), "
        "utf8 keeps the dots (NoTranslation); Dynatrace always keeps them",
    )
    write.add_argument(
        "--runbooks",
        default=RUNBOOKS,
        metavar="URL",
        help="where your team serves the pages of docs/runbooks, which alerts link to",
    )
    write.add_argument("--out", type=Path, required=True, help="a folder; created if need be")
    write.set_defaults(run=_write)


def _write(options: argparse.Namespace) -> int:
    paths = write_files(options.kind, options.out, naming=options.naming, runbooks=options.runbooks)
    for path in paths:
        print(path)
    return OK
