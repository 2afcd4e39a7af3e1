"""The trace that contains a call, as the host's OpenTelemetry reports it.

`opentelemetry` is never imported here: a host that records traces has already imported it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from mlmonitor.capture.entry import Entry, Shape
from mlmonitor.capture.form import PayloadForm

_API, _SDK = "opentelemetry.trace", "opentelemetry.sdk.trace"
_SAMPLED = 1  # the bit of the W3C trace flags

Origin = tuple[int, int]
"""The ids of a trace and of a span in it."""

SpanSource = Callable[[], Origin | None]
"""Returns the span of the calling thread, if one is recording and sampled."""


_Entry = tuple[Shape, PayloadForm, int, Any, Any, int | None, str | None, list[Any]]


class Traced(_Entry):
    """An entry with the ids of the span that was recording; a tuple like any other entry."""

    origin: Origin


def attach_origin(entry: Entry, span_source: SpanSource) -> Entry:
    """Return the entry, with the ids of its trace and span if one is recording."""
    origin = span_source()
    if origin is None:
        return entry
    traced_entry = Traced(entry)
    traced_entry.origin = origin
    return traced_entry


def host_span_source() -> SpanSource | None:
    """Return a function that returns the current span; None while this process records no spans.

    Many libraries import the OpenTelemetry API, which records nothing without the SDK or a
    provider.
    """
    api = sys.modules.get(_API)
    if api is None or not _has_provider(api):
        return None
    current = getattr(api, "get_current_span", None)
    return None if current is None else _make_span_source(current)


def _has_provider(api: ModuleType) -> bool:
    return _SDK in sys.modules or getattr(api, "_TRACER_PROVIDER", None) is not None


def _make_span_source(current: Callable[[], Any]) -> SpanSource:
    def span_source() -> Origin | None:
        try:
            span = current()
            context = span.get_span_context() if span.is_recording() else None
            if context is None or not context.trace_flags & _SAMPLED:
                return None
            origin: Origin = context.trace_id, context.span_id
        except Exception:  # noqa: BLE001 - an error of the host's tracing: the call has no trace
            return None
        return origin

    return span_source


_SUPPRESSING = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")


@contextmanager
def suppress_instrumentation() -> Iterator[None]:
    """Keep the host's own instrumentation from recording spans and metrics of an export.

    Otherwise each export would cause another one. Does nothing if the host has not imported
    OpenTelemetry.
    """
    context = sys.modules.get("opentelemetry.context")
    if context is None:
        yield
        return
    keys = ["suppress_instrumentation"]
    keys += [key for name in _SUPPRESSING if (key := getattr(context, name, None)) is not None]
    quiet = context.get_current()
    for key in keys:
        quiet = context.set_value(key, True, quiet)  # noqa: FBT003 - OpenTelemetry's signature
    token = context.attach(quiet)
    try:
        yield
    finally:
        context.detach(token)
