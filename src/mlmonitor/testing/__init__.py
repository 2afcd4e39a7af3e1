"""For tests of services that use mlmonitor, or send OTLP metrics by whatever means."""

from mlmonitor.testing.clock import ManualClock
from mlmonitor.testing.faults import (
    Down,
    Drop,
    Fault,
    Garbage,
    PartialSuccess,
    Redirect,
    Refuse,
    Slow,
    Sometimes,
)
from mlmonitor.testing.histograms import HistogramTotal
from mlmonitor.testing.ledger import Ledger, Request
from mlmonitor.testing.memory import InMemoryExporter
from mlmonitor.testing.receiver import OtlpReceiver
from mlmonitor.testing.series import Series

__all__ = [
    "Down",
    "Drop",
    "Fault",
    "Garbage",
    "HistogramTotal",
    "InMemoryExporter",
    "Ledger",
    "ManualClock",
    "OtlpReceiver",
    "PartialSuccess",
    "Redirect",
    "Refuse",
    "Request",
    "Series",
    "Slow",
    "Sometimes",
]
