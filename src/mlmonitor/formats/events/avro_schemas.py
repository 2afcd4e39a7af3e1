"""Avro schemas of the events, derived from their models, for schema registries.

An optional field has a default, so that readers with an older or newer schema can read the record.
Registries call this full compatibility.
Source: Apache Avro 1.12, specification, "Schema Resolution".
"""

from typing import Any

from mlmonitor.formats.events.event_models import EVENT_MODELS

_NAMESPACE = "mlmonitor"
_SCALAR = ["null", "double", "string", "boolean"]
_NUMBER = ["null", "double"]
_TEXT = ["null", "string"]
_FORMS: dict[str, Any] = {
    "schema_version": "int",
    "prediction": _SCALAR,
    "actual": _SCALAR,
    "features": {"type": "map", "values": _SCALAR},
    "outputs": {"type": "map", "values": _SCALAR},
    "scores": {"type": "map", "values": _NUMBER},
    "derived": {"type": "map", "values": _NUMBER},
    "training_metrics": {"type": "map", "values": _NUMBER},
    "invalid": {"type": "map", "values": "string"},
    "reasons": {"type": "array", "items": "string"},
    "buckets": {"type": "array", "items": "double"},
    "quantiles": {"type": "array", "items": {"type": "array", "items": "double"}},
    "withheld": "boolean",
    "sample": "double",
    **dict.fromkeys(("count", "rows", "missing", "fields", "reference_rows"), "long"),
    **dict.fromkeys(
        (
            *("latency_seconds", "value", "current", "threshold", "log10_e_value", "importance"),
            *("mean", "stddev", "min", "max", "band_low", "band_high", "range_low", "range_high"),
        ),
        _NUMBER,
    ),
    **dict.fromkeys(
        (
            *("error", "group", "trace_id", "span_id", "predicted_at", "trained_at", "task"),
            "positive_class",
        ),
        _TEXT,
    ),
}
_BIN = {
    "type": "record",
    "name": "ReferenceBin",
    "fields": [
        {"name": "label", "type": "string"},
        {"name": "lower", "type": _NUMBER, "default": None},
        {"name": "upper", "type": _NUMBER, "default": None},
        {"name": "count", "type": "long"},
    ],
}


def build_avro_schema(schema: str) -> dict[str, Any]:
    """Return the Avro schema of one kind of event; field names and meanings are those of JSON."""
    model = EVENT_MODELS[schema]
    fields: list[dict[str, Any]] = [{"name": "schema", "type": "string", "default": schema}]
    for name, field in model.model_fields.items():
        if name == "schema_name":
            continue
        form = _FORMS.get(name, "string")
        if name == "bins":
            form = {"type": "array", "items": _BIN}
        if name == "prediction_id" and not field.is_required():
            form = _TEXT
        entry: dict[str, Any] = {"name": name, "type": form}
        if not field.is_required():
            entry["default"] = field.default
        fields.append(entry)
    return {
        "type": "record",
        "name": schema.capitalize(),
        "namespace": _NAMESPACE,
        "doc": (model.__doc__ or "").partition("\n")[0],
        "fields": fields,
    }
