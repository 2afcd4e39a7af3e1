"""The instrumentor for `opentelemetry-instrument`: it monitors the callable in `MLMONITOR_WATCH`.

`opentelemetry-instrument` finds it by the entry point `mlmonitor` in `opentelemetry_instrumentor`.
"""

import inspect
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from wrapt import register_post_import_hook

from mlmonitor.environment.watch_settings import WatchSettings, read_watch_settings
from mlmonitor.errors import MonitorError

__all__ = ["MonitorInstrumentor"]

log: logging.Logger = logging.getLogger("mlmonitor")


class MonitorInstrumentor(BaseInstrumentor):  # type: ignore[misc] # it is untyped
    """Watches the callable that the environment names, as soon as its module is imported.

    Promise: a mistake in the variables or in the watched module is logged as a warning, and never
        raised into the program or other instrumentors. Nothing is imported or started before the
        watched module is imported. Under uvicorn, monitors are closed when the server shuts down,
        because uvicorn then ends its process by a signal.
    Price: for each call, that of `Monitor.watch`; at the import of the module, that of a `Monitor`.
    Source: opentelemetry-instrumentation, `BaseInstrumentor`; the variables are in
        docs/guides/frameworks.md.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return no requirements, because a callable of any module can be watched."""
        return ()

    def _instrument(self, **options: Any) -> None:
        """Register to watch the callable when its module is imported.

        options: metrics are exported through `meter_provider`, if it is given.
        """
        self._watch: _Watch | None = None
        with _log_errors():
            settings = read_watch_settings(os.environ)
            if settings is not None:
                self._watch = _Watch(settings, options.get("meter_provider"))
                register_post_import_hook(self._watch.begin, settings.module)
                register_post_import_hook(self._watch.close_at_shutdown, "uvicorn.server")

    def _uninstrument(self, **_options: Any) -> None:
        """Restore the callable and close its monitor."""
        with _log_errors():
            if self._watch is not None:
                self._watch.end()


class _Watch:
    """Replaces one callable by its watched form, until `end`."""

    def __init__(self, settings: WatchSettings, meter_provider: Any) -> None:
        self._settings, self._meter_provider = settings, meter_provider
        self._undo: list[Callable[[], object]] = []
        self._is_ended = False

    def begin(self, module: ModuleType) -> None:
        """Replace the callable in its imported module."""
        if self._is_ended:
            return
        with _log_errors():
            settings = self._settings
            owner, name = _find_owner(module, settings.attribute)
            monitor = _build_monitor(settings, self._meter_provider)
            watch = monitor.watch(
                features=settings.features,
                prediction=settings.prediction,
                id_from=settings.id_from,
            )
            self._undo.append(monitor.close)
            self._undo.append(_replace(owner, name, watch))
            log.info("watching %s:%s", settings.module, settings.attribute)

    def close_at_shutdown(self, server_module: Any) -> None:
        """Patch uvicorn to close all monitors after a server has shut down in the main thread.

        A server in another thread, such as that of `Monitor.serve`, handles no signals, and its
        shutdown does not end the process.
        """
        if not self._is_ended:
            with _log_errors():
                self._undo.append(_replace(server_module.Server, "shutdown", _close_afterwards))

    def end(self) -> None:
        """Restore all replaced attributes, and ignore modules that are imported later."""
        self._is_ended = True
        while self._undo:
            self._undo.pop()()


def _build_monitor(settings: WatchSettings, meter_provider: Any) -> Any:
    from mlmonitor.export.opentelemetry.open_telemetry import OpenTelemetry
    from mlmonitor.monitor.monitor import Monitor

    exporters = None  # the standard variables decide
    if meter_provider is not None:
        exporters = [OpenTelemetry(meter_provider=meter_provider)]
    return Monitor(
        settings.model,
        version=settings.version,
        reference=settings.reference,
        exporters=exporters,
    )


def _close_afterwards(shutdown: Callable[..., Any]) -> Callable[..., Any]:
    from mlmonitor.worker.processes import EXIT_SECONDS, close_all

    @wraps(shutdown)
    async def shut_down_and_close(*args: Any, **kwargs: Any) -> Any:
        try:
            return await shutdown(*args, **kwargs)
        finally:
            if threading.current_thread() is threading.main_thread():
                with _log_errors():
                    close_all(timeout_seconds=EXIT_SECONDS)

    return shut_down_and_close


def _find_owner(module: ModuleType, attribute: str) -> tuple[Any, str]:
    """Return the object that holds a dotted attribute, and the last part of its name.

    Raises:
        MonitorError: there is no such attribute.
    """
    *path, name = attribute.split(".")
    owner: Any = module
    try:
        for part in path:
            owner = getattr(owner, part)
        getattr(owner, name)
    except AttributeError:
        raise MonitorError("MLMONITOR_WATCH: the module has no such callable") from None
    return owner, name


def _replace(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Callable[[], object]:
    """Replace an attribute by its wrapped form; return a function that restores it.

    Static methods and class methods keep their kind. An inherited attribute is replaced in this
    class only.
    """
    is_own = name in vars(owner)
    value = inspect.getattr_static(owner, name) if inspect.isclass(owner) else getattr(owner, name)
    setattr(owner, name, wrap(value))
    return (lambda: setattr(owner, name, value)) if is_own else (lambda: delattr(owner, name))


@contextmanager
def _log_errors() -> Iterator[None]:
    """Log exceptions instead of raising them; unless they are ours, log only their type."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - an error of ours must not reach the host
        reason = str(error) if isinstance(error, MonitorError) else type(error).__name__
        log.warning("opentelemetry-instrument watches no model: %s", reason)
