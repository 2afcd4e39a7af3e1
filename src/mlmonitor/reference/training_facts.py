"""Facts about the training of a model, which a reference stores."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np

from mlmonitor.capture.canonical import is_missing
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.reference.column_names import check_column_name

_LONGEST_VERSION = 200


@dataclass(frozen=True)
class TrainingFacts:
    """Time, duration, rows and metrics of a training, and the version that the model replaces."""

    trained_at: datetime | None
    importances: dict[str, float]
    metrics: dict[str, float]
    seconds: float | None
    rows: int | None
    parent_version: str | None

    @classmethod
    def check(
        cls,
        *,
        trained_at: Any,
        importances: Any,
        training_metrics: Any,
        training_seconds: Any,
        training_rows: Any,
        parent_version: Any,
    ) -> Self:
        """Check and convert the facts.

        Raises:
            ConfigError, SchemaError: a fact is invalid; the message names it.
        """
        return cls(
            trained_at=aware(trained_at),
            importances=figures_of("importances", importances),
            metrics=figures_of("training_metrics", training_metrics),
            seconds=_check_seconds(training_seconds),
            rows=_check_rows(training_rows),
            parent_version=_check_version(parent_version),
        )


def _check_seconds(seconds: Any) -> float | None:
    if seconds is None:
        return None
    is_number = isinstance(seconds, int | float | np.number) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or seconds < 0:
        raise ConfigError("training_seconds: expected the duration of the training in seconds")
    return float(seconds)


def _check_rows(rows: Any) -> int | None:
    if rows is None:
        return None
    is_whole = isinstance(rows, int | np.integer) and not isinstance(rows, bool)
    if not is_whole or not 0 <= rows < 1 << 53:
        raise ConfigError("training_rows: expected the number of rows that the model was fitted on")
    return int(rows)


def _check_version(version: Any) -> str | None:
    if version is None:
        return None
    if not isinstance(version, str | int) or not 0 < len(str(version)) <= _LONGEST_VERSION:
        raise ConfigError("parent_version: expected the label of a version, such as '7'")
    return str(version)


def figures_of(what: str, figures: Any) -> dict[str, float]:
    """Return numbers by name; raise SchemaError unless all values are finite numbers."""
    if figures is None:
        return {}
    if not isinstance(figures, Mapping):
        raise SchemaError(f"{what}: expected a mapping of name to number")
    numbers = {}
    for name, value in figures.items():
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise SchemaError(f"{what}: {name!r}: expected a finite number")
        numbers[check_column_name(name)] = number
    return numbers


def aware(moment: Any) -> datetime | None:
    """Convert a datetime to UTC; a naive one counts as UTC. Raise SchemaError for other types."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or is_missing(moment):
        raise SchemaError(f"trained_at: expected a datetime, got {type(moment).__name__}")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC) + (aware - datetime.fromtimestamp(0, UTC))
