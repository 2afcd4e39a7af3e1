"""Every measure against scikit-learn and numpy on the same rows, in one part and merged."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan, score_losses
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.compare.performance.ranking import measure_rankings

ROWS = 4_000
PROCESSES = 8
NO_NUMBERS = np.full(ROWS, np.nan)


def performance_of(plan: OutcomePlan, block: OutcomeBlock, processes: int) -> Performance:
    """Return the performance of rows that several processes saw in random order."""
    order = np.random.default_rng(3).permutation(ROWS)
    whole = OutcomeTables(plan, 1)
    for rows in np.array_split(order, processes):
        columns = (block.predicted, block.actual, block.predicted_class, block.actual_class)
        means = {name: values[rows] for name, values in block.means.items()}
        part = OutcomeBlock(*(column[rows] for column in columns), block.scores[:, rows], means)
        one = OutcomeTables(plan, 1)
        one.update(part, np.zeros(len(rows), np.int64))
        whole.merge(one)
    return Performance(whole)


processes = pytest.mark.parametrize("processes", [1, PROCESSES])


@processes
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_regression_measures_equal_those_of_scikit_learn(processes: int, scale: float) -> None:
    """They agree to 1e-9, also far from zero."""
    rng = np.random.default_rng(0)
    actual = rng.normal(5, 1, ROWS) * scale
    predicted = actual + rng.normal(0.1, 0.5, ROWS) * scale
    codes = np.full(ROWS, -1)
    block = OutcomeBlock(predicted, actual, codes, codes, np.empty((0, ROWS)), {})
    performance = performance_of(OutcomePlan("regression", center=5 * scale), block, processes)
    expected = {
        "mae": metrics.mean_absolute_error(actual, predicted),
        "rmse": metrics.root_mean_squared_error(actual, predicted),
        "bias": (predicted - actual).mean(),
        "mape": metrics.mean_absolute_percentage_error(actual, predicted),
        "wape": np.abs(predicted - actual).sum() / np.abs(actual).sum(),
        "r2": metrics.r2_score(actual, predicted),
        "pinball": metrics.mean_pinball_loss(actual, predicted, alpha=0.5),
    }
    assert {name: e.value for name, e in performance.items()} == pytest.approx(expected, rel=1e-9)
    for quantile in (0.1, 0.9):
        loss = metrics.mean_pinball_loss(actual, predicted, alpha=quantile)
        assert performance.pinball(quantile).value == pytest.approx(loss, rel=1e-9)
    assert performance.count == ROWS


def classes_of(plan: OutcomePlan, actual: Any, predicted: Any, scores: Any) -> OutcomeBlock:
    """Return a block of class codes with the losses of their scores."""
    block = OutcomeBlock(NO_NUMBERS, NO_NUMBERS, predicted, actual, scores, {})
    block.means.update(score_losses(plan, block))
    return block


@processes
@pytest.mark.parametrize("rate", [0.5, 0.02])
def test_binary_classification_measures_equal_those_of_scikit_learn(
    processes: int, rate: float
) -> None:
    """They agree to 1e-9, and areas agree within the error that they state."""
    rng = np.random.default_rng(1)
    logits = rng.normal(np.log(rate / (1 - rate)), 1.5, ROWS)
    score = 1 / (1 + np.exp(-logits))
    actual = (rng.random(ROWS) < 1 / (1 + np.exp(-0.8 * logits))).astype(np.int64)
    predicted = (score > 0.5).astype(np.int64)
    plan = OutcomePlan("binary", ("no", "yes"), has_scores=True)
    performance = performance_of(plan, classes_of(plan, actual, predicted, score[None]), processes)
    bins = np.digitize(score, np.arange(1, 10) / 10, right=True)
    gaps = [abs((score - actual)[bins == at].sum()) for at in range(10)]
    expected = {
        "accuracy": metrics.accuracy_score(actual, predicted),
        "precision": metrics.precision_score(actual, predicted),
        "recall": metrics.recall_score(actual, predicted),
        "f1": metrics.f1_score(actual, predicted),
        "specificity": metrics.recall_score(1 - actual, 1 - predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(actual, predicted),
        "log_loss": metrics.log_loss(actual, score),
        "brier": metrics.brier_score_loss(actual, score),
        "ece": sum(gaps) / ROWS,
    }
    values = {name: performance[name].value for name in expected}
    assert values == pytest.approx(expected, rel=1e-9)
    areas = {
        "roc_auc": metrics.roc_auc_score(actual, score),
        "pr_auc": metrics.average_precision_score(actual, score),
    }
    for name, area in areas.items():
        assert abs(performance[name].value - area) <= performance.auc_error[name] + 1e-12
        assert performance.auc_error[name] < (0.003 if name == "roc_auc" else 0.05)
    matrix = metrics.confusion_matrix(actual, predicted)
    assert [list(row.values()) for row in performance.confusion.values()] == matrix.tolist()


@processes
def test_a_calibration_curve_equals_one_by_numpy(processes: int) -> None:
    """Each tenth has its mean score and its share of positives; 0, 0.1 and 1 are included."""
    rng = np.random.default_rng(2)
    score = np.concatenate([rng.random(ROWS - 30), np.repeat([0.0, 0.1, 1.0], 10)])
    actual = (rng.random(ROWS) < score).astype(np.int64)
    plan = OutcomePlan("binary", ("no", "yes"), has_scores=True)
    block = classes_of(plan, actual, (score > 0.5).astype(np.int64), score[None])
    curve = performance_of(plan, block, processes).calibration
    assert len(curve) == 10
    for at, part in enumerate(curve):
        own = (score <= (at + 1) / 10) & ((score > at / 10) | (at == 0))
        assert part.count == own.sum()
        assert part.mean_score == pytest.approx(score[own].mean())
        assert part.share == pytest.approx(actual[own].mean())
        assert part.low < part.share < part.high


def test_the_outcome_of_another_threshold_equals_that_of_numpy() -> None:
    """Counts, precision and gain are exact at the edges of bins."""
    rng = np.random.default_rng(5)
    score = rng.random(ROWS)
    actual = (rng.random(ROWS) < score).astype(np.int64)
    plan = OutcomePlan("binary", ("no", "yes"), has_scores=True)
    performance = performance_of(plan, classes_of(plan, actual, actual, score[None]), 1)
    for threshold in (0.1, 0.5, 0.93):
        flagged = score > threshold
        outcome = performance.at(threshold)
        assert outcome.threshold == pytest.approx(threshold)
        assert outcome.true_positives == (flagged & (actual == 1)).sum()
        assert outcome.true_negatives == (~flagged & (actual == 0)).sum()
        assert outcome.precision == pytest.approx(actual[flagged].mean())
        assert outcome.gain == pytest.approx((flagged & (actual == 1)).sum() / actual.sum())


@processes
def test_multiclass_measures_equal_those_of_scikit_learn(processes: int) -> None:
    """They are macro averages, and one class is never predicted."""
    rng = np.random.default_rng(4)
    scores = rng.dirichlet([1, 2, 1, 0.2], ROWS)
    actual = np.array([rng.choice(4, p=row) for row in scores])
    predicted = scores[:, :3].argmax(axis=1)
    plan = OutcomePlan("multiclass", ("a", "b", "c", "d"), has_scores=True)
    performance = performance_of(plan, classes_of(plan, actual, predicted, scores.T), processes)
    macro: dict[str, Any] = {"average": "macro", "zero_division": 0}
    one_hot = np.eye(4)[actual]
    matrices = metrics.multilabel_confusion_matrix(actual, predicted)
    expected = {
        "accuracy": metrics.accuracy_score(actual, predicted),
        "precision": metrics.precision_score(actual, predicted, **macro),
        "recall": metrics.recall_score(actual, predicted, **macro),
        "f1": metrics.f1_score(actual, predicted, **macro),
        "specificity": np.mean([m[0, 0] / m[0].sum() for m in matrices]),
        "balanced_accuracy": metrics.balanced_accuracy_score(actual, predicted),
        "log_loss": metrics.log_loss(actual, scores),
        "brier": ((scores - one_hot) ** 2).sum(axis=1).mean(),
    }
    assert {name: performance[name].value for name in expected} == pytest.approx(expected, rel=1e-9)
    area = metrics.roc_auc_score(actual, scores, multi_class="ovr", average="macro")
    assert abs(performance["roc_auc"].value - area) <= performance.auc_error["roc_auc"] + 1e-12


def test_ranking_measures_equal_those_of_scikit_learn() -> None:
    """These are NDCG at ten and the reciprocal rank of the first relevant item."""
    rng = np.random.default_rng(8)
    scores, relevance = rng.random((200, 25)), rng.poisson(0.3, (200, 25)).astype(float)
    relevance[0] = 0.0
    rankings = measure_rankings(scores, relevance)
    for query in range(1, 200):
        if relevance[query].any():
            expected = metrics.ndcg_score(relevance[[query]], scores[[query]], k=10)
            assert rankings["ndcg"][query] == pytest.approx(expected, rel=1e-9)
        ranks = np.flatnonzero(relevance[query][np.argsort(-scores[query])][:10] > 0)
        assert rankings["mrr"][query] == (1 / (ranks[0] + 1) if ranks.size else 0.0)
    assert np.isnan(rankings["ndcg"][0])
    assert rankings["mrr"][0] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_intervals_hold_the_true_value_in_about_95_of_a_hundred_samples(task: str) -> None:
    """Each measure is computed for 400 samples of 400 rows; the truth is that of 400,000 rows."""
    rng = np.random.default_rng(6)
    size, samples = 400, 400
    covered: dict[str, list[bool]] = {}
    truth = _sample(task, rng, 400_000)
    for _ in range(samples):
        for measure, estimate in _sample(task, rng, size).items():
            is_within = estimate.low <= truth[measure].value <= estimate.high
            covered.setdefault(measure, []).append(bool(is_within))
    for measure, hits in covered.items():
        least = 0.85 if measure in ("ece", "pr_auc") else 0.915
        assert np.mean(hits) >= least, measure


def _sample(task: str, rng: np.random.Generator, rows: int) -> Performance:
    none, codes = np.full(rows, np.nan), np.full(rows, -1)
    if task == "regression":
        plan = OutcomePlan("regression", center=5.0)
        actual = rng.gamma(5, 1, rows)
        predicted = 0.9 * actual + 0.6 + rng.normal(0, 0.7, rows)
        block = OutcomeBlock(predicted, actual, codes, codes, np.empty((0, rows)), {})
    else:
        is_binary = task == "binary"
        k = 2 if is_binary else 3
        plan = OutcomePlan(
            "binary" if is_binary else "multiclass", tuple("abc"[:k]), has_scores=True
        )
        scores = rng.dirichlet(np.ones(k), rows)
        truth = scores**1.5 / (scores**1.5).sum(axis=1, keepdims=True)
        classes = (rng.random(rows)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
        kept = scores[:, 1:].T if is_binary else scores.T
        block = OutcomeBlock(none, none, scores.argmax(axis=1), classes, kept, {})
        block.means.update(score_losses(plan, block))
    tables = OutcomeTables(plan, 1)
    tables.update(block, np.zeros(rows, np.int64))
    return Performance(tables)
