"""Test tools for services that use mlmonitor or send OTLP metrics."""

from mlmonitor.testing.clock import ManualClock
from mlmonitor.testing.in_memory import InMemoryExporter
from mlmonitor.testing.receiver.faults import (
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
from mlmonitor.testing.receiver.histograms import HistogramTotal
from mlmonitor.testing.receiver.ledger import Ledger, Request
from mlmonitor.testing.receiver.receiver import OtlpReceiver
from mlmonitor.testing.receiver.series import ReceivedSeries

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
    "ReceivedSeries",
    "Redirect",
    "Refuse",
    "Request",
    "Slow",
    "Sometimes",
]
