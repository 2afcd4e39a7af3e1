"""Axes with round numbers for values, and with clock times for the slices of a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from mlmonitor.formatting import short
from mlmonitor.records import Floats

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0)
_UNITS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))
_HOURS = 36 * 3600
_DAYS = 180 * 86_400
_MINUTES = 300


@dataclass(frozen=True, slots=True)
class Axis:
    """The ends of an axis, and the labels of its equidistant ticks from `low` to `high`."""

    low: float
    high: float
    labels: tuple[str, ...]


def value_axis(low: float, high: float, *, intervals: int = 4, has_zero: bool = False) -> Axis:
    """Return an axis with ticks at round numbers that covers `low` to `high`."""
    if not (np.isfinite(low) and np.isfinite(high)):
        low, high = 0.0, 1.0
    if has_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if not high - low > 1e-9 * max(abs(low), abs(high), 1e-300):
        low, high = low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2
    start, step = _round_step(low, high, intervals)
    ticks = [start + step * number for number in range(intervals + 1)]
    labels = tuple(shorten(0.0 if abs(t) < step / 1e6 else t) for t in ticks)
    return Axis(ticks[0], ticks[-1], labels)


def shorten(number: float | None) -> str:
    """Format a number with four significant digits; large ones as words, such as `1.2 million`."""
    if number is None or not 999_999.5 <= abs(number) < 1e15:
        return short(number)
    size, unit = next((s, u) for s, u in _UNITS if abs(number) >= s * 0.9999995)
    return f"{number / size:.4g} {unit}"


def _round_step(low: float, high: float, intervals: int) -> tuple[float, float]:
    """Return the first tick, and the smallest round step with which the ticks cover the range."""
    unit = 10.0 ** float(np.floor(np.log10((high - low) / intervals)))
    start, step = low, (high - low) / intervals
    for factor in _STEPS:
        step = factor * unit
        start = float(np.floor(low / step + 1e-9)) * step
        if start + intervals * step >= high - 1e-9 * step:
            break
    return start, step


def time_labels(starts: Floats, end: float, *, points: int = 5) -> tuple[str, ...]:
    """Format `points` equidistant times from the first start to `end`, in UTC."""
    if not len(starts):
        return ()
    times = np.linspace(starts[0], end, points).tolist()
    return tuple(format_time(time, end - float(starts[0])) for time in times)


def format_time(seconds: float, span_seconds: float) -> str:
    """Format a time in UTC, with the precision that suits an axis of this span."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return short(seconds)
    if span_seconds > _HOURS:
        return f"{moment:%d %b %Y}" if span_seconds > _DAYS else f"{moment:%d %b}"
    return f"{moment:%H:%M:%S}" if span_seconds < _MINUTES else f"{moment:%H:%M}"


def slice_titles(starts: Floats, end: float) -> Sequence[str]:
    """Return the start and end time of each slice, for its readout."""
    span = end - float(starts[0]) if len(starts) else 0.0
    ends = [*starts[1:].tolist(), end]
    return [
        f"{format_time(start, span)} to {format_time(stop, span)}"
        for start, stop in zip(starts.tolist(), ends, strict=True)
    ]
