"""Sample the rows of a Spark data frame."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from mlmonitor.reference.distributed.row_sample import RowSample, merge_samples, sample_partition

_PRIORITY, _PARTITION, _ROW = "__mlmonitor_p__", "__mlmonitor_part__", "__mlmonitor_row__"
_SEEN, _SHARD = "__mlmonitor_seen__", "__mlmonitor_shard__"
_OWN = (_PRIORITY, _PARTITION, _ROW, _SEEN, _SHARD)
_SHARDS = 16
"""Number of tasks that merge the samples of partitions, before the driver merges the rest."""


def sample_spark(df: Any, *, seed: int, limit: int) -> RowSample | None:
    """Sample each partition in an executor, and merge in two steps; None if there are no rows."""
    from pyspark.sql import types

    schema = types.StructType(
        [types.StructField(field.name, field.dataType) for field in df.schema.fields]
    )
    schema.add(_PRIORITY, types.DoubleType()).add(_PARTITION, types.LongType())
    schema.add(_ROW, types.LongType()).add(_SEEN, types.LongType())
    schema.add(_SHARD, types.LongType())
    drawn = df.mapInArrow(partial(_sample_batches, seed=seed, limit=limit), schema)
    merged = drawn.repartition(_SHARD).mapInArrow(partial(_merge_batches, limit=limit), schema)
    table = merged.toArrow()
    return _read_sample([table], limit) if table.num_rows else None


def _sample_batches(batches: Iterable[Any], *, seed: int, limit: int) -> Iterator[Any]:
    """Sample the arrow batches of one partition; runs in an executor."""
    import pyarrow as pa
    from pyspark import TaskContext

    context = TaskContext.get()
    partition = 0 if context is None else context.partitionId()
    tables = (pa.Table.from_batches([batch]) for batch in batches)
    sample = sample_partition(tables, partition=partition, seed=seed, limit=limit)
    if sample is not None:
        yield from _write_sample(sample, partition % _SHARDS)


def _merge_batches(batches: Iterable[Any], *, limit: int) -> Iterator[Any]:
    """Merge the samples of several partitions; runs in an executor."""
    import pyarrow as pa

    tables = (pa.Table.from_batches([batch]) for batch in batches)
    sample = _read_sample(tables, limit)
    if sample is not None:
        yield from _write_sample(sample, 0)


def _write_sample(sample: RowSample, shard: int) -> Iterator[Any]:
    """Yield the rows as batches, with extra columns for priorities, places and rows seen.

    Only the row with the lowest priority has the number of rows seen: merging never removes it.
    """
    import pyarrow as pa

    seen = np.zeros(len(sample.priorities), np.int64)
    seen[np.argmin(sample.priorities)] = sample.seen
    columns = [
        *(sample.priorities, sample.places[:, 0], sample.places[:, 1], seen),
        np.full(len(seen), shard),
    ]
    table = sample.rows
    for name, column in zip(_OWN, columns, strict=True):
        table = table.append_column(name, pa.array(column))
    yield from table.to_batches()


def _read_sample(tables: Iterable[Any], limit: int) -> RowSample | None:
    """Read and merge the batches that `_write_sample` wrote in any number of partitions."""
    sample: RowSample | None = None
    for table in tables:
        if not table.num_rows:
            continue
        priorities, partitions, rows, seen = (
            table.column(name).to_numpy().copy() for name in _OWN[:4]
        )
        own = RowSample(
            table.drop_columns(list(_OWN)),
            priorities,
            np.stack([partitions, rows], axis=1),
            int(seen.sum()),
        )
        sample = own if sample is None else merge_samples([sample, own], limit)
    return None if sample is None else sample.cut(limit)
