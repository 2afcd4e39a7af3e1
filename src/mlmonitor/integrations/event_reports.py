"""Record stored predictions and labels in a monitor, whichever engine has read them."""

from typing import Any

from mlmonitor.monitor.monitor import Monitor
from mlmonitor.status.status import Status
from mlmonitor.store.evaluate import read_outcomes
from mlmonitor.store.stored_rows import StoredPredictions


def report_outcomes(connection: Any, events: StoredPredictions, monitor: Monitor) -> Status:
    """Record the labelled predictions of a period in a monitor; return its status."""
    for outcomes in read_outcomes(connection, events):
        monitor.record_outcomes(
            outcomes.predictions,
            outcomes.actuals,
            predicted_at=outcomes.predicted_at,
            features=outcomes.features or None,
        )
        monitor.status()  # waits until the chunk is counted, so that no row is dropped
    return monitor.status()
