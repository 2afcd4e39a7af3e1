"""Statistics of calls, not rows: predictions, errors and latency."""

from collections.abc import Iterable, Sequence
from struct import error as StructError  # noqa: N812 - the name says nothing where it is caught
from struct import pack
from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.exemplars import CallExemplars
from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.aggregate.window import Span, Window
from mlmonitor.capture.entry import DURATION_NS, ERROR, Entry
from mlmonitor.capture.read.rows import columns_of
from mlmonitor.capture.trace_context import Traced
from mlmonitor.records import Block, Field, Floats, Kind, Mask, Role

LATENCY_BOUNDS_SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0)
"""Eleven finite bounds, so twelve buckets: as many as Dynatrace keeps."""

_STAGE_ROWS = 3_072  # with only one field, staging more rows costs no more memory

ERROR_TYPES = 64
NAME_CHARACTERS = 200
OTHER_ERRORS = "__other__"


class TimedCalls(NamedTuple):
    """Calls whose duration is known, in order, with their durations and whether they failed."""

    seconds: Floats
    has_failed: Mask

    @classmethod
    def empty(cls) -> Self:
        """Return an empty sequence of calls."""
        return cls(np.empty(0), np.empty(0, np.bool_))

    def append(self, other: Self) -> Self:
        """Return these calls followed by those of `other`."""
        joined = (np.concatenate(pair) for pair in zip(self, other, strict=True))
        return type(self)(*joined)

    def part(self, start: int, stop: int | None) -> Self:
        """Return the calls in `start:stop`."""
        return type(self)(self.seconds[start:stop], self.has_failed[start:stop])


class CallStats:
    """Predictions by status, errors by their type, and the latency of calls.

    Promise: exact. Types of errors beyond the first `ERROR_TYPES` share one count; long names
    are truncated.
    """

    def __init__(self, span: Span, *, now: float) -> None:
        self.predictions: int = 0
        self.errors: dict[str, int] = {}
        field = Field("duration", Role.KPI, Kind.NUMERIC)
        plan = Plan.build([field], {field: NumericPlan(np.array(LATENCY_BOUNDS_SECONDS))}, {})
        self.latency: Window = Window(plan, span, hitters=1, now=now, stage_rows=_STAGE_ROWS)
        self.fine: ExponentialSketch | None = None
        """All latencies in exponential buckets, if a destination exports those."""
        self.exemplars: CallExemplars = CallExemplars(LATENCY_BOUNDS_SECONDS)

    @property
    def rows(self) -> int:
        """Rows of all calls, failed or not."""
        return self.predictions + sum(self.errors.values())

    def update(self, entries: Sequence[Entry], *, now: float) -> TimedCalls:
        """Add calls that have ended; return those whose duration is known."""
        if not entries:
            self.latency.advance(now)
            return TimedCalls.empty()
        _, _, counts, _, _, durations, errors, _ = columns_of(entries)
        has_errors = errors.count(None) < len(errors)
        if has_errors:
            self._count(zip(errors, counts, strict=True))
        else:
            self.predictions += sum(counts)
        calls = _select_timed(durations, errors if has_errors else None)
        self._update_latency(calls.seconds, now)
        return calls

    def _update_latency(self, seconds: Floats, now: float) -> None:
        if not seconds.size:
            self.latency.advance(now)
            return
        block = Block(seconds.size, seconds[None], np.zeros((1, 3), np.int64), [])
        self.latency.update(block, now=now)
        if self.fine is not None:
            self.fine.update(seconds)

    def update_exemplars(self, entries: Sequence[Entry], time_ns: int) -> None:
        """Store exemplars: the traces of the calls that `update` has counted."""
        traced = [entry for entry in entries if isinstance(entry, Traced)]
        origins = (
            (
                None if entry[DURATION_NS] is None else entry[DURATION_NS] / 1e9,
                None if entry[ERROR] is None else self._name_error(entry[ERROR]),
                entry.origin,
            )
            for entry in traced
        )
        self.exemplars.update(origins, time_ns)

    def _name_error(self, error: str) -> str:
        """Return the name under which errors of a type are counted."""
        name = error[:NAME_CHARACTERS]
        is_known = name in self.errors or len(self.errors) < ERROR_TYPES
        return name if is_known else OTHER_ERRORS

    def _count(self, calls: Iterable[tuple[str | None, int]]) -> None:
        """Count the rows of failed calls by type of error, and of other calls as predictions."""
        for error, rows in calls:
            if error is None:
                self.predictions += rows
            else:
                key = self._name_error(error)
                self.errors[key] = self.errors.get(key, 0) + rows


def _select_timed(
    durations: Sequence[int | None], errors: Sequence[str | None] | None
) -> TimedCalls:
    """Select the calls with a duration, given in nanoseconds. errors: None if no call failed."""
    try:
        packed = pack(f"{len(durations)}d", *durations)  # numpy would take half as long again
    except StructError:  # a call without a duration
        timed = [place for place, duration in enumerate(durations) if duration is not None]
        durations = [durations[place] for place in timed]
        errors = None if errors is None else [errors[place] for place in timed]
        packed = pack(f"{len(durations)}d", *durations)
    seconds = np.frombuffer(packed, np.float64) / 1e9
    if errors is None:
        return TimedCalls(seconds, np.zeros(seconds.size, np.bool_))
    return TimedCalls(seconds, np.fromiter((e is not None for e in errors), np.bool_, seconds.size))
