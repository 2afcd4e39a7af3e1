"""What is exported, and what an exporter has to be."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from mlmonitor.catalog import Metric

__all__ = ["Attributes", "Delivered", "Exporter", "HistogramValue", "Point", "Snapshot"]

THREAD_NAME = "mlmonitor"
"""Of the thread that exports."""

Attributes = tuple[tuple[str, str], ...]
"""Pairs in a fixed order, hashable: together with the metric they identify a series."""


class HistogramValue(NamedTuple):
    """Counts over `(a, b]` buckets, one more than there are `bounds`.

    `sum` is None where it could fall, which a backend would take for a restart: where values were
    negative.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float | None
    min: float | None
    max: float | None


class Point(NamedTuple):
    """One series at one moment: Python ints and floats, never numpy's, never NaN or infinite."""

    metric: Metric
    attributes: Attributes
    value: int | float | HistogramValue


class Snapshot(NamedTuple):
    """All points of one process at one moment; counters and histograms count from the start."""

    instance: str
    service: str
    start_unix_ns: int
    time_unix_ns: int
    points: Sequence[Point]


class Delivered(NamedTuple):
    """How many points the other side took, and how many it refused for good."""

    accepted: int
    rejected: int


class Exporter(Protocol):
    """Where snapshots go. `send` may be slow and may raise: the worker copes with both.

    `name` tells destinations apart in `mlmonitor.export.points`. A snapshot that could not be sent
    need not be kept: the next one holds all that it held.
    """

    @property
    def name(self) -> str:
        """What the destination is called."""

    def send(self, snapshot: Snapshot) -> Delivered:
        """Deliver; raise ExportError where nothing was taken."""

    def close(self, *, timeout_seconds: float) -> None:
        """Let go of connections. May be called twice."""
