"""Write a batch in one transaction: rows, rollups, dead letters and offsets."""

from dataclasses import dataclass, field
from typing import Any

from mlmonitor.formats.events import (
    MATCH_MISSED,
    PredictionBlock,
    StagingSchema,
    encode_copy,
    encode_predictions,
)
from mlmonitor.store.database import sqlstate
from mlmonitor.store.load.copy import copy_new, merge
from mlmonitor.store.load.dead_letters import DeadLetterTopic, insert_dead_letters
from mlmonitor.store.load.decode import (
    SCHEMAS,
    DeadLetter,
    Decoder,
    EventBatch,
)
from mlmonitor.store.load.offsets import advance_offsets, claim_offsets
from mlmonitor.store.load.rollups import PlanCache, Version, roll_up

_DATA_CLASSES = ("21", "22", "23", "54")
"""SQLSTATE classes of errors that the data causes: trying the batch again would not help."""
_REPLAYED_BATCHES = 20
_PARTITIONED: tuple[StagingSchema, ...] = ("label", "kpi")


@dataclass(slots=True)
class LoadCounts:
    """Counts of a loader. loaded: new events by schema. replayed: events already stored."""

    loaded: dict[str, int] = field(default_factory=dict)
    replayed: int = 0
    dead: int = 0
    batches: int = 0

    def add(self, other: "LoadCounts") -> None:
        """Add the counts of a committed batch."""
        for schema, count in other.loaded.items():
            self.loaded[schema] = self.loaded.get(schema, 0) + count
        self.replayed += other.replayed
        self.dead += other.dead
        self.batches += other.batches

    @property
    def events(self) -> int:
        """Number of new events, over all schemas."""
        return sum(self.loaded.values())


class BatchWriter:
    """Writes batches, each in one transaction.

    Promise: a batch and its offsets are stored completely or not at all. An event whose id is
        stored already is not stored again. An event that the database refuses because of its
        values becomes a dead letter.
    """

    def __init__(self, group: str, decoder: Decoder, dead_letters: DeadLetterTopic) -> None:
        self._group, self._decoder, self._letters = group, decoder, dead_letters
        self._plans = PlanCache()
        self._days: set[tuple[str, str]] = set()
        self._replaying = 0

    def prepare(self, connection: Any) -> None:
        """Create the temporary tables that writing needs on a new connection."""
        connection.execute("select mlmonitor.begin_staging(), mlmonitor.begin_outcomes()")
        self._days.clear()

    def write(self, connection: Any, batch: EventBatch) -> LoadCounts:
        """Store a batch; if an event cannot be stored, split the batch to isolate the event.

        Raises:
            Overtaken: another instance owns the partitions now.
            psycopg.Error: the database is unavailable, or refuses this user.
        """
        try:
            return self._write_once(connection, batch)
        except Exception as error:
            reason = _find_data_fault(error)
            if reason is None:
                raise
            if len(batch.messages) > 1:
                return self._write_halves(connection, batch)
            batch.events, batch.predictions = {}, None
            batch.dead_letters = [DeadLetter(batch.messages[0], reason)]
            return self._write_once(connection, batch)

    def match_missed(self, connection: Any) -> None:
        """Join labels with predictions that another process stored at the same moment.

        Raises:
            psycopg.Error: the database is unavailable, or refuses this user.
        """
        connection.execute(MATCH_MISSED)

    def _write_halves(self, connection: Any, batch: EventBatch) -> LoadCounts:
        (first, second), between = batch.halves()
        decode = self._decoder.decode
        counts = self.write(connection, decode(first, batch.starts, as_written=False))
        counts.add(self.write(connection, decode(second, between, as_written=False)))
        return counts

    def _write_once(self, connection: Any, batch: EventBatch) -> LoadCounts:
        counts = LoadCounts(dead=len(batch.dead_letters), batches=1)
        encoded = {s: encode_copy(s, batch.events[s]) for s in SCHEMAS if batch.events.get(s)}
        predictions = batch.predictions
        if predictions is not None:
            encoded["prediction"] = encode_predictions(predictions)
        self._make_partitions(connection, batch)
        with connection.transaction():
            claim_offsets(connection, self._group, batch.starts)
            for schema in [schema for schema in SCHEMAS if schema in encoded]:
                data = encoded[schema]
                if schema == "prediction" and predictions is not None:
                    events = predictions.rows
                    new = self._write_predictions(connection, predictions, data, batch.shard)
                else:
                    events = len(batch.events[schema])
                    new = merge(connection, schema, data, batch.shard)
                counts.loaded[schema] = new
                counts.replayed += events - new
            insert_dead_letters(connection, batch.dead_letters)
            self._letters.send(batch.dead_letters)
            advance_offsets(connection, self._group, batch.ends)
        return counts

    def _write_predictions(
        self, connection: Any, block: PredictionBlock, data: bytes, shard: int
    ) -> int:
        versions: list[Version] = sorted(set(block.versions))
        for version in versions:
            connection.execute("select mlmonitor.lock_version(%s, %s, false)", version)
        if self._replaying or not copy_new(connection, data):
            self._replaying = max(self._replaying - 1, 0) or _REPLAYED_BATCHES
            new = merge(connection, "prediction", data, shard)
            if new == block.rows:
                self._replaying = 0
            return new
        plans = {version: self._plans.get(connection, version) for version in versions}
        roll_up(connection, block, plans, shard)
        query = "select exists (select from mlmonitor.waiting_label)"
        if connection.execute(query).fetchone()[0]:
            columns = block.columns
            parameters = [*columns.prediction_id], min(columns.time), max(columns.time), shard
            connection.execute("select mlmonitor.match_waiting(%s, %s, %s, %s)", parameters)
        return block.rows

    def _make_partitions(self, connection: Any, batch: EventBatch) -> None:
        """Create the table partitions of new days, each in its own transaction."""
        days: set[tuple[str, str]] = {
            (schema, event["time"][:10])
            for schema in _PARTITIONED
            for event in batch.events.get(schema, ())
        }
        if batch.predictions is not None:
            days |= {
                (table, day)
                for day in batch.predictions.days
                for table in ("prediction", "outcome")  # outcomes have the prediction's day
            }
        for schema, day in sorted(days - self._days):
            connection.execute("select mlmonitor.create_partition(%s, %s::date)", (schema, day))
            self._days.add((schema, day))


def _find_data_fault(error: Exception) -> str | None:
    """Return why the values of an event cannot be stored; None if the error has another cause."""
    state = sqlstate(error)
    if state:
        return f"database: SQLSTATE {state}" if state[:2] in _DATA_CLASSES else None
    if isinstance(error, UnicodeError | OverflowError | ValueError | TypeError | LookupError):
        return f"encoding: {type(error).__name__}"
    return "encoding: struct" if type(error).__module__ == "struct" else None
