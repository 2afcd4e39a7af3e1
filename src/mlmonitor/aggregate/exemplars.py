"""Exemplars: one measurement with its trace, for each bucket, side of a band and type of error."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.capture.entry import ROWS, Entry
from mlmonitor.capture.trace_context import Origin, Traced
from mlmonitor.records import Block, Counts, Floats

_TRACE_BYTES, _SPAN_BYTES = 16, 8
_SLOT = np.dtype(
    [("value", "<f8"), ("time_ns", "<i8"), ("origin", f"V{_TRACE_BYTES + _SPAN_BYTES}")]
)

_Places = tuple[Counts, ...]


class Exemplar(NamedTuple):
    """A value, the time it was read, and the ids of its trace and span as OTLP encodes them."""

    value: float
    time_ns: int
    trace_id: bytes
    span_id: bytes


Exemplars = tuple[tuple[int, Exemplar], ...]
"""Pairs of an index and an exemplar, in the order of indices."""


class ExemplarSlots:
    """The newest exemplar in each of a fixed number of slots. Price: 40 bytes a slot."""

    def __init__(self, *shape: int) -> None:
        self._held: np.ndarray[Any, Any] = np.zeros(shape, _SLOT)

    def put(
        self, places: _Places, values: Floats, origins: np.ndarray[Any, Any], time_ns: int
    ) -> None:
        """Store values in the slots at `places`; of two values for one slot, the later one wins."""
        newest = np.full(self._held.size, -1)  # so that a slot is written only once
        newest[np.ravel_multi_index(places, self._held.shape)] = np.arange(len(values))
        touched = np.flatnonzero(newest >= 0)
        chosen = newest[touched]
        new = np.empty(len(chosen), _SLOT)
        new["value"], new["time_ns"], new["origin"] = values[chosen], time_ns, origins[chosen]
        self._held.reshape(-1)[touched] = new

    def items(self) -> Iterator[tuple[tuple[int, ...], Exemplar]]:
        """Yield the index of each used slot and its exemplar."""
        for place in np.argwhere(self._held["time_ns"] > 0).tolist():
            value, time_ns, origin = self._held[tuple(place)].item()
            ids = bytes(origin)
            yield (
                tuple(place),
                Exemplar(value, time_ns, ids[:_TRACE_BYTES], ids[_TRACE_BYTES:]),
            )

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._held.nbytes


class CallExemplars:
    """One exemplar for each latency bucket, and one for each error type of `CallStats`."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._durations = ExemplarSlots(len(bounds) + 1)
        self._errors: dict[str, Exemplar] = {}

    def update(
        self, calls: Iterable[tuple[float | None, str | None, Origin]], time_ns: int
    ) -> None:
        """Add calls as (duration in seconds, name of the error, trace and span)."""
        timed = []
        for seconds, error, origin in calls:
            ids = _pack_ids(origin)
            if seconds is not None:
                timed.append((bisect_left(self._bounds, seconds), seconds, ids))
            if error is not None:
                trace, span = ids[:_TRACE_BYTES], ids[_TRACE_BYTES:]
                self._errors[error] = Exemplar(1.0, time_ns, trace, span)
        if timed:
            places, values, origins = zip(*timed, strict=True)
            self._durations.put((np.array(places),), np.array(values), _as_column(origins), time_ns)

    @property
    def durations(self) -> tuple[Exemplar, ...]:
        """The exemplars of latencies, oldest first."""
        return tuple(sorted((exemplar for _, exemplar in self._durations.items()), key=_read_time))

    def of_error(self, name: str) -> tuple[Exemplar, ...]:
        """Return the exemplar of a type of error, if there is one, in a tuple."""
        return (self._errors[name],) if name in self._errors else ()


class FieldExemplars:
    """One exemplar for each bin of a numeric field, and one below and one above its band."""

    def __init__(self, plan: Plan) -> None:
        self._edges = plan.edges
        self._low = np.array([numeric.band_low for numeric in plan.numeric]).reshape(-1, 1)
        self._high = np.array([numeric.band_high for numeric in plan.numeric]).reshape(-1, 1)
        self._bins = ExemplarSlots(len(plan.numeric), plan.edges.shape[1] + 1)
        self._sides = ExemplarSlots(len(plan.numeric), 2)

    def update(
        self, block: Block, rows: Sequence[int], origins: Sequence[Origin], time_ns: int
    ) -> None:
        """Add the given rows of a block, each with its trace and span."""
        values = block.numeric[:, rows]
        ids = _as_column([_pack_ids(origin) for origin in origins])
        pairs = zip(self._edges, values, strict=True)
        bins = np.array([edges.searchsorted(column) for edges, column in pairs])
        sides = (values > self._high).astype(np.int64)
        is_known = ~np.isnan(values)
        is_outside = (values < self._low) | (values > self._high)
        for slots, places, chosen in (
            (self._bins, bins, is_known),
            (self._sides, sides, is_outside),
        ):
            field, row = np.nonzero(chosen)
            if field.size:
                slots.put((field, places[chosen]), values[chosen], ids[row], time_ns)

    @property
    def bins(self) -> Exemplars:
        """The exemplars of bins, with the index of their field; oldest first in each field."""
        by_field = [(place[0], exemplar) for place, exemplar in self._bins.items()]
        return tuple(sorted(by_field, key=lambda pair: (pair[0], pair[1].time_ns)))

    @property
    def sides(self) -> Exemplars:
        """The exemplars outside the band, with the index `2 * field + side`; side 0 is below."""
        return tuple(
            (2 * field + side, exemplar) for (field, side), exemplar in self._sides.items()
        )

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._bins.nbytes + self._sides.nbytes


def rows_with_origin(run: Sequence[Entry], last: int) -> tuple[list[int], list[Origin]]:
    """Return which of the `last` rows of a run of calls have their own trace, and those traces.

    Positions count from the first of the `last` rows. A call of several rows has one trace, which
    cannot be attributed to a single row.
    """
    rows, origins, row = [], [], last - sum(entry[ROWS] for entry in run)
    for entry in run:
        if entry[ROWS] == 1 and row >= 0 and isinstance(entry, Traced):
            rows.append(row)
            origins.append(entry.origin)
        row += entry[ROWS]
    return rows, origins


def _pack_ids(origin: Origin) -> bytes:
    trace, span = origin
    return trace.to_bytes(_TRACE_BYTES, "big") + span.to_bytes(_SPAN_BYTES, "big")


def _as_column(ids: Sequence[bytes]) -> np.ndarray[Any, Any]:
    return np.frombuffer(b"".join(ids), _SLOT["origin"])


def _read_time(exemplar: Exemplar) -> int:
    return exemplar.time_ns
