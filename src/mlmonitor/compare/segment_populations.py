"""The segments of one population, each compared with the same segment of the reference."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.segments import Codes, SegmentEncoder
from mlmonitor.aggregate.sketches.categories import OTHER
from mlmonitor.capture.read.refusals import Reasons, refused_counts
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import CodedValues, Values, plain_values
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.drift.row_dependence import find_grouping
from mlmonitor.compare.population import Population
from mlmonitor.gil import yield_gil
from mlmonitor.records import REFUSED, Block, Counts, Role
from mlmonitor.reference.reference import Reference


class SegmentPopulations:
    """One population per segment of a reference and one for the rest, all over one plan.

    The plan is that of all rows, without the kernels of vectors.

    Promise: every row of a block is in exactly one population, so their counts add up to those of
        all rows. The rest is compared if the reference has entries for it; otherwise it is only
        counted.
    Price: the memory of one population for each segment; in time, a sort of the rows by segment and
        a block for each segment that occurs.
    """

    def __init__(
        self,
        reference: Reference,
        roles: Sequence[Role],
        plan: Plan,
        options: ComparisonOptions,
        *,
        now: float,
    ) -> None:
        own = replace(plan, kernels=())  # the kernels of vectors describe only the whole
        entries = [
            reference.entries(roles, segment=place) for place in range(len(reference.segment_names))
        ]
        self.populations: list[Population] = [
            Population(own, of_segment, options, now=now, segment=name)
            for name, of_segment in zip(
                ordered_segment_names(reference), [*entries, []], strict=False
            )
        ]

    def update(self, block: Block, codes: Codes, *, now: float) -> None:
        """Add rows of calls that ended about `now`; `codes` holds the segment of each row."""
        for code, part in split_block(block, codes):
            self.populations[code].update(part, now=now)
            yield_gil()

    def update_groups(self, values: Values | None, codes: Codes) -> None:
        """Add the groups of rows in these segments; `values` is None if the rows have no groups."""
        if values is None:
            return
        listed = plain_values(values)
        for code in np.unique(codes).tolist():
            chosen = np.flatnonzero(codes == code).tolist()
            self.populations[code].update_groups([listed[row] for row in chosen])

    def count_only(self, block: Block, codes: Codes) -> None:
        """Count rows without comparing them, because they became the reference."""
        for code, part in split_block(block, codes):
            self.populations[code].count_only(part)


class SegmentTally:
    """Predictions and failed rows of each segment since the start."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self.predictions: Counts = np.zeros(len(self.names), np.int64)
        self.failed: Counts = np.zeros(len(self.names), np.int64)

    def count(self, rows: Rows, codes: Codes) -> None:
        """Add rows with these segments; failed rows count in their own segment."""
        has_failed = np.array(rows.failed or [False] * rows.count, np.bool_)
        size = len(self.names)
        self.predictions += np.bincount(codes[~has_failed], minlength=size)
        self.failed += np.bincount(codes[has_failed], minlength=size)


class Segmentation:
    """The rows of features and predictions by segment: encoded, compared and counted."""

    def __init__(self, reference: Reference, split: SegmentPopulations) -> None:
        segments = [values for values in reference.segment_values if values is not None]
        self._codes = SegmentEncoder(reference.segments, segments)
        self.tally: SegmentTally = SegmentTally(ordered_segment_names(reference))
        self.split: SegmentPopulations = split

    def codes(self, rows: Rows) -> Codes:
        """The segment of each row."""
        return self._codes.encode(rows)

    def update(self, block: Block, rows: Rows, codes: Codes, *, now: float) -> None:
        """Add rows of calls that ended about `now`, read as `block`."""
        self.split.update(block, codes, now=now)
        self.tally.count(rows, codes)

    def count_only(self, block: Block, rows: Rows) -> None:
        """Count rows without comparing them, because they became the reference."""
        codes = self.codes(rows)
        self.split.count_only(block, codes)
        self.tally.count(rows, codes)

    @property
    def nbytes(self) -> int:
        """Memory of the encoder; that of `split` is counted with its populations."""
        return self._codes.nbytes


def ordered_segment_names(reference: Reference) -> tuple[str, ...]:
    """The names of the segments in the order of their codes, the rest last."""
    names = reference.segment_names
    return names if names and names[-1] == OTHER else (*names, OTHER)


def share_alpha(
    options: ComparisonOptions, reference: Reference | None, *, has_segments: bool
) -> ComparisonOptions:
    """Return the options for a reference: with its groups, and `alpha` shared by all fields.

    The fields of each segment count as well.
    """
    if reference is None:
        return options
    populations = 1 + len(reference.segment_names) * has_segments
    grouping = find_grouping(reference, options.groups)
    return replace(options.shared(reference.monitored * populations), grouping=grouping)


def split_block(block: Block, codes: Codes) -> Iterator[tuple[int, Block]]:
    """Yield the code of each segment that occurs, and a block of its rows in their original order.

    The blocks have no `kernels`.
    """
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    numeric = block.numeric[:, order]
    reasons = None if block.reasons is None else block.reasons[:, order]
    refused = _order_reasons(block, order) if reasons is None else reasons
    no_refusals = np.zeros((len(numeric), len(REFUSED)), np.int64)
    rows = order.tolist()
    columns: list[Sequence[object]] = [
        values.select_rows(order)
        if isinstance(values, CodedValues)
        else [values[row] for row in rows]
        for values in block.categorical
    ]
    stops = [*starts[1:].tolist(), block.rows]
    for code, start, stop in zip(present.tolist(), starts.tolist(), stops, strict=True):
        own = slice(start, stop)
        yield (
            code,
            Block(
                stop - start,
                np.ascontiguousarray(numeric[:, own]),
                no_refusals if refused is None else refused_counts(refused[:, own]),
                [column[own] for column in columns],
            ),
        )


def _order_reasons(block: Block, order: Codes) -> Reasons | None:
    """Assign a block's counts of refused values to its rows; return the reasons in this order.

    None if no value was refused.
    """
    if not block.refused.any():
        return None
    reasons = np.zeros(block.numeric.shape, np.int8)
    marks = np.arange(1, len(REFUSED) + 1, dtype=np.int8)
    for place in np.flatnonzero(block.refused.any(axis=1)).tolist():
        rows = np.flatnonzero(np.isnan(block.numeric[place]))
        counted = np.repeat(marks, block.refused[place])
        reasons[place, rows[: counted.size]] = counted[: rows.size]
    return reasons[:, order]
