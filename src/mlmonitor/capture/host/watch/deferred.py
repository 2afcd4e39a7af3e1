"""Deferred results: a plain function may return a future or a coroutine.

This happens if another decorator hides an `async def`, or if the function starts a task. The
prediction is recorded when it is ready. Generators and other awaitables cannot be observed without
changing the object that the host receives. Their rows are recorded without a prediction, and each
such type is reported once as an error.
"""

import sys
from collections.abc import Awaitable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Literal

from mlmonitor.errors import SchemaError

Deferral = Literal["coroutine", "future", "unobservable"] | None

_MAX_TYPES = 1_024
_FUTURES = (("asyncio", "Future"), ("concurrent.futures", "Future"))
"""Types of futures, looked up only in loaded modules: without its module, no future can exist."""

_GENERATORS = (GeneratorType, AsyncGeneratorType)


class _Deferrals(dict[type, Deferral]):
    """Caches how results of each type are deferred; None for most types."""

    def __missing__(self, kind: type) -> Deferral:
        if len(self) >= _MAX_TYPES:
            self.clear()
        self[kind] = deferral = _choose_deferral(kind)
        return deferral


def _choose_deferral(kind: type) -> Deferral:
    if issubclass(kind, CoroutineType):
        return "coroutine"
    futures = (getattr(sys.modules.get(module), name, ()) for module, name in _FUTURES)
    if issubclass(kind, tuple(futures)):
        return "future"
    is_unobservable = issubclass(kind, _GENERATORS) or issubclass(kind, Awaitable)
    return "unobservable" if is_unobservable else None


DEFERRALS = _Deferrals()

__all__ = ["DEFERRALS", "Deferral", "describe_unobservable", "read_error"]


def describe_unobservable(kind: type) -> SchemaError:
    """Build the error that says what to do about a result that cannot be observed."""
    return SchemaError(
        f"watch: expected a result, got a {kind.__name__} that holds none yet: watch the function "
        "that computes the prediction, or use `with monitor.observe(features)` where it is known"
    )


def read_error(future: Any) -> type[BaseException] | None:
    """Return the type of a finished future's error, or None, without marking it as retrieved."""
    if future.cancelled():
        from asyncio import CancelledError  # already loaded, because a future exists

        return CancelledError
    error = getattr(future, "_exception", None)
    return None if error is None else type(error)
