"""Normalise class values: booleans, 0 and 1 are converted to the form of the model's classes."""

from collections.abc import Collection
from typing import Any

import numpy as np

from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.read.numbers import name_or_none
from mlmonitor.capture.values import Values, plain_values

_NUMBERS: dict[str | None, object] = {"true": 1, "false": 0}
_TRUTHS: dict[str | None, object] = {"1": True, "0": False}
_BOOLEANS = frozenset({bool, np.bool_})


def unify_classes(values: Values, names: Collection[str]) -> Values:
    """Convert booleans to numbers, or 0 and 1 to booleans, to match the names of the classes.

    names: names of the classes. If they contain both forms or neither, values stay unchanged.
    Price: a check of the types; 2 us a value if some may have to change.
    """
    has_numbers, has_truths = (not form.keys().isdisjoint(names) for form in (_TRUTHS, _NUMBERS))
    if has_numbers == has_truths:
        return values
    listed: list[Any] = list(plain_values(values))
    types = set(map(type, listed))
    if types <= _BOOLEANS if has_truths else types.isdisjoint(_BOOLEANS):
        return values
    other_form = _TRUTHS if has_truths else _NUMBERS
    return [other_form.get(name_or_none(value, category_name), value) for value in listed]
