"""What a user says of training data, checked once, with errors that hold the fix."""

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np

from mlmonitor.aggregate.season import Season
from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.outputs import OutputKind, Outputs
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.formats.reference import CategoricalReference, FieldEntry
from mlmonitor.records import Kind
from mlmonitor.reference.thresholds import Thresholds
from mlmonitor.reference.training_data import ACTUAL, checked_name, checked_names

log: logging.Logger = logging.getLogger("mlmonitor")

MOST_BINS = 1_000

_BOUNDS = {"bins": (1, MOST_BINS), "seed": (0, 1 << 63), "max_segments": (1, 10_000 - 1)}


def season_of(season: Any, timezone: Any, times: object) -> Season | None:
    """The cycle that rows are compared by; raises ConfigError where it cannot be told."""
    if (season is None) != (times is None):
        raise ConfigError(
            "season: expected together with times, the datetimes of the rows: one tells nothing "
            "without the other"
        )
    return None if season is None else Season(season, timezone)


def check_options(thresholds: object, **options: object) -> None:
    """A known way to thresholds, whole numbers within their bounds; raises ConfigError if not."""
    _check_thresholds(thresholds)
    for name, value in options.items():
        low, high = _BOUNDS[name]
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_whole or not low <= int(str(value)) <= high:
            raise ConfigError(f"{name}: expected a whole number from {low:,} to {high:,}")


def _check_thresholds(thresholds: object) -> None:
    """Refuse an unknown way to work out thresholds; raises ConfigError."""
    names = get_args(Thresholds)
    if not isinstance(thresholds, str) or thresholds not in names:
        raise ConfigError(f"thresholds: expected {' or '.join(map(repr, names))}")


def outputs_of(output: OutputKind, classes: Any) -> Outputs:
    """How predictions are read; raises ConfigError for names that fit no such output.

    classes: a sequence or an array, such as scikit-learn's `classes_`.
    """
    if isinstance(classes, str | bytes):
        raise SchemaError("classes: expected a sequence of names, got one text")
    outputs = Outputs.named(output, classes)
    groups = outputs.groups or ((outputs.names,) if outputs.names else ())
    for names in groups:
        checked_names(names, "classes")
        if output == "value":
            raise ConfigError("classes: expected with output='probabilities' only")
        if len(names) == 1:
            raise ConfigError("classes: expected two or more, or none to number them")
    return outputs


def schema_of(schema: Any, outputs: Outputs, *, has_actuals: bool) -> dict[str, Kind]:
    """The declared kinds; actuals are categories where predictions are names of classes.

    So classes that are integers or truths can be compared with actuals that are.
    """
    kinds = kinds_of(schema or {})
    if outputs.names and has_actuals and ACTUAL not in kinds:
        kinds[ACTUAL] = Kind.CATEGORICAL
    return kinds


def check_actuals(entries: Sequence[FieldEntry], outputs: Outputs) -> None:
    """Refuse actuals of which none names a class: they could never equal a prediction.

    Raises:
        SchemaError: there are actuals and classes, and they have no name in common.
    """
    for entry in entries:
        if entry.role != "actual" or not outputs.names:
            continue
        names = entry.categories + entry.others if isinstance(entry, CategoricalReference) else []
        if names and not {*names} & {*outputs.names}:
            raise SchemaError(
                "actuals: expected names of classes, but none of the values is one of classes=: "
                "give them, and labels later, as names, such as [classes[i] for i in actuals]"
            )


def warn_of_missing(entries: Sequence[FieldEntry]) -> None:
    """Log which columns have no value at all: only that they are missing can be compared."""
    names = [
        repr(entry.name[:60]) for entry in entries if entry.rows and entry.missing == entry.rows
    ]
    if names:
        log.warning(
            "Reference.fit: all values are missing in %s%s: later values count as a change of the "
            "missing share; leave the column out, or fit on rows that have it",
            ", ".join(names[:10]),
            f" and {len(names) - 10} more columns" if len(names) > 10 else "",
        )


def kinds_of(schema: Any) -> dict[str, Kind]:
    """The kinds that were declared; raises SchemaError for what is none."""
    known = ", ".join(each.value for each in Kind)
    if not isinstance(schema, Mapping):
        raise SchemaError(f"schema: expected a mapping of column to one of {known}")
    kinds = {}
    for name, kind in schema.items():
        try:
            kinds[str(name)] = Kind(kind)
        except ValueError:
            raise SchemaError(f"schema: {name!r}: expected one of {known}") from None
    return kinds


def figures_of(what: str, figures: Any) -> dict[str, float]:
    """Finite numbers by name; raises SchemaError for what is none."""
    if figures is None:
        return {}
    if not isinstance(figures, Mapping):
        raise SchemaError(f"{what}: expected a mapping of name to number")
    found = {}
    for name, value in figures.items():
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise SchemaError(f"{what}: {name!r}: expected a finite number")
        found[checked_name(name)] = number
    return found


def aware(moment: Any) -> datetime | None:
    """The moment in UTC, as a naive one is taken to be; raises SchemaError for what is none."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or is_missing(moment):
        raise SchemaError(f"trained_at: expected a datetime, got {type(moment).__name__}")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC) + (aware - datetime.fromtimestamp(0, UTC))
