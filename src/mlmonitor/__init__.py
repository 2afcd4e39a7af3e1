"""Watch a prediction service from the inside. Start with `Monitor` and `Reference`.

Importing this package is cheap: each name is imported from its module on first use.
"""

import importlib as _importlib
import sys as _sys
import typing as _typing

if _typing.TYPE_CHECKING:
    from mlmonitor.capture.host.watch.observation import Observation
    from mlmonitor.challenge.challenge import Challenge
    from mlmonitor.challenge.challenge_status import ChallengeStatus
    from mlmonitor.compare.alerts.alert import Alert
    from mlmonitor.compare.event_status import EventStatus
    from mlmonitor.compare.incidents.incident import Incident
    from mlmonitor.compare.performance.cohorts import Cohort
    from mlmonitor.compare.performance.estimate import Estimate
    from mlmonitor.compare.snapshot import ExportStatus
    from mlmonitor.config import Config
    from mlmonitor.errors import (
        ConfigError,
        ExportClosed,
        ExportError,
        ExportRefused,
        ExportTimeout,
        FormatError,
        IncompatibleSketch,
        MissingExtra,
        MonitorError,
        SchemaError,
        UnknownName,
    )
    from mlmonitor.events.files import Files
    from mlmonitor.events.kafka import Kafka
    from mlmonitor.events.postgres import Postgres
    from mlmonitor.export.base import Exporter
    from mlmonitor.export.destinations import Otlp
    from mlmonitor.export.opentelemetry.open_telemetry import OpenTelemetry
    from mlmonitor.monitor.monitor import Monitor
    from mlmonitor.notify.webhook import Webhook
    from mlmonitor.profiling.row_profile import Profile
    from mlmonitor.records import Challenger, Field, Kind, Kpi, Metric, Objective, Quality, Role
    from mlmonitor.reference.reference import Reference
    from mlmonitor.status.field_status import FieldStatus
    from mlmonitor.status.segment_status import SegmentStatus
    from mlmonitor.status.status import Status
    from mlmonitor.verdict.verdict import Verdict, VerdictReason

    __version__: str

_MODULES = {
    "capture.host.watch.observation": ("Observation",),
    "status.field_status": ("FieldStatus",),
    "challenge.challenge": ("Challenge",),
    "challenge.challenge_status": ("ChallengeStatus",),
    "compare.alerts.alert": ("Alert",),
    "compare.incidents.incident": ("Incident",),
    "reference.reference": ("Reference",),
    "status.segment_status": ("SegmentStatus",),
    "status.status": ("Status",),
    "verdict.verdict": ("Verdict", "VerdictReason"),
    "compare.event_status": ("EventStatus",),
    "compare.snapshot": ("ExportStatus",),
    "config": ("Config",),
    "errors": (
        "ConfigError",
        "ExportClosed",
        "ExportError",
        "ExportRefused",
        "ExportTimeout",
        "FormatError",
        "IncompatibleSketch",
        "MissingExtra",
        "MonitorError",
        "SchemaError",
        "UnknownName",
    ),
    "events.files": ("Files",),
    "events.kafka": ("Kafka",),
    "events.postgres": ("Postgres",),
    "export.base": ("Exporter",),
    "export.destinations": ("Otlp",),
    "export.opentelemetry.open_telemetry": ("OpenTelemetry",),
    "monitor.monitor": ("Monitor",),
    "profiling.row_profile": ("Profile",),
    "notify.webhook": ("Webhook",),
    "compare.performance.cohorts": ("Cohort",),
    "compare.performance.estimate": ("Estimate",),
    "records": ("Challenger", "Field", "Kind", "Kpi", "Metric", "Objective", "Quality", "Role"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


if not _typing.TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from mlmonitor.environment.library_version import library_version

            return library_version()
        if name not in _MODULE_OF:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=_sys.modules[__name__])
        value = getattr(_importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        globals()[name] = value  # later look-ups skip this function
        return value


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


__all__ = [
    "Alert",
    "Challenge",
    "ChallengeStatus",
    "Challenger",
    "Cohort",
    "Config",
    "ConfigError",
    "Estimate",
    "EventStatus",
    "ExportClosed",
    "ExportError",
    "ExportRefused",
    "ExportStatus",
    "ExportTimeout",
    "Exporter",
    "Field",
    "FieldStatus",
    "Files",
    "FormatError",
    "Incident",
    "IncompatibleSketch",
    "Kafka",
    "Kind",
    "Kpi",
    "Metric",
    "MissingExtra",
    "Monitor",
    "MonitorError",
    "Objective",
    "Observation",
    "OpenTelemetry",
    "Otlp",
    "Postgres",
    "Profile",
    "Quality",
    "Reference",
    "Role",
    "SchemaError",
    "SegmentStatus",
    "Status",
    "UnknownName",
    "Verdict",
    "VerdictReason",
    "Webhook",
]
