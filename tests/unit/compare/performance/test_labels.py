"""Labels are matched, watched as a field, and summed as errors."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Field, Kind, Reference
from mlmonitor.aggregate.window import Span
from mlmonitor.buffer.pending import LabelStatus, Pending
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import MappingTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.performance.labels import LabelledOutcomes
from mlmonitor.compare.performance.prediction_keeper import PredictionKeeper
from mlmonitor.records import ABSENT, Quality
from mlmonitor.status.field_status import field_statuses
from support.references import fit_reference

SPAN = Span(3_600.0, None, 60)
LENS = ComparisonOptions(SPAN, Significance(alpha=0.01, fields=1, tolerance=0.005), hitters=4)
KEEPERS: dict[int, PredictionKeeper] = {}
X = {"x": [1.0, 2.0, 3.0, 4.0]}
PUBLIC = [Field("actual", public=True)]


def labels_of(reference: Reference, limit: int = 1_000) -> tuple[LabelledOutcomes, Pending]:
    """Return outcomes without labels."""
    pending = Pending(limit, PredictionKeeper.COLUMNS)
    keeper = KEEPERS[id(pending)] = PredictionKeeper(pending)
    return LabelledOutcomes(reference, keeper, LENS), pending


def predicted(ids: list[str | None], values: dict[str, list[Any]]) -> Rows:
    """Return calls whose ids were read."""
    return Rows(len(ids), MappingTable([{}] * len(ids)), values, ids, [], None)


def remember(pending: Pending, rows: Rows) -> None:
    """Keep the predictions of one drain."""
    keeper = KEEPERS.get(id(pending)) or PredictionKeeper(pending)
    keeper.remember(rows, None, now=0.0)


def entries(*labels: tuple[str, Any]) -> list[LabelEntry]:
    """Return the labels of one call."""
    return [LabelEntry([i for i, _ in labels], [a for _, a in labels])] if labels else []


money = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(money, money), min_size=1, max_size=80))
def test_error_sums_by_bucket_equal_those_of_numpy(pairs: list[tuple[float, float]]) -> None:
    """Count, absolute, squared and signed errors are compared in each bin and overall."""
    reference = fit_reference({"x": [0.0] * 3}, predictions=[-10.0, 0.0, 10.0])
    labels, pending = labels_of(reference)
    ids = [str(at) for at in range(len(pairs))]
    remember(pending, predicted(list(ids), {"prediction": [p for p, _ in pairs]}))
    labels.match(entries(*((i, a) for i, (_, a) in zip(ids, pairs, strict=True))), now=1.0)
    p, a = np.array(pairs).T
    bucket = (p[:, None] > labels.errors.edges).sum(axis=1)
    for at in range(len(labels.errors.edges) + 1):
        error = (p - a)[bucket == at]
        assert labels.errors.count[at] == error.size
        assert labels.errors.absolute[at] == pytest.approx(np.abs(error).sum())
        assert labels.errors.squared[at] == pytest.approx((error**2).sum())
        assert labels.errors.signed[at] == pytest.approx(error.sum(), abs=1e-6)
    performance = labels.errors.performance()
    assert performance is not None
    assert performance.mae == pytest.approx(np.abs(p - a).mean())
    assert performance.rmse == pytest.approx(np.sqrt(((p - a) ** 2).mean()))
    assert performance.bias == pytest.approx((p - a).mean(), abs=1e-6)


def test_class_labels_are_compared_with_those_of_the_reference() -> None:
    """Actuals of a classifier are categories, and a class not seen in training is reported."""
    reference = fit_reference(X, predictions=list("abab"), actuals=list("aabb"), fields=PUBLIC)
    labels, pending = labels_of(reference)
    remember(pending, predicted(["1", "2", "3"], {"prediction": ["a", "b", "a"]}))
    labels.match(entries(("1", "a"), ("2", "c"), ("3", None)), now=1.0)
    assert labels.population is not None
    (status,) = field_statuses(labels.population.snapshot(now=2.0))
    assert (status.name, status.role, status.count) == ("actual", "actual", 2)
    assert status.quality[Quality.NEW_CATEGORY] == 1
    assert status.missing == 1
    assert status.psi is not None
    assert labels.errors.performance() is None


@pytest.mark.parametrize(
    ("actuals", "kind"),
    [
        ([1.0, 2.0], Kind.NUMERIC),
        (["a", "b"], Kind.CATEGORICAL),
        ([True, False], Kind.BOOLEAN),
        ([None, 3.0], Kind.NUMERIC),
        ([[1], [2]], Kind.CATEGORICAL),
        ([None, None], Kind.CATEGORICAL),
    ],
    ids=["numbers", "classes", "booleans", "a number late", "of no kind", "nothing"],
)
def test_without_training_actuals_their_kind_follows_from_the_first_labels(
    actuals: list[Any], kind: Kind
) -> None:
    """If the labels do not decide, the predictions do, here classes."""
    labels, pending = labels_of(fit_reference(X, predictions=list("abab")))
    remember(pending, predicted(["1", "2"], {"prediction": ["a", "b"]}))
    labels.match(entries(("1", actuals[0]), ("2", actuals[1])), now=1.0)
    assert labels.population is not None
    assert labels.population.plan.schema.fields[0].kind is kind
    assert sum(field_statuses(labels.population.snapshot(now=1.0))[0].quality.values()) == 2


def test_an_unreadable_label_is_counted_but_does_not_affect_the_error() -> None:
    """Text, infinity and None among numbers are counted by reason, and the others are summed."""
    labels, pending = labels_of(fit_reference(X, predictions=[1.0, 2.0, 3.0, 4.0]))
    ids = ["a", "b", "c", "d", "e"]
    remember(pending, predicted(list(ids), {"prediction": [1.0, 2.0, 3.0, 4.0, None]}))
    labels.match(entries(*zip(ids, [2.0, "x", float("inf"), None, 1.0], strict=True)), now=1.0)
    assert labels.population is not None
    quality = field_statuses(labels.population.snapshot(now=1.0))[0].quality
    assert quality[Quality.VALID] == 2
    counts = quality[Quality.WRONG_TYPE], quality[Quality.NONFINITE], quality[Quality.MISSING]
    assert counts == (1, 1, 1)
    performance = labels.errors.performance()
    assert performance is not None
    assert (performance.count, performance.mae) == (1, 1.0)


@pytest.mark.parametrize(
    ("predictions", "actuals", "wrong", "right"),
    [
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], "x", 2.5),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], float("inf"), 2),
        ([1.0, 2.0, 3.0, 4.0], None, "x", 2.5),
        (list("abab"), list("aabb"), ["a"], "a"),
        (list("abab"), None, ["a"], "b"),
        ([1.0, 2.0, 3.0, 4.0], [True, False, True, True], "maybe", True),
    ],
    ids=["text", "infinite", "text, nothing trained", "list", "list, nothing trained", "no truth"],
)
def test_a_missing_label_leaves_its_prediction_waiting(
    predictions: list[Any], actuals: list[Any] | None, wrong: object, right: object
) -> None:
    """A missing or unreadable label is counted, and the next one finds the prediction."""
    labels, pending = labels_of(fit_reference(X, predictions=predictions, actuals=actuals))
    ids: list[str | None] = ["1", "2"]
    remember(pending, predicted(ids, {"prediction": predictions[:2]}))
    labels.match(entries(("2", right)), now=1.0)
    for nothing in (None, float("nan"), wrong):
        labels.match(entries(("1", nothing)), now=1.0)
    assert len(pending) == 1
    labels.match(entries(("1", right)), now=1.0)
    labels.match(entries(), now=1.0)
    assert len(pending) == 0
    assert {status.value: count for status, count in pending.counts.items() if count} == {
        "matched": 2,
        "missing": 2,
        "unreadable": 1,
    }


def test_dates_are_labels_without_an_error_measure() -> None:
    """Actuals that are times are watched as such."""
    moments = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01"]
    labels, pending = labels_of(fit_reference(X, actuals=moments, schema={"actual": "datetime"}))
    remember(pending, predicted(["1"], {"prediction": [1.0]}))
    labels.match(entries(("1", "2024-02-15")), now=1.0)
    assert labels.population is not None
    status = field_statuses(labels.population.snapshot(now=1.0))[0]
    assert (status.kind, status.count) == (Kind.DATETIME, 1)


def test_labels_that_match_nothing_start_no_actual_field() -> None:
    """Their unknown ids are counted."""
    labels, pending = labels_of(fit_reference(X))
    labels.match(entries(("nobody", 1.0)), now=1.0)
    labels.match(entries(), now=2.0)
    assert labels.population is None
    assert pending.counts[LabelStatus.UNKNOWN] == 1


def test_the_number_of_waiting_predictions_is_limited() -> None:
    """The newest ones are remembered, as many as configured."""
    _, pending = labels_of(fit_reference(X), limit=10)
    for at in range(100):
        remember(pending, predicted([str(at)], {"prediction": [at]}))
    assert len(pending) == 10
    assert pending.evicted == 90


@pytest.mark.parametrize(
    ("rows", "waiting"),
    [
        (predicted(["1", None], {"prediction": [1.0, 2.0]}), 1),
        (replace(predicted(["1", "2"], {"prediction": [ABSENT, 2.0]}), failed=[True, False]), 1),
        (predicted([], {"prediction": []}), 0),
        (predicted(["1"], {}), 0),
        (predicted(["1"], {"prediction.low": [1.0], "prediction.high": [2.0]}), 1),
    ],
    ids=["no id", "failed call", "nobody asked", "no output", "several outputs"],
)
def test_only_successful_predictions_whose_id_was_read_wait_for_labels(
    rows: Rows, waiting: int
) -> None:
    """Of several outputs, the first one waits."""
    pending = Pending(10, PredictionKeeper.COLUMNS)
    remember(pending, rows)
    assert len(pending) == waiting
