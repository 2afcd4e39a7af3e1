"""The trace that a call is part of, told by the host's OpenTelemetry; without one, by nobody.

`opentelemetry` is never imported here: a host that traces has done so, and is found in
`sys.modules`.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mlmonitor.capture.entry import Entry, Shape
from mlmonitor.capture.form import PayloadForm

_API, _SDK = "opentelemetry.trace", "opentelemetry.sdk.trace"
_SAMPLED = 1  # the bit of the W3C trace flags

Origin = tuple[int, int]
"""The ids of a trace and of a span in it."""

SpanSource = Callable[[], Origin | None]
"""Tells where the calling thread is: the span that is recording and sampled here, if one is."""


_Entry = tuple[Shape, PayloadForm, int, Any, Any, int | None, str | None, list[Any]]


class Traced(_Entry):
    """An entry that was put while a span was recording: whoever asks for no more sees an entry."""

    origin: Origin


def traced(entry: Entry, whence: SpanSource) -> Entry:
    """The entry, with its origin if it has one."""
    origin = whence()
    if origin is None:
        return entry
    found = Traced(entry)
    found.origin = origin
    return found


def host_span_source() -> SpanSource | None:
    """How to ask for the current span; None while there is nobody in this process who makes any.

    The interface alone, which many libraries import, records nothing: it takes the SDK, or a
    provider that somebody has set.
    """
    api = sys.modules.get(_API)
    if api is None or not _has_provider(api):
        return None
    current = getattr(api, "get_current_span", None)
    return None if current is None else _whence(current)


def _has_provider(api: ModuleType) -> bool:
    return _SDK in sys.modules or getattr(api, "_TRACER_PROVIDER", None) is not None


def _whence(current: Callable[[], Any]) -> SpanSource:
    def whence() -> Origin | None:
        try:
            span = current()
            context = span.get_span_context() if span.is_recording() else None
            if context is None or not context.trace_flags & _SAMPLED:
                return None
            origin: Origin = context.trace_id, context.span_id
        except Exception:  # noqa: BLE001 - theirs: the call is counted, and no trace is known of it
            return None
        return origin

    return whence
