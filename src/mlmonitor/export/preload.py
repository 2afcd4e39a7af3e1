"""Import at set-up the modules that exports and aggregates would import on first use.

An import holds the interpreter for tens of milliseconds, which would delay requests. Modules that
are loaded before a fork are also shared by the children.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from mlmonitor.export.base import Exporter
from mlmonitor.forks import hold_forks

_ALWAYS = (
    "numpy.random",  # for the critical values of a learned reference
    "difflib",  # to suggest a known name that is close to an unknown one
    "encodings.idna",  # for the first look-up of a host name
)
_SKETCHES = ("datasketches",)
_FRAMES = ("pandas", "polars", "pyarrow")
_OWN_EXPORTERS = "mlmonitor.export.otlp."
_OTLP = (
    "importlib.metadata",
    "google.protobuf.any_pb2",
    "google.protobuf.duration_pb2",
    "google.protobuf.empty_pb2",
    "google.protobuf.unknown_fields",
    "mlmonitor.export.otlp.rpc_status",
    "mlmonitor.export.otlp.encoder",  # imports all messages of OTLP
    "requests",
    "requests.adapters",
)


def load_clients(exporters: Sequence[Exporter]) -> None:
    """Import, in the calling thread, what these exporters and the sketches will need.

    A module that is not installed is skipped: the code that needs it names the extra.
    """
    modules = [*_ALWAYS, *_SKETCHES]
    if any(type(exporter).__module__.startswith(_OWN_EXPORTERS) for exporter in exporters):
        modules.extend(_OTLP)
    if any(name in sys.modules for name in _FRAMES):
        modules.append("narwhals")
    with hold_forks():
        for name in modules:
            with suppress(ImportError):
                import_module(name)


def gevent_will_patch() -> bool:
    """Whether gevent is loaded but has not yet patched `ssl`, so that importing it must wait."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and not monkey.is_module_patched("ssl")
