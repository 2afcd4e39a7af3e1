"""What a user says of training data, checked once, with errors that hold the fix."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import numpy as np

from mlmonitor.aggregate.season import Season
from mlmonitor.capture.outputs import OutputKind, Outputs
from mlmonitor.capture.values import is_missing
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.formats.reference import FieldEntry
from mlmonitor.records import Kind
from mlmonitor.reference.thresholds import Thresholds
from mlmonitor.reference.training_data import checked_name, checked_names

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


def outputs_of(output: OutputKind, classes: Sequence[str]) -> Outputs:
    """How predictions are read; raises ConfigError for names that fit no such output."""
    names = checked_names(classes, "classes")
    outputs = Outputs(kind=output, names=names)
    if names and output == "value":
        raise ConfigError("classes: expected with output='probabilities' only")
    if len(names) == 1:
        raise ConfigError("classes: expected two or more, or none to number them")
    return outputs


def check_actuals(entries: Sequence[FieldEntry], classes: Sequence[str]) -> None:
    """Refuse actuals that are no names where predictions are: nothing of them would be alike.

    Raises:
        SchemaError: they are of another kind.
    """
    kinds = [entry.kind for entry in entries if entry.role == "actual"]
    if classes and kinds and kinds[0] != "categorical":
        raise SchemaError(
            f"actuals: expected names of classes, got {kinds[0]} values: give them, and labels "
            "later, as names, such as [classes[i] for i in actuals]"
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
