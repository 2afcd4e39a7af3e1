"""Predictions and labels that are easily confused give clear errors or results."""

import math
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference, Status
from support.references import fit_reference

ROWS = 400


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(11)


def report(predictions: Any, actuals: Any, reference: Reference | None = None) -> Status:
    """Return the status of a monitor after these pairs."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", reference=reference, exporters=[], config=config) as monitor:
        monitor.record_outcomes(predictions, actuals)
        monitor.record_outcomes(predictions, actuals)
        return monitor.status()


def measures_of(status: Status) -> dict[str, float]:
    """Return the measures by name, after checking that there was no error."""
    assert (status.internal_errors, status.last_error) == (0, None)
    assert status.performance is not None
    return {name: estimate.value for name, estimate in status.performance.items()}


def test_labels_of_a_class_that_is_never_predicted_count_as_errors(
    rng: np.random.Generator,
) -> None:
    """It has a row in the confusion matrix, without a hit."""
    predicted = rng.choice(["a", "b"], ROWS)
    actual = np.where(np.arange(ROWS) < ROWS // 4, "c", predicted)
    status = report(predicted, actual)
    assert measures_of(status)["accuracy"] == 0.75
    assert status.performance is not None
    confusion = status.performance.confusion
    assert sum(confusion["c"].values()) == 2 * ROWS // 4
    assert confusion["c"]["c"] == 0


def test_probabilities_outside_0_to_1_are_reported(rng: np.random.Generator) -> None:
    """They are reported once and count in no measure of scores."""
    score = rng.random(ROWS)
    truth = (rng.random(ROWS) < score).astype(int)
    reference = fit_reference({"x": score}, predictions=score, actuals=truth)
    broken = np.where(np.arange(ROWS) < 100, score + 5, score)
    status = report(broken, truth, reference)
    assert status.internal_errors == 1
    assert "probabilities from 0 to 1, got others in 100 rows" in str(status.last_error)
    assert status.performance is not None
    assert status.performance["brier"].count == 2 * (ROWS - 100)


def test_probabilities_that_do_not_add_up_to_one_are_reported(rng: np.random.Generator) -> None:
    """They are reported once."""
    scores = rng.dirichlet([1, 1, 1], ROWS)
    scores[:50] *= 0.5
    columns = dict(zip("abc", scores.T, strict=True))
    status = report(columns, rng.choice(list("abc"), ROWS))
    assert status.internal_errors == 1
    assert "add up to 1, got other sums in 50 rows" in str(status.last_error)


def test_fewer_columns_than_names_are_reported(rng: np.random.Generator) -> None:
    """The error says what was expected."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", exporters=[], config=config) as monitor:
        scores = rng.dirichlet([1, 1], ROWS)
        monitor.record(
            {"x": np.arange(ROWS)}, scores, output="probabilities", names=["a", "b", "c"]
        )
        status = monitor.status()
    assert "expected 3 columns, one for each of names=, got 2" in str(status.last_error)


def test_constant_predictions_have_no_precision_and_an_auc_of_one_half(
    rng: np.random.Generator,
) -> None:
    """No row is predicted positive."""
    measures = measures_of(report(np.full(ROWS, 0.3), rng.integers(0, 2, ROWS)))
    assert measures["roc_auc"] == 0.5
    assert math.isnan(measures["precision"])
    assert measures["recall"] == 0.0


def test_a_cohort_of_one_pair_has_values_without_intervals() -> None:
    """The limits are NaN."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", exporters=[], config=config) as monitor:
        monitor.record_outcomes([1.0], [3.0])
        (cohort,) = monitor.status().cohorts
    assert (cohort.predicted, cohort.labelled) == (1, 1)
    mae = cohort.performance["mae"]
    assert (mae.value, mae.count) == (2.0, 1)
    assert math.isnan(mae.low)
    assert math.isnan(mae.high)


@pytest.mark.parametrize("constant", [0.0, 3.0, -1e9])
def test_actuals_without_variance_have_no_r2(constant: float, rng: np.random.Generator) -> None:
    """The other measures exist."""
    measures = measures_of(report(constant + rng.normal(size=ROWS), np.full(ROWS, constant)))
    assert math.isnan(measures["r2"])
    assert measures["mae"] == pytest.approx(np.sqrt(2 / np.pi), rel=0.2)


@pytest.mark.parametrize(
    ("predictions", "actuals", "message"),
    [
        ("number", "text", "expected numbers, as the predictions are, got texts"),
        ("number", "fraction_text", "expected numbers, as the predictions are, got texts"),
        ("text", "number", "expected names of classes, as the predictions are, got numbers"),
        ("number", "time", "expected numbers or classes, got times"),
    ],
)
def test_labels_of_another_type_than_the_predictions_are_reported(
    predictions: str, actuals: str, message: str, rng: np.random.Generator
) -> None:
    """They are reported once, and no performance is computed."""
    values: dict[str, Any] = {
        "number": rng.normal(100, 20, ROWS),
        "text": rng.choice(["low", "middle", "high"], ROWS),
        "fraction_text": [f"{value:.2f}" for value in rng.normal(100, 20, ROWS)],
        "time": np.full(ROWS, "2024-01-01T00:00:00", "M8[us]"),
    }
    status = report(values[predictions], values[actuals])
    assert status.performance is None
    assert message in str(status.last_error)
    assert status.internal_errors == 1  # told once, not with each label


def test_classes_beyond_the_limit_do_not_count_as_right() -> None:
    """There are more than 64 classes."""
    names = [f"class {number:03}" for number in range(200)]
    status = report(names, names[::-1])
    assert status.performance is not None
    assert status.performance["accuracy"].value == 0.0
