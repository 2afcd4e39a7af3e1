"""A closed monitor drops what it receives, logs this once, and refuses calls without effect."""

import logging
from collections.abc import Callable

import numpy as np
import pytest

from mlmonitor import Monitor, MonitorError, Profile, Reference
from support.references import fit_reference

COLUMNS = {"age": np.arange(50.0)}


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of a number and a prediction."""
    return fit_reference(COLUMNS, predictions=np.arange(50.0))


def close(reference: Reference) -> Monitor:
    """Return a closed monitor."""
    monitor = Monitor("m", reference=reference, exporters=[])
    monitor.record(COLUMNS, COLUMNS["age"])
    assert monitor.close()
    return monitor


CALLS: dict[str, Callable[[Monitor], object]] = {
    "record": lambda monitor: monitor.record(COLUMNS, COLUMNS["age"]),
    "watch": lambda monitor: monitor.watch(lambda _row: 1.0)({"age": 1.0}),
    "label": lambda monitor: monitor.label("a", 1.0),
    "kpi": lambda monitor: monitor.kpi("saved", 1.0),
    "record_outcomes": lambda monitor: monitor.record_outcomes([1.0], [1.0]),
}


@pytest.mark.parametrize("call", CALLS)
def test_rows_and_labels_after_close_are_dropped_counted_and_logged_once(
    call: str, reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    """The host continues, and its log says that nothing is recorded."""
    monitor = close(reference)
    caplog.set_level(logging.WARNING, "mlmonitor")
    caplog.clear()
    for _ in range(3):
        CALLS[call](monitor)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("m: rows, labels or figures arrive after close()")
    status = monitor.status()
    assert status.dropped + status.labels["dropped"] > 0
    assert status.internal_errors == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda monitor: monitor.serve(port=0),
        lambda monitor: monitor.adopt(monitor.reference, version="2"),
        lambda monitor: monitor.accept("age"),
        lambda monitor: monitor.record_profile(Profile()),
    ],
    ids=["serve", "adopt", "accept", "record_profile"],
)
def test_methods_without_effect_after_close_raise_an_error(
    call: Callable[[Monitor], object], reference: Reference
) -> None:
    """A program calls them deliberately and not while it serves a request."""
    with pytest.raises(
        MonitorError, match="expected an open monitor, but it was closed: create an"
    ):
        call(close(reference))
