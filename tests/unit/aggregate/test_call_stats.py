"""Call statistics: predictions, errors by type, and the latency histogram."""

import numpy as np
import pytest

from mlmonitor.aggregate.call_stats import (
    ERROR_TYPES,
    LATENCY_BOUNDS_SECONDS,
    OTHER_ERRORS,
    CallStats,
)
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.entry import Call, Entry, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs

SHAPE = Shape((), Outputs())


def a_call(*, rows: int = 1, seconds: float | None = 0.001, error: str | None = None) -> Entry:
    """Return a finished call."""
    duration = None if seconds is None else round(seconds * 1e9)
    return SHAPE, PayloadForm.MAPPING, rows, {}, None, duration, error, Call()


def stats() -> CallStats:
    """Return statistics over a window of a minute that starts at time zero."""
    return CallStats(Span(60.0, None, 6), now=0.0)


def test_predictions_count_rows_and_latency_counts_calls() -> None:
    """A batch of ten rows counts ten predictions and one duration."""
    calls = stats()
    calls.update([a_call(rows=10), a_call(), a_call(seconds=None)], now=1.0)
    assert calls.predictions == 12
    assert calls.latency.total().rows == 2


def test_failed_calls_are_counted_by_type_and_timed() -> None:
    """Its rows are not predictions, but its duration is recorded."""
    calls = stats()
    calls.update([a_call(error="KeyError", rows=3), a_call(error="KeyError"), a_call()], now=1.0)
    assert (calls.predictions, calls.errors) == (1, {"KeyError": 4})
    assert calls.latency.total().rows == 3


def test_the_number_of_error_types_is_bounded() -> None:
    """Types beyond the 64th are counted together; known ones keep their own count."""
    calls = stats()
    for start in range(0, 1_000, 100):
        calls.update([a_call(error=f"E{at}") for at in range(start, start + 100)], now=1.0)
    calls.update([a_call(error="E0"), a_call(error=OTHER_ERRORS)], now=1.0)
    assert len(calls.errors) == ERROR_TYPES + 1
    assert calls.errors["E0"] == 2
    assert sum(calls.errors.values()) == 1_002


def test_long_names_of_error_types_are_truncated() -> None:
    """A type may have any name, and each export contains it."""
    calls = stats()
    calls.update([a_call(error="E" * 100_000), a_call(error="E" * 100_000)], now=1.0)
    assert calls.errors == {"E" * 200: 2}


@pytest.mark.parametrize("at", range(len(LATENCY_BOUNDS_SECONDS)))
def test_a_duration_equal_to_a_bound_counts_in_the_lower_bucket(at: int) -> None:
    """The histogram is Prometheus' `le`: a bound belongs to the bucket below it."""
    calls = stats()
    bound = LATENCY_BOUNDS_SECONDS[at]
    calls.update([a_call(seconds=bound), a_call(seconds=bound + 1e-6)], now=0.0)
    expected = np.zeros(len(LATENCY_BOUNDS_SECONDS) + 1)
    expected[at : at + 2] = 1
    np.testing.assert_array_equal(calls.latency.total().bins[0], expected)


def test_the_sum_of_durations_is_in_seconds() -> None:
    """Durations are recorded in nanoseconds and summed in seconds."""
    calls = stats()
    calls.update([a_call(seconds=0.25), a_call(seconds=0.75)], now=0.0)
    assert calls.latency.total().moments.sum[0] == pytest.approx(1.0)


def test_old_latencies_leave_the_window_even_without_new_calls() -> None:
    """The window moves on with calls that have no duration, and without any calls."""
    calls = stats()
    calls.update([a_call()], now=0.0)
    calls.update([], now=30.0)
    assert calls.latency.view().profile.rows == 1
    calls.update([a_call(seconds=None)], now=61.0)
    assert calls.latency.view().profile.rows == 0
    assert calls.latency.total().rows == 1
