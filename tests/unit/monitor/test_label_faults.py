"""What an incident says of labels: their faults, and whether a drift is harmful."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Incident, Monitor, Reference
from mlmonitor.testing import ManualClock
from support.references import fit_reference

ROWS = 2_000


class Labelled:
    """A service whose labels arrive with its predictions."""

    def __init__(self, x: Any, predictions: Any, actuals: Any) -> None:
        reference: Reference = fit_reference({"x": x}, predictions=predictions, actuals=actuals)
        config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
        self.opened: list[Incident] = []
        self.clock = ManualClock(1_700_000_000.0)
        self.monitor = Monitor(
            "m",
            reference=reference,
            exporters=[],
            config=config,
            clock=self.clock,
            on_incident=self.opened.append,
        )
        self._rows = 0

    def serve(self, x: Any, predictions: Any, actuals: Any) -> None:
        """Record and label these rows."""
        for start in range(0, len(x), 100):
            part = slice(start, start + 100)
            ids = [f"r{self._rows + row}" for row in range(len(x[part]))]
            self._rows += len(ids)
            self.monitor.record({"x": x[part]}, predictions[part], ids=ids)
            self.monitor.label(ids, actuals[part])
            self.clock.advance(60.0)
            self.monitor.status()

    def incidents(self) -> tuple[Incident, ...]:
        """Return the open incidents."""
        status = self.monitor.status()
        assert (status.internal_errors, status.last_error) == (0, None)
        return status.incidents


def numbers(rng: np.random.Generator, rows: int, *, shift: float = 0.0) -> tuple[Any, Any, Any]:
    """Draw features, predictions and actuals of a regression."""
    x = rng.normal(shift, 1, rows)
    return x, 100 + 50 * x, 100 + 50 * x + rng.normal(0, 10, rows)


def scores(rng: np.random.Generator, rows: int) -> tuple[Any, Any, Any]:
    """Draw features, scores and outcomes of a classifier."""
    x = rng.normal(size=rows)
    score = 1 / (1 + np.exp(-4 * x))
    return x, score, (rng.random(rows) < score).astype(int)


def serve_numbers(
    seed: int, rows: int, relabel: Any = None, *, shift: float = 0.0
) -> tuple[Incident, ...]:
    """Serve 500 valid rows, then rows with a shift or other labels; return the open incidents."""
    rng = np.random.default_rng(seed)
    service = Labelled(*numbers(rng, ROWS))
    with service.monitor:
        service.serve(*numbers(rng, 500))
        x, predictions, actuals = numbers(rng, rows, shift=shift)
        service.serve(x, predictions, actuals if relabel is None else relabel(rng, actuals))
        return service.incidents()


@pytest.mark.parametrize("make", [numbers, scores])
@pytest.mark.parametrize("rows", [1, -1, 2])
def test_labels_shifted_by_rows_are_recognised(make: Any, rows: int) -> None:
    """They are shifted in either direction, for numbers and for scores."""
    rng = np.random.default_rng(1)
    service = Labelled(*make(rng, ROWS))
    with service.monitor:
        service.serve(*make(rng, 500))
        x, predictions, actuals = make(rng, 500)
        service.serve(x, predictions, np.roll(actuals, rows))
        (incident,) = service.incidents()
    assert incident.cause == "misaligned_labels"
    assert incident.title == f"labels shifted by {'one row' if abs(rows) == 1 else '2 rows'}"
    assert "by id" in incident.advice


@pytest.mark.parametrize("is_class", [False, True])
def test_inverted_labels_of_scores_and_classes_are_recognised(*, is_class: bool) -> None:
    """Each class has the labels of the other."""
    rng = np.random.default_rng(2)

    def make(rows: int) -> tuple[Any, Any, Any]:
        x, score, actual = scores(rng, rows)
        return x, (score > 0.5).astype(int) if is_class else score, actual

    service = Labelled(*make(ROWS))
    with service.monitor:
        service.serve(*make(500))
        x, predictions, actuals = make(300)
        service.serve(x, 1 - predictions, actuals)
        causes = {incident.cause for incident in service.incidents()}
    assert "inverted_scores" in causes


def test_labels_in_another_unit_are_recognised() -> None:
    """Labels are in thousands instead of units."""
    titles = [incident.title for incident in serve_numbers(3, 300, lambda _, y: y / 1_000)]
    assert any("multiplied by about 0.001" in title for title in titles), titles


def negate_concept(_: np.random.Generator, x: Any, __: Any, actuals: Any) -> Any:
    """Negate the relation with the feature."""
    return actuals - 120 * x


def invert_concept(rng: np.random.Generator, x: Any, predictions: Any, _: Any) -> Any:
    """Draw outcomes that follow the opposite sign of the feature."""
    return (rng.random(len(x)) < 1 - predictions).astype(int)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("change", [negate_concept, invert_concept])
def test_a_concept_that_changes_its_sign_is_not_called_shuffled_or_shifted(
    change: Any, seed: int
) -> None:
    """Over rows before and after the change, the relation averages to zero."""
    rng = np.random.default_rng(seed)

    def make(rows: int) -> tuple[Any, Any, Any]:
        x = rng.normal(size=rows)
        if change is negate_concept:
            predictions = 343 + 60 * x + 60 * (rng.random(rows) < 0.3)
            return x, predictions, predictions + rng.normal(0, 40, rows)
        predictions = 1 / (1 + np.exp(-2 * x + 0.5))
        return x, predictions, (rng.random(rows) < predictions).astype(int)

    service = Labelled(*make(ROWS))
    with service.monitor:
        service.serve(*make(500))
        causes = set()
        for _ in range(5):
            x, predictions, actuals = make(100)
            service.serve(x, predictions, change(rng, x, predictions, actuals))
            causes |= {incident.cause for incident in service.incidents()}
    assert causes
    assert not causes & {"unrelated_labels", "misaligned_labels"}


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (lambda _, y: y + 100, "labels are about"),
        (lambda _, y: y * 1.8, "labels multiplied by about 1."),
        (lambda rng, y: np.where(rng.random(len(y)) < 0.5, y * 100, y), "multiplied by about"),
        (lambda rng, y: np.where(rng.random(len(y)) < 0.3, -999.0, y), "of the labels are -999"),
        (lambda rng, y: np.where(rng.random(len(y)) < 0.3, 0.0, y), "of the labels are 0"),
    ],
    ids=["moved", "multiplied", "part in another unit", "part -999", "part zero"],
)
def test_labels_that_are_offset_or_partly_wrong_are_recognised(change: Any, title: str) -> None:
    """An offset is not a factor, and a partial fault has its share."""
    titles = [incident.title for incident in serve_numbers(9, 300, change)]
    assert any(title in text and " times or " not in text for text in titles), titles


@pytest.mark.parametrize("rare", [0.33, 0.05])
def test_exchanged_classes_are_recognised_if_a_third_class_is_never_predicted(rare: float) -> None:
    """The third class keeps its name."""
    rng = np.random.default_rng(0)
    actual = rng.choice(["a", "b", "c"], ROWS, p=[(1 - rare) / 2, (1 - rare) / 2, rare])
    predicted = np.where(rng.random(ROWS) < 0.9, actual, "a")
    predicted = np.where(predicted == "c", "b", predicted)
    service = Labelled(rng.normal(size=ROWS), predicted, actual)
    with service.monitor as monitor:
        monitor.record_outcomes(predicted, actual)
        monitor.status()
        swapped = np.where(actual == "a", "b", np.where(actual == "b", "a", actual))
        monitor.record_outcomes(predicted, swapped)
        assert "exchanged_classes" in {incident.cause for incident in service.incidents()}


@pytest.mark.parametrize("make", [numbers, scores])
def test_shuffled_labels_are_reported_as_unrelated_to_predictions(make: Any) -> None:
    """No feature, prediction or actual has drifted."""
    rng = np.random.default_rng(4)
    service = Labelled(*make(rng, ROWS))
    with service.monitor:
        service.serve(*make(rng, 500))
        x, predictions, actuals = make(rng, 500)
        service.serve(x, predictions, rng.permutation(actuals))
        (incident,) = service.incidents()
    assert incident.cause == "unrelated_labels"
    assert "how labels are joined" in incident.advice


def test_unrelated_labels_after_a_drift_do_not_count_as_a_label_fault() -> None:
    """The model may be wrong for rows that differ from its training data."""
    incidents = serve_numbers(4, 500, lambda rng, y: rng.permutation(y), shift=1.0)
    assert incidents
    assert "unrelated_labels" not in {incident.cause for incident in incidents}


def test_labels_of_a_model_that_repeats_the_last_value_are_not_called_shifted() -> None:
    """Its predictions always equalled the labels of the row before."""
    rng = np.random.default_rng(8)

    def walk(rows: int, step: float) -> tuple[Any, Any, Any]:
        path = np.cumsum(rng.normal(0, step, rows + 1))
        path -= np.linspace(path[0], path[-1], rows + 1)
        return rng.normal(size=rows), path[:-1], path[1:]

    service = Labelled(*walk(ROWS, 1.0))
    with service.monitor:
        service.serve(*walk(1_000, 1.0))
        service.serve(*walk(500, 3.0))
        causes = {incident.cause for incident in service.incidents()}
    assert "misaligned_labels" not in causes


def test_a_drift_without_harm_is_called_benign() -> None:
    """300 labels of later predictions suffice."""
    (incident,) = serve_numbers(5, 2_000, shift=1.0)
    assert incident.harm == "benign"
    assert "limit" in incident.harm_reason
    assert ", benign (" in str(incident)


def test_a_drift_with_harm_is_called_harmful() -> None:
    """The inputs shift, and the errors grow."""
    incidents = serve_numbers(6, 2_000, lambda _, y: y + 60, shift=1.0)
    assert "harmful" in {incident.harm for incident in incidents}


def test_without_labels_the_harm_of_a_drift_is_unknown() -> None:
    """The incident gives no reason."""
    rng = np.random.default_rng(7)
    service = Labelled(*numbers(rng, ROWS))
    with service.monitor:
        x, predictions, _ = numbers(rng, 1_000, shift=1.0)
        service.monitor.record({"x": x}, predictions)
        (incident,) = service.incidents()
    assert (incident.harm, incident.harm_reason) == ("unknown", "")
