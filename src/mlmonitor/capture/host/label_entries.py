"""Labels as the host passes them: columns of ids and actuals."""

from collections.abc import Iterable, KeysView, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Any, NamedTuple, cast

import numpy as np

from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.frame_columns import column_values
from mlmonitor.capture.frames import get_only_column, is_frame, package_of
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.prediction_ids import id_or_none, id_text
from mlmonitor.capture.read.numbers import parse_datetimes
from mlmonitor.capture.values import Values, unmask
from mlmonitor.errors import SchemaError
from mlmonitor.records import Floats

_MOST_SECONDS = 9.2e9  # before or after 1970: the range of nanoseconds in 64 bits


class LabelEntry(NamedTuple):
    """Labels: the id of each prediction, "" if it has none, and its actual value."""

    ids: list[str]
    actuals: Values
    times: Floats | None = None
    """When each label was observed, in seconds since 1970; None means on arrival."""

    def observed_at(self, now: float) -> Floats:
        """Return when each label was observed; `now` where that is unknown."""
        if self.times is None:
            return np.full(len(self.ids), now)
        return np.where(np.isnan(self.times), now, self.times)

    def rows(self, chosen: Sequence[int] | np.ndarray[Any, Any]) -> "LabelEntry":
        """Select labels by position."""
        places = np.asarray(chosen, np.int64)
        ids = [self.ids[place] for place in places.tolist()]
        times = None if self.times is None else self.times[places]
        return LabelEntry(ids, select_rows(self.actuals, places), times)

    def blocks(self, size: int) -> "Iterable[LabelEntry]":
        """Yield the labels in order, at most `size` at a time."""
        for start in range(0, len(self.ids), size):
            stop = start + size
            times = None if self.times is None else self.times[start:stop]
            yield LabelEntry(self.ids[start:stop], self.actuals[start:stop], times)


def select_rows(values: Values, places: np.ndarray[Any, Any]) -> Values:
    """Select values of a column by position."""
    if isinstance(values, np.ndarray):
        chosen: Values = values[places]
        return chosen
    if len(places) == len(values) and np.array_equal(places, np.arange(len(values))):
        return list(values)
    return [values[place] for place in places.tolist()]


def copy_labels(ids: object, actuals: Any, times: object = None) -> LabelEntry:
    """Copy the label of one id, or the labels of many ids in any container.

    Raises:
        SchemaError: there is not one actual for each id, or there are several times but not one for
            each label.
    """
    names = copy_ids(ids)
    if not _are_several(ids):
        return LabelEntry(names, [actuals], _read_label_times(times, 1))
    if is_value(type(actuals)):
        raise SchemaError(
            f"label: expected an actual for each of the {len(names)} ids, got one "
            f"{type(actuals).__name__}"
        )
    values = copy_column(actuals)
    if len(names) != len(values):
        raise SchemaError(
            f"label: expected an actual for each of the {len(names)} ids, got {len(values)}"
        )
    return LabelEntry(names, values, _read_label_times(times, len(names)))


def copy_ids(ids: object) -> list[str]:
    """Copy one id, or the ids in any container, as texts; "" for a value that is not an id.

    Raises:
        SchemaError: the container has no order, or is a frame of several columns.
    """
    if not _are_several(ids):
        return [id_text(ids) or ""]
    if isinstance(ids, Mapping | AbstractSet) and not isinstance(ids, KeysView):
        raise SchemaError(
            f"ids: expected a list or a column, in the order of the values that belong to them, "
            f"got a {type(ids).__name__}"
        )
    column = get_only_column("ids", ids) if is_frame(type(ids)) else ids
    return _convert_names(cast("Iterable[object]", column))


def _are_several(ids: object) -> bool:
    """Whether `ids` is a container, even if it holds a single id."""
    is_many = isinstance(ids, Iterable) and not is_value(type(ids))
    return is_many and getattr(ids, "ndim", 1) != 0


def _read_label_times(times: object, count: int) -> Floats | None:
    if times is None:
        return None
    seconds = read_times(times)
    if seconds.size not in (1, count):
        raise SchemaError(f"label: expected one time, or one for each of the {count} labels")
    return np.broadcast_to(seconds, count)


def read_times(moments: Any) -> Floats:
    """Convert one time or many to seconds since 1970: numbers, datetimes, ISO 8601 texts.

    NaN where a time cannot be read or lies outside the years 1678 to 2261, as a time in
    milliseconds would.
    """
    column = copy_column(moments if _are_many(moments) else [moments], "times")
    numbers = column if isinstance(column, np.ndarray) else np.asarray(column)
    is_seconds = numbers.dtype.kind in "iuf"
    seconds = numbers.astype(np.float64) if is_seconds else parse_datetimes(column)[0]
    return np.where(np.abs(seconds) <= _MOST_SECONDS, seconds, np.nan)


def check_times(argument: str, moments: Any, seconds: Floats | None) -> None:
    """Check given times after their rows have been handed over; missing times count as now.

    seconds: the result of `read_times(moments)`; None if no times were given.

    Raises:
        SchemaError: a time is neither readable nor missing.
    """
    if seconds is None or not np.isnan(seconds).any():
        return
    column = copy_column(moments, "times") if _are_many(moments) else [moments]
    unread = sum(
        is_nan and not is_missing(m) for m, is_nan in zip(column, np.isnan(seconds), strict=False)
    )
    if unread:
        raise SchemaError(
            f"{argument}: expected seconds since 1970 (not milliseconds), datetimes or ISO 8601 "
            f"texts; {unread} of {len(column)} times could not be read and count as now"
        )


def _are_many(moments: Any) -> bool:
    return hasattr(moments, "__len__") and not isinstance(moments, str)


def join_entries(entries: Iterable[LabelEntry]) -> list[LabelEntry]:
    """Join neighbouring entries whose actuals have one type; the order of labels is unchanged."""
    joined = []
    for (dtype, is_timed), group in groupby(entries, key=_make_join_key):
        parts = list(group)
        if len(parts) == 1:
            joined += parts
            continue
        ids = [identity for part in parts for identity in part.ids]
        if not dtype:
            actuals: Values = [value for part in parts for value in part.actuals]
        else:
            actuals = np.concatenate([cast("Any", part.actuals) for part in parts])
        times = [part.times for part in parts if part.times is not None]
        joined.append(LabelEntry(ids, actuals, np.concatenate(times) if is_timed else None))
    return joined


def _make_join_key(entry: LabelEntry) -> tuple[str, bool]:
    """Return what entries must share to be joined: the dtype's name, and whether there are times.

    The dtype itself cannot be compared, because numpy considers float64 equal to None.
    """
    name = str(entry.actuals.dtype) if isinstance(entry.actuals, np.ndarray) else ""
    return name, entry.times is not None


def _convert_names(ids: Iterable[object]) -> list[str]:
    """Convert ids to text; texts are returned unchanged."""
    listed: list[Any] = cast("Any", ids).tolist() if _is_plain(ids) else list(ids)
    kinds = set(map(type, listed))
    if kinds <= {str}:
        return listed
    if kinds <= {int}:
        return list(map(str, listed))
    return [id_or_none(identity) or "" for identity in listed]


def _is_plain(ids: object) -> bool:
    """Whether `tolist` returns Python's own numbers and texts without loss."""
    return isinstance(ids, np.ndarray) and ids.dtype.kind in "iufU" and ids.ndim == 1


def copy_column(values: Any, what: str = "actuals") -> Values:
    """Copy numbers and times as an array, everything else as a list.

    Raises:
        SchemaError: `values` is a frame that does not have exactly one column. The message calls it
            `what`.
    """
    if is_frame(type(values)):
        values = get_only_column(what, values)
    if package_of(type(values)) is not None:
        values = column_values(values)
    dtype = getattr(values, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "iufmM" and getattr(values, "ndim", 1) == 1:
        return np.array(unmask(values) if isinstance(values, np.ndarray) else values)
    listed: list[object] = values.tolist() if hasattr(values, "tolist") else list(values)
    return listed
