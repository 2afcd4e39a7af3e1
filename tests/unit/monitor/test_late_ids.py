"""Ids that are read when their prediction has been queued and perhaps read already."""

import contextvars
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlmonitor import Config, Monitor, Observation, Reference
from support.references import fit_reference

ROW = {"x": 1.0}


@pytest.fixture
def reference() -> Reference:
    """A reference of one number, its prediction and its actual."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    return fit_reference({"x": x}, predictions=x, actuals=x)


@pytest.fixture
def monitor(reference: Reference) -> Iterator[Monitor]:
    """A monitor whose worker does not poll: `status` reads what waits."""
    with made(reference) as new_monitor:
        yield new_monitor


def made(reference: Reference, **options: Any) -> Monitor:
    """Return a monitor that only the test drives."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600, **options)
    return Monitor("m", reference=reference, exporters=[], config=config)


def observed(monitor: Monitor, features: Any = None, value: Any = 1.5) -> Observation:
    """Return a block that has ended."""
    with monitor.observe(ROW if features is None else features) as block:
        block.value = value
    return block


def matched(monitor: Monitor) -> int:
    """Match waiting labels, and return how many found their prediction."""
    monitor.status()
    return monitor.status().labels["matched"]


def test_the_id_can_be_read_in_a_copied_context_after_the_block(monitor: Monitor) -> None:
    """A task or thread started inside the block reads it after the block has ended."""
    with monitor.observe(ROW) as block:
        block.value = 1.5
        inside = contextvars.copy_context()
    monitor.status()
    asked = inside.run(lambda: monitor.prediction_id)
    assert asked == block.id
    monitor.label(asked, 1.0)
    assert matched(monitor) == 1


def test_a_block_that_ends_while_its_id_is_created_is_found_by_the_id(reference: Reference) -> None:
    """Another thread ends the block, and the worker reads it, in the middle of the call."""
    with made(reference) as monitor:
        block = monitor.observe(ROW)
        block.__enter__()
        block.value = 1.5
        make = monitor._capture.recorder.new_id

        def interrupted() -> str:
            block.__exit__(None, None, None)
            monitor.status()
            return make()

        object.__setattr__(monitor._capture.recorder, "new_id", interrupted)
        monitor.label(block.id, 1.0)
        assert matched(monitor) == 1


def test_an_unreadable_row_does_not_affect_the_ids_of_other_rows(monitor: Monitor) -> None:
    """Two of the rows are frames that cannot be joined."""
    frames = [pd.DataFrame([ROW]) for _ in range(2)]
    for frame in frames:
        frame.attrs["x"] = np.zeros(3)  # which pandas compares when it joins, and cannot
    rows = [*[ROW] * 3, *frames, *[ROW] * 3]
    blocks = [observed(monitor, features) for features in rows]
    monitor.status()
    for block in blocks:
        monitor.label(block.id, 1.0)
    assert matched(monitor) == len(rows)


@pytest.mark.parametrize("rows", [1, 2])
def test_rows_of_a_batch_are_labelled_by_id_and_index_for_any_number_of_rows(
    monitor: Monitor, rows: int
) -> None:
    """The code that labels a batch need not treat a single row specially."""

    @monitor.watch(prediction=0)
    def predict(matrix: Any) -> tuple[Any, str]:
        return matrix[:, 0], monitor.prediction_id

    _, asked = predict(np.ones((rows, 1)))
    monitor.label([f"{asked}-{at}" for at in range(rows)], [1.0] * rows)
    assert matched(monitor) == rows


def test_labels_that_arrive_while_a_reference_is_learned_wait_and_are_matched() -> None:
    """The next status or the close matches them, even if no reference was learned."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600, baseline_rows=20)
    for rows in (20, 10):
        monitor = Monitor("m", exporters=[], config=config)
        asked = []
        for at in range(rows):
            with monitor.observe({"x": float(at)}) as block:
                block.value = float(at)
            asked.append(block.id)
        monitor.label([*asked, "nobody's"], [*range(rows), 1.0])
        is_learned = rows == 20
        labels = monitor.status().labels
        assert (labels["matched"], labels["waiting"]) == ((20, 1) if is_learned else (0, 11))
        monitor.close()
        labels = monitor.status().labels
        assert (labels["matched"], labels["unknown"], labels["waiting"]) == (rows, 1, 0)


def test_labels_of_evicted_predictions_do_not_wait_for_a_reference() -> None:
    """In a service that learns for weeks, they count as unknown and the others are matched."""
    config = Config(
        poll_interval_seconds=3_600,
        export_interval_seconds=3_600,
        pending_predictions=40,
        baseline_rows=200,
    )
    ids = [f"claim-{at}" for at in range(100)]
    with Monitor("m", exporters=[], config=config) as monitor:
        monitor.record({"x": np.arange(100.0)}, np.arange(100.0), ids=ids)
        monitor.label(ids[50:90], np.arange(50.0, 90.0))
        first = monitor.status().labels
        second = monitor.status().labels
        monitor.record({"x": np.arange(100.0)}, np.arange(100.0))
        learned = monitor.status().labels
    assert (first["waiting"], first["evicted"]) == (40, 60)
    assert (second["waiting"], second["unknown"]) == (30, 10)
    assert (learned["waiting"], learned["unknown"], learned["matched"]) == (0, 10, 30)


def test_reading_an_id_during_close_does_not_count_as_a_dropped_label(monitor: Monitor) -> None:
    """No label was sent."""
    block = observed(monitor)
    monitor.close()
    assert block.id
    assert monitor.status().labels["dropped"] == 0


def test_a_dropped_row_waits_for_no_label(reference: Reference) -> None:
    """It was never counted, so its label is unknown."""
    with made(reference, buffer_rows=2) as monitor:
        blocks = [observed(monitor) for _ in range(3)]
        asked = [block.id for block in blocks]
        status = monitor.status()
        assert (status.predictions, status.dropped) == (2, 1)
        monitor.label(asked[:2], [1.0] * 2)
        assert matched(monitor) == 2
        monitor.label(asked[2], 1.0)
        assert matched(monitor) == 2
        assert monitor.status().labels["unknown"] == 1


def test_the_number_of_calls_with_late_ids_is_bounded_by_the_buffer(reference: Reference) -> None:
    """Labels of further calls could not be matched, so they count as dropped."""
    with made(reference, buffer_rows=10) as monitor:
        batch = np.ones((8, 1))
        for _ in range(4):
            block = observed(monitor, batch, np.ones(8))
            monitor._inbox.calls.drain(1)  # as if the worker had read it
            assert block.id
        assert len(monitor._inbox.late._items) == 2
        assert monitor.status().labels["dropped"] == 16


def test_an_id_read_before_the_drain_is_read_once(monitor: Monitor) -> None:
    """The call was read with its id, so nothing is left to do for it."""
    asked = [observed(monitor).id for _ in range(5)]
    pipeline = monitor._worker.pipeline
    read: list[int] = []
    remember = pipeline.state.remember
    pipeline.state.remember = lambda run, *, now: (
        read.append(len(run)),
        remember(run, now=now),
    )  # type: ignore[method-assign,assignment,func-returns-value]
    monitor.label(asked, [1.0] * 5)
    assert matched(monitor) == 5
    assert read == []
