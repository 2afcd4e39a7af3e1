"""Labels as the host passes them: columns of ids and actuals."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

import numpy as np

from mlmonitor.capture.frame_columns import column_values
from mlmonitor.capture.frames import package_of
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.prediction_ids import id_or_none, id_text
from mlmonitor.capture.values import Values, unmask
from mlmonitor.errors import SchemaError


class LabelEntry(NamedTuple):
    """Some labels: the id of each prediction, "" where it names none, and the truth about it."""

    ids: list[str]
    actuals: Values

    def rows(self, chosen: Sequence[int] | np.ndarray[Any, Any]) -> "LabelEntry":
        """The labels at some places."""
        places = np.asarray(chosen, np.int64)
        if isinstance(self.actuals, np.ndarray):
            actuals: Values = self.actuals[places]
        else:
            actuals = [self.actuals[place] for place in places.tolist()]
        return LabelEntry([self.ids[place] for place in places.tolist()], actuals)

    def blocks(self, size: int) -> "Iterable[LabelEntry]":
        """The labels in order, at most `size` at once."""
        for start in range(0, len(self.ids), size):
            stop = start + size
            yield LabelEntry(self.ids[start:stop], self.actuals[start:stop])


def copy_labels(ids: object, actuals: Any) -> LabelEntry:
    """Copy the label of one id, or those of many in any container.

    Raises:
        SchemaError: there is not one actual for each id.
    """
    is_many = isinstance(ids, Iterable) and not is_value(type(ids))
    if not is_many or getattr(ids, "ndim", 1) == 0:
        return LabelEntry([id_text(ids) or ""], [actuals])
    names = _names(cast("Iterable[object]", ids))
    values = _copied(actuals)
    if len(names) != len(values):
        raise SchemaError(
            f"label: expected an actual for each of the {len(names)} ids, got {len(values)}"
        )
    return LabelEntry(names, values)


def join_entries(entries: Iterable[LabelEntry]) -> list[LabelEntry]:
    """The same labels in the same order, in few entries: neighbours of one type become one."""
    joined = []
    for dtype, group in groupby(entries, key=_dtype_name):
        parts = list(group)
        if len(parts) == 1:
            joined += parts
            continue
        ids = [identity for part in parts for identity in part.ids]
        if not dtype:
            actuals: Values = [value for part in parts for value in part.actuals]
        else:
            actuals = np.concatenate([cast("Any", part.actuals) for part in parts])
        joined.append(LabelEntry(ids, actuals))
    return joined


def _dtype_name(entry: LabelEntry) -> str:
    """Of an array its type, of a list nothing. As a name: numpy takes None for a float."""
    return str(entry.actuals.dtype) if isinstance(entry.actuals, np.ndarray) else ""


def _names(ids: Iterable[object]) -> list[str]:
    """The text of each id; texts are ids as they are."""
    listed: list[Any] = cast("Any", ids).tolist() if _is_plain(ids) else list(ids)
    kinds = set(map(type, listed))
    if kinds <= {str}:
        return listed
    if kinds <= {int}:
        return list(map(str, listed))
    return [id_or_none(identity) or "" for identity in listed]


def _is_plain(ids: object) -> bool:
    """Whether numpy lists them as Python's own numbers and texts, without a loss."""
    return isinstance(ids, np.ndarray) and ids.dtype.kind in "iufU" and ids.ndim == 1


def _copied(values: Any) -> Values:
    """Numbers and times as an array of their own, everything else as a list."""
    if package_of(type(values)) is not None:
        values = column_values(values)
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iufmM" and getattr(values, "ndim", 1) == 1:
        return np.array(unmask(values) if isinstance(values, np.ndarray) else values)
    listed: list[object] = values.tolist() if hasattr(values, "tolist") else list(values)
    return listed
