"""Count partitions of a distributed frame, and merge their counts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mlmonitor.errors import ConfigError, MonitorError, SchemaError
from mlmonitor.fleet.key_split import Key
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.profiling.counting_plan import CountingPlan
from mlmonitor.profiling.row_counting import GroupedCounting
from mlmonitor.profiling.row_profile import Profile, wrap_content

By = str | Sequence[str] | None
"""The columns that rows are split by: a name, or several names, which give tuples as keys."""


class PartCounts(NamedTuple):
    """One group's counts in a partition, as the bytes of a profile; or an error instead."""

    key: Key
    counts: bytes | None
    error: str | None = None


def check_by(by: By, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that rows are split by; raise ConfigError if one does not exist."""
    columns = () if by is None else (by,) if isinstance(by, str) else tuple(by)
    for name in columns:
        if name not in names:
            raise ConfigError(f"by: there is no column {name!r}")
    if by is not None and not columns:
        raise ConfigError("by: expected the name of a column, or several")
    return columns


def count_partition(
    tables: Iterable[Any], plan: bytes, by: tuple[str, ...]
) -> Iterator[PartCounts]:
    """Yield the counts of each group in a partition; nothing for an empty partition.

    An error of this library is yielded instead of all counts, to be raised by `collect_profiles`.
    Memory: one table, and one profile per group.
    """
    counting = GroupedCounting(CountingPlan.from_bytes(plan), by)
    try:
        for table in tables:
            counting.update(table)
    except MonitorError as error:
        yield PartCounts((), None, str(error))
        return
    for key, content in counting.drain():
        yield PartCounts(key, content.to_bytes(is_redacted=False))


def merge_partitions(parts: Iterable[PartCounts]) -> Iterator[PartCounts]:
    """Yield the merged counts of each group; if a partition failed, yield only its error.

    Memory: one profile per group, and one more.
    """
    merged: dict[Key, ProfileContent] = {}
    for part in parts:
        if part.counts is None:
            yield part
            return
        content = ProfileContent.from_bytes(part.counts)
        if content is None:
            continue
        if part.key in merged:
            merged[part.key].merge(content)
        else:
            merged[part.key] = content
    for key, content in merged.items():
        yield PartCounts(key, content.to_bytes(is_redacted=False))


def collect_profiles(parts: Iterable[PartCounts], by: By) -> Any:
    """Return the profile of all rows or, with `by`, a dict of profiles sorted by key.

    Raises:
        SchemaError: a partition could not be counted.
    """
    profiles: dict[Key, Profile] = {}
    for part in merge_partitions(parts):
        content = None if part.counts is None else ProfileContent.from_bytes(part.counts)
        if content is None:
            raise SchemaError(part.error)
        profiles[part.key] = wrap_content(content)
    if by is None:
        return profiles.get((), Profile())
    ordered = sorted(profiles, key=lambda key: [_rank_value(value) for value in key])
    return {key[0] if isinstance(by, str) else key: profiles[key] for key in ordered}


def _rank_value(value: Any) -> tuple[Any, ...]:
    """Return a sort key that groups values by type, because types may not compare; None is last."""
    return (True,) if value is None else (False, type(value).__name__, value)
