"""The losses of training rows equal scikit-learn's measures, for every form of predictions."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from mlmonitor import FormatError, Reference
from mlmonitor.formats.reference import dump, load
from support.references import fit_reference

ROWS = 1_000


def losses_of(predictions: Any, actuals: Any, **options: Any) -> dict[str, float]:
    """The mean loss of each measure."""
    reference = fit_reference(
        {"x": np.arange(ROWS)}, predictions=predictions, actuals=actuals, **options
    )
    return {entry.measure: entry.mean for entry in reference.content.losses}


@pytest.fixture
def score() -> np.ndarray[Any, Any]:
    """Scores of a model."""
    return np.random.default_rng(1).beta(1, 2, ROWS)


@pytest.fixture
def truth(score: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Outcomes that follow the scores."""
    return np.random.default_rng(2).random(ROWS) < score


def test_training_losses_of_a_regression_are_those_of_its_rows(score: np.ndarray[Any, Any]) -> None:
    """The mean absolute error."""
    actual = score + np.random.default_rng(3).normal(size=ROWS)
    expected = metrics.mean_absolute_error(actual, score)
    assert losses_of(score, actual) == {"mae": pytest.approx(expected, rel=1e-9)}


@pytest.mark.parametrize("form", [int, bool, float, lambda truth: "yes" if truth else "no"])
def test_training_losses_of_two_classes_are_those_of_their_rows(
    form: Any, score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]
) -> None:
    """Numbers, booleans and names; the loss is one minus the measure."""
    predicted = score > 0.5
    losses = losses_of([form(p) for p in predicted], [form(t) for t in truth])
    assert losses == {
        "accuracy": pytest.approx(1 - metrics.accuracy_score(truth, predicted), rel=1e-9),
        "recall": pytest.approx(1 - metrics.recall_score(truth, predicted), rel=1e-9),
        "precision": pytest.approx(1 - metrics.precision_score(truth, predicted), rel=1e-9),
    }


@pytest.mark.parametrize("columns", [1, 2])
def test_training_losses_of_probabilities_are_those_of_their_rows(
    columns: int, score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]
) -> None:
    """One column or two."""
    if columns == 2:
        both = np.stack([1 - score, score], axis=1)
        names = np.where(truth, "yes", "no")
        losses = losses_of(both, names, output="probabilities", classes=["no", "yes"])
    else:
        losses = losses_of(score, truth)
    assert losses["brier"] == pytest.approx(metrics.brier_score_loss(truth, score), rel=1e-9)
    expected = 1 - metrics.accuracy_score(truth, score > 0.5)
    assert losses["accuracy"] == pytest.approx(expected, rel=1e-9)


def test_training_losses_of_decision_values_take_zero_as_the_boundary(
    score: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]
) -> None:
    """Above zero is positive, and there is no Brier score."""
    losses = losses_of(10 * (score - 0.5), truth)
    assert losses["accuracy"] == pytest.approx(1 - metrics.accuracy_score(truth, score > 0.5))
    assert "brier" not in losses


def test_training_losses_of_several_classes_are_those_of_their_rows() -> None:
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
    """No predictions, no actuals, or one class alone."""
    assert losses_of(predictions, actuals) == {}


def test_a_file_whose_losses_exceed_its_rows_is_refused(score: np.ndarray[Any, Any]) -> None:
    """So is one with a measure twice."""
    reference: Reference = fit_reference({"x": score}, predictions=score, actuals=score + 1)
    entry = reference.content.losses[0]
    more = entry.model_copy(update={"counts": [ROWS + 1, *entry.counts[1:]]})
    damaged = dump(reference.content.model_copy(update={"losses": [more]}))
    with pytest.raises(FormatError, match="losses"):
        load(damaged)
    twice = dump(reference.content.model_copy(update={"losses": [entry, entry]}))
    with pytest.raises(FormatError, match="each measure once"):
        load(twice)
