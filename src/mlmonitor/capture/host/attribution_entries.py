"""Attributions as the host passes them, copied for the worker."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mlmonitor.capture.read.attribution_rows import read_attributions
from mlmonitor.records import Floats


class AttributionEntry(NamedTuple):
    """The attributions of some rows: numbers by feature for one row, or columns for several."""

    rows: int
    by_feature: Mapping[str, Any]


def copy_attributions(given: Any, rows: int, names: Sequence[str]) -> AttributionEntry:
    """Copy attributions; the dict of a single row is copied unchanged and read by the worker.

    Raises:
        SchemaError: the form is not supported, or there is not one value for each row.
    """
    if rows == 1 and type(given) is dict:
        return AttributionEntry(1, given.copy())
    columns: dict[str, Floats] = read_attributions(given, rows, names)
    return AttributionEntry(rows, {name: values.copy() for name, values in columns.items()})
