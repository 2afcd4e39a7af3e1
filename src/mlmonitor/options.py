"""Check the arguments of a monitor once, with errors that say what to do."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar

from mlmonitor.callables import check_function
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.vector_copiers import VectorCopiers
from mlmonitor.compare.incidents.callbacks import Callbacks
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.export.base import Exporter
from mlmonitor.export.preload import gevent_will_patch, load_clients
from mlmonitor.formatting import describe_kind, find_similar
from mlmonitor.records import Kind, Role
from mlmonitor.reference.reference import Reference

if TYPE_CHECKING:
    from mlmonitor.events.sinks.event_sink import EventDestination
    from mlmonitor.notify.webhook import Webhook

F = TypeVar("F")


def check_model(name: object) -> None:
    """Raise ConfigError if a model has no name."""
    if not isinstance(name, str):
        raise ConfigError(f"model: expected a name, such as 'credit', got {describe_kind(name)}")
    if not name.strip():
        raise ConfigError("model: expected a name, such as 'credit', got an empty text")


def resolve_config(config: object, environ: Mapping[str, str]) -> Config:
    """Return the configuration, or the defaults, overridden by environment variables."""
    if config is not None and not isinstance(config, Config):
        raise ConfigError(
            "config: expected a Config, such as Config(window_seconds=600), "
            f"got {describe_kind(config)}"
        )
    return Config.from_environment(environ, config)


def resolve_reference(reference: Reference | str | PathLike[str] | None) -> Reference | None:
    """Return the reference; load it if its path was given."""
    if reference is None or isinstance(reference, Reference):
        return reference
    if not isinstance(reference, str | PathLike):
        raise ConfigError(
            "reference: expected a Reference (see Reference.fit) or its file's path, "
            f"got {describe_kind(reference)}"
        )
    return Reference.load(reference)


def resolve_exporters(
    exporters: object, environ: Mapping[str, str], *, is_enabled: bool
) -> list[Exporter]:
    """Return the given exporters, or the exporter that standard OpenTelemetry variables describe.

    Their client libraries are imported now, unless gevent is loaded and has not patched `ssl` yet.
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
    expected = "exporters: expected a list of exporters, such as [Otlp.collector()], got"
    if not isinstance(exporters, list | tuple):
        raise ConfigError(f"{expected} {describe_kind(exporters)}")
    for exporter in exporters:
        if isinstance(exporter, type) or not hasattr(exporter, "send"):
            raise ConfigError(f"{expected} a list that holds {describe_kind(exporter)}")
    return list(exporters)


def check_events(
    events: "EventDestination | None", reference: Reference | None, config: Config
) -> "EventDestination | None":
    """Return the event destination, or None if there is none or monitoring is disabled.

    Raises:
        ConfigError: it is not a destination, or names a field that the reference does not have.
    """
    if events is None or not config.enabled:
        return None
    from mlmonitor.events.event_options import EventOptions

    if not (hasattr(events, "open") and isinstance(getattr(events, "options", None), EventOptions)):
        raise ConfigError(
            f"events: expected Kafka(...), Postgres(...) or Files(...), got {describe_kind(events)}"
        )
    if reference is not None:
        events.options.check_fields([*(field.name for field in reference.fields), "actual"])
    return events


def resolve_notify(notify: Sequence[Any]) -> "tuple[Webhook, ...]":
    """Return the webhooks; their HTTP client is imported now, like the clients of exporters."""
    if notify == ():
        return ()
    from mlmonitor.notify.webhook import check_notify

    webhooks = check_notify(notify)
    if webhooks and not gevent_will_patch():
        import_module("requests")
    return webhooks


def check_clock(clock: F | None) -> F | None:
    """Return the clock; raise ConfigError if it cannot be called without arguments."""
    if clock is not None:
        check_function("clock", clock, [])
    return clock


def check_callbacks(*callbacks: Callable[..., object] | None) -> Callbacks:
    """Check the user's callbacks, given in the order of the fields of `Callbacks`."""
    for option, function in zip(Callbacks._fields, callbacks, strict=True):
        if function is not None:
            check_function(option, function, [option.removeprefix("on_")])
    return Callbacks(*callbacks)


def has_vectors(schema: Mapping[str, Kind]) -> bool:
    """Whether rows may hold vectors."""
    return Kind.EMBEDDING in schema.values()


def choose_copiers(schema: Mapping[str, Kind]) -> Copiers:
    """Choose the functions that copy the host's rows: `VectorCopiers` if fields hold vectors."""
    vectors = [name for name, kind in schema.items() if kind is Kind.EMBEDDING]
    return VectorCopiers(vectors) if vectors else Copiers()


def choose_positions(named: tuple[str, ...], reference: Reference | None) -> tuple[str, ...]:
    """Return the field name of each position in a row: those declared, or the reference's features.

    Raises:
        ConfigError: a declared name is not a feature of the reference, but resembles a feature that
            was not declared.
    """
    features = list_features(reference)
    left_out = [name for name in features if name not in named]
    for name in named if reference is not None else ():
        similar = [] if name in features else find_similar(name, left_out)
        if similar:
            raise ConfigError(
                f"features: {name!r}: the reference has no such feature; did you mean "
                f"{similar[0]!r}? A position that the model does not read may have any other name"
            )
    return named or features


def list_features(reference: Reference | None) -> tuple[str, ...]:
    """Return the names of a reference's features, in the order of positions in a row."""
    if reference is None:
        return ()
    return tuple(field.name for field in reference.fields if field.role is Role.FEATURE)
