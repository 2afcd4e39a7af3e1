"""The first pairs of predictions and actuals do not determine the task alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference, Status
from support.references import fit_reference

NUMBERS = np.random.default_rng(0).normal(100, 20, 20).tolist()
SCORES = [0.1, 0.9, 0.2, 0.8] * 5


@pytest.fixture(scope="module")
def trained() -> Reference:
    """A reference of a regression without actuals."""
    return fit_reference({"x": NUMBERS}, predictions=NUMBERS)


def report(
    predictions: Sequence[Any],
    actuals: Sequence[Any],
    reference: Reference | None = None,
    *,
    by_id: bool = False,
) -> Status:
    """Return the status of a monitor after pairs that arrive one by one."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", reference=reference, exporters=[], config=config) as monitor:
        for row, (prediction, actual) in enumerate(zip(predictions, actuals, strict=True)):
            if by_id:
                monitor.record({"x": [1.0]}, [prediction], ids=[f"{row}"])
                monitor.status()
                monitor.label([f"{row}"], [actual])
            else:
                monitor.record_outcomes([prediction], [actual])
            monitor.status()
        return monitor.status()


def counts_of(status: Status) -> dict[str, int]:
    """Return the counts of labels by status, without zeros."""
    return {name: count for name, count in status.labels.items() if count}


@pytest.mark.parametrize("stray", ["n/a", True])
@pytest.mark.parametrize("place", [0, 20])
@pytest.mark.parametrize("by_id", [False, True])
def test_a_stray_prediction_is_unreadable_and_does_not_change_the_task(
    stray: object, place: int, *, by_id: bool, trained: Reference
) -> None:
    """It is the first or last of a regression's; the error says what was expected."""
    predictions, actuals = list(NUMBERS), [number + 1 for number in NUMBERS]
    predictions.insert(place, stray)
    actuals.insert(place, 3.0)
    status = report(predictions, actuals, trained if by_id else None, by_id=by_id)
    assert status.performance is not None
    assert (status.performance.task, status.performance.count) == ("regression", 20)
    assert status.performance["mae"].value == pytest.approx(1.0)
    assert counts_of(status) == {"matched": 20, "unreadable": 1}
    assert "prediction: expected numbers, got texts or booleans" in str(status.last_error)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_first_prediction_does_not_determine_the_task(missing: object) -> None:
    """Later predictions are numbers or names."""
    for values, task in ((NUMBERS, "regression"), (["a", "b"] * 10, "binary")):
        status = report([missing, *values], [values[0], *values])
        assert status.performance is not None
        assert (status.performance.task, status.last_error) == (task, None)
        assert counts_of(status) == {"matched": 20, "missing": 1}


@pytest.mark.parametrize(("first", "verdict"), [("n/a", "unreadable"), (None, "missing")])
def test_a_first_label_of_another_type_does_not_determine_the_task(
    first: object, verdict: str
) -> None:
    """Later labels are numbers, so the first one is counted as unreadable or missing."""
    status = report([1.0, *NUMBERS], [first, *NUMBERS])
    assert status.performance is not None
    assert (status.performance.task, status.performance.count) == ("regression", 20)
    assert counts_of(status) == {"matched": 20, verdict: 1}
    (actual,) = (field for field in status.fields if field.role == "actual")
    assert (actual.kind, actual.count) == ("numeric", 20)
    assert sum(cohort.labelled for cohort in status.cohorts) == 20


def test_counts_that_begin_with_zeros_and_ones_are_judged_as_a_regression() -> None:
    """The first predictions may look like probabilities."""
    status = report([0.2, 0.9, 3.5, 2.0], [0, 1, 4, 2])
    assert status.performance is not None
    assert status.performance.task == "regression"
    assert status.performance["mae"].value == pytest.approx(0.2)


def test_booleans_followed_by_numbers_are_judged_as_a_regression() -> None:
    """True is 1 among numbers."""
    status = report([1.5, *NUMBERS], [True, *NUMBERS])
    assert status.performance is not None
    assert (status.performance.task, status.performance.count) == ("regression", 21)


def test_classes_that_arrive_one_by_one_all_count() -> None:
    """The first pair shows only one of the classes."""
    status = report(list("abcabc"), list("abcaba"))
    assert status.performance is not None
    assert status.performance["accuracy"].value == pytest.approx(5 / 6)
    assert set(status.performance.confusion) == {"a", "b", "c"}


def test_a_text_among_scores_of_two_classes_is_unreadable() -> None:
    """It is neither a third class nor a wrong prediction."""
    status = report(["error", *SCORES], [1, *(round(score) for score in SCORES)])
    assert status.performance is not None
    assert (status.performance.task, status.performance["accuracy"].value) == ("binary", 1.0)
    assert counts_of(status) == {"matched": 20, "unreadable": 1}


def test_first_pairs_that_cannot_be_compared_determine_later_ones() -> None:
    """The reason stays in the status, although later pairs alone could be compared."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", exporters=[], config=config) as monitor:
        monitor.record_outcomes(NUMBERS * 6, ["a", "b", "c"] * 40)
        for _ in range(2):
            monitor.record_outcomes([1.5], ["a"])
            status = monitor.status()
    assert status.performance is None
    assert counts_of(status) == {"matched": 122}
    assert status.internal_errors == 1
    assert "label: expected numbers" in str(status.last_error)
