"""Count rows with the code that a service runs, as if all were predicted at one moment."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from mlmonitor import options
from mlmonitor.aggregate.window import Span
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.host.batch_slices import RecordedBatch
from mlmonitor.capture.host.host_capture import HostCapture
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.prediction_ids import prediction_id
from mlmonitor.capture.read.rows import Rows, read_rows
from mlmonitor.capture.read.run_mistakes import find_row_fault
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.traffic import Comparing
from mlmonitor.display.progress import ProgressLine
from mlmonitor.errors import SchemaError
from mlmonitor.fleet.key_split import Key, find_keys, select_rows_at
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.fleet.row_chunks import RowChunk
from mlmonitor.profiling.counting_plan import CountingPlan
from mlmonitor.records import Declared, Role

_BUFFER_ROWS = 4 * 16_384  # four entries: see HostCapture
_ALL_ROWS = Span(None, None, 2)

MOST_GROUPS = 1_000
"""The limit of groups of one count; each takes constant memory."""

MOST_ACTIVE = 64
"""The number of groups that stay ready to count; a row of another group has to set it up."""


class ChunkReader:
    """Reads chunks of rows as a service reads the batches that it records."""

    def __init__(self, plan: CountingPlan) -> None:
        self._inbox = Inbox(_BUFFER_ROWS)
        schema = {f.name: f.kind for f in plan.counted.fields if f.role is Role.FEATURE}
        recorder = Recorder(
            line=self._inbox.calls,
            clock=time.perf_counter_ns,
            new_id=lambda: prediction_id(unix_ms=0, chance=bytes(10)),
            name_late=self._inbox.name_late,
            guard=self._inbox.guard,
            copiers=options.choose_copiers(schema),
        )
        bounded = plan.config.model_copy(update={"buffer_rows": _BUFFER_ROWS, "enabled": True})
        self._capture = HostCapture(recorder, options.list_features(plan.counted), bounded)

    def read(self, chunk: RowChunk) -> Iterator[Rows]:
        """Yield the rows of a chunk, a few thousand at a time.

        Raises:
            SchemaError: the rows cannot be read.
        """
        batch = RecordedBatch(chunk.features, chunk.predictions)
        for entry in self._capture.build_entries(batch, "value", ()):
            rows = read_rows([entry])
            fault = find_row_fault(entry, rows.features) or rows.fault
            if fault is not None:
                raise SchemaError(fault)
            yield rows
        if self._inbox.guard.internal_errors:
            fault = str(self._inbox.guard.last).removeprefix("SchemaError: ")
            raise SchemaError(f"the rows cannot be read: {fault}")


class RowCounting:
    """The counts of some rows over a reference's bins; memory does not grow with the rows."""

    def __init__(self, plan: CountingPlan, reader: ChunkReader | None = None) -> None:
        self._reader = ChunkReader(plan) if reader is None else reader
        self._now = plan.at
        schema = {f.name: f.kind for f in plan.counted.fields if f.role is Role.FEATURE}
        self._comparing = Comparing.begin(
            plan.counted,
            replace(ComparisonOptions.from_config(plan.config), span=_ALL_ROWS),
            Declared(ignore=frozenset(plan.ignore), segments=plan.segments, schema=schema),
            now=plan.at,
        )

    @property
    def rows(self) -> int:
        """The number of counted rows."""
        return self._comparing.population.unevaluated_rows

    def update(self, chunk: RowChunk) -> None:
        """Count the rows of a chunk.

        Raises:
            SchemaError: the rows cannot be read.
        """
        for rows in self._reader.read(chunk):
            self._comparing.update(rows, None, now=self._now)

    def content(self) -> ProfileContent:
        """Return a copy of the counts."""
        return ProfileContent.copy_from(self._comparing, self._now)


class GroupedCounting:
    """The counts of rows, grouped by the values of some columns, in one pass.

    Price: per numeric field, about 3 KiB for each group, and 20 KiB for each of the `MOST_ACTIVE`
    groups seen last.
    """

    def __init__(self, plan: CountingPlan, by: tuple[str, ...]) -> None:
        self._plan, self._by, self._roles = plan, by, plan.roles
        self._reader = ChunkReader(plan)
        names = {field.name for field in plan.counted.fields}
        self._left_out = [name for name in by if name not in names and name != plan.prediction]
        self._active: OrderedDict[Key, RowCounting] = OrderedDict()
        self._counted: dict[Key, ProfileContent | None] = {}

    def update(self, rows: Any) -> None:
        """Count the rows of a pandas frame or an arrow table.

        Raises:
            SchemaError: the rows cannot be read, or belong to too many groups.
        """
        groups = find_keys(rows, self._by)
        if len(self._counted.keys() | {group.key for group in groups}) > MOST_GROUPS:
            raise SchemaError(
                f"by: expected at most {MOST_GROUPS:,} groups: name columns with fewer values, "
                "such as the day and not the time"
            )
        for key, places in groups:
            own = select_rows_at(rows, places, self._left_out)
            self._activate(key).update(self._roles.split(own))

    def _activate(self, key: Key) -> RowCounting:
        """Return the counting of a group; set aside another group if there are too many."""
        if key in self._active:
            self._active.move_to_end(key)
            return self._active[key]
        self._counted.setdefault(key, None)
        if len(self._active) == MOST_ACTIVE:
            self._settle(*self._active.popitem(last=False))
        self._active[key] = RowCounting(self._plan, self._reader)
        return self._active[key]

    def _settle(self, key: Key, counting: RowCounting) -> None:
        """Add new counts of a group to its earlier ones."""
        content, before = counting.content(), self._counted[key]
        if before is not None:
            before.merge(content)
        else:
            self._counted[key] = content

    def drain(self) -> Iterator[tuple[Key, ProfileContent]]:
        """Remove and yield the counts of each group."""
        while self._active:
            self._settle(*self._active.popitem(last=False))
        for key in list(self._counted):
            content = self._counted.pop(key)
            if content is not None:
                yield key, content


def count_chunks(
    plan: CountingPlan, chunks: Iterable[RowChunk], total: int | None
) -> ProfileContent:
    """Count all chunks, with a progress line. total: the number of rows, if known.

    Raises:
        SchemaError: the rows cannot be read.
    """
    counting = RowCounting(plan)
    with ProgressLine("counting rows", total) as line:
        for chunk in chunks:
            counting.update(chunk)
            line.update(counting.rows)
    return counting.content()
