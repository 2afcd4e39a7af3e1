"""Typed values of the variables that name what `opentelemetry-instrument` has to monitor."""

from collections.abc import Mapping
from typing import NamedTuple

from mlmonitor.environment.parsers import read_text
from mlmonitor.errors import ConfigError

WATCH_VARIABLES = frozenset(
    {"WATCH", "MODEL", "VERSION", "REFERENCE", "FEATURES", "PREDICTION", "ID_FROM"}
)
"""The names in `MLMONITOR_<name>` that are read here; all other names are options of `Config`."""


class WatchSettings(NamedTuple):
    """A callable in a module, and the arguments of `Monitor` and `watch` for it.

    attribute: the callable's path within the module, such as `predict` or `Service.predict`.
    """

    module: str
    attribute: str
    model: str
    version: str = ""
    reference: str | None = None
    features: str | tuple[str, ...] | None = None
    prediction: str | int | None = None
    id_from: str | None = None


def read_watch_settings(environ: Mapping[str, str]) -> WatchSettings | None:
    """Read the variables; None if `MLMONITOR_WATCH` is not set.

    Raises:
        ConfigError: `MLMONITOR_WATCH` names no callable in a module that is imported, or
            `MLMONITOR_MODEL` is not set.
    """
    texts = {name: read_text(environ, f"MLMONITOR_{name}") for name in WATCH_VARIABLES}
    if not texts["WATCH"]:
        return None
    module, _, attribute = texts["WATCH"].partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise ConfigError("MLMONITOR_WATCH: expected a module and its callable, as in app:predict")
    if module == "__main__":
        raise ConfigError(
            "MLMONITOR_WATCH: expected a callable of a module that the program imports, because "
            "__main__ is not imported"
        )
    if not texts["MODEL"]:
        raise ConfigError("MLMONITOR_MODEL: expected the name of the model that is watched")
    return WatchSettings(
        module,
        attribute,
        model=texts["MODEL"],
        version=texts["VERSION"],
        reference=texts["REFERENCE"] or None,
        features=_parse_names(texts["FEATURES"]),
        prediction=_parse_part(texts["PREDICTION"]),
        id_from=texts["ID_FROM"] or None,
    )


def _parse_names(text: str) -> str | tuple[str, ...] | None:
    """Return a single name, a tuple of comma-separated names, or None for an empty text."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(names) < 2:
        return names[0] if names else None
    return names


def _parse_part(text: str) -> str | int | None:
    """Return which part of a result is meant: an index, or the name of a key or attribute."""
    return int(text) if text.isdecimal() else text or None
