"""`mlmonitor evaluate`: performance from the store, with labels that no service has received."""

import argparse
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from mlmonitor.cli.exit_status import FAILED, OK
from mlmonitor.cli.store.store_command import open_database
from mlmonitor.cli.store.stored_model_options import add_stored_model, find_stored_model
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.export.destinations import Otlp
from mlmonitor.integrations.event_reports import report_outcomes
from mlmonitor.monitor.monitor import Monitor
from mlmonitor.status.status import Status
from mlmonitor.store.evaluate import match_missed

_CLOSE_SECONDS = 30.0


def add_command(commands: Any) -> None:
    """Add `evaluate` with its options."""
    parser = commands.add_parser("evaluate", help="realised performance from the store")
    parser.description = (
        "Reads predictions and their labels from the store in chunks, computes the measures of "
        "the task for all rows and by bucket, segment and cohort, as the service does, and sends "
        "them over OTLP under the same names, if a destination is given. Exit status 1: nothing "
        "has a label, or the destination did not accept it."
    )
    add_stored_model(parser)
    parser.add_argument("--reference", help="file of a saved reference: its task, bins and classes")
    parser.add_argument(
        "--bucket",
        action="append",
        default=[],
        metavar="FIELD=EDGE,EDGE",
        help="performance by buckets of a numeric feature; repeatable",
    )
    parser.add_argument("--otlp", help="collector's URL; by default OTEL_EXPORTER_OTLP_ENDPOINT")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    exporter = Otlp.collector(options.otlp) if options.otlp else Otlp.from_environment(os.environ)
    with open_database(options) as connection:
        stored = find_stored_model(connection, options)
        match_missed(connection)
        monitor = Monitor(
            stored.model,
            version=stored.version,
            reference=options.reference,
            exporters=[] if exporter is None else [exporter],
            buckets=_read_buckets(options.bucket),
            config=Config(export_interval_seconds=3_600.0),
            clock=time.time,
        )
        status = report_outcomes(connection, stored, monitor)
    is_sent = monitor.close(timeout_seconds=_CLOSE_SECONDS)
    _show(status, as_json=options.json)
    return OK if status.performance and is_sent else FAILED


def _show(status: Status, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(status.to_dict(), indent=2))
        return
    performance = status.performance
    if performance is None or not performance:
        print("failed   no prediction of this period has a label")
        return
    print(f"labelled {performance.count:,} predictions, {performance.task}")
    for name, measure in performance.items():
        print(f"  {name:<18} {measure.value:.6g}  [{measure.low:.6g}, {measure.high:.6g}]")
    main = next(iter(performance))
    for dimension in performance.dimensions:
        for bucket, part in performance.by(dimension).items():
            print(f"  {dimension} {bucket}: {main} {part[main].value:.6g} of {part.count:,}")
    for cohort in status.cohorts:
        if cohort.labelled:
            value = cohort.performance[main].value
            counts = f"{cohort.labelled:,} of {cohort.predicted:,} labelled"
            print(f"  cohort {cohort.start:%Y-%m-%d}: {main} {value:.6g}, {counts}")


def _read_buckets(pairs: Sequence[str]) -> dict[str, list[float]]:
    buckets = {}
    for pair in pairs:
        name, _, edges = pair.rpartition("=")
        try:
            buckets[name] = [float(edge) for edge in edges.split(",")]
        except ValueError:
            raise ConfigError("--bucket: expected FIELD=EDGE,EDGE") from None
    return buckets
