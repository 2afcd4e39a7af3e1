"""The fit reports predictions that equal the actuals because the model was fitted on the rows."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from support.references import fit_reference

ROWS = 600
WARNING = "the prediction equals the actual in"


@pytest.fixture
def features() -> np.ndarray[Any, Any]:
    """Draw rows of three numbers."""
    return np.random.default_rng(0).normal(size=(2 * ROWS, 3))


@pytest.fixture
def truth(features: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Draw numbers that the rows explain in part."""
    return features[:, 0] + np.random.default_rng(1).normal(size=2 * ROWS)


def fit(features: Any, predictions: Any, actuals: Any) -> None:
    """Fit a reference to these rows."""
    fit_reference(features, names=["a", "b", "c"], predictions=predictions, actuals=actuals)


def test_a_tree_evaluated_on_its_training_rows_is_reported_and_on_held_out_rows_is_not(
    features: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A fully grown regression tree reproduces every training row."""
    model = DecisionTreeRegressor(random_state=0).fit(features[:ROWS], truth[:ROWS])
    fit(features[ROWS:], model.predict(features[ROWS:]), truth[ROWS:])
    assert WARNING not in caplog.text
    fit(features[:ROWS], model.predict(features[:ROWS]), truth[:ROWS])
    assert f"{WARNING} 600 of 600 rows" in caplog.text


@pytest.mark.parametrize("classes", [[False, True], ["home", "motor", "travel"]])
def test_a_forest_evaluated_on_its_training_rows_is_reported(
    classes: list[Any],
    features: np.ndarray[Any, Any],
    truth: np.ndarray[Any, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both with two and with three classes; on held-out rows nothing is reported."""
    places = np.digitize(truth, np.quantile(truth, np.arange(1, len(classes)) / len(classes)))
    actuals = np.array(classes, object)[places]
    model = RandomForestClassifier(30, random_state=0).fit(
        features[:ROWS], actuals[:ROWS].astype(str)
    )
    answers = {str(name): name for name in classes}
    predicted = [answers[name] for name in model.predict(features).tolist()]
    fit(features[ROWS:], predicted[ROWS:], actuals[ROWS:].tolist())
    assert WARNING not in caplog.text
    fit(features[:ROWS], predicted[:ROWS], actuals[:ROWS].tolist())
    assert WARNING in caplog.text


def test_a_model_that_always_predicts_a_frequent_class_is_not_reported_as_overfitted(
    features: np.ndarray[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Nearly all rows are correct, but none of the rare class."""
    is_fraud = np.arange(2 * ROWS) % 50 == 0
    fit(features, np.zeros(2 * ROWS, np.bool_), is_fraud)
    assert WARNING not in caplog.text


def test_a_good_model_and_a_constant_actual_are_not_reported_as_overfitted(
    features: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Close is not exact, and a constant is predicted exactly without overfitting."""
    nearly = features[:, 0] + 1e-3 * truth
    model = LinearRegression().fit(features, nearly)
    fit(features, model.predict(features), nearly)
    fit(features, np.full(2 * ROWS, 3.5), np.full(2 * ROWS, 3.5))
    assert WARNING not in caplog.text
