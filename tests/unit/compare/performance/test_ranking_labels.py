"""Rankings recorded with ids and labelled with rows of relevances."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.status.status import Status

QUERIES, ITEMS = 60, 5


def label_rankings(scores: Any, *labels: tuple[Any, Any]) -> Status:
    """Return the status after labelling recorded predictions, whose ids are 0, 1, 2, ..."""
    monitor = Monitor("ranker", exporters=[], config=Config(baseline_rows=20))
    ids = [str(row) for row in range(len(scores))]
    monitor.record({"x": np.arange(float(len(scores)))}, scores, ids=ids)
    monitor.flush(timeout_seconds=20)
    for names, actuals in labels:
        monitor.label(names, actuals)
        monitor.flush(timeout_seconds=20)
    status = monitor.status()
    monitor.close()
    return status


def draw(items: int = ITEMS) -> tuple[Any, Any, list[str]]:
    """Draw scores, relevances and ids of some queries."""
    rng = np.random.default_rng(1)
    scores, relevances = rng.normal(size=(QUERIES, items)), rng.integers(0, 3, (QUERIES, items))
    return scores, relevances, [str(row) for row in range(QUERIES)]


@pytest.mark.parametrize("form", ["array", "lists", "one by one"])
def test_labelled_rankings_have_the_measures_of_pairs(form: str) -> None:
    """The pairs are those that `record_outcomes` receives."""
    scores, relevances, ids = draw()
    labels: list[tuple[Any, Any]] = [(ids, relevances)]
    if form == "lists":
        labels = [(ids, relevances.tolist())]
    elif form == "one by one":
        labels = list(zip(ids, relevances.tolist(), strict=True))[:7]
    queries = len(labels) if form == "one by one" else QUERIES

    status = label_rankings(scores, *labels)

    paired = Monitor("ranker", exporters=[], config=Config(baseline_rows=20))
    paired.record_outcomes(scores[:queries], relevances[:queries])
    paired.record({"x": np.arange(20.0)}, np.zeros((20, ITEMS)))
    paired.flush(timeout_seconds=20)
    wanted = paired.status().performance
    paired.close()
    assert wanted is not None
    assert status.performance is not None
    assert status.performance.count == queries
    for name in ("ndcg", "mrr"):
        assert status.performance[name][:4] == pytest.approx(wanted[name][:4])
        assert 0 <= status.performance[name].low <= status.performance[name].high <= 1
    assert status.labels["matched"] == queries
    assert status.last_error is None


def test_repeated_or_missing_relevances_are_counted_by_status() -> None:
    """The same row is a duplicate, another one contradicts it, and a missing one waits."""
    scores, relevances, ids = draw()
    other = (relevances[:2] + 1).tolist()

    status = label_rankings(
        scores,
        (ids, [None, *relevances.tolist()[1:]]),
        (ids[1:2], relevances[1:2]),
        (ids[2:4], other),
    )

    assert status.performance is not None
    assert status.performance.count == QUERIES - 1
    assert status.labels["missing"] == 1
    assert status.labels["duplicate"] == 1
    assert status.labels["contradicting"] == 2


@pytest.mark.parametrize("items", [ITEMS - 1, ITEMS + 1])
def test_a_row_of_relevances_of_another_length_is_unreadable_and_reported(items: int) -> None:
    """The message names the call that accepts rankings of any length."""
    scores, _, ids = draw()

    status = label_rankings(scores, (ids, np.ones((QUERIES, items))))

    assert status.labels["unreadable"] == QUERIES
    assert "record_outcomes(scores, relevances)" in str(status.last_error)


def test_rows_of_relevances_for_single_predictions_are_unreadable_and_reported() -> None:
    """Labels of the right form still count."""
    rng = np.random.default_rng(2)
    predicted = rng.normal(size=QUERIES)
    ids = [str(row) for row in range(QUERIES)]

    status = label_rankings(predicted, (ids[:5], np.ones((5, 3))), (ids[5:], predicted[5:] + 1.0))

    assert status.labels["unreadable"] == 5
    assert "record_outcomes(scores, relevances)" in str(status.last_error)
    assert status.performance is not None
    assert status.performance["bias"].value == pytest.approx(-1.0)


def test_single_labels_after_rankings_are_reported_and_do_not_affect_them() -> None:
    """A model has one task."""
    scores, relevances, ids = draw()

    status = label_rankings(scores, (ids[:10], relevances[:10]), (ids[10:20], relevances[10:20, 0]))

    assert "expected a row of relevances" in str(status.last_error)
    assert status.performance is not None
    assert status.performance.count == 10


def test_rows_of_labels_for_scores_named_by_class_are_not_rankings() -> None:
    """The row could be a one-hot class, so it is not read."""
    rng = np.random.default_rng(3)
    scores = dict(zip("abc", rng.dirichlet([1, 1, 1], QUERIES).T, strict=True))
    monitor = Monitor("m", exporters=[], config=Config(baseline_rows=20))
    ids = [str(row) for row in range(QUERIES)]
    monitor.record({"x": np.arange(float(QUERIES))}, scores, ids=ids)
    monitor.flush(timeout_seconds=20)
    monitor.label(ids, np.eye(3, dtype=int)[rng.integers(0, 3, QUERIES)])
    monitor.flush(timeout_seconds=20)
    status = monitor.status()
    monitor.close()

    assert status.labels["unreadable"] == QUERIES
    assert status.performance is None
    assert "expected one actual for each prediction" in str(status.last_error)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_ranking_with_a_missing_relevance_is_unreadable_and_reported(
    missing: float | None,
) -> None:
    """Its measure would ignore that item; the other rankings count."""
    scores, relevances, ids = draw()
    rows: list[list[Any]] = relevances.tolist()
    rows[3][1] = missing

    status = label_rankings(scores, (ids, rows))

    assert status.performance is not None
    assert status.performance.count == QUERIES - 1
    assert status.labels["unreadable"] == 1
    assert status.labels["matched"] == QUERIES - 1
    assert "a relevance for each score" in str(status.last_error)


def test_rankings_with_equal_padding_are_complete() -> None:
    """A query with fewer items has neither a score nor a relevance at the end of its row."""
    scores, relevances, ids = draw()
    padded = relevances.astype(float)
    scores[::2, -1] = padded[::2, -1] = np.nan

    status = label_rankings(scores, (ids, padded))

    assert status.labels["matched"] == QUERIES
    assert status.performance is not None
    assert status.performance.count == QUERIES
