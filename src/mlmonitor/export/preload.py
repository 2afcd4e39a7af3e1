"""Import early what exports and aggregates would import on first use.

If a thread is in the middle of an import when another one forks, the child's copy of the module
stays locked, and its first export would hang. So everything is imported while no fork can happen.
Besides, importing holds the interpreter for tens of milliseconds, which are better spent at set-up
than beside a request, and modules loaded before a fork are shared by the children.
"""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from mlmonitor.export.base import Exporter

_ALWAYS = (
    "numpy.random",  # for the critical values of a learned reference
    "difflib",  # for the name that is close to an unknown one
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
    "mlmonitor.export.otlp.encoder",  # and with it all messages of OTLP
    "requests",
    "requests.adapters",
)


_FORK_WAITS_SECONDS = 2.0

_importing = threading.RLock()
_forking: set[int] = set()  # threads that are forking and hold the lock meanwhile


def load_clients(exporters: Sequence[Exporter]) -> None:
    """Import, in the calling thread, what these exporters and the sketches will need.

    A module that is not installed is skipped: the code that needs it names the extra. Forks by
    Python wait for this to end, for at most two seconds.
    """
    modules = [*_ALWAYS, *_SKETCHES]
    if any(type(exporter).__module__.startswith(_OWN_EXPORTERS) for exporter in exporters):
        modules.extend(_OTLP)
    if any(name in sys.modules for name in _FRAMES):
        modules.append("narwhals")
    with _importing:
        for name in modules:
            with suppress(ImportError):
                import_module(name)


def gevent_will_patch() -> bool:
    """Whether `ssl` must not be imported yet, because gevent is loaded and has not patched it."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and not monkey.is_module_patched("ssl")


def _before_fork() -> None:
    if _importing.acquire(timeout=_FORK_WAITS_SECONDS):
        _forking.add(threading.get_ident())


def _in_parent() -> None:
    if threading.get_ident() in _forking:
        _forking.discard(threading.get_ident())
        _importing.release()


def _in_child() -> None:
    global _importing  # noqa: PLW0603 - a lock that another thread may have held
    _importing = threading.RLock()
    _forking.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
