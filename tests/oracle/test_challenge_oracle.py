"""The losses of a challenge against those of scikit-learn."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.svm import LinearSVC

from mlmonitor import Challenge

ROWS = 300
NAMES = np.array(["a", "b", "c"])
_RNG = np.random.default_rng(0)
CODES = _RNG.integers(0, 3, ROWS)
ACTUAL = NAMES[CODES]
PROBABILITIES = _RNG.dirichlet([1, 1, 1], ROWS)
CHANCE = _RNG.uniform(0, 1, ROWS)
TRUTH = (_RNG.random(ROWS) < CHANCE).astype(int)
FEATURES = np.stack([CODES, TRUTH], axis=1) + _RNG.normal(size=(ROWS, 2))
ONE_HOT = np.eye(3)[CODES]

Numbers = NDArray[np.float64]
Case = tuple[str, Any, Any, float, dict[str, Any]]


def hinge_cases() -> list[Case]:
    """Return decision values of support vector machines with two and with three classes."""
    two = LinearSVC().fit(FEATURES, TRUTH).decision_function(FEATURES)
    three = LinearSVC().fit(FEATURES, ACTUAL).decision_function(FEATURES)
    return [
        ("hinge", two, TRUTH, metrics.hinge_loss(TRUTH, two), {}),
        ("hinge", three, ACTUAL, metrics.hinge_loss(ACTUAL, three, labels=NAMES), {}),
    ]


def cases() -> list[Case]:
    """Return each loss with predictions, actuals and scikit-learn's result."""
    numbers = _RNG.normal(size=ROWS)
    classes = _RNG.permutation(ACTUAL)
    frame = {name: PROBABILITIES[:, place] for place, name in enumerate(NAMES)}
    scores = {"output": "probabilities"}
    return [
        ("absolute", numbers, CHANCE, metrics.mean_absolute_error(CHANCE, numbers), {}),
        ("squared", numbers, CHANCE, metrics.mean_squared_error(CHANCE, numbers), {}),
        ("error", classes, ACTUAL, metrics.zero_one_loss(ACTUAL, classes), {}),
        (
            "error",
            PROBABILITIES,
            ACTUAL,
            metrics.zero_one_loss(CODES, PROBABILITIES.argmax(axis=1)),
            scores,
        ),
        ("log", CHANCE, TRUTH, metrics.log_loss(TRUTH, CHANCE), {}),
        ("log", PROBABILITIES, ACTUAL, metrics.log_loss(CODES, PROBABILITIES), scores),
        ("log", frame, ACTUAL, metrics.log_loss(CODES, PROBABILITIES), scores),
        ("brier", CHANCE, TRUTH, metrics.brier_score_loss(TRUTH, CHANCE), {}),
        (
            "brier",
            PROBABILITIES,
            ACTUAL,
            3 * metrics.mean_squared_error(ONE_HOT, PROBABILITIES),
            scores,
        ),
        *hinge_cases(),
    ]


def name_case(case: Any) -> str:
    """Name a case by its loss and the shape of its predictions."""
    return f"{case[0]}-{type(case[1]).__name__}-{np.ndim(case[1])}"


@pytest.mark.parametrize("case", cases(), ids=name_case)
def test_the_mean_loss_of_a_challenge_equals_that_of_scikit_learn(case: Case) -> None:
    """Labels are given by id, and beside the predictions."""
    loss, predictions, actual, expected, options = case
    has_classes = np.asarray(actual).dtype.kind == "U"
    declared: dict[str, Any] = {"loss": loss, "classes": NAMES} if has_classes else {"loss": loss}
    by_pairs, by_id = Challenge("pairs", **declared), Challenge("ids", **declared)
    by_pairs.record_outcomes(actual, champion=predictions, challenger=predictions, **options)
    ids = [f"r{row}" for row in range(ROWS)]
    by_id.record(challenger=predictions, ids=ids, **options)
    by_id.label(ids, actual)
    for challenge in (by_pairs, by_id):
        status = challenge.status()
        assert status.last_error is None
        assert status.challenger.count == ROWS
        assert status.challenger.value == pytest.approx(expected, rel=1e-9)
    assert by_pairs.status().difference.value == 0.0


def test_scores_of_two_models_are_matched_by_the_names_of_their_classes() -> None:
    """The two models may give their classes in different orders."""
    challenge = Challenge("order", loss="log")
    order = [2, 0, 1]
    ids = [f"r{row}" for row in range(ROWS)]
    challenge.record(champion=PROBABILITIES, ids=ids, output="probabilities", names=NAMES)
    challenge.record(
        challenger=PROBABILITIES[:, order], ids=ids, output="probabilities", names=NAMES[order]
    )
    challenge.label(ids, ACTUAL)
    status = challenge.status()
    assert status.difference.count == ROWS
    assert (status.difference.value, status.score_difference.value) == (0.0, 0.0)
    assert "name another class in a share of 0 " in str(status)


def own_loss(predicted: Numbers, actual: Numbers) -> Numbers:
    """Return the pinball loss of the 90% quantile."""
    return np.maximum(0.9 * (actual - predicted), 0.1 * (predicted - actual))


def test_a_custom_pinball_loss_equals_that_of_scikit_learn() -> None:
    """The loss is a function of two arrays of numbers."""
    challenge = Challenge("pinball", loss=own_loss)
    challenge.record_outcomes(CHANCE, champion=CHANCE / 2, challenger=CHANCE + 0.1)
    expected = metrics.mean_pinball_loss(CHANCE, CHANCE / 2, alpha=0.9)
    assert challenge.status().champion.value == pytest.approx(expected)
