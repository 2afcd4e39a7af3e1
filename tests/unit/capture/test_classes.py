"""Class probabilities mean the same to a watched function, a block and a batch."""

from collections.abc import Iterator

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

NAMES = ["good", "bad"]
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])


@pytest.fixture
def monitor(exporter: InMemoryExporter, clock: ManualClock) -> Iterator[Monitor]:
    """A monitor of a binary classifier whose worker does not poll."""
    p = np.linspace(0.0, 1.0, 100)
    reference = fit_reference(
        {"a": p},
        predictions=np.column_stack([p, 1 - p]),
        output="probabilities",
        classes=NAMES,
        actuals=np.where(p > 0.5, "good", "bad"),
    )
    config = Config(poll_interval_seconds=3600, export_interval_seconds=3600)
    with Monitor(
        "m", reference=reference, exporters=[exporter], config=config, clock=clock
    ) as monitor:
        yield monitor


def test_blocks_and_batches_read_class_probabilities_as_watched_functions_do(
    monitor: Monitor,
) -> None:
    """Each class has a field, the label is the most probable class, and nothing is unknown."""
    rows = iter(PROBABILITIES)
    read = monitor.watch(output="probabilities", names=NAMES)(lambda _: next(rows))
    for _ in PROBABILITIES:
        read({"a": 0.5})
    watched = monitor.status()
    for row in PROBABILITIES:
        with monitor.observe({"a": 0.5}, output="probabilities", names=NAMES) as prediction:
            prediction.value = row
    monitor.record(
        {"a": [0.5] * 3}, PROBABILITIES, ids=["1", "2", "3"], output="probabilities", names=NAMES
    )
    status = monitor.status()
    assert status.predictions == 9
    for name in ("prediction.good", "prediction.bad"):
        own, others = (
            status_of_model.field(name, role="prediction") for status_of_model in (status, watched)
        )
        assert own.count == 3 * others.count == 9
        assert own.mean == pytest.approx(others.mean)
    label = status.field("prediction", role="prediction")
    assert label.count == 9
    assert label.quality == {
        kind: 3 * n for kind, n in watched.field("prediction", role="prediction").quality.items()
    }
    assert (status.unknown_fields, status.internal_errors) == ({}, 0)
    monitor.label(["1", "2", "3"], ["good", "bad", "good"])
    assert monitor.status().labels["matched"] == 3


def test_an_invalid_output_option_is_counted_and_not_raised(monitor: Monitor) -> None:
    """In a running service the rows are recorded and the error is reported."""
    monitor.record({"a": [0.5] * 3}, PROBABILITIES, output="proba")  # type: ignore[arg-type]
    with monitor.observe({"a": 0.5}, names="ab") as prediction:
        prediction.value = 0.5
    status = monitor.status()
    assert (status.predictions, status.internal_errors) == (4, 2)
    assert "names: expected a sequence" in str(status.last_error)


def test_output_names_created_at_run_time_do_not_fill_the_memory(monitor: Monitor) -> None:
    """Names that a call makes up are dropped again, and each call is read with its own."""
    for at in range(600):
        monitor.record({"a": [0.5]}, [[0.4, 0.6]], output="probabilities", names=["good", f"b{at}"])
    status = monitor.status()
    assert status.field("prediction.good", role="prediction").count == 600
    assert status.internal_errors == 0
