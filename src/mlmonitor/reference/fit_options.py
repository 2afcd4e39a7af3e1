"""Check the options of `Reference.fit`, with errors that say what to do."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from mlmonitor.aggregate.season import Season
from mlmonitor.capture.outputs import ACTUAL, PREDICTION, OutputKind, Outputs
from mlmonitor.capture.read.numbers import category_names
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.formats.reference import CategoricalReference, FieldEntry
from mlmonitor.formatting import ask_similar, share
from mlmonitor.records import Field, Kind, Role
from mlmonitor.reference.column_names import check_column_names
from mlmonitor.reference.kind_inference import kinds_of
from mlmonitor.reference.thresholds import FieldOptions, Thresholds
from mlmonitor.reference.training_data import Columns
from mlmonitor.reference.training_facts import TrainingFacts

log: logging.Logger = logging.getLogger("mlmonitor")

MOST_BINS = 1_000

UNREADABLE_SHARE = 0.01
"""A column is logged if more than this share of its values cannot be read."""

SeasonName = Literal["hour_of_day", "hour_of_week", "auto"]

_BOUNDS = {"bins": (2, MOST_BINS), "seed": (0, 1 << 63), "max_segments": (1, 10_000 - 1)}


@dataclass(frozen=True)
class FitOptions:
    """All options of a fit, checked before any work.

    scored: whether rows get an anomaly score, or the features that it is computed from. cycle: the
    parsed `season`.
    """

    outputs: Outputs
    names: tuple[str, ...]
    kinds: Mapping[str, Kind]
    facts: TrainingFacts
    scored: bool | tuple[str, ...]
    segments: tuple[str, ...]
    max_segments: int
    season: SeasonName | None
    season_timezone: str
    cycle: Season | None
    fields: FieldOptions
    seed: int

    @classmethod
    def check(  # noqa: PLR0913 - those of `Reference.fit`
        cls,
        *,
        output: OutputKind,
        classes: Any,
        names: Any,
        schema: Any,
        fields: Any,
        facts: TrainingFacts,
        anomaly_score: Any,
        segments: Any,
        max_segments: Any,
        season: Any,
        season_timezone: Any,
        has_times: bool,
        has_actuals: bool,
        bins: Any,
        thresholds: Any,
        seed: Any,
    ) -> Self:
        """Check the options of `Reference.fit`.

        Raises:
            ConfigError, SchemaError: an option is invalid; the message names it.
        """
        check_options(thresholds, bins=bins, seed=seed, max_segments=max_segments)
        is_all = isinstance(anomaly_score, bool)
        outputs = outputs_of(output, classes)
        labels = {PREDICTION} if outputs.names else set()
        return cls(
            outputs=outputs,
            names=_check_names("names", names),
            kinds=schema_of(schema, outputs, has_actuals=has_actuals),
            facts=facts,
            scored=anomaly_score if is_all else _check_names("anomaly_score", anomaly_score),
            segments=_check_names("segments", segments),
            max_segments=int(max_segments),
            season=season,
            season_timezone=season_timezone,
            cycle=season_of(season, season_timezone, has_times=has_times),
            # The user named the classes, so their names identify no person.
            fields=FieldOptions(int(bins), thresholds, public_names(fields) | labels),
            seed=int(seed),
        )


def check_columns(columns: Columns, options: FitOptions) -> None:
    """Check that the data has every column that an option names.

    Raises:
        SchemaError: a column is missing, or none of the actuals is one of the classes.
    """
    features = {name for role, name in columns if role is Role.FEATURE}
    column_names = {name for _, name in columns}
    scored = () if isinstance(options.scored, bool) else options.scored
    for what, names, of in (
        ("schema", options.kinds, column_names),
        ("fields", options.fields.public, column_names | {PREDICTION}),
    ):
        for name in sorted(set(names) - of):
            raise SchemaError(f"{what}: there is no column {name!r}{ask_similar(name, of)}")
    for name in sorted(options.facts.importances.keys() - features):
        hint = ask_similar(name, features) or "; importances are those of columns"
        raise SchemaError(f"importances: there is no feature {name!r}{hint}")
    for name in scored:
        kind = options.kinds.get(name)
        is_numeric = name in features and (kind or Kind.NUMERIC) is Kind.NUMERIC
        if not is_numeric:
            raise SchemaError(
                f"anomaly_score: {name!r}: expected the name of a numeric feature"
                f"{ask_similar(name, features - {name})}"
            )
    if options.outputs.names and (Role.ACTUAL, ACTUAL) in columns:
        actuals = category_names(columns[Role.ACTUAL, ACTUAL])
        _check_actual_names({name for name in actuals if name is not None}, options.outputs)


def public_names(fields: Any) -> frozenset[str]:
    """Return the names of the fields that are declared public.

    Raises:
        ConfigError: `fields` is not a sequence of `Field` objects.
    """
    if isinstance(fields, Field | str) or not isinstance(fields, Sequence):
        raise ConfigError("fields: expected a list of them, such as [Field('city', public=True)]")
    for field in fields:
        if not isinstance(field, Field):
            raise ConfigError(f"fields: expected Field objects, got {type(field).__name__}")
    return frozenset(field.name for field in fields if field.public)


def _check_names(what: str, names: Any) -> tuple[str, ...]:
    if not isinstance(names, Iterable):
        raise SchemaError(f"{what}: expected a sequence of names, got {type(names).__name__}")
    return check_column_names(names, what)


def season_of(season: Any, timezone: Any, *, has_times: bool) -> Season | None:
    """Return the cycle by which rows are compared; None if there is no season, or for `auto`.

    Raises:
        ConfigError: the season or the time zone is unknown, or there are no times.
    """
    if season is not None and not has_times:
        raise ConfigError("season: expected together with times, the datetimes of the rows")
    if season == "auto":
        Season("hour_of_week", timezone)  # checks the time zone
        return None
    return None if season is None else Season(season, timezone)


def check_options(thresholds: object, **options: object) -> None:
    """Check that `thresholds` is a known method, and that the other options are integers in bounds.

    Raises:
        ConfigError: an option is invalid.
    """
    _check_thresholds(thresholds)
    for name, value in options.items():
        low, high = _BOUNDS[name]
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_whole or not low <= int(str(value)) <= high:
            raise ConfigError(f"{name}: expected a whole number from {low:,} to {high:,}")


def _check_thresholds(thresholds: object) -> None:
    """Check that `thresholds` is a known method; raise ConfigError otherwise."""
    names = get_args(Thresholds)
    if not isinstance(thresholds, str) or thresholds not in names:
        raise ConfigError(f"thresholds: expected {' or '.join(map(repr, names))}")


def outputs_of(output: OutputKind, classes: Any) -> Outputs:
    """Return a description of the model's outputs.

    classes: a sequence or an array, such as scikit-learn's `classes_`.

    Raises:
        SchemaError: the name of a class is invalid, or `classes` is a single text.
        ConfigError: `output` does not allow classes.
    """
    if isinstance(classes, str | bytes):
        raise SchemaError("classes: expected a sequence of names, got one text")
    outputs = Outputs.named(output, classes)
    groups = outputs.groups or ((outputs.names,) if outputs.names else ())
    for names in groups:
        check_column_names(names, "classes")
        if output == "value":
            raise ConfigError("classes: expected with output='probabilities' only")
        if len(names) == 1:
            raise ConfigError("classes: expected two or more, or none to number them")
    return outputs


def schema_of(schema: Any, outputs: Outputs, *, has_actuals: bool) -> dict[str, Kind]:
    """Return the declared kinds; if predictions are classes, actuals are declared categorical.

    So predictions and actuals can be compared even if the classes are integers or booleans.
    """
    kinds = kinds_of({} if schema is None else schema)
    if outputs.names and has_actuals and ACTUAL not in kinds:
        kinds[ACTUAL] = Kind.CATEGORICAL
    return kinds


def check_actuals(entries: Sequence[FieldEntry], outputs: Outputs) -> None:
    """Check that some actuals are classes; otherwise no prediction could be right.

    Raises:
        SchemaError: none of the actuals is one of the classes.
    """
    for entry in entries:
        if entry.role == "actual" and isinstance(entry, CategoricalReference):
            _check_actual_names(set(entry.names), outputs)


def _check_actual_names(names: set[str], outputs: Outputs) -> None:
    if outputs.names and names and names.isdisjoint(outputs.names):
        raise SchemaError(
            "actuals: expected names of classes, but none of the values is one of classes=: "
            "give them, and labels later, as names, such as [classes[i] for i in actuals]"
        )


def warn_of_missing(entries: Sequence[FieldEntry]) -> None:
    """Log the columns without any value: only their share of missing values can be compared."""
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


def warn_of_unreadable(entries: Sequence[FieldEntry]) -> None:
    """Log the columns in which many values do not have the kind of the column."""
    for entry in entries:
        for reason, count in (
            ("are not", entry.wrong_type),
            ("are infinite, not", entry.nonfinite),
        ):
            if entry.role != "derived" and count > UNREADABLE_SHARE * entry.rows:
                log.warning(
                    "Reference.fit: column %r: %s of its values %s %s, and count as missing: "
                    "convert or remove them first, or declare its kind, as in schema={%r: "
                    "'categorical'}",
                    *(entry.name[:60], share(count, entry.rows), reason, entry.kind),
                    entry.name[:60],
                )
