"""One series of one process, as received."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, Self

from mlmonitor.testing.receiver.backends.backend import Stored
from mlmonitor.testing.receiver.decoding import (
    Attributes,
    Kind,
    Summary,
    Temporality,
    Value,
    WirePoint,
    as_text,
    is_same,
)
from mlmonitor.testing.receiver.temporality import (
    NOT_INCREASING,
    SAME_TIME,
    Amount,
    CumulativeStream,
    DeltaStream,
)


class SeriesKey(NamedTuple):
    """The identity of a series: the backend's name and labels, how it was sent, and by whom."""

    name: str
    labels: tuple[tuple[str, str], ...]
    instance: str
    attributes: Attributes
    kind: Kind
    temporality: Temporality

    @classmethod
    def from_stored(cls, stored: Stored) -> Self:
        """Return the key of a point's series."""
        point = stored.point
        return cls(
            stored.name,
            stored.labels,
            point.source.instance,
            tuple(sorted(point.attributes, key=lambda pair: pair[0])),
            point.metric.kind,
            point.metric.temporality,
        )


class ReceivedSeries:
    """One series of one process.

    name, stored_name: the name that was sent, and the backend's name.
    attributes, labels, resource: the attributes of the point, its labels in the backend, and the
        attributes of the sender.
    values: (start, time, value) of every point in the order of arrival, times in ns since 1970.
    """

    def __init__(self, key: SeriesKey, first: Stored) -> None:
        metric = first.point.metric
        self.name: str = metric.name
        self.stored_name: str = key.name
        self.unit: str = metric.unit
        self.kind: Kind = key.kind
        self.temporality: Temporality = key.temporality
        self.is_monotonic: bool = metric.is_monotonic
        self.instance: str = key.instance
        self.attributes: tuple[tuple[str, str], ...] = _write_as_text(key.attributes)
        self.labels: tuple[tuple[str, str], ...] = key.labels
        self.resource: tuple[tuple[str, str], ...] = _write_as_text(first.point.source.resource)
        self.values: list[tuple[int, int, Value]] = []
        self.newest: int | float | None = None
        self.newest_ns: int = -1
        self._stream = _make_stream(key, is_monotonic=metric.is_monotonic or metric.kind != "sum")
        self._may_fall = not (self.is_monotonic or self.temporality == "delta")
        self._notes: Counter[str] = Counter()

    @property
    def points(self) -> int:
        """The number of points."""
        return len(self.values)

    def add(self, point: WirePoint) -> None:
        """Add a point."""
        self.values.append((point.start_ns, point.time_ns, point.value))
        value = point.value
        if point.is_absent or value is None or isinstance(value, Summary):
            return
        if self._stream is not None:
            self._stream.add(point.start_ns, point.time_ns, value)
        if isinstance(value, int | float) and self._may_fall:
            self._set(point.time_ns, value)

    def amounts(self) -> list[Amount]:
        """Return the amounts that add up to the total; none for gauges and summaries."""
        return [] if self._stream is None else self._stream.amounts()

    def notes(self) -> Counter[str]:
        """Return the number of oddities of its points, by kind."""
        return self._notes if self._stream is None else self._stream.notes()

    def matches(self, name: str, expected: Mapping[str, object]) -> bool:
        """Whether the series has that name and at least these attributes."""
        if name not in (self.name, self.stored_name):
            return False
        levels = (dict(self.attributes), dict(self.labels), dict(self.resource))
        return all(
            any(level.get(key) == _write_wanted(value) for level in levels)
            for key, value in expected.items()
        )

    def __repr__(self) -> str:
        listed = ", ".join(f"{key}={value!r}" for key, value in self.attributes)
        of = f" of {self.instance}" if self.instance else ""
        form = "" if self.temporality == "none" else f"{self.temporality} "
        newest = self.values[-1][2] if self.values else None
        return f"{self.name}{{{listed}}} {form}{self.kind}{of}: {self.points} points, last {newest}"

    def _set(self, time_ns: int, value: float) -> None:
        if time_ns > self.newest_ns:
            self.newest, self.newest_ns = value, time_ns
        elif time_ns < self.newest_ns:
            self._notes[NOT_INCREASING] += 1
        elif not is_same(value, self.newest):
            self._notes[SAME_TIME] += 1


def _make_stream(key: SeriesKey, *, is_monotonic: bool) -> CumulativeStream | DeltaStream | None:
    if key.kind in ("gauge", "summary"):
        return None
    return (
        DeltaStream() if key.temporality == "delta" else CumulativeStream(is_monotonic=is_monotonic)
    )


def _write_as_text(attributes: Attributes) -> tuple[tuple[str, str], ...]:
    return tuple((key, as_text(value)) for key, value in attributes)


def _write_wanted(value: object) -> str:
    return as_text(value) if isinstance(value, bool | int | float | bytes) else str(value)
