"""`mlmonitor reference`: show a saved reference, or the differences between two."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mlmonitor.cli.exit_status import FAILED, OK
from mlmonitor.cli.store.fit_command import add_fit
from mlmonitor.errors import ConfigError
from mlmonitor.formatting import percent, short, table, truncate
from mlmonitor.reference.comparison.reference_diff import (
    FieldDifference,
    ReferenceDifference,
    compare_references,
)
from mlmonitor.reference.reference import Reference
from mlmonitor.status.privacy_text import privacy_text
from mlmonitor.status.reference_text import shown

_NAME = 40
_HEAD = ("field", "role", "kind", "change", "psi", "mean", "", "sd", "", "missing", "")


def add_command(commands: Any) -> None:
    """Add `reference` and its own commands."""
    reference = commands.add_parser("reference", help="what a saved reference holds")
    own_commands = reference.add_subparsers(required=True, metavar="command")
    show = own_commands.add_parser("show", help="its fields, one per line")
    show.add_argument("file")
    show.add_argument("--privacy", action="store_true", help="what may leave the process, by field")
    show.set_defaults(run=_show)
    diff = own_commands.add_parser("diff", help="what differs between two references")
    diff.description = (
        "Compares how two models were trained, and every field of their references: the older one "
        "first. Exit status: 0 if no field was added, removed or moved, 1 otherwise, 2 if a file "
        "cannot be read."
    )
    diff.add_argument("first")
    diff.add_argument("second")
    diff.add_argument(
        "--tolerance", type=float, default=0.1, help="PSI up to which a field has not moved (0.1)"
    )
    diff.add_argument("--all", action="store_true", help="also list fields that have not moved")
    diff.add_argument("--json", action="store_true", help="everything, as one JSON object")
    diff.set_defaults(run=_run_diff)
    add_fit(own_commands)


def _show(options: argparse.Namespace) -> int:
    reference = Reference.load(options.file)
    print(privacy_text(reference) if options.privacy else shown(reference))
    return OK


def _run_diff(options: argparse.Namespace) -> int:
    if not options.tolerance >= 0:
        raise ConfigError("--tolerance: expected a number from 0 on")
    first, second = Reference.load(options.first), Reference.load(options.second)
    difference = compare_references(first, second, tolerance=options.tolerance)
    if options.json:
        print(json.dumps(_to_document(difference), indent=1, allow_nan=False))
    else:
        print("\n".join(_to_lines(difference, is_complete=options.all)))
    return FAILED if difference.has_changed else OK


def _to_document(difference: ReferenceDifference) -> dict[str, Any]:
    facts = {name: {"first": a, "second": b} for name, (a, b) in difference.facts.items()}
    fields = [asdict(field) for field in difference.fields]
    return {"has_changed": difference.has_changed, "facts": facts, "fields": fields}


def _to_lines(difference: ReferenceDifference, *, is_complete: bool) -> list[str]:
    lines = [
        f"{truncate(name, _NAME)}: {_show_fact(before)} -> {_show_fact(after)}"
        for name, (before, after) in difference.facts.items()
    ]
    changed = [field for field in difference.fields if field.change != "same"]
    listed = difference.fields if is_complete else changed
    if listed:
        ranked = sorted(listed, key=_rank_field)
        lines += ["", *table([_HEAD, *map(_to_row, ranked)], left=(0, 1, 2, 3))]
    same = len(difference.fields) - len(changed)
    return [
        *lines,
        "",
        f"{len(changed)} of {len(difference.fields)} fields changed, {same} did not",
    ]


def _rank_field(field: FieldDifference) -> tuple[bool, float]:
    """Return a sort key: added and removed fields first, then the others by descending distance."""
    return field.psi is not None, -(field.psi or 0.0)


def _to_row(field: FieldDifference) -> Sequence[str]:
    missing = ["-" if share is None else percent(share) for share in field.missing]
    return (
        truncate(field.name, _NAME),
        field.role,
        field.kind,
        "" if field.change == "same" else field.change,
        "-" if field.psi is None else f"{field.psi:.3f}",
        *map(short, field.mean),
        *map(short, field.stddev),
        *missing,
    )


def _show_fact(value: Any) -> str:
    if value is None:
        return "-"
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return short(value) if is_number else truncate(str(value), _NAME)
