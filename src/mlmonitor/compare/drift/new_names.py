"""Names of new categories, where they may be shown."""

from collections.abc import Callable

from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters, Hitter
from mlmonitor.formats.reference import CategoricalReference, CountedEntry
from mlmonitor.formatting import truncate
from mlmonitor.reference.disclosure import LEAST_ROWS
from mlmonitor.reference.personal_values import is_personal

NewNames = Callable[[int], str]
"""Returns text about the new categories of a field, such as `, such as 'DEU'`; may be empty."""

_NAMED = 3
_NAME_LENGTH = 30


def no_names(_place: int) -> str:
    """Return an empty text: the default if no categories are to be named."""
    return ""


def shown_hitters(hitters: HeavyHitters, entry: CountedEntry | None) -> list[Hitter]:
    """Return the new categories that may be named, the most frequent first.

    entry: the field in the reference. All names of a `public` field may be shown; otherwise only
    those that have at least five rows and whose form does not identify a person.
    """
    if isinstance(entry, CategoricalReference) and entry.public:
        return hitters.top()
    return [
        hitter
        for hitter in hitters.top()
        if hitter.count - hitter.error >= LEAST_ROWS and not is_personal(hitter.name)
    ]


def join_new_names(hitters: list[Hitter]) -> str:
    """Return the first three names as text to append: `, such as 'a', 'b'`; empty for no names."""
    names = [repr(truncate(hitter.name, _NAME_LENGTH)) for hitter in hitters[:_NAMED]]
    return f", such as {', '.join(names)}" if names else ""
