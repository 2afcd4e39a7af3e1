"""What a user hands over when a monitor is made, checked once, with errors that hold the fix."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TypeVar

from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.vector_copiers import VectorCopiers
from mlmonitor.compare.quality.declared_rules import declared_fields
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.export.base import Exporter
from mlmonitor.export.destinations import Otlp
from mlmonitor.export.preload import gevent_will_patch, load_clients
from mlmonitor.records import Declared, Field, Kind, Role
from mlmonitor.reference.fit_options import kinds_of
from mlmonitor.reference.reference import Reference

F = TypeVar("F")


def config_of(config: object, environ: Mapping[str, str]) -> Config:
    """The configuration with what the environment lays over it."""
    if config is not None and not isinstance(config, Config):
        raise ConfigError("config: expected a Config, such as Config(window_seconds=600)")
    return Config.from_environment(environ, config)


def reference_of(reference: Reference | str | PathLike[str] | None) -> Reference | None:
    """The reference, loaded if its path was given."""
    if reference is None or isinstance(reference, Reference):
        return reference
    if not isinstance(reference, str | PathLike):
        raise ConfigError("reference: expected a Reference (see Reference.fit) or its file's path")
    return Reference.load(reference)


def exporters_of(
    exporters: object, environ: Mapping[str, str], *, is_enabled: bool
) -> list[Exporter]:
    """The exporters named, or the one that the standard variables describe, if they do.

    What they and the sketches import is imported now, unless gevent has yet to patch it.
    """
    found = _exporters(exporters, environ)
    if is_enabled and not gevent_will_patch():
        load_clients(found)
    return found


def _exporters(exporters: object, environ: Mapping[str, str]) -> list[Exporter]:
    if exporters is None:
        found = Otlp.from_environment(environ)
        return [] if found is None else [found]
    if isinstance(exporters, Sequence) and all(hasattr(each, "send") for each in exporters):
        return list(exporters)
    raise ConfigError("exporters: expected a list of them, such as [Otlp.collector()]")


def callable_of(option: str, function: F | None) -> F | None:
    """A function to be called later, when nobody would see that it is none."""
    if function is not None and not callable(function):
        raise ConfigError(f"{option}: expected a function, or None")
    return function


def declared_of(
    reference: Reference | None,
    config: Config,
    *,
    ignore: Sequence[str],
    segments: Sequence[str],
    schema: Mapping[str, Kind | str] | None,
    fields: Sequence[Field],
) -> Declared:
    """What is said of the rows to come, as far as it fits the reference."""
    return Declared(
        ignore=frozenset(names_of("ignore", ignore)),
        segments=segments_of(segments, reference, config),
        schema=schema_of(schema, reference),
        fields=declared_fields(fields, reference),
    )


def schema_of(
    schema: Mapping[str, Kind | str] | None, reference: Reference | None
) -> dict[str, Kind]:
    """Kinds by name: as declared, and as the reference has them."""
    told = kinds_of({} if schema is None else schema)
    if reference is None:
        return told
    known = {f.name: f.kind for f in reference.fields if f.role is Role.FEATURE}
    for name, kind in told.items():
        if known.get(name, kind) is not kind:
            raise ConfigError(
                f"schema: {name!r} is {known[name]} in the reference, not {kind}: leave it out, or "
                f"make the reference with Reference.fit(..., schema={{{name!r}: {str(kind)!r}}})"
            )
    return known


def has_vectors(schema: Mapping[str, Kind]) -> bool:
    """Whether rows may hold vectors."""
    return Kind.EMBEDDING in schema.values()


def copiers_of(schema: Mapping[str, Kind]) -> Copiers:
    """What copies the host's rows: their vectors too, where there are any."""
    vectors = [name for name, kind in schema.items() if kind is Kind.EMBEDDING]
    return VectorCopiers(vectors) if vectors else Copiers()


def names_of(option: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names, of which there are several, and each once."""
    if isinstance(names, str):
        raise ConfigError(f"{option}: expected a sequence of names, got one text")
    found = tuple(str(name) for name in names)
    if len(set(found)) < len(found):
        raise ConfigError(f"{option}: expected each name once")
    return found


def segments_of(
    segments: Sequence[str], reference: Reference | None, config: Config
) -> tuple[str, ...]:
    """The features that part the rows: those by which the reference was parted, in its order."""
    found = names_of("segments", segments)
    if not found or reference is None:
        return found
    if set(found) != set(reference.segments):
        known = ", ".join(map(repr, reference.segments)) or "none"
        expected = ", ".join(map(repr, found))
        raise ConfigError(
            f"segments: a segment is compared with the same segment of the reference, and this one "
            f"knows {known}: make it with Reference.fit(..., segments=[{expected}])"
        )
    told_apart = sum(values is not None for values in reference.segment_values)
    if told_apart > config.max_segments:
        raise ConfigError(
            f"segments: the reference tells {told_apart} apart: raise Config.max_segments from "
            f"{config.max_segments}, or make the reference with fewer: Reference.fit(..., "
            f"max_segments={config.max_segments})"
        )
    return reference.segments


def feature_names(reference: Reference | None) -> tuple[str, ...]:
    """The features of a reference in its order: what the positions of a row mean."""
    if reference is None:
        return ()
    return tuple(field.name for field in reference.fields if field.role is Role.FEATURE)
