"""Recognise new names of categories that are known names in another spelling."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

_MOST_UNEXPLAINED = 0.1  # share of the rows with a new name
_LEAST_ROWS = 10
_LEAST_CUT = 3


def _drop_spaces(name: str) -> str:
    return " ".join(name.split())


def _drop_fraction(name: str) -> str:
    whole, point, fraction = name.partition(".")
    is_number = whole.lstrip("-").isdigit() and not fraction.strip("0")
    return whole if point and is_number else name


def _drop_zeros(name: str) -> str:
    return (name.lstrip("0") or "0") if name.isdigit() else name


def _drop_quotes(name: str) -> str:
    return name.strip("'\"")


def _join_words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _repair_encoding(name: str) -> str:
    try:
        return name.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return name


_ADDITIONS: Final[Mapping[str, Callable[[str], str]]] = {
    "spaces": _drop_spaces,
    "'.0'": _drop_fraction,
    "leading zeros": _drop_zeros,
    "quotes": _drop_quotes,
}
"""What a name may have gained or lost, each with a function that removes it."""

_CHANGES: Final[Mapping[str, Callable[[str], str]]] = {
    "in another case, upper or lower": str.casefold,
    "with other separators of words": _join_words,
    "in another character encoding": _repair_encoding,
    "in another case and with other spaces": lambda name: _drop_spaces(name).casefold(),
}


def describe_spelling(known_names: Collection[str], new: Mapping[str, int]) -> str | None:
    """Describe how new names differ from known ones; None if they are not variants of these.

    known_names: the categories of the reference. new: the rows of each new name. There must be ten
    rows, and nine in ten of them must be explained. Names count as truncated only if two or more
    are cut at the same length. The description quotes no name.
    """
    rows = sum(new.values())
    if rows < _LEAST_ROWS:
        return None
    least = (1 - _MOST_UNEXPLAINED) * rows
    for what, simplify in _ADDITIONS.items():
        pairs = _match(known_names, new, simplify)
        if sum(new[name] for name in pairs) >= least:
            is_longer = all(len(name) > len(old) for name, old in pairs.items())
            return f"with {what} added" if is_longer else f"with {what} changed or removed"
    for description, simplify in _CHANGES.items():
        if sum(new[name] for name in _match(known_names, new, simplify)) >= least:
            return description
    return "truncated" if _are_truncated(known_names, new, least) else None


def _match(
    known_names: Collection[str], new: Mapping[str, int], simplify: Callable[[str], str]
) -> dict[str, str]:
    """Return the known name that each new name equals once both are simplified."""
    simple = {simplify(name): name for name in known_names}
    return {name: simple[simplify(name)] for name in new if simplify(name) in simple}


def _are_truncated(known_names: Collection[str], new: Mapping[str, int], least: float) -> bool:
    """Whether new names are the beginnings of known ones, cut at one length."""
    begun = [name for name in new if any(old.startswith(name) for old in known_names)]
    lengths = {len(name) for name in begun}
    is_cut = len(begun) > 1 and len(lengths) == 1 and min(lengths) >= _LEAST_CUT
    return is_cut and sum(new[name] for name in begun) >= least
