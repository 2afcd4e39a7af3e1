"""Encode events as database rows: the columns of each schema, in PostgreSQL's binary COPY format.

The sinks of the event log and its loader write the same columns, which are defined here.
Source of the format: PostgreSQL documentation, COPY, "Binary Format".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any, Literal, NamedTuple, get_args

from mlmonitor.errors import import_extra

StagingSchema = Literal["prediction", "label", "kpi", "alert", "verdict", "reference"]
ColumnType = Literal["uuid", "timestamptz", "float8", "int8", "text", "bool", "jsonb"]


_DEFAULTS: Mapping[str, object] = {
    "schema_version": 1,
    "model_version": "",
    "instance": "",
    "segment": "all",
    "sample": 1.0,
    "count": 1,
    "rows": 0,
    "unit": "",
    "reason": "",
    "withheld": False,
}


class StagingColumn(NamedTuple):
    """A column: its name, its PostgreSQL type, and the event field that it stores."""

    name: str
    type: ColumnType
    field: str

    @property
    def default(self) -> object:
        """The value to store if an event does not have the field."""
        return _DEFAULTS.get(self.name)


def _build_columns(text: str) -> tuple[StagingColumn, ...]:
    """Parse lines of `type: name name ...`; column `x_class` stores the field `x` if it is text."""
    columns = []
    for line in text.strip().splitlines():
        kind, _, names = line.strip().partition(": ")
        columns += [
            StagingColumn(name, kind, name.removesuffix("_class"))  # type: ignore[arg-type]  # below
            if name in ("prediction_class", "actual_class")
            else StagingColumn(name, kind, name)  # type: ignore[arg-type]  # checked below
            for name in names.split()
        ]
    if not {column.type for column in columns} <= set(get_args(ColumnType)):
        msg = "a column of an unknown type"
        raise AssertionError(msg)
    return tuple(columns)


_ENVELOPE = """
    int8: schema_version
    uuid: event_id
    timestamptz: time
    text: model model_version instance
"""
STAGING_COLUMNS: Mapping[StagingSchema, tuple[StagingColumn, ...]] = {
    "prediction": _build_columns(
        f"""{_ENVELOPE.strip()}
        text: prediction_id status error
        float8: latency_seconds
        text: segment group trace_id span_id
        float8: prediction
        text: prediction_class
        jsonb: scores outputs features derived invalid
        float8: sample"""
    ),
    "label": _build_columns(
        f"""{_ENVELOPE.strip()}
        text: prediction_id
        float8: actual
        text: actual_class
        float8: prediction
        text: prediction_class
        timestamptz: predicted_at
        text: segment"""
    ),
    "kpi": _build_columns(
        f"""{_ENVELOPE.strip()}
        text: name
        float8: value
        int8: count
        text: unit segment"""
    ),
    "alert": _build_columns(
        f"""{_ENVELOPE.strip()}
        text: alert_id state field role segment measure
        float8: value current threshold log10_e_value
        int8: rows
        timestamptz: started_at
        text: reason"""
    ),
    "verdict": _build_columns(
        f"""{_ENVELOPE.strip()}
        text: action
        jsonb: reasons
        timestamptz: since"""
    ),
    "reference": _build_columns(
        f"""{_ENVELOPE.strip()}
        text: reference_id
        timestamptz: trained_at
        int8: reference_rows
        text: task
        int8: fields
        text: field role kind segment
        int8: rows missing
        float8: mean stddev min max
        jsonb: quantiles
        float8: importance
        bool: withheld
        jsonb: training_metrics
        float8: band_low band_high range_low range_high
        jsonb: buckets
        text: positive_class
        jsonb: bins"""
    ),
}
"""The columns of each schema: the envelope, then the fields of the schema in their order."""

_ARRAYS = frozenset({"reasons", "quantiles", "buckets", "bins"})
COPY_HEAD: bytes = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_END: bytes = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
pack_length: Callable[[int], bytes] = Struct("!i").pack
_FLOAT, _INTEGER = Struct("!id").pack, Struct("!iq").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BOOLEANS = {False: pack_length(1) + b"\x00", True: pack_length(1) + b"\x01"}
_EMPTY_OBJECT, _EMPTY_ARRAY = pack_length(3) + b"\x01{}", pack_length(3) + b"\x01[]"


def encode_copy(schema: StagingSchema, events: Sequence[Mapping[str, Any]]) -> bytes:
    """Encode events for `COPY ... FROM STDIN (FORMAT binary)`.

    events: validated events, as dictionaries from JSON. An absent field gets its default.

    Raises:
        MissingExtra: orjson is not installed.
    """
    writers = _list_writers(schema)
    count = Struct("!h").pack(len(writers))
    parts = [COPY_HEAD]
    for event in events:
        parts.append(count)
        parts += [write(event.get(field, default)) for field, default, write in writers]
    parts.append(COPY_END)
    return b"".join(parts)


_Write = Callable[[Any], bytes]


@lru_cache(maxsize=len(STAGING_COLUMNS))
def _list_writers(schema: StagingSchema) -> tuple[tuple[str, object, _Write], ...]:
    """Return the field, the default and the writer of each column."""
    return tuple((c.field, c.default, choose_writer(c)) for c in STAGING_COLUMNS[schema])


def choose_writer(column: StagingColumn) -> _Write:
    """Return the function that encodes a value of an event for a column.

    Raises:
        MissingExtra: orjson is not installed.
    """
    if column.type == "jsonb":
        dumps: _Write = import_extra("orjson", extra="postgres").dumps
        return _make_json_writer(dumps, _EMPTY_ARRAY if column.name in _ARRAYS else _EMPTY_OBJECT)
    is_scalar = column.field in ("prediction", "actual")
    return (_SCALAR_WRITERS if is_scalar else _WRITERS)[column.type]


def _make_json_writer(dumps: _Write, empty: bytes) -> _Write:
    def write(value: object) -> bytes:
        if not value:
            return empty
        data = dumps(value)
        return pack_length(len(data) + 1) + b"\x01" + data

    return write


def _write_uuid(value: str) -> bytes:
    return pack_length(16) + bytes.fromhex(value.replace("-", ""))


@lru_cache(maxsize=4_096)  # events of a block have equal times
def _write_time(value: str | None) -> bytes:
    if value is None:
        return _NULL
    return _INTEGER(8, (datetime.fromisoformat(value) - _EPOCH) // _MICROSECOND)


def _write_number(value: float | None) -> bytes:
    return _NULL if value is None else _FLOAT(8, value)


def _write_integer(value: int | None) -> bytes:
    return _NULL if value is None else _INTEGER(8, value)


def _write_text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return pack_length(len(data)) + data


def _write_scalar_number(value: float | str | None) -> bytes:
    return _NULL if value is None or isinstance(value, str) else _FLOAT(8, value)


def _write_scalar_name(value: object) -> bytes:
    if isinstance(value, bool):
        return _write_text("true" if value else "false")
    return _write_text(value) if isinstance(value, str) else _NULL


_WRITERS: Mapping[ColumnType, _Write] = {
    "uuid": _write_uuid,
    "timestamptz": _write_time,
    "float8": _write_number,
    "int8": _write_integer,
    "bool": _BOOLEANS.__getitem__,
    "text": _write_text,
}
_SCALAR_WRITERS: Mapping[ColumnType, _Write] = {
    "float8": _write_scalar_number,
    "text": _write_scalar_name,
}
