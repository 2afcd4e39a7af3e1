"""The newest pairs of predictions and actuals, in the order in which their labels arrived."""

from typing import Final

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock

KEPT_PAIRS: Final = 1_024


class RecentPairs:
    """Keeps the newest `KEPT_PAIRS` pairs. Price: 40 bytes a pair, and 8 a score."""

    def __init__(self) -> None:
        self.block: OutcomeBlock | None = None

    def ingest(self, block: OutcomeBlock) -> None:
        """Add pairs; drop the oldest ones beyond `KEPT_PAIRS`."""
        newest = cut_pairs(block, slice(-KEPT_PAIRS, None))
        if self.block is not None and newest.rows < KEPT_PAIRS:
            newest = cut_pairs(_join(self.block, newest), slice(-KEPT_PAIRS, None))
        self.block = newest


def cut_pairs(block: OutcomeBlock, rows: slice) -> OutcomeBlock:
    """Return the pairs in a slice of a block."""
    return OutcomeBlock(
        block.predicted[rows],
        block.actual[rows],
        block.predicted_class[rows],
        block.actual_class[rows],
        block.scores[:, rows],
        {name: values[rows] for name, values in block.means.items()},
    )


def shift_actuals(block: OutcomeBlock, rows: int) -> OutcomeBlock:
    """Pair each prediction with the actual that arrived `rows` rows later; earlier if negative."""
    size = block.rows - abs(rows)
    first, second = slice(max(-rows, 0), max(-rows, 0) + size), slice(max(rows, 0), None)
    ours, theirs = cut_pairs(block, first), cut_pairs(block, second)
    actuals = cut_pairs(theirs, slice(0, size))
    return ours._replace(actual=actuals.actual, actual_class=actuals.actual_class)


def roll_actuals(block: OutcomeBlock, rows: int) -> OutcomeBlock:
    """Pair each prediction with the actual `rows` rows before it, cyclically."""
    return block._replace(
        actual=np.roll(block.actual, rows), actual_class=np.roll(block.actual_class, rows)
    )


def _join(first: OutcomeBlock, second: OutcomeBlock) -> OutcomeBlock:
    return OutcomeBlock(
        np.concatenate([first.predicted, second.predicted]),
        np.concatenate([first.actual, second.actual]),
        np.concatenate([first.predicted_class, second.predicted_class]),
        np.concatenate([first.actual_class, second.actual_class]),
        np.hstack([first.scores, second.scores]),
        {name: np.concatenate([first.means[name], second.means[name]]) for name in first.means},
    )
