"""What kind a column of training data is of, as most of its values are."""

from collections import Counter
from datetime import date
from numbers import Number

import numpy as np

from mlmonitor.aggregate.sketches.categories import category_name
from mlmonitor.capture.values import Values, is_missing
from mlmonitor.errors import SchemaError
from mlmonitor.records import Kind

_BY_DTYPE = {
    "b": Kind.BOOLEAN,
    "i": Kind.NUMERIC,
    "u": Kind.NUMERIC,
    "f": Kind.NUMERIC,
    "M": Kind.DATETIME,
    "U": Kind.CATEGORICAL,
    "S": Kind.CATEGORICAL,
    "T": Kind.CATEGORICAL,
}


def known_kind(name: str, values: Values) -> Kind | None:
    """The kind that most values of a column are of; None where all are missing.

    Raises:
        SchemaError: its values are of no kind known here.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        kind = _BY_DTYPE.get(values.dtype.kind)
        if values.dtype.kind in "fM" and kind is not None:
            return None if np.all(np.isnan(np.asarray(values))) else kind
    else:
        found = _kinds_of(list(values))
        if not found:
            return None
        if set(found) == {Kind.BOOLEAN, Kind.NUMERIC}:
            return Kind.NUMERIC
        kind = found.most_common(1)[0][0]
    if kind is None:
        raise SchemaError(
            f"column {name!r}: expected numbers, text, booleans or datetimes; leave it out, turn "
            f"it into numbers first, or, if it holds vectors, say schema={{{name!r}: 'embedding'}}"
        )
    return kind


def _kinds_of(values: list[object]) -> Counter[Kind | None]:
    """How many values are of each kind: told by their types, of which there are few."""
    found: Counter[Kind | None] = Counter()
    examples = dict(zip(map(type, values), values, strict=True))
    for kind, count in Counter(map(type, values)).items():
        if issubclass(kind, float | np.floating | np.datetime64 | np.timedelta64):
            count = sum(type(value) is kind and not is_missing(value) for value in values)  # noqa: PLW2901 - NaN is of a type, too
        elif is_missing(examples[kind]):
            continue
        if count:
            found[_kind_of(examples[kind])] += count
    return found


def _kind_of(value: object) -> Kind | None:
    if isinstance(value, bool | np.bool_):
        return Kind.BOOLEAN
    if isinstance(value, complex | np.complexfloating | np.timedelta64):
        return None
    if isinstance(value, Number):
        return Kind.NUMERIC
    if isinstance(value, date | np.datetime64):
        return Kind.DATETIME
    return None if category_name(value) is None else Kind.CATEGORICAL
