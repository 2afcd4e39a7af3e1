"""Entries by name; looking up an unknown name raises an error that lists the existing names."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from mlmonitor.errors import UnknownName
from mlmonitor.formatting import describe_kind, find_similar, truncate

_V = TypeVar("_V")

NAMES = frozenset({"challenger", "dimension", "feature", "field", "measure", "role"})
"""Nouns of entries whose names people choose in code, so that an error may repeat one."""

VALUES = frozenset({"bucket", "class", "segment"})
"""Nouns of entries whose names are values of the data, so that an error only counts them."""

_LISTED, _WIDTH = 10, 40


class ByName(dict[Any, _V]):
    """A dictionary of entries by name that raises a helpful error for an unknown name.

    noun: what an entry is, in the singular, such as `measure`; see `describe_unknown`.

    Raises:
        UnknownName: there is no entry of the name looked up; the exception is a KeyError.
    """

    def __init__(
        self, entries: Mapping[Any, _V] | Iterable[tuple[Any, _V]] = (), noun: str = "name"
    ) -> None:
        super().__init__(entries)
        self._noun = noun

    def __missing__(self, name: object) -> _V:
        raise UnknownName(describe_unknown(name, self, self._noun))


def describe_unknown(name: object, names: Iterable[object], noun: str) -> str:
    """Say that there is no `noun` of that name, suggest the most similar names, and list all names.

    The name is repeated only if `noun` is one of `NAMES`: any other may be a person's data. Names
    that are `VALUES` are only counted.
    """
    existing = [*names]
    if not existing:
        return f"there is no {noun} yet"
    if noun in VALUES:
        return f"there is no such {noun}; there are {len(existing):,}: list them to see their names"
    if noun not in NAMES:
        return f"there is no such {noun}; there are {_list_names(existing)}"
    if not isinstance(name, str):
        kind = describe_kind(name)
        return f"expected the name of a {noun}, got {kind}; there are {_list_names(existing)}"
    similar = " or ".join(map(_quote, find_similar(name, existing, most=3)))
    question = f"did you mean {similar}? " if similar else ""
    return f"no {noun} is called {_quote(name)}; {question}there are {_list_names(existing)}"


def _quote(name: object) -> str:
    return str(name) if isinstance(name, int | float) else repr(truncate(str(name), _WIDTH))


def _list_names(names: list[object]) -> str:
    listed = ", ".join(map(_quote, names[:_LISTED]))
    more = len(names) - _LISTED
    return f"{listed} and {more:,} more" if more > 0 else listed


def name_entries(owner: object, nouns: Mapping[str, str]) -> None:
    """Replace mappings of a frozen dataclass by `ByName`. nouns: the noun for each attribute."""
    for attribute, noun in nouns.items():
        object.__setattr__(owner, attribute, ByName(getattr(owner, attribute), noun))
