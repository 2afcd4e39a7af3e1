"""Profiles of Dask data frames: workers count their partitions, and merge profiles in a tree.

Workers need mlmonitor; only profiles are sent between them.
"""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, overload

from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
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
    from dask.dataframe import DataFrame

__all__ = ["profile"]

_FAN_IN = 8
"""Profiles that are merged at once."""


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
    """Count the rows of a Dask data frame in one pass over its partitions.

    Promise: the counts are those of `Profile.of` on all rows, for any partitioning; quantiles
        are as accurate as their digests.
    Price: the memory of a worker holds one partition, and one profile per group.

    Args:
        df: a frame of `dask.dataframe`; the scheduler in use computes it.
        reference: the reference, or the path of its file, which is read in this process.
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
    if not hasattr(df, "to_delayed"):
        raise ConfigError(
            f"df: expected a data frame of dask.dataframe, got {type(df).__name__}; Profile.of "
            "counts rows in memory"
        )
    import dask

    plan = CountingPlan.resolve(
        reference, prediction=prediction, segments=segments, ignore=ignore, at=at, config=config
    )
    names = [str(name) for name in df.columns]
    columns = check_by(by, names)
    plan.check_columns(names, "df")
    count, merge = dask.delayed(_count), dask.delayed(_merge)
    shared = dask.delayed(plan.to_bytes())
    parts = [count(partition, shared, columns) for partition in df.to_delayed()]
    while len(parts) > _FAN_IN:
        parts = [merge(parts[start : start + _FAN_IN]) for start in range(0, len(parts), _FAN_IN)]
    (last,) = dask.compute(merge(parts))
    return collect_profiles(last, by)  # type: ignore[no-any-return]


def _count(partition: Any, plan: bytes, by: tuple[str, ...]) -> list[PartCounts]:
    return list(count_partition([partition], plan, by))


def _merge(parts: list[list[PartCounts]]) -> list[PartCounts]:
    return list(merge_partitions(part for counted in parts for part in counted))
