"""A mergeable uniform sample of rows, drawn in each partition."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.records import Counts, Floats


class RowSample(NamedTuple):
    """A bottom-k sample: each row gets a random priority, and the lowest ones are kept.

    rows: a pandas frame or an arrow table. priorities: one per row, uniform in [0, 1). places:
    int64 `[rows, 2]`, the partition of each row and its index there. seen: the number of rows that
    the sample was drawn from.

    Promise: a uniform sample without replacement, independent of the order of merging; it has all
        rows if they are no more than the limit. Price: memory for twice the limit.
    Source: Cohen and Kaplan, "Summarizing data using bottom-k sketches" (2007).
    """

    rows: Any
    priorities: Floats
    places: Counts
    seen: int

    def cut(self, limit: int) -> "RowSample":
        """Return the `limit` rows with the lowest priorities."""
        if len(self.priorities) <= limit:
            return self
        kept = np.sort(np.argpartition(self.priorities, limit)[:limit])
        return self._select(kept)

    def below(self, bound: float) -> "RowSample":
        """Return the rows whose priority is below a bound."""
        return self if bound >= 1.0 else self._select(np.flatnonzero(self.priorities < bound))

    def sort(self) -> "RowSample":
        """Return the rows ordered by partition and index."""
        return self._select(np.lexsort((self.places[:, 1], self.places[:, 0])))

    def _select(self, kept: Counts) -> "RowSample":
        rows = self.rows.take(kept) if hasattr(self.rows, "column_names") else self.rows.iloc[kept]
        return RowSample(rows, self.priorities[kept], self.places[kept], self.seen)


def sample_partition(
    tables: Iterable[Any], *, partition: int, seed: int, limit: int
) -> RowSample | None:
    """Return the sample of one partition; None if it has no rows."""
    rng = np.random.default_rng([seed, partition])
    samples: list[RowSample] = []
    bound, waiting, seen = 1.0, 0, 0
    for table in tables:
        rows = len(table)
        places = np.stack([np.full(rows, partition), np.arange(seen, seen + rows)], axis=1)
        seen += rows
        own = RowSample(table, rng.random(rows), places, rows).below(bound)
        samples.append(own)
        waiting += len(own.priorities)
        if waiting > 2 * limit:
            samples = [merge_samples(samples, limit)]
            bound, waiting = float(samples[0].priorities.max()), limit
    return merge_samples(samples, limit) if seen else None


def merge_samples(samples: Sequence[RowSample], limit: int) -> RowSample:
    """Merge one or more samples into one of at most `limit` rows."""
    cut = [sample.cut(limit) for sample in samples]
    return RowSample(
        _concatenate([sample.rows for sample in cut]),
        np.concatenate([sample.priorities for sample in cut]),
        np.concatenate([sample.places for sample in cut]),
        sum(sample.seen for sample in cut),
    ).cut(limit)


def _concatenate(frames: Sequence[Any]) -> Any:
    if hasattr(frames[0], "column_names"):
        import pyarrow as pa

        return pa.concat_tables(frames).combine_chunks()
    import pandas as pd

    return pd.concat(frames, ignore_index=True)
