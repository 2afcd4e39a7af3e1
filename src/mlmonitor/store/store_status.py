"""Describe the content of a store, as lines for a terminal."""

from collections.abc import Iterator
from typing import Any

_MODELS = """
    select t.model, t.model_version, sum(predictions), sum(failed), min(time), max(time),
        a.reference_id is not null
    from mlmonitor.rollup_traffic t
    left join mlmonitor.active_reference a using (model, model_version)
    where span = 'day' and segment = 'all'
    group by t.model, t.model_version, a.reference_id order by 1, 2
"""
_LABELS = """
    select model, model_version, sum(labelled) from mlmonitor.rollup_outcome
    where span = 'day' and dimension = 'all' group by 1, 2
"""
_OFFSETS = """
    select consumer_group, topic, partition, next_offset, updated_at
    from mlmonitor.offsets order by 1, 2, 3
"""
_DEAD_LETTERS = """
    select split_part(reason, ':', 1), count(*) from mlmonitor.dead_letter group by 1 order by 1
"""
_SIZE = """
    select count(*), coalesce(sum(pg_total_relation_size(inhrelid)), 0)
    from pg_inherits where inhparent = 'mlmonitor.prediction'::regclass
"""


def read_store_status(connection: Any) -> Iterator[str]:
    """Yield lines about models, partitions, dead letters and offsets, without reading events."""
    labels = {row[:2]: row[2] for row in connection.execute(_LABELS).fetchall()}
    for model, version, predictions, failed, first, last, is_compared in connection.execute(
        _MODELS
    ).fetchall():
        name = f"{model} {version}".strip()
        days = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
        note = "" if is_compared else ", no reference yet"
        yield (
            f"model    {name}: {predictions:,} predictions, {failed:,} failed, "
            f"{labels.get((model, version), 0):,} labelled, {days}{note}"
        )
    partitions, size = connection.execute(_SIZE).fetchone()
    yield f"rows     {partitions:,} partitions of predictions, {int(size) / 1e6:,.1f} MB"
    waiting = connection.execute("select count(*) from mlmonitor.waiting_label").fetchone()[0]
    yield f"labels   {waiting:,} wait for their prediction"
    for reason, count in connection.execute(_DEAD_LETTERS).fetchall():
        yield f"dead     {count:,} letters: {reason}"
    for group, topic, partition, offset, updated in connection.execute(_OFFSETS).fetchall():
        yield f"offset   {group} {topic}[{partition}] {offset:,} at {updated:%Y-%m-%d %H:%M:%S}"
