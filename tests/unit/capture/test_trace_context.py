"""The span of each call, read from the host's OpenTelemetry if it has one."""

import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from mlmonitor.capture.entry import Call, Entry, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.trace_context import SpanSource, Traced, attach_origin, host_span_source

ENTRY: Entry = (Shape((), Outputs()), PayloadForm.MAPPING, 1, {"a": 1.0}, 0.5, 7, None, Call())


@pytest.fixture
def whence() -> SpanSource:
    """The reader of spans in this process, which has the SDK."""
    source = host_span_source()
    assert source is not None
    return source


@pytest.fixture
def tracer() -> Iterator[trace.Tracer]:
    """A tracer whose spans are recording and sampled."""
    provider = TracerProvider(sampler=ALWAYS_ON)
    yield provider.get_tracer("host")
    provider.shutdown()


def test_an_entry_has_the_origin_of_its_innermost_span(
    whence: SpanSource, tracer: trace.Tracer
) -> None:
    """All other parts of the entry are unchanged."""
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner") as span:
        attached = attach_origin(ENTRY, whence)
    context = span.get_span_context()
    assert isinstance(attached, Traced)
    assert attached.origin == (context.trace_id, context.span_id)
    assert tuple(attached) == ENTRY
    assert [*zip(attached, ENTRY, strict=True)] == [(part, part) for part in ENTRY]
    assert attached[7] is ENTRY[7]


def test_without_an_open_span_there_is_no_origin(whence: SpanSource, tracer: trace.Tracer) -> None:
    """A finished span does not count."""
    assert attach_origin(ENTRY, whence) is ENTRY
    with tracer.start_as_current_span("over"):
        pass
    assert attach_origin(ENTRY, whence) is ENTRY


def test_a_trace_that_is_not_sampled_gives_no_origin(whence: SpanSource) -> None:
    """The process keeps neither an unsampled span nor the remote span of its caller."""
    provider = TracerProvider(sampler=ALWAYS_OFF)
    with provider.get_tracer("host").start_as_current_span("unsampled"):
        assert whence() is None
    of_caller = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(of_caller)):
        assert whence() is None
    provider.shutdown()


def test_a_tracer_that_raises_costs_only_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception does not reach the host, and the entry is unchanged."""

    def broken() -> trace.Span:
        raise RuntimeError("no span today")

    monkeypatch.setattr(trace, "get_current_span", broken)
    whence = host_span_source()
    assert whence is not None
    assert attach_origin(ENTRY, whence) is ENTRY


def test_the_opentelemetry_api_without_an_sdk_has_no_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many libraries import the API alone; spans need the SDK or another provider."""
    monkeypatch.delitem(sys.modules, "opentelemetry.sdk.trace")
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    assert host_span_source() is None
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", object())
    assert host_span_source() is not None
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("half_imported"))
    assert host_span_source() is None
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert host_span_source() is None


def test_opentelemetry_is_not_imported_into_a_host_that_does_not_trace() -> None:
    """Neither a watched call nor an export imports `opentelemetry.trace`."""
    program = """
import sys
from mlmonitor import Monitor, Otlp
monitor = Monitor("m", exporters=[Otlp.collector("http://127.0.0.1:9")])
monitor.watch(lambda features: 0.5)({"a": 1.0})
monitor.flush(timeout_seconds=5)
assert not monitor._inbox.calls.is_traced
assert monitor._inbox.calls.room > 0
sys.exit("opentelemetry.trace" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=250).returncode == 0
