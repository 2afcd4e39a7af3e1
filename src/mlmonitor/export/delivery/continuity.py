"""Timestamps that follow the wall clock and still rise within each series of a destination."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.export.base import (
    Attributes,
    Delivered,
    Family,
    Histograms,
    Snapshot,
    has_point,
)
from mlmonitor.export.otlp.acknowledged import AcknowledgedTotals
from mlmonitor.records import Counts, Floats

MOST_AHEAD_NS = 60 * 1_000_000_000
"""New series begin if the newest timestamp is further ahead of the wall clock than this."""
TICK_NS = 1_000_000


class Continuity:
    """The instance id, timestamps and totals that one destination receives from this process.

    Promise: timestamps rise within a series and are at most a minute ahead of the wall clock. If
        the clock is set back by more, new series begin: they have another instance id, and count
        from the last snapshot that was stored completely, so the sum over both instances is exact.
        A destination that refused the wrong timestamps keeps its series.
    Price: the counters and histograms of the last snapshot stored, 8 bytes a number.

    is_delta: whether the destination receives deltas. If so, new series begin even if the wrong
        timestamps were refused: the old series would never send the refused deltas again.
    """

    def __init__(self, *, is_delta: bool) -> None:
        self._is_delta = is_delta
        self._newest_ns = 0  # the newest timestamp that the destination may have
        self._instance: str | None = None
        self._start_ns: int | None = None
        self._is_rebased = False
        self._baseline = AcknowledgedTotals()
        self._stored: Sequence[Family] = ()  # totals of the last snapshot stored completely
        self._fine: dict[tuple[str, Attributes], ExponentialSketch] = {}
        self._unsure = 0  # points since then that may have been stored

    def is_interrupted(self, snapshot: Snapshot) -> bool:
        """Whether the clock was set back so far that this snapshot must begin new series."""
        return self._newest_ns - snapshot.time_unix_ns > MOST_AHEAD_NS

    def begin_series(self, snapshot: Snapshot) -> int:
        """Begin new series; return how many points may be counted in both old and new series."""
        for family in self._stored:
            delta = self._baseline.delta(family, first_ns=0)
            delta.settle(has_point(delta.family.values).nonzero()[0], time_ns=0)
            self._fine.update(_list_fine(family))
        self._is_rebased, self._stored = True, ()
        self._instance = str(uuid.uuid4())
        self._newest_ns = 0
        self._start_ns = max(snapshot.time_unix_ns - MOST_AHEAD_NS, 0)
        unsure, self._unsure = self._unsure, 0
        return unsure

    def adapt(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the instance id, timestamp and totals of this destination."""
        time_ns = snapshot.time_unix_ns
        if self._newest_ns >= time_ns:
            time_ns = self._newest_ns + TICK_NS
        start_ns = snapshot.start_unix_ns if self._start_ns is None else self._start_ns
        if start_ns > time_ns:  # the process started before its clock was set right
            start_ns = self._start_ns = max(time_ns - MOST_AHEAD_NS, 0)
        return replace(
            snapshot,
            instance=self._instance or snapshot.instance,
            start_unix_ns=start_ns,
            time_unix_ns=time_ns,
            families=self._rebase(snapshot.families),
        )

    def book(self, original: Snapshot, time_ns: int, delivered: Delivered | None) -> None:
        """Record the outcome of a snapshot; None means that it is unknown what was stored."""
        if self._is_delta or delivered is None or _may_be_stored(delivered):
            self._newest_ns = max(self._newest_ns, time_ns)
        if delivered is None:
            self._unsure = 0 if self._is_delta else original.size
        elif delivered.accepted and not delivered.failed and not delivered.possibly_doubled:
            self._stored, self._unsure = _copy_totals(original.families), 0
        elif _may_be_stored(delivered):
            self._unsure = delivered.accepted + delivered.possibly_doubled

    def _rebase(self, families: Sequence[Family]) -> Sequence[Family]:
        if not self._is_rebased:
            return families
        return [
            family if family.metric.kind == "gauge" else self._subtract(family)
            for family in families
        ]

    def _subtract(self, family: Family) -> Family:
        rebased = self._baseline.delta(family, first_ns=0).family
        values, rest = family.values, rebased.values
        if not (isinstance(values, Histograms) and isinstance(rest, Histograms) and values.fine):
            return rebased
        keys = ((family.metric.name, attributes) for attributes in family.series.attributes)
        fine = tuple(
            sketch.since(self._fine.get(key, _NOTHING))
            for key, sketch in zip(keys, values.fine, strict=True)
        )
        return rebased._replace(values=rest._replace(fine=fine))


_NOTHING = ExponentialSketch()


def _may_be_stored(delivered: Delivered) -> bool:
    stored = delivered.accepted + delivered.possibly_lost + delivered.possibly_doubled
    return stored > 0


def _list_fine(family: Family) -> dict[tuple[str, Attributes], ExponentialSketch]:
    values = family.values
    if not isinstance(values, Histograms) or values.fine is None:
        return {}
    rows = zip(family.series.attributes, values.fine, strict=True)
    return {(family.metric.name, attributes): sketch for attributes, sketch in rows}


def _copy_totals(families: Sequence[Family]) -> list[Family]:
    """Copy counters and histograms without exemplars; sketches, which still change, are cloned."""
    return [
        family._replace(values=_copy_fine(family.values), exemplars=())
        for family in families
        if family.metric.kind != "gauge"
    ]


def _copy_fine(values: Floats | Counts | Histograms) -> Floats | Counts | Histograms:
    if not isinstance(values, Histograms) or values.fine is None:
        return values
    return values._replace(fine=tuple(sketch.copy() for sketch in values.fine))
