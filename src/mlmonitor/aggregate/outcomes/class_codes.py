"""Classes as integer codes, in order of appearance."""

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.categories import OTHER
from mlmonitor.capture.canonical import category_name
from mlmonitor.records import ABSENT

NO_CLASS = -1
MOST_CLASSES = 256
"""Further classes share one code, called `__other__`."""

_SHORT = 64

ClassIndex = NDArray[np.int32]


class ClassCodes:
    """Codes of classes, assigned on first appearance.

    Price: 0.05 us for a text in a list of texts, 0.2 us for another short value seen before, 2 us
        for any other. Holds at most `MOST_CLASSES` names, and four cached values for each.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._codes: dict[str, int] = {}
        self._by_value: dict[tuple[type, object] | None, int] = {}
        for name in names:
            self.code(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each code."""
        return tuple(self._codes)

    def encode(self, values: Collection[object]) -> ClassIndex:
        """Return the code of each value, or `NO_CLASS` if it is missing or not a class name."""
        if set(map(type, values)) == {str}:
            by_text = {text: self.code(text) for text in dict.fromkeys(values)}
            return np.fromiter(map(by_text.__getitem__, values), np.int32, len(values))
        memory = self._by_value
        codes = [
            self.code(value) if (code := memory.get(_make_key(value))) is None else code
            for value in values
        ]
        return np.array(codes, np.int32)

    def code(self, value: object) -> int:
        """Return the code of one value; a new name is assigned the next code."""
        name = None if value is ABSENT else _name_if_any(value)
        if name is None:
            return NO_CLASS
        code = self._codes.get(name)
        if code is None:
            if len(self._codes) >= MOST_CLASSES:
                name = OTHER
            code = self._codes.setdefault(name, len(self._codes))
        key = _make_key(value)
        if key is not None and len(self._by_value) < 4 * MOST_CLASSES:
            self._by_value[key] = code
        return code


def _make_key(value: object) -> tuple[type, object] | None:
    """Return the cache key of a plain value; 1, 1.0 and True have different keys."""
    kind = type(value)
    if kind is str:
        return (kind, value) if len(value) <= _SHORT else None  # type: ignore[arg-type]
    return (kind, value) if kind in (int, float, bool) else None


def _name_if_any(value: object) -> str | None:
    try:
        return None if value is None or value != value else category_name(value)  # noqa: PLR0124
    except Exception:  # noqa: BLE001 - a host object that raises is not a class name
        return None
