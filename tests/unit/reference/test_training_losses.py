"""Losses of training rows equal scikit-learn's measures, for every form of predictions."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from mlmonitor import FormatError, Reference
from mlmonitor.formats.reference import dump, load
from support.references import fit_reference

ROWS = 1_000


def losses_of(predictions: Any, actuals: Any, **options: Any) -> dict[str, float]:
    """Return the mean loss of each measure."""
    reference = fit_reference(
        {"x": np.arange(ROWS)}, predictions=predictions, actuals=actuals, **options
    )
    return {entry.measure: entry.mean for entry in reference.content.losses}


@pytest.fixture
def score() -> np.ndarray[Any, Any]:
    """Draw scores of a model."""
    return np.random.default_rng(1).beta(1, 2, ROWS)


@pytest.fixture
def truth(score: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Draw outcomes that follow the scores."""
    return np.random.default_rng(2).random(ROWS) < score


def test_the_training_loss_of_a_regression_is_its_mean_absolute_error(
    score: np.ndarray[Any, Any],
) -> None:
    """It equals that of scikit-learn."""
    actual = score + np.random.default_rng(3).normal(size=ROWS)
    expected = metrics.mean_absolute_error(actual, score)
    assert losses_of(score, actual) == {"mae": pytest.approx(expected, rel=1e-9)}


@pytest.mark.parametrize("form", [int, bool, float, lambda truth: "yes" if truth else "no"])
def test_training_losses_of_two_classes_equal_those_of_scikit_learn(
    form: Any, score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]
) -> None:
    """Classes may be numbers, booleans or names; the loss is one minus the measure."""
    predicted = score > 0.5
    losses = losses_of([form(p) for p in predicted], [form(t) for t in truth])
    assert losses == {
        "accuracy": pytest.approx(1 - metrics.accuracy_score(truth, predicted), rel=1e-9),
        "recall": pytest.approx(1 - metrics.recall_score(truth, predicted), rel=1e-9),
        "precision": pytest.approx(1 - metrics.precision_score(truth, predicted), rel=1e-9),
    }


@pytest.mark.parametrize("columns", [1, 2])
def test_training_losses_of_probabilities_equal_those_of_scikit_learn(
    columns: int, score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]
) -> None:
    """The probabilities are given in one column or in two."""
    if columns == 2:
        both = np.stack([1 - score, score], axis=1)
        names = np.where(truth, "yes", "no")
        losses = losses_of(both, names, output="probabilities", classes=["no", "yes"])
    else:
        losses = losses_of(score, truth)
    assert losses["brier"] == pytest.approx(metrics.brier_score_loss(truth, score), rel=1e-9)
    expected = 1 - metrics.accuracy_score(truth, score > 0.5)
    assert losses["accuracy"] == pytest.approx(expected, rel=1e-9)


def test_training_losses_of_decision_values_have_their_boundary_at_zero(
    score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]
) -> None:
    """Values above zero are positive, and there is no Brier score."""
    losses = losses_of(10 * (score - 0.5), truth)
    assert losses["accuracy"] == pytest.approx(1 - metrics.accuracy_score(truth, score > 0.5))
    assert "brier" not in losses


def test_training_losses_of_several_classes_equal_those_of_scikit_learn() -> None:
    """The Brier score over three classes is halved."""
    rng = np.random.default_rng(4)
    scores = rng.dirichlet([1, 1, 1], ROWS)
    actual = np.array(["a", "b", "c"])[rng.integers(0, 3, ROWS)]
    losses = losses_of(scores, actual, output="probabilities", classes=["a", "b", "c"])
    hits = np.array(["a", "b", "c"])[scores.argmax(axis=1)] == actual
    assert losses["accuracy"] == pytest.approx(1 - hits.mean(), rel=1e-9)
    expected = ((scores - (actual[:, None] == np.array(["a", "b", "c"]))) ** 2).sum(axis=1).mean()
    assert losses["brier"] == pytest.approx(expected / 2, rel=1e-9)


@pytest.mark.parametrize(
    ("predictions", "actuals"),
    [(None, np.zeros(ROWS)), (np.zeros(ROWS), None), (["a"] * ROWS, ["a"] * ROWS)],
)
def test_there_are_no_training_losses_without_pairs(predictions: Any, actuals: Any) -> None:
    """Predictions or actuals are missing, or there is only one class."""
    assert losses_of(predictions, actuals) == {}


def test_a_file_with_more_losses_than_rows_is_refused(score: np.ndarray[Any, Any]) -> None:
    """A file that lists a measure twice is refused as well."""
    reference: Reference = fit_reference({"x": score}, predictions=score, actuals=score + 1)
    entry = reference.content.losses[0]
    more = entry.model_copy(update={"counts": [ROWS + 1, *entry.counts[1:]]})
    damaged = dump(reference.content.model_copy(update={"losses": [more]}))
    with pytest.raises(FormatError, match="losses"):
        load(damaged)
    twice = dump(reference.content.model_copy(update={"losses": [entry, entry]}))
    with pytest.raises(FormatError, match="each measure once"):
        load(twice)
