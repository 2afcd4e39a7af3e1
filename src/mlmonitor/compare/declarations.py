"""A user's declarations about rows, checked against each other and the reference."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np

from mlmonitor.callables import check_function
from mlmonitor.compare.objectives.objective_alerts import check_objective
from mlmonitor.compare.performance.performance import MEASURES
from mlmonitor.compare.quality.declared_rules import declared_fields
from mlmonitor.config import Config
from mlmonitor.derived.kpi_values import check_kpis
from mlmonitor.errors import ConfigError
from mlmonitor.formatting import ask_similar, describe_kind
from mlmonitor.records import Challenger, Declared, Field, Kind, Kpi, Metric, Objective, Role
from mlmonitor.reference.kind_inference import kinds_of
from mlmonitor.reference.reference import Reference

MOST_EDGES = 100
"""Maximum number of edges between the buckets of one feature."""

_EDGES = "such as {'amount': [1_000, 10_000]}"
_COLLECTIONS = (list, tuple, range, np.ndarray)


def build_declared(  # noqa: PLR0913 - all by keyword
    reference: Reference | None,
    *,
    config: Config,
    ignore: Sequence[str],
    segments: Sequence[str],
    schema: Mapping[str, Kind | str] | None,
    fields: Sequence[Field],
    buckets: Mapping[str, tuple[float, ...]],
    metrics: tuple[Metric, ...],
    objectives: Sequence[Objective],
    kpis: Sequence[Kpi],
    groups: object = None,
    challengers: Sequence[Challenger] = (),
) -> Declared:
    """Build the declarations about the rows, checked against the reference.

    Raises:
        ConfigError: a declaration contradicts itself, another one or the reference; the message
            names it.
    """
    ignored = frozenset(check_names("ignore", ignore))
    _check_bucketed(buckets, reference)
    return Declared(
        ignore=ignored,
        segments=check_segments(segments, reference, config),
        schema=merge_schema(schema, reference, ignored),
        fields=_check_unignored(declared_fields(fields, reference), ignored),
        buckets=buckets,
        metrics=metrics,
        objectives=check_objectives(objectives, metrics),
        kpis=check_kpis(kpis),
        groups=check_groups(groups, reference),
        challengers=check_challengers(challengers),
    )


def check_challengers(
    challengers: Sequence[Any], champion: object = None
) -> tuple[Challenger, ...]:
    """Return the declared challengers, checked.

    champion: the version that they are compared with from the start, if there is one.

    Raises:
        ConfigError: an item is not a `Challenger`, two have the same version, or one has the
            version in use.
    """
    is_listed = isinstance(challengers, list | tuple)
    if not is_listed or not all(isinstance(item, Challenger) for item in challengers):
        raise ConfigError(
            "challengers: expected a list of them, such as [Challenger('8')], got "
            f"{describe_kind(challengers)}"
        )
    if len({challenger.version for challenger in challengers}) < len(challengers):
        raise ConfigError("challengers: expected each version once")
    if champion and str(champion) in {challenger.version for challenger in challengers}:
        raise ConfigError(
            "challengers: expected other versions than the one in use, got version= itself: a "
            "model is not compared with itself"
        )
    return tuple(challengers)


def check_names(option: str, names: Any) -> tuple[str, ...]:
    """Return the names as a tuple of distinct texts.

    Raises:
        ConfigError: `names` is not a sequence of names, or one is empty or occurs twice.
    """
    kind = type(names).__name__
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        text = "one text: put it in a list" if isinstance(names, str) else kind
        raise ConfigError(f"{option}: expected a sequence of names, got {text}")
    distinct = tuple(str(name) for name in names)
    if not all(distinct):
        raise ConfigError(f"{option}: expected names, got an empty text")
    for name in distinct:
        if distinct.count(name) > 1:
            raise ConfigError(f"{option}: expected each name once, got {name!r} twice")
    return distinct


def check_groups(groups: object, reference: Reference | None) -> str | None:
    """Return the declared column of the groups; None if there is none.

    Raises:
        ConfigError: it is not the name of a column, or not the column of the reference's groups.
    """
    if groups is None:
        return None
    if not isinstance(groups, str) or not groups:
        raise ConfigError(
            "groups: expected the name of the column that holds the group of a row, such as "
            f"'customer_id', got {'an empty text' if groups == '' else type(groups).__name__}"
        )
    grouped = None if reference is None else reference.content.grouped
    if grouped is not None and grouped.field not in (None, groups):
        raise ConfigError(
            f"groups: the groups of the reference are those of {grouped.field!r}, not of "
            f"{groups!r}: leave groups out, or make the reference with Reference.fit(..., "
            f"groups={groups!r})"
        )
    return groups


def check_segments(
    segments: Sequence[str], reference: Reference | None, config: Config
) -> tuple[str, ...]:
    """Return the features that define the segments, in the order of the reference.

    Raises:
        ConfigError: they are not those of the reference, or it has too many segments.
    """
    requested = check_names("segments", segments)
    if not requested or reference is None:
        return requested
    if set(requested) != set(reference.segments):
        available = ", ".join(map(repr, reference.segments)) or "none"
        expected = ", ".join(map(repr, requested))
        raise ConfigError(
            f"segments: a segment is compared with the same segment of the reference, but this one "
            f"has {available}: make it with Reference.fit(..., segments=[{expected}])"
        )
    segment_count = sum(values is not None for values in reference.segment_values)
    if segment_count > config.max_segments:
        raise ConfigError(
            f"segments: the reference has {segment_count}: raise Config.max_segments from "
            f"{config.max_segments}, or make the reference with fewer: Reference.fit(..., "
            f"max_segments={config.max_segments})"
        )
    return reference.segments


def merge_schema(
    schema: Mapping[str, Kind | str] | None,
    reference: Reference | None,
    ignored: AbstractSet[str] = frozenset(),
) -> dict[str, Kind]:
    """Merge the declared kinds into those of the reference, by name.

    Raises:
        ConfigError: the reference lacks a field, or has another kind for it.
    """
    declared = kinds_of({} if schema is None else schema)
    if reference is None:
        return declared
    kinds = {f.name: f.kind for f in reference.fields if f.role is Role.FEATURE}
    names = {*(f.name for f in reference.fields), *reference.segments}
    for name, kind in declared.items():
        if name not in names | ignored:
            raise ConfigError(
                f"schema: {name!r}: the reference has no such field{ask_similar(name, names)}: "
                "leave it out, because only the fields of the reference are compared"
            )
        if kinds.get(name, kind) is not kind:
            raise ConfigError(
                f"schema: {name!r} is {kinds[name]} in the reference, not {kind}: leave it out, or "
                f"make the reference with Reference.fit(..., schema={{{name!r}: {str(kind)!r}}})"
            )
    return kinds


def _check_unignored(fields: tuple[Field, ...], ignored: AbstractSet[str]) -> tuple[Field, ...]:
    for field in fields:
        if field.role is Role.FEATURE and field.name in ignored:
            raise ConfigError(
                f"fields: {field.name!r} is among ignore, so its values are not read: leave it out "
                "of one of them"
            )
    return fields


def check_buckets(buckets: Any) -> dict[str, tuple[float, ...]]:
    """Return the edges between the buckets of each feature; raise ConfigError if any is wrong."""
    if buckets is None:
        return {}
    if not isinstance(buckets, Mapping):
        raise ConfigError(
            f"buckets: expected edges by feature, {_EDGES}, got {type(buckets).__name__}"
        )
    checked = {str(name): _check_edges(f"buckets: {name!r}", e) for name, e in buckets.items()}
    for name in ("prediction", "segment"):
        if name in checked:
            raise ConfigError(
                f"buckets: {name!r}: expected a feature: performance is kept by {name} anyway"
            )
    return checked


def _check_edges(where: str, edges: Any) -> tuple[float, ...]:
    """Return the edges of one feature as ascending numbers; raise ConfigError if they are not."""
    expected = f"{where}: expected ascending numbers, {_EDGES}"
    values = edges.to_list() if hasattr(edges, "to_list") else edges  # a column of a frame
    if not isinstance(values, _COLLECTIONS) or np.ndim(values) != 1:
        raise ConfigError(f"{expected}, got {type(edges).__name__}")
    for edge in values:
        is_number = isinstance(edge, int | float | np.integer | np.floating)
        if not is_number or isinstance(edge, bool):
            raise ConfigError(f"{expected}, got {type(edge).__name__} among them")
    numbers = [float(edge) for edge in values]
    if not 1 <= len(numbers) <= MOST_EDGES:
        raise ConfigError(f"{expected}, 1 to {MOST_EDGES} of them, got {len(numbers)}")
    if not all(map(isfinite, numbers)):
        raise ConfigError(f"{expected}, got one that is not finite: the outer buckets are open")
    for low, high in pairwise(numbers):
        if low >= high:
            fault = "the same number twice" if low == high else "a number below the one before it"
            raise ConfigError(f"{expected}, got {fault}")
    return tuple(numbers)


def _check_bucketed(buckets: Mapping[str, object], reference: Reference | None) -> None:
    """Raise ConfigError if a feature with buckets is not numeric in the reference."""
    kinds = (
        {f.name: f.kind for f in reference.fields if f.role is Role.FEATURE} if reference else {}
    )
    for name in buckets:
        kind = kinds.get(name, Kind.NUMERIC)
        if kind is not Kind.NUMERIC:
            raise ConfigError(
                f"buckets: {name!r}: expected a numeric feature, but it is {kind} in the "
                "reference: split by it with segments= instead"
            )


def check_metrics(metrics: Any) -> tuple[Metric, ...]:
    """Return the user's measures; raise ConfigError if one cannot be used."""
    example = "such as [Metric('within_10_percent', function)]"
    if not isinstance(metrics, list | tuple):
        raise ConfigError(f"metrics: expected a list, {example}, got {describe_kind(metrics)}")
    names: set[str] = set()
    for metric in metrics:
        if not isinstance(metric, Metric):
            raise ConfigError(
                f"metrics: expected Metric objects, {example}, got {describe_kind(metric)}"
            )
        if not metric.name or type(metric.name) is not str:
            raise ConfigError(f"metrics: expected a name for each, {example}")
        where = f"metrics: {metric.name!r}"
        check_function(where, metric.function, ["predicted", "actual"])
        if metric.name in names:
            raise ConfigError(f"{where}: expected each name once")
        if metric.name in MEASURES:
            raise ConfigError(
                f"{where}: expected a name other than those of the measures that are kept anyway, "
                f"{', '.join(sorted(MEASURES))}"
            )
        names.add(metric.name)
    return tuple(metrics)


def check_objectives(objectives: Any, metrics: Sequence[Metric]) -> tuple[Objective, ...]:
    """Return the declared objectives; raise ConfigError if one cannot be used."""
    if not isinstance(objectives, Sequence) or not all(
        isinstance(objective, Objective) for objective in objectives
    ):
        raise ConfigError(
            "objectives: expected a list of them, such as [Objective('mae', maximum=900)]"
        )
    names = MEASURES | {metric.name for metric in metrics}
    for objective in objectives:
        check_objective(objective, names)
    listed = [(bound.measure, bound.minimum, bound.maximum) for bound in objectives]
    if len(set(listed)) < len(listed):
        raise ConfigError("objectives: expected each of them once")
    return tuple(objectives)
