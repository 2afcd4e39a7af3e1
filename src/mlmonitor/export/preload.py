"""What exports and aggregates import when they are first used, imported together beforehand.

A thread that is in the middle of an import when another one forks leaves the child a module that is
locked for good: its first export would hang. So all of it is imported while no fork can happen;
besides, importing holds the interpreter for tens of milliseconds, which is better spent at set-up
than beside a request, and what is loaded before a fork is shared by the children.
"""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from mlmonitor.export.base import Exporter

_ALWAYS = (
    "numpy.random",  # for what chance makes of a learned reference
    "difflib",  # for the name that is near an unknown one
    "encodings.idna",  # for the first look-up of a host's name
)
_SKETCHES = ("datasketches",)
_FRAMES = ("pandas", "polars", "pyarrow")
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
_held: set[int] = set()  # threads that fork, and hold the lock meanwhile


def load_clients(exporters: Sequence[Exporter]) -> None:
    """Import, in the calling thread, what these exporters and the sketches will want.

    What is not installed is left to those who need it: they name its extra. Python's forks wait
    for the end of this, two seconds at most.
    """
    expected = [*_ALWAYS, *_SKETCHES]
    if any(type(exporter).__module__.startswith("mlmonitor.export.") for exporter in exporters):
        expected.extend(_OTLP)
    if any(name in sys.modules for name in _FRAMES):
        expected.append("narwhals")
    with _importing:
        for name in expected:
            with suppress(ImportError):
                import_module(name)


def gevent_will_patch() -> bool:
    """Whether gevent is here and has not patched `ssl` yet, which nobody may import before then."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and not monkey.is_module_patched("ssl")


def _before_fork() -> None:
    if _importing.acquire(timeout=_FORK_WAITS_SECONDS):
        _held.add(threading.get_ident())


def _in_parent() -> None:
    if threading.get_ident() in _held:
        _held.discard(threading.get_ident())
        _importing.release()


def _in_child() -> None:
    global _importing  # noqa: PLW0603 - a lock that another thread may have held
    _importing = threading.RLock()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
