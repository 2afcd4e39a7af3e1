"""The sliding window of a population: a ring of slices, and shapes of two half windows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.history import History
from mlmonitor.aggregate.panes import Panes
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile, encode
from mlmonitor.aggregate.shapes import Shapes
from mlmonitor.aggregate.sketches.categories import Encoded
from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters
from mlmonitor.aggregate.sketches.moments import valid_counts
from mlmonitor.aggregate.staging import StagingBuffer, slice_block
from mlmonitor.gil import yield_gil
from mlmonitor.records import Block, Counts, Floats

_PROFILE_BYTES = 2_000  # bytes of the objects of a profile, without the contents of its arrays
_SHAPES_BYTES = 1_200  # bytes of the objects of a set of shapes
_FIELD_BYTES = 600  # bytes of the objects that shapes keep for each categorical field


class Span(NamedTuple):
    """The length of a window, in seconds or rows, and the number of its slices."""

    seconds: float | None
    rows: int | None
    panes: int


class View(NamedTuple):
    """A merged window: its profile, and shapes that cover between half and all of it."""

    profile: FieldProfile
    shapes: Shapes


class Window:
    """All statistics of a population: totals since the start, and statistics of the last `span`.

    Promise: `total` counts every row exactly once. `view` covers the last `span`. When a new slice
        (pane) opens, the oldest one is dropped, so the view covers between `panes - 1` and `panes`
        slices. Quantiles are dropped half a span at a time. If a span in rows cannot be divided
        into `panes` slices, there are fewer, and the span is longer by less than one slice.
    Price: `memory_bytes`, constant.
    """

    def __init__(
        self,
        plan: Plan,
        span: Span,
        *,
        hitters: int,
        now: float,
        stage_rows: int = StagingBuffer.ROWS,
    ) -> None:
        self.plan = plan
        self._seconds, self._panes_in_span, self._hitters = span.seconds, span.panes, hitters
        self._pane_rows: int | None = None
        if span.rows is not None:
            self._pane_rows = -(-span.rows // span.panes)
            self._panes_in_span = -(-span.rows // self._pane_rows)
        self._closed = FieldProfile(plan)  # everything but the open slice
        self._panes = Panes(plan, self._panes_in_span - 1)
        self._open = FieldProfile(plan)
        self._shapes = Shapes(plan, hitters), Shapes(plan, hitters)  # older, open half
        self._stage_rows = stage_rows
        self._stage = StagingBuffer(len(plan.schema.numeric), stage_rows)
        self._opened_at = now
        self._panes_in_shape = 0
        self._low = np.full(len(plan.schema), np.inf)
        self._high = np.full(len(plan.schema), -np.inf)

    def update(self, block: Block, *, now: float) -> None:
        """Add rows that were predicted at about `now`, in seconds; `now` must never decrease."""
        self.advance(now)
        if self.plan.season is not None:
            block.season = self.plan.season.at(now)
        start = self._skip_outrun(block)
        while start < block.rows:
            stop = block.rows
            if self._pane_rows is not None:
                stop = min(stop, start + self._pane_rows - self._open.rows)
            self._ingest(slice_block(block, start, stop))
            start = stop
            if self._open.rows == self._pane_rows:
                self._rotate(1)
                self._opened_at = now

    def limit_staging(self, rows: int = StagingBuffer.ROWS) -> None:
        """Stage at most this many rows from now on."""
        self._fold_staged()
        self._stage = StagingBuffer(len(self.plan.schema.numeric), rows)

    def count_only(self, block: Block) -> None:
        """Count rows in the totals but not in the window, as is done with rows of the reference."""
        self._closed.update(block)

    def absorb(self, view: View, *, is_recent: bool = True) -> None:
        """Add rows that other windows of this plan have counted.

        is_recent: whether the rows belong to the last `span`; if not, only the totals count them.
        """
        self._fold_staged()
        if is_recent:
            self._open.merge(view.profile)
            self._shapes[1].merge(view.shapes)
        else:
            self._closed.merge(view.profile)
        numeric, digests = len(self.plan.schema.numeric), view.shapes.digests
        self._low[:numeric] = np.minimum(self._low[:numeric], digests.min)
        self._high[:numeric] = np.maximum(self._high[:numeric], digests.max)
        if view.profile.rows:  # the names of new categories in other windows are unknown
            self._low[numeric:], self._high[numeric:] = -np.inf, np.inf

    def advance(self, now: float) -> None:
        """Open the slice that `now` falls in, and drop slices that are too old."""
        if self._seconds is None:
            return
        length = self._seconds / self._panes_in_span
        passed = int((now - self._opened_at) / length)
        if passed > 0:
            self._opened_at += passed * length
            self._rotate(passed)

    def total(self) -> FieldProfile:
        """Return the profile of all rows since the start."""
        self._fold_staged()
        whole = FieldProfile(self.plan)
        whole.merge(self._closed)
        whole.merge(self._open)
        return whole

    def history(self) -> History:
        """Copy the counts and moments of each slice of the last `span`."""
        self._fold_staged()
        seconds = None if self._seconds is None else self._seconds / self._panes_in_span
        return self._panes.history(self._open, self._opened_at, seconds)

    def view(self) -> View:
        """Return the profile and the shapes of the last `span`."""
        self._fold_staged()
        self._stage.release()
        recent, shapes = self._panes.merged(), Shapes(self.plan, self._hitters)
        recent.merge(self._open)
        for generation in self._shapes:
            shapes.merge(generation)
            yield_gil()
        return View(recent, shapes)

    def drain_extremes(self) -> tuple[Floats, Floats]:
        """Return the smallest and the largest value of each field since the last call.

        For a categorical field these are hashes of the names that are not listed categories; they
        are equal if there was only one such name.
        """
        low, high = self._low, self._high
        self._low, self._high = np.full_like(low, np.inf), np.full_like(high, -np.inf)
        return low, high

    @property
    def memory_bytes(self) -> int:
        """Maximum memory, in bytes: all slices, and the larger of a view and the staged rows."""
        profile, shapes = self._closed.nbytes + _PROFILE_BYTES, self._shapes[0].nbytes
        shapes += _SHAPES_BYTES + _FIELD_BYTES * len(self.plan.schema.categorical)
        panes = self._panes.nbytes + _PROFILE_BYTES
        return panes + 2 * (profile + shapes) + max(profile + shapes, self._stage.nbytes)

    def _skip_outrun(self, block: Block) -> int:
        """Count a block's first rows only in the totals if its later rows alone fill the window.

        These rows never enter the window. Return their number.
        """
        if self._pane_rows is None:
            return 0
        begun, span_rows = self._open.rows, self._pane_rows * self._panes_in_span
        turns = (begun + block.rows - span_rows) // self._pane_rows
        if turns <= 0:
            return 0
        passed = turns * self._pane_rows - begun
        first = slice_block(block, 0, passed)
        self._closed.update(first)
        ordered = np.sort(first.numeric, axis=1)
        self._widen(ordered, valid_counts(ordered))
        numeric = len(self.plan.schema.numeric)
        self._low[numeric:], self._high[numeric:] = -np.inf, np.inf  # their names were not read
        self._rotate(turns)
        return passed

    def new_names(self, field: int) -> HeavyHitters:
        """Return the new categories in the window of the categorical field with this index."""
        hitters = HeavyHitters(self._hitters)
        for shapes in self._shapes:
            hitters.merge(shapes.hitters[field])
        return hitters

    def _ingest(self, block: Block) -> None:
        """Count the categories of some rows in the open slice, and stage their numbers."""
        encoded = encode(block, self.plan)
        self._open.rows += block.rows
        self._open.count_categories(encoded)
        self._open.count_season(block, encoded)
        self._open.count_kernels(block)
        self._shapes[1].count_new(encoded)
        self._widen_names(encoded)
        if block.rows >= self._stage_rows:
            self._fold(np.sort(block.numeric, axis=1), block.refused)
            return
        fitting = min(block.rows, self._stage.room)
        self._stage.add(slice_block(block, 0, fitting))
        if not self._stage.room:
            self._fold_staged()
        if fitting < block.rows:
            self._stage.add(slice_block(block, fitting, block.rows))

    def _fold_staged(self) -> None:
        """Add the staged rows to the open slice."""
        if self._stage.rows:
            self._fold(*self._stage.drain_sorted())

    def _fold(self, ordered: Floats, refused: Counts) -> None:
        valid = valid_counts(ordered)
        self._widen(ordered, valid)
        yield_gil()
        self._open.count_numeric(ordered, valid, refused)
        yield_gil()
        self._shapes[1].digests.update_sorted(ordered, valid)

    def _widen(self, ordered: Floats, valid: Counts) -> None:
        """Update each field's smallest and largest value from a sorted block."""
        filled = np.flatnonzero(valid)
        self._low[filled] = np.minimum(self._low[filled], ordered[filled, 0])
        self._high[filled] = np.maximum(self._high[filled], ordered[filled, valid[filled] - 1])

    def _widen_names(self, categories: Sequence[Encoded]) -> None:
        """Update the extremes of categorical fields from the hashes of unlisted categories."""
        for field, encoded in enumerate(categories, start=len(self.plan.schema.numeric)):
            if encoded.other or encoded.new:
                hashes = [hash(name) >> 11 for name in (*encoded.other, *encoded.new)]
                self._low[field] = min(self._low[field], *hashes)
                self._high[field] = max(self._high[field], *hashes)

    def _rotate(self, passed: int) -> None:
        """Close the open slice and open a new one, `passed` slices later."""
        self._fold_staged()
        self._closed.merge(self._open)
        self._panes.append(self._open, self._opened_at)
        self._open = FieldProfile(self.plan)
        for _ in range(min(passed - 1, self._panes_in_span)):
            self._panes.append(self._open, self._opened_at)  # still empty
        half = max(self._panes_in_span // 2, 1)
        halves, self._panes_in_shape = divmod(self._panes_in_shape + passed, half)
        if self._panes_in_span == 1:  # a single slice has no halves: drop all earlier shapes
            halves *= 2
        for _ in range(min(halves, 2)):
            self._shapes = self._shapes[1], Shapes(self.plan, self._hitters)
