"""Selective labels are reported, and neither chance nor young cohorts count as selection."""

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Status
from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.compare.performance.selection.label_selection import SelectionTable
from mlmonitor.testing import ManualClock

DAY = 86_400.0


def run(days: int, chance: Any, *, task: str = "numbers") -> Status:
    """Serve 200 predictions a day, some of which get a label a day later by their value."""
    rng, clock = np.random.default_rng(7), ManualClock(1_700_006_400.0)
    with Monitor(
        "m", exporters=[], clock=clock, config=Config(cohort_seconds=DAY, baseline_rows=100)
    ) as monitor:
        late: tuple[list[str], list[Any]] = ([], [])
        for day in range(days):
            x = rng.random(200)
            ids = [f"{day}-{row}" for row in range(200)]
            values = x if task == "numbers" else np.where(x > 0.5, "approve", "refuse")
            monitor.record({"x": x}, values, ids=ids)
            monitor.status()
            monitor.label(*late)
            chosen = np.flatnonzero(rng.random(200) < chance(x))
            late = [ids[row] for row in chosen], values[chosen].tolist()
            monitor.status()
            clock.advance(DAY)
        return monitor.status()


@pytest.mark.parametrize("task", ["numbers", "classes"])
def test_labels_of_only_high_predictions_are_reported_as_selective(task: str) -> None:
    """The status has it as an attribute and in its text."""
    status = run(10, lambda x: x > 0.5, task=task)
    selection = status.selection
    assert selection is not None
    assert selection.is_selective
    assert selection.difference > 0.9
    assert 0.4 < selection.labelled / selection.predicted < 0.6
    assert "labels are selective: 5" in str(status)
    if task == "numbers":
        assert selection.labelled_mean > 0.7
        assert selection.unlabelled_mean < 0.3


def test_labels_of_a_random_half_of_the_predictions_are_not_selective() -> None:
    """They are as good as all labels."""
    status = run(10, lambda x: np.full(x.size, 0.5))
    assert status.selection is not None
    assert not status.selection.is_selective
    assert "selective" not in str(status)


def test_labels_that_are_still_to_arrive_do_not_count_as_selective() -> None:
    """High predictions are labelled first, and no cohort is mature."""
    assert run(1, lambda x: x > 0.5).selection is None


def test_selection_of_class_predictions_uses_constant_memory() -> None:
    """Classes do not wait for numbers to compare."""
    cohorts = CohortTable(DAY)
    table, place, nothing = SelectionTable(cohorts), np.zeros(1, np.int64), np.full(1, np.nan)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(1_000):
            table.update(place, nothing, np.ones(1), is_label=False)
        traced_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert traced_bytes < 20_000
    assert table.counts[0].sum() == 1_000


@pytest.mark.slow
def test_random_labels_are_reported_as_selective_in_none_of_a_thousand_streams() -> None:
    """The share of labels and the predictions vary between cohorts."""
    rng, judged = np.random.default_rng(8), 0
    for _ in range(1_000):
        cohorts = CohortTable(DAY)
        table = SelectionTable(cohorts)
        for day in range(4):
            rows, share = int(rng.integers(200, 400)), rng.uniform(0.2, 0.8)
            values, times = rng.normal(day, 1, rows), np.full(rows, DAY * (day + 0.5))
            places, _ = cohorts.places(times)
            classes = np.full(rows, -1)
            cohorts.count_predictions(places)
            table.update(places, values, classes, is_label=False)
            is_labelled = rng.random(rows) < share
            cohorts.count_labels(places[is_labelled], times[is_labelled])
            table.update(
                places[is_labelled], values[is_labelled], classes[is_labelled], is_label=True
            )
        selection = table.judge(now=10 * DAY)
        judged += selection is not None
        assert selection is None or not selection.is_selective
    assert judged > 900
