"""Watch a prediction service from the inside. Start with `Monitor` and `Reference`."""

from mlmonitor.capture.watch import Observation
from mlmonitor.compare.field_status import FieldStatus
from mlmonitor.compare.finding import Finding
from mlmonitor.compare.reference import Reference
from mlmonitor.compare.segment_status import SegmentStatus
from mlmonitor.compare.status import ExportStatus, Status
from mlmonitor.config import Config
from mlmonitor.errors import (
    ConfigError,
    ExportError,
    ExportRefused,
    ExportTimeout,
    FormatError,
    IncompatibleSketch,
    MissingExtra,
    MonitorError,
    SchemaError,
)
from mlmonitor.export.base import Exporter
from mlmonitor.export.destinations import Otlp
from mlmonitor.monitor import Monitor
from mlmonitor.records import Field, Kind, Quality, Role

__all__ = [
    "Config",
    "ConfigError",
    "ExportError",
    "ExportRefused",
    "ExportStatus",
    "ExportTimeout",
    "Exporter",
    "Field",
    "FieldStatus",
    "Finding",
    "FormatError",
    "IncompatibleSketch",
    "Kind",
    "MissingExtra",
    "Monitor",
    "MonitorError",
    "Observation",
    "Otlp",
    "Quality",
    "Reference",
    "Role",
    "SchemaError",
    "SegmentStatus",
    "Status",
]
