"""Determine the kinds of training columns: as declared, or as most values suggest."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np

from mlmonitor.capture.canonical import canonical, is_missing
from mlmonitor.capture.values import Duration, Instant, Values
from mlmonitor.errors import SchemaError
from mlmonitor.formatting import ask_similar, describe_kind
from mlmonitor.records import Field, Kind

log: logging.Logger = logging.getLogger("mlmonitor")

_SAMPLE = 1_000
_MOST = 0.95
_EXAMPLES = {"numbers": "column.astype(float)", "dates": "pandas.to_datetime(column)"}

_BY_DTYPE = {
    "b": Kind.BOOLEAN,
    "i": Kind.NUMERIC,
    "u": Kind.NUMERIC,
    "f": Kind.NUMERIC,
    "m": Kind.NUMERIC,
    "M": Kind.DATETIME,
    "U": Kind.CATEGORICAL,
    "S": Kind.CATEGORICAL,
    "T": Kind.CATEGORICAL,
}
_BY_FORM = {
    bool: Kind.BOOLEAN,
    int: Kind.NUMERIC,
    float: Kind.NUMERIC,
    Duration: Kind.NUMERIC,
    Instant: Kind.DATETIME,
    str: Kind.CATEGORICAL,
}


def infer_kind(name: str, values: Values) -> Kind | None:
    """Return the kind of most values of a column, or None if all are missing.

    Raises:
        SchemaError: most values are of a type that has no kind.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        kind = _BY_DTYPE.get(values.dtype.kind)
        if values.dtype.kind in "fMm" and np.all(np.isnan(np.asarray(values))):
            return None
    else:
        counts = _count_kinds(list(values))
        if not counts:
            return None
        if set(counts) == {Kind.BOOLEAN, Kind.NUMERIC}:
            return Kind.NUMERIC
        kind = counts.most_common(1)[0][0]
    if kind is None:
        raise SchemaError(
            f"column {name!r}: expected numbers, text, booleans, datetimes or durations; leave it "
            "out, convert it to one of these, or, if it holds vectors, declare "
            f"schema={{{name!r}: 'embedding'}}"
        )
    return kind


def _count_kinds(values: list[object]) -> Counter[Kind | None]:
    """Count the values of each kind; values are grouped by type, of which a column has few."""
    counts: Counter[Kind | None] = Counter()
    types = [*map(type, values)]
    if types.count(str) == len(types) > 0:  # the usual case, without two passes over the values
        return Counter({Kind.CATEGORICAL: len(types)})
    examples = dict(zip(types, values, strict=True))
    for kind, total in Counter(types).items():
        count, example = total, examples[kind]
        if _may_be_missing(kind):
            present = [value for value in values if type(value) is kind and not is_missing(value)]
            if not present:
                continue
            count, example = len(present), present[0]
        counts[_infer_value_kind(example)] += count
    return counts


def _may_be_missing(kind: type) -> bool:
    """Whether a value of this type may be missing, such as NaN among floats."""
    return kind not in (int, str, bool)


def _infer_value_kind(value: object) -> Kind | None:
    try:
        form = canonical(value)
    except Exception:  # noqa: BLE001 - the host's object may raise anything
        return None
    if isinstance(value, Enum) and not isinstance(value, Number) and _BY_FORM.get(type(form)):
        return Kind.CATEGORICAL
    return _BY_FORM.get(type(form))


def kinds_of(schema: Any) -> dict[str, Kind]:
    """Return the declared kind of each column; raise SchemaError unless all are known kinds."""
    kind_names = ", ".join(kind.value for kind in Kind)
    if not isinstance(schema, Mapping):
        given = describe_kind(schema)
        raise SchemaError(
            f"schema: expected a mapping of column to one of {kind_names}, got {given}"
        )
    kinds = {}
    for name, kind in schema.items():
        try:
            kinds[str(name)] = Kind(kind)
        except ValueError:
            given = (
                ask_similar(kind, Kind) if isinstance(kind, str) else f", got {describe_kind(kind)}"
            )
            hint = ": a Field belongs in fields=[...]" if isinstance(kind, Field) else ""
            raise SchemaError(
                f"schema: {name!r}: expected one of {kind_names}{given}{hint}"
            ) from None
    return kinds


def warn_of_texts(name: str, names: np.ndarray[Any, Any]) -> None:
    """Log that a column of texts looks like decimal numbers or dates but is categorical.

    Texts that are whole numbers may be codes, so they are not logged.
    names: the category of each row, None where missing.
    """
    present = [text for text in names[:_SAMPLE].tolist() if text is not None]
    for what, is_one in (("numbers", _is_fraction), ("dates", _is_date)):
        if present and sum(map(is_one, present)) >= _MOST * len(present):
            log.warning(
                "reference: column %r holds %s as texts, which are compared as names: convert it "
                "first, as in %s, or declare schema={%r: 'categorical'}",
                *(name[:60], what, _EXAMPLES[what], name[:60]),
            )


def _is_fraction(text: str) -> bool:
    return "." in text and _can_read(float, text)


def _is_date(text: str) -> bool:
    return "-" in text and _can_read(datetime.fromisoformat, text)


def _can_read(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
