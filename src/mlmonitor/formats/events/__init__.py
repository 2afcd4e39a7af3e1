"""The events of the log: schemas, validation, ids, and encoding as database rows."""

from mlmonitor.formats.events.copy_format import (
    STAGING_COLUMNS,
    StagingColumn,
    StagingSchema,
    encode_copy,
)
from mlmonitor.formats.events.copy_predictions import encode_predictions
from mlmonitor.formats.events.event_ids import EventIds, hash_id
from mlmonitor.formats.events.event_models import (
    EVENT_MODELS,
    VERSION,
    AlertEvent,
    Event,
    EventModel,
    KpiEvent,
    LabelEvent,
    PredictionEvent,
    ReferenceBin,
    ReferenceEvent,
    VerdictEvent,
)
from mlmonitor.formats.events.event_reader import (
    EVENT_BYTES,
    check_event,
    decode_events,
    dump_event,
    parse_event,
)
from mlmonitor.formats.events.event_records import (
    RecordColumns,
    build_record_types,
    read_content,
    read_records,
)
from mlmonitor.formats.events.prediction_block import PredictionBlock
from mlmonitor.formats.events.recheck_times import MATCH_MISSED, RecheckTimes
from mlmonitor.formats.events.stored_text import clean_text

__all__ = [
    "EVENT_BYTES",
    "EVENT_MODELS",
    "MATCH_MISSED",
    "STAGING_COLUMNS",
    "VERSION",
    "AlertEvent",
    "Event",
    "EventIds",
    "EventModel",
    "KpiEvent",
    "LabelEvent",
    "PredictionBlock",
    "PredictionEvent",
    "RecheckTimes",
    "RecordColumns",
    "ReferenceBin",
    "ReferenceEvent",
    "StagingColumn",
    "StagingSchema",
    "VerdictEvent",
    "build_record_types",
    "check_event",
    "clean_text",
    "decode_events",
    "dump_event",
    "encode_copy",
    "encode_predictions",
    "hash_id",
    "parse_event",
    "read_content",
    "read_records",
]
