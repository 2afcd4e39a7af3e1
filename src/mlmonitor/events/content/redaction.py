"""Decide how the values of each field are sent: unchanged, without rare names, hashed, or not."""

from collections.abc import Callable, Collection
from enum import Enum

import numpy as np

from mlmonitor.aggregate.sketches.categories import NEW, OTHER, Dictionary
from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.read.numbers import category_names, lookup_values, name_or_none
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.capture.values import Values
from mlmonitor.events.event_options import EventOptions
from mlmonitor.formats.events import clean_text
from mlmonitor.formats.reference import FieldEntry
from mlmonitor.records import Role
from mlmonitor.reference.disclosure import LEAST_ROWS
from mlmonitor.reference.personal_values import is_personal

Cell = float | str | bool | None
Hash = Callable[[str], str]


class Disclosure(Enum):
    """The form in which the values of a field are sent."""

    VALUES = "values"
    NAMES = "names"
    """Values, without the names of categories that occur in fewer than five rows."""
    HASHES = "hashes"
    NOTHING = "nothing"


def disclose(entry: FieldEntry, options: EventOptions, public: Collection[str]) -> Disclosure:
    """Decide in which form the values of a field are sent.

    Values of a field that looks like ids are withheld, unless the user declared it public.
    """
    name = entry.name
    is_derived = entry.role == Role.DERIVED.value
    source = name.rpartition(".")[0] if is_derived else name
    if not (options.has_field(name) or (is_derived and options.has_field(source))):
        return Disclosure.NOTHING
    if {name, source} & options.redact:
        return Disclosure.NOTHING
    if name in options.hashed:
        return Disclosure.HASHES
    if getattr(entry, "public", False) or (name in public and entry.role == Role.FEATURE.value):
        return Disclosure.VALUES
    if entry.is_id_like or {source} & options.hashed:
        return Disclosure.NOTHING
    return Disclosure.NAMES


class CategoryNames:
    """Converts the categories of one field to the names that are sent.

    Promise: a value is sent as its bin in the reference: a category, a group of categories or
        `__other__`. A new category is sent as `__new__`, and by its name after it has occurred in
        `least_rows` rows.
    Price: the memory of `_MOST_NEW` names.
    """

    _MOST_NEW = 1_000

    def __init__(self, dictionary: Dictionary, *, least_rows: int = LEAST_ROWS) -> None:
        self._dictionary, self._least_rows = dictionary, least_rows
        named: list[Cell] = [clean_text(name) for name in dictionary.top]
        if dictionary.is_boolean:
            named = [name == "true" for name in dictionary.top]
        # Codes of refused values are negative, so they index the end of the table.
        refused: list[Cell] = [None] * len(RefusalReason)
        self._table = np.array([*named, OTHER, NEW, *refused], object)
        self._new_code = len(named) + 1
        self._new_rows: dict[str, int] = {}

    def encode(self, values: Values) -> tuple[list[Cell], list[int]]:
        """Return the name of each value, None if missing or refused; and the rows of wrong type."""
        listed = lookup_values(values)
        codes = self._dictionary.encode(listed).codes
        names: list[Cell] = self._table[codes].tolist()
        for row in np.flatnonzero(codes == self._new_code).tolist():
            names[row] = self._name_new(listed[row])
        return names, np.flatnonzero(codes == RefusalReason.WRONG_TYPE.code).tolist()

    def _name_new(self, value: object) -> str:
        """Count a row of a new category; return its name if it has occurred often enough."""
        name = name_or_none(value, category_name)
        if name is None or (self._least_rows > 1 and is_personal(name)):
            return NEW
        rows = self._new_rows.get(name, 0) + 1
        if rows > 1 or len(self._new_rows) < self._MOST_NEW:
            self._new_rows[name] = rows
        return clean_text(name) if rows >= self._least_rows else NEW


def hash_values(values: Values, hash_text: Hash) -> list[Cell]:
    """Return a hash of the name of each value; None if a value is missing or has no name."""
    names = category_names(values)
    hashes = {name: hash_text(name) for name in set(names) if name is not None}
    return [None if name is None else hashes[name] for name in names]
