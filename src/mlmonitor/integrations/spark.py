"""Profiles of Spark data frames: executors count their partitions, and merge profiles in a tree.

Executors need mlmonitor and pyarrow; only profiles are sent between them.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, overload

from mlmonitor.config import Config
from mlmonitor.profiling.counting_plan import CountingPlan
from mlmonitor.profiling.partition_counting import (
    By,
    PartCounts,
    check_by,
    collect_profiles,
    count_partition,
    merge_partitions,
)
from mlmonitor.profiling.row_profile import Profile
from mlmonitor.reference.reference import Reference

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["profile"]

_COUNTS, _ERROR, _SHARD = "__mlmonitor_counts__", "__mlmonitor_error__", "__mlmonitor_shard__"
_SHARDS = 16
"""Tasks that merge the profiles of the partitions; the driver merges the tasks' results."""
_TABLE_ROWS = 4 * 16_384


@overload
def profile(
    df: "DataFrame",
    reference: Reference | str | PathLike[str],
    *,
    by: None = None,
    prediction: str | None = ...,
    segments: Sequence[str] = ...,
    ignore: Sequence[str] = ...,
    at: float | None = ...,
    config: Config | None = ...,
) -> Profile: ...


@overload
def profile(
    df: "DataFrame",
    reference: Reference | str | PathLike[str],
    *,
    by: str | Sequence[str],
    prediction: str | None = ...,
    segments: Sequence[str] = ...,
    ignore: Sequence[str] = ...,
    at: float | None = ...,
    config: Config | None = ...,
) -> dict[Any, Profile]: ...


def profile(  # noqa: PLR0913 - all but the rows by keyword
    df: "DataFrame",
    reference: Reference | str | PathLike[str],
    *,
    by: By = None,
    prediction: str | None = None,
    segments: Sequence[str] = (),
    ignore: Sequence[str] = (),
    at: float | None = None,
    config: Config | None = None,
) -> Profile | dict[Any, Profile]:
    """Count the rows of a Spark data frame in one pass over its partitions.

    Promise: the counts are those of `Profile.of` on all rows, for any partitioning; quantiles
        are as accurate as their digests.
    Price: the memory of an executor holds a few thousand rows, and one profile per group. One
        shuffle of profiles, about 3 KiB per numeric field and partition.

    Args:
        df: the rows; columns that are neither in the reference nor in `by` count as unknown.
        reference: the reference, or the path of its file, which is read on the driver.
        by: a column name, or a list of names, whose values split the rows into at most 1,000
            groups. Then a dict of one profile per group is returned, keyed by the value of the
            column, or by a tuple of values for a list.
        prediction: the column of the predictions, if its name differs from that in training.
        segments: the features that split the rows, as in `Monitor`.
        ignore: columns to leave out.
        at: when the rows were predicted, in seconds since 1970; by default now.
        config: as in `Profile.of`.

    Raises:
        ConfigError: an argument is wrong, or the frame has no column of the reference.
        SchemaError: the rows cannot be read, or `by` gives too many groups.
    """
    plan = CountingPlan.resolve(
        reference, prediction=prediction, segments=segments, ignore=ignore, at=at, config=config
    )
    columns = check_by(by, df.columns)
    plan.check_columns(df.columns, "df")
    keys = ", ".join(f"`{name}` {_describe_type(df, name)}" for name in columns)
    schema = f"{keys + ', ' if keys else ''}{_COUNTS} binary, {_ERROR} string, {_SHARD} int"
    count = partial(_count_batches, plan=plan.to_bytes(), by=columns)
    parts = df.mapInArrow(count, schema).repartition(_SHARD, *columns)
    merged = parts.mapInArrow(partial(_merge_batches, by=columns), schema)
    return collect_profiles(_read_parts(merged.toArrow(), columns), by)  # type: ignore[no-any-return]


def _describe_type(df: "DataFrame", name: str) -> str:
    return str(df.schema[name].dataType.simpleString())


def _count_batches(batches: Iterable[Any], *, plan: bytes, by: tuple[str, ...]) -> Iterator[Any]:
    """Count the arrow batches of a partition, in an executor."""
    from pyspark import TaskContext

    context = TaskContext.get()
    shard = 0 if context is None else context.partitionId() % _SHARDS
    kinds: dict[str, Any] = {}
    tables = _join_batches(_note_types(batches, by, kinds))
    yield from _write_parts(count_partition(tables, plan, by), kinds, shard)


def _merge_batches(batches: Iterable[Any], *, by: tuple[str, ...]) -> Iterator[Any]:
    """Merge the profiles of some partitions, in an executor."""
    kinds: dict[str, Any] = {}
    noted = _note_types(batches, by, kinds)
    parts = (part for batch in noted for part in _read_parts(batch, by))
    yield from _write_parts(merge_partitions(parts), kinds, 0)


def _note_types(
    batches: Iterable[Any], by: tuple[str, ...], types: dict[str, Any]
) -> Iterator[Any]:
    """Yield the batches, and store the arrow types of the key columns in `types` for the output."""
    for batch in batches:
        types.update({name: batch.schema.field(name).type for name in by})
        yield batch


def _join_batches(batches: Iterable[Any]) -> Iterator[Any]:
    """Concatenate small batches to tables, so that texts are dictionary-encoded less often."""
    import pyarrow as pa

    waiting: list[Any] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= _TABLE_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting, rows = [], 0
    if rows:
        yield pa.Table.from_batches(waiting)


def _write_parts(parts: Iterable[PartCounts], types: dict[str, Any], shard: int) -> Iterator[Any]:
    """Yield one arrow batch of one row per part; the key of an error is null."""
    import pyarrow as pa

    for part in parts:
        keys = part.key or (None,) * len(types)
        columns = [
            *(pa.array([value], kind) for value, kind in zip(keys, types.values(), strict=True)),
            pa.array([part.counts], pa.binary()),
            pa.array([part.error], pa.string()),
            pa.array([shard], pa.int32()),
        ]
        yield pa.RecordBatch.from_arrays(columns, [*types, _COUNTS, _ERROR, _SHARD])


def _read_parts(rows: Any, by: tuple[str, ...]) -> Iterator[PartCounts]:
    """Yield the parts in an arrow batch or table."""
    keys = [rows.column(name).to_pylist() for name in by]
    for place in range(rows.num_rows):
        counts, error = rows.column(_COUNTS)[place].as_py(), rows.column(_ERROR)[place].as_py()
        yield PartCounts(tuple(column[place] for column in keys), counts, error)
