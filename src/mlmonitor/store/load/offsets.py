"""Store the offset up to which each partition is loaded, in the transaction of its rows."""

from collections.abc import Iterable, Mapping
from typing import Any

from mlmonitor.errors import MonitorError
from mlmonitor.store.load.decode import PartitionKey

_READ = """
    select topic, partition, next_offset from mlmonitor.offsets
    where consumer_group = %s and (topic, partition) in (
        select * from unnest(%s::text[], %s::int[])
    )
"""
_BEGIN = """
    insert into mlmonitor.offsets (consumer_group, topic, partition, next_offset)
    select %s, topic, partition, 0 from unnest(%s::text[], %s::int[]) as place (topic, partition)
    on conflict do nothing
"""
_LOCK = """
    select topic, partition, next_offset from mlmonitor.offsets
    where consumer_group = %s and (topic, partition) in (
        select * from unnest(%s::text[], %s::int[])
    )
    order by topic, partition for update
"""
_ADVANCE = """
    update mlmonitor.offsets o set next_offset = place.next_offset, updated_at = now()
    from unnest(%s::text[], %s::int[], %s::bigint[]) as place (topic, partition, next_offset)
    where o.consumer_group = %s and (o.topic, o.partition) = (place.topic, place.partition)
"""


class Overtaken(MonitorError):
    """Another instance has loaded these partitions further, so this batch must be dropped."""


def read_offsets(
    connection: Any, group: str, places: Iterable[PartitionKey]
) -> dict[PartitionKey, int]:
    """Return the next offset to load from each partition; 0 for a new partition."""
    columns = _list_columns(places)
    connection.execute(_BEGIN, (group, *columns))
    return _by_place(connection.execute(_READ, (group, *columns)).fetchall())


def claim_offsets(connection: Any, group: str, starts: Mapping[PartitionKey, int]) -> None:
    """Lock the partitions of a batch until its transaction ends.

    If another instance still considers itself the owner, it waits for the lock and then gets
    `Overtaken`. So no batch is loaded twice, even if Kafka assigns a partition to two instances.

    Raises:
        Overtaken: the stored offset of a partition is not where the batch starts.
    """
    rows = connection.execute(_LOCK, (group, *_list_columns(starts))).fetchall()
    if _by_place(rows) != dict(starts):
        raise Overtaken("offsets: another instance has already loaded more of these partitions")


def advance_offsets(connection: Any, group: str, ends: Mapping[PartitionKey, int]) -> None:
    """Store the next offset of each partition, in the open transaction."""
    connection.execute(_ADVANCE, (*_list_columns(ends), list(ends.values()), group))


def _list_columns(places: Iterable[PartitionKey]) -> tuple[list[str], list[int]]:
    listed = list(places)
    return [place.topic for place in listed], [place.partition for place in listed]


def _by_place(rows: Iterable[tuple[str, int, int]]) -> dict[PartitionKey, int]:
    return {PartitionKey(topic, partition): offset for topic, partition, offset in rows}
