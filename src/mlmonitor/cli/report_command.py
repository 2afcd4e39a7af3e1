"""`mlmonitor report`: compare a file of rows with a reference, for people and for CI."""

import argparse
import sys
from typing import Any

from mlmonitor.cli.fail_conditions import add_fail_on, judge
from mlmonitor.config import Config
from mlmonitor.display.progress import track
from mlmonitor.errors import ConfigError
from mlmonitor.fleet.data_file import Columns, DataFile, open_data_file
from mlmonitor.formatting import ask_similar
from mlmonitor.monitor.monitor import Monitor
from mlmonitor.present.report.report_file import check_path
from mlmonitor.records import Role
from mlmonitor.reference.reference import Reference

_SLICES = 60


def add_command(commands: Any) -> None:
    """Add `report` with its options."""
    parser = commands.add_parser("report", help="compare a file of rows with a reference")
    parser.description = (
        "Reads a Parquet or CSV file of features, predictions and, if there are any, actuals, "
        "compares it with a saved reference, and writes a report. Columns are found by the names "
        "that the reference has. Exit status: 0 done, 1 a condition of --fail-on is met, 2 the "
        "arguments or a file are wrong."
    )
    parser.add_argument("reference", help="a saved reference")
    parser.add_argument("current", help="rows to compare: .parquet or .csv")
    parser.add_argument(
        "-o",
        "--out",
        action="append",
        default=[],
        metavar="FILE",
        help="report to write: .html for people, .json for machines; may be given twice",
    )
    add_fail_on(parser)
    parser.add_argument("--model", default="model", help="name of the model in the report")
    parser.add_argument("--version", dest="model_version", default="", help="its version")
    parser.add_argument(
        "--prediction", help="column of the predictions, if not named as at training"
    )
    parser.add_argument("--actual", help="column of the actual values, if not named as at training")
    parser.add_argument("--quiet", action="store_true", help="print only errors")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    for path in options.out:
        check_path(path)
    reference = Reference.load(options.reference)
    roles = _Roles(reference, options.prediction, options.actual)
    data = open_data_file(options.current, roles.kinds)
    for warning in roles.check(data.names):
        print(f"warning  {warning}", file=sys.stderr)
    if not data.rows:
        raise ConfigError("current: has no rows to compare")
    with _make_monitor(options, reference, data) as monitor:
        _record(monitor, roles, data)
        status = monitor.status()
        for path in options.out:
            monitor.report(path)
    if not options.quiet:
        print(status)
    return judge(options.fail_on, status)


def _make_monitor(options: argparse.Namespace, reference: Reference, data: DataFile) -> Monitor:
    """Make a monitor whose window holds the whole file, and which sends nothing.

    The window has one slice more than the file fills, because a full window drops its oldest slice.
    """
    rows = max(data.rows, 1)
    slices = min(_SLICES, rows)
    config = Config(
        window_seconds=None,
        window_rows=-(-rows // slices) * (slices + 1),
        window_slices=slices + 1,
        pending_predictions=rows,
        record_wait_seconds=86_400,
        check_interval_seconds=0,
    )
    return Monitor(
        options.model,
        version=options.model_version,
        reference=reference,
        exporters=[],
        segments=reference.segments,
        config=config,
    )


class _Roles:
    """The columns of a file, by their roles in the reference."""

    def __init__(self, reference: Reference, prediction: str | None, actual: str | None) -> None:
        fields = [field for field in reference.fields if field.role is not Role.DERIVED]
        names = {
            role: [field.name for field in fields if field.role is role]
            for role in (Role.FEATURE, Role.PREDICTION, Role.ACTUAL)
        }
        self.features = names[Role.FEATURE]
        self.predictions = dict(zip(names[Role.PREDICTION], names[Role.PREDICTION], strict=True))
        if prediction is not None:
            self.predictions = {prediction: (names[Role.PREDICTION] or ["prediction"])[0]}
        self.actual = actual or next(iter(names[Role.ACTUAL]), None)
        self._given = [name for name in (prediction, actual) if name is not None]
        renamed = {old: new for new, old in self.predictions.items()}
        self.kinds = {renamed.get(field.name, field.name): field.kind for field in fields}
        if self.actual is not None and names[Role.ACTUAL]:
            kinds = {field.name: field.kind for field in fields if field.role is Role.ACTUAL}
            self.kinds[self.actual] = kinds[names[Role.ACTUAL][0]]

    def check(self, names: tuple[str, ...]) -> list[str]:
        """Return one sentence for each column of the reference that the file lacks.

        Raises:
            ConfigError: the file lacks a column named by an option, or all features.
        """
        for name in self._given:
            if name not in names:
                raise ConfigError(f"current: has no column {name!r}{ask_similar(name, names)}")
        if not set(self.features) & set(names):
            raise ConfigError(
                "current: has no column of the reference: is it a file of this model?"
            )
        others = set(names) - {*self.features, *self.predictions}
        missing = [name for name in (*self.features, *self.predictions) if name not in names]
        return [
            f"current: has no column {name!r}{ask_similar(name, others)}, which counts as missing"
            + ("; --prediction names it" if name in self.predictions else "")
            for name in missing
        ]

    def split(self, columns: Columns) -> tuple[Columns, Any, Any]:
        """Split a chunk into features, predictions and actuals; the latter two may be None."""
        outputs = {new: columns[old] for old, new in self.predictions.items() if old in columns}
        predictions = next(iter(outputs.values())) if len(outputs) == 1 else outputs or None
        actuals = None if self.actual is None else columns.get(self.actual)
        others = {*self.predictions, self.actual} - set(self.features)
        features = {name: values for name, values in columns.items() if name not in others}
        return features, predictions, actuals


def _record(monitor: Monitor, roles: _Roles, data: DataFile) -> None:
    """Record the rows of the file in order, with their actuals as labels."""
    start = 0
    for columns in track(data.chunks, "reading rows", data.rows, count=_count_rows):
        features, predictions, actuals = roles.split(columns)
        ids = [str(number) for number in range(start, start + _count_rows(columns))]
        monitor.record(features, predictions, ids=ids)
        if actuals is not None:
            monitor.label(ids, actuals)
        start += len(ids)


def _count_rows(columns: Columns) -> int:
    return len(next(iter(columns.values())))
