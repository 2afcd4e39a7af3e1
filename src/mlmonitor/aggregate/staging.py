"""A buffer that collects rows until there are enough for an efficient sort."""

import numpy as np

from mlmonitor.records import Block, Counts, Floats


class StagingBuffer:
    """Buffers the numeric values of at most `limit` rows, field by field.

    Every block has a fixed cost, so sorting a thousand rows at once takes a third of the time of
    ten blocks of a hundred. Price: `8 * limit` bytes a field.
    """

    ROWS = 1_168

    __slots__ = ("_fields", "_limit", "_refused", "_values", "rows")

    def __init__(self, fields: int, limit: int = ROWS) -> None:
        self.rows: int = 0
        self._limit = limit
        self._fields = fields
        self._refused: Counts = np.zeros((fields, 3), np.int64)
        self._values: Floats | None = None

    @property
    def room(self) -> int:
        """The number of rows that still fit."""
        return self._limit - self.rows

    def add(self, block: Block) -> None:
        """Append a block, which must have at most `room` rows."""
        if self._values is None:
            self._values = np.empty((self._fields, self._limit))
        self._values[:, self.rows : self.rows + block.rows] = block.numeric
        self._refused += block.refused
        self.rows += block.rows

    def drain_sorted(self) -> tuple[Floats, Counts]:
        """Empty the buffer: return its rows as a sorted block, and the counts of refused values."""
        if self._values is None:
            return np.empty((self._fields, 0)), self._refused
        ordered, refused = self._values[:, : self.rows], self._refused
        if self.rows < self._limit:
            ordered = np.sort(ordered, axis=1)
        else:
            ordered.sort(axis=1)
        self.rows, self._refused = 0, np.zeros_like(refused)
        return ordered, refused

    def release(self) -> None:
        """Free the memory if the buffer is empty."""
        if self.rows == 0:
            self._values = None

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, while rows are staged."""
        return 8 * self._fields * self._limit + self._refused.nbytes


def slice_block(block: Block, start: int, stop: int) -> Block:
    """Return some rows of a block; a slice from row 0 has the refused counts of the whole block."""
    if start == 0 and stop == block.rows:
        return block
    refused = block.refused if start == 0 else np.zeros_like(block.refused)
    categorical = [values[start:stop] for values in block.categorical]
    numeric, kernels = block.numeric[:, start:stop], block.kernels[:, start:stop]
    return Block(stop - start, numeric, refused, categorical, season=block.season, kernels=kernels)
