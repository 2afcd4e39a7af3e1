"""What exports and aggregates import when they are first used, imported where nothing waits for it.

A thread that is in the middle of an import when another one forks leaves the child a module that is
locked for good: its first export would hang. So the worker must find everything imported; besides,
importing holds the interpreter for tens of milliseconds that no request should have to wait.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from mlmonitor.export.base import Exporter

_ALWAYS = ("encodings.idna",)  # which the first look-up of a host's name brings
_SKETCHES = ("datasketches",)
_FRAMES = ("pandas", "polars", "pyarrow")
_OTLP = (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.proto.collector.metrics.v1.metrics_service_pb2",
    "opentelemetry.sdk.metrics.export",
    "opentelemetry.sdk.resources",
    "requests",
)


def load_clients(exporters: Sequence[Exporter]) -> None:
    """Import, in the calling thread, what these exporters and the sketches will want.

    What is not installed is left to those who need it: they name its extra.
    """
    wanted = [*_ALWAYS, *_SKETCHES]
    if any(type(exporter).__module__.startswith("mlmonitor.export.") for exporter in exporters):
        wanted.extend(_OTLP)
    if any(name in sys.modules for name in _FRAMES):
        wanted.append("narwhals")
    for name in wanted:
        with suppress(ImportError):
            import_module(name)
