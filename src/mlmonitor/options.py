"""Check the arguments of a monitor once, with errors that say what to do."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from math import isfinite
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.vector_copiers import VectorCopiers
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.callbacks import Callbacks
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.compare.objectives.objective_alerts import check_objective
from mlmonitor.compare.performance.performance import MEASURES
from mlmonitor.compare.quality.declared_rules import declared_fields
from mlmonitor.config import Config
from mlmonitor.derived.kpi_values import check_kpis
from mlmonitor.errors import ConfigError
from mlmonitor.export.base import Exporter
from mlmonitor.export.preload import gevent_will_patch, load_clients
from mlmonitor.records import Declared, Field, Kind, Kpi, Metric, Objective, Role
from mlmonitor.reference.kind_inference import kinds_of
from mlmonitor.reference.reference import Reference
from mlmonitor.verdict.verdict import Verdict

if TYPE_CHECKING:
    from mlmonitor.events.sinks.event_sink import EventDestination
    from mlmonitor.notify.webhook import Webhook

F = TypeVar("F")

MOST_EDGES = 100  # between the buckets of one feature


def _name_type(value: object) -> str:
    return type(value).__name__


def check_model(name: object) -> None:
    """Raise ConfigError if a model has no name."""
    if not name:
        raise ConfigError("model: expected a name")


def resolve_config(config: object, environ: Mapping[str, str]) -> Config:
    """Return the configuration with the overrides of the environment."""
    if config is not None and not isinstance(config, Config):
        raise ConfigError(
            "config: expected a Config, such as Config(window_seconds=600), "
            f"got {_name_type(config)}"
        )
    return Config.from_environment(environ, config)


def resolve_reference(reference: Reference | str | PathLike[str] | None) -> Reference | None:
    """Return the reference; load it if its path was given."""
    if reference is None or isinstance(reference, Reference):
        return reference
    if not isinstance(reference, str | PathLike):
        raise ConfigError(
            "reference: expected a Reference (see Reference.fit) or its file's path, "
            f"got {_name_type(reference)}"
        )
    return Reference.load(reference)


def resolve_exporters(
    exporters: object, environ: Mapping[str, str], *, is_enabled: bool
) -> list[Exporter]:
    """Return the given exporters, or the one that the standard variables describe, if any.

    Their clients are imported now, unless gevent is loaded and has not patched `ssl` yet.
    """
    destinations = _list_exporters(exporters, environ)
    if is_enabled and not gevent_will_patch():
        load_clients(destinations)
    return destinations


def _list_exporters(exporters: object, environ: Mapping[str, str]) -> list[Exporter]:
    if exporters is None:
        if not any(variable.startswith("OTEL_") for variable in environ):
            return []
        from mlmonitor.export.destinations import Otlp

        otlp = Otlp.from_environment(environ)
        return [] if otlp is None else [otlp]
    if isinstance(exporters, Sequence) and all(hasattr(exporter, "send") for exporter in exporters):
        return list(exporters)
    raise ConfigError(
        "exporters: expected a list of exporters, such as [Otlp.collector()], "
        f"got {_name_type(exporters)}"
    )


def check_events(
    events: "EventDestination | None", reference: Reference | None, config: Config
) -> "EventDestination | None":
    """Return where events go, if anywhere; its fields are those of the reference, if there is one.

    Raises:
        ConfigError: it is no destination, or names a field that the model does not have.
    """
    if events is None or not config.enabled:
        return None
    from mlmonitor.events.event_options import EventOptions

    if not (hasattr(events, "open") and isinstance(getattr(events, "options", None), EventOptions)):
        raise ConfigError(
            f"events: expected Kafka(...), Postgres(...) or Files(...), got {_name_type(events)}"
        )
    if reference is not None:
        events.options.check_fields([*(field.name for field in reference.fields), "actual"])
    return events


def resolve_notify(notify: Sequence[Any]) -> "tuple[Webhook, ...]":
    """Return the webhooks; their client is imported now, as those of exporters are."""
    if notify == ():
        return ()
    from mlmonitor.notify.webhook import check_notify

    webhooks = check_notify(notify)
    if webhooks and not gevent_will_patch():
        import_module("requests")
    return webhooks


def check_callable(option: str, function: F | None) -> F | None:
    """Check that an object can be called, before it is needed."""
    if function is not None and not callable(function):
        raise ConfigError(f"{option}: expected a function, or None, got {_name_type(function)}")
    return function


def check_callbacks(
    on_alert: Callable[[Alert], object] | None,
    on_incident: Callable[[Incident], object] | None,
    on_verdict: Callable[[Verdict], object] | None,
) -> Callbacks:
    """Check the callbacks of the host, and return them."""
    return Callbacks(
        check_callable("on_alert", on_alert),
        check_callable("on_incident", on_incident),
        check_callable("on_verdict", on_verdict),
    )


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
) -> Declared:
    """Build the declarations about the rows, checked against the reference."""
    return Declared(
        ignore=frozenset(check_names("ignore", ignore)),
        segments=check_segments(segments, reference, config),
        schema=merge_schema(schema, reference),
        fields=declared_fields(fields, reference),
        buckets=buckets,
        metrics=metrics,
        objectives=check_objectives(objectives, metrics),
        kpis=check_kpis(kpis),
        groups=_check_groups(groups),
    )


def _check_groups(groups: object) -> str | None:
    if groups is not None and (not isinstance(groups, str) or not groups):
        raise ConfigError(
            "groups: expected the name of the column that holds the group of a row, such as "
            f"'customer_id', got {_name_type(groups)}"
        )
    return groups


def check_buckets(buckets: Mapping[str, Sequence[Any]] | None) -> dict[str, tuple[float, ...]]:
    """Check the buckets of each feature, and return the edges between them."""
    checked = {}
    for name, edges in (buckets or {}).items():
        numbers = [edge for edge in edges if isinstance(edge, int | float) and isfinite(edge)]
        is_ascending = all(low < high for low, high in pairwise(numbers))
        if not numbers or len(numbers) < len(edges) or not is_ascending:
            raise ConfigError(
                f"buckets: expected ascending numbers for {name!r}, such as [1_000, 10_000]"
            )
        if len(numbers) > MOST_EDGES or name in ("prediction", "segment"):
            raise ConfigError(
                f"buckets: expected at most {MOST_EDGES} edges, of a feature that is not called "
                "'prediction' or 'segment', by which performance is kept anyway"
            )
        checked[str(name)] = tuple(map(float, numbers))
    return checked


def check_metrics(metrics: Sequence[Any]) -> tuple[Metric, ...]:
    """Return the user's measures, checked."""
    names = [metric.name for metric in metrics if isinstance(metric, Metric)]
    if len(names) < len(metrics) or len(set(names)) < len(names):
        raise ConfigError("metrics: expected Metric(name, function) each, with names that differ")
    if set(names) & MEASURES:
        raise ConfigError(f"metrics: expected names other than {', '.join(sorted(MEASURES))}")
    return tuple(metrics)


def check_objectives(objectives: Any, metrics: Sequence[Metric]) -> tuple[Objective, ...]:
    """Return the declared objectives, checked."""
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


def merge_schema(
    schema: Mapping[str, Kind | str] | None, reference: Reference | None
) -> dict[str, Kind]:
    """Merge the declared kinds into those of the reference, by name."""
    declared = kinds_of({} if schema is None else schema)
    if reference is None:
        return declared
    kinds = {f.name: f.kind for f in reference.fields if f.role is Role.FEATURE}
    for name, kind in declared.items():
        if kinds.get(name, kind) is not kind:
            raise ConfigError(
                f"schema: {name!r} is {kinds[name]} in the reference, not {kind}: leave it out, or "
                f"make the reference with Reference.fit(..., schema={{{name!r}: {str(kind)!r}}})"
            )
    return kinds


def has_vectors(schema: Mapping[str, Kind]) -> bool:
    """Whether rows may hold vectors."""
    return Kind.EMBEDDING in schema.values()


def choose_copiers(schema: Mapping[str, Kind]) -> Copiers:
    """Choose the functions that copy the host's rows; only vectors need `VectorCopiers`."""
    vectors = [name for name, kind in schema.items() if kind is Kind.EMBEDDING]
    return VectorCopiers(vectors) if vectors else Copiers()


def check_names(option: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple of distinct texts."""
    if isinstance(names, str):
        raise ConfigError(f"{option}: expected a sequence of names, got one string")
    distinct = tuple(str(name) for name in names)
    if len(set(distinct)) < len(distinct):
        raise ConfigError(f"{option}: expected each name once")
    return distinct


def check_segments(
    segments: Sequence[str], reference: Reference | None, config: Config
) -> tuple[str, ...]:
    """Return the features that split the rows: those of the reference, in its order."""
    requested = check_names("segments", segments)
    if not requested or reference is None:
        return requested
    if set(requested) != set(reference.segments):
        available = ", ".join(map(repr, reference.segments)) or "none"
        expected = ", ".join(map(repr, requested))
        raise ConfigError(
            f"segments: a segment is compared with the same segment of the reference, and this one "
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


def list_features(reference: Reference | None) -> tuple[str, ...]:
    """Return the names of a reference's features in its order: those of a row's positions."""
    if reference is None:
        return ()
    return tuple(field.name for field in reference.fields if field.role is Role.FEATURE)
