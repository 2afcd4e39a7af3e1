"""Performance as users see it: any task, any form of scores and classes, by bucket and cohort."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from mlmonitor import Config, ConfigError, Metric, Monitor, Reference, Status
from mlmonitor.testing import InMemoryExporter, ManualClock

ROWS = 400
DAY = 86_400.0


def made(reference: Reference | None = None, **options: Any) -> Monitor:
    """Return a monitor that works only when the test asks it to."""
    tuning = options.pop("config", {})
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600, **tuning)
    return Monitor("m", reference=reference, exporters=[], config=config, **options)


def fitted(features: Any, predictions: Any, actuals: Any = None) -> Reference:
    """Fit a reference without simulated thresholds."""
    return Reference.fit(
        features, predictions=predictions, actuals=actuals, thresholds="asymptotic"
    )


@pytest.fixture
def truth() -> np.ndarray[Any, Any]:
    """Return outcomes, of which a third are positive."""
    return np.random.default_rng(1).random(ROWS) < 1 / 3


@pytest.fixture
def score(truth: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return probabilities that are correlated with the outcomes."""
    noise = np.random.default_rng(2).normal(0, 0.2, ROWS)
    return np.clip(0.35 + 0.3 * truth + noise, 0, 1)


def status_of(predictions: Any, actuals: Any, **options: Any) -> Status:
    """Return the status of a monitor that was given these pairs alone."""
    with made(**options) as monitor:
        monitor.record_outcomes(predictions, actuals)
        status = monitor.status()
    assert (status.internal_errors, status.last_error) == (0, None)
    return status


@pytest.mark.parametrize(
    "form",
    [
        lambda s: s,
        lambda s: s.tolist(),
        lambda s: {"score": s},
        lambda s: pd.DataFrame({"prediction": s}),
        lambda s: np.stack([1 - s, s], axis=1),
        lambda s: {"0": 1 - s, "1": s},
        lambda s: pd.DataFrame({"label": np.where(s > 0.5, "1", "0"), "score": s}),
    ],
    ids=["array", "list", "named", "frame", "two columns", "two names", "label and score"],
)
@pytest.mark.parametrize(
    "actual",
    [lambda t: t, lambda t: t.astype(int), lambda t: t.astype(int).tolist()],
    ids=["bools", "integers", "listed"],
)
def test_two_classes_with_scores_are_measured_in_every_common_form(
    form: Any, actual: Any, truth: Any, score: Any
) -> None:
    """Outcomes may be booleans or integers; the measures equal scikit-learn's."""
    performance = status_of(form(score), actual(truth)).performance
    assert performance is not None
    assert performance.task == "binary"
    assert performance["accuracy"].value == metrics.accuracy_score(truth, score > 0.5)
    assert performance["brier"].value == pytest.approx(
        metrics.brier_score_loss(truth, score), rel=1e-9
    )
    area = metrics.roc_auc_score(truth, score)
    assert abs(performance["roc_auc"].value - area) <= performance.auc_error["roc_auc"]
    assert sum(part.count for part in performance.calibration) == ROWS


@pytest.mark.parametrize(
    ("predicted", "actual"),
    [
        (["yes", "no", "yes"], ["yes", "yes", "no"]),
        ([1, 0, 1], [True, True, False]),
        ([True, False, True], [1, 1, 0]),
        ([1.0, 0.0, 1.0], [True, True, False]),
        (np.array([True, False, True]), np.array([True, True, False])),
    ],
    ids=["texts", "integers, bools", "bools, integers", "floats, bools", "arrays"],
)
def test_classes_of_any_type_are_compared_by_name(predicted: Any, actual: Any) -> None:
    """The pairs are one correct prediction, one miss and one false alarm."""
    performance = status_of(predicted, actual).performance
    assert performance is not None
    assert performance["accuracy"].value == pytest.approx(1 / 3)
    assert performance["recall"].value == performance["precision"].value == 0.5


def test_decision_values_have_auc_measures_but_no_calibration(truth: Any, score: Any) -> None:
    """Their threshold is zero; they are not probabilities."""
    values = 10 * (score - 0.5)
    with made(
        Reference.fit({"x": values}, predictions=values, actuals=truth, thresholds="asymptotic")
    ) as monitor:
        monitor.record_outcomes(values, truth)
        performance = monitor.status().performance
    assert performance is not None
    assert performance["accuracy"].value == metrics.accuracy_score(truth, values > 0)
    assert performance["roc_auc"].value == pytest.approx(
        metrics.roc_auc_score(truth, values), abs=0.02
    )
    assert not performance.keys() & {"log_loss", "brier", "ece"}
    assert performance.calibration == ()


def test_several_classes_with_probabilities_have_all_measures(truth: Any) -> None:
    """The predictions are recorded with ids and labelled afterwards."""
    rng = np.random.default_rng(3)
    scores = rng.dirichlet([1, 1, 1], ROWS)
    actual = np.array(["a", "b", "c"])[[rng.choice(3, p=row) for row in scores]]
    ids = [str(at) for at in range(ROWS)]
    with made(config={"baseline_rows": 100}) as monitor:
        monitor.record(
            {"x": rng.normal(size=ROWS)},
            scores,
            ids=ids,
            output="probabilities",
            names=["a", "b", "c"],
        )
        monitor.label(ids, actual)
        status = monitor.status()
    performance = status.performance
    assert performance is not None
    predicted = np.array(["a", "b", "c"])[scores.argmax(axis=1)]
    assert performance["f1"].value == pytest.approx(
        metrics.f1_score(actual, predicted, average="macro")
    )
    assert performance["log_loss"].value == pytest.approx(
        metrics.log_loss(actual, scores), rel=1e-9
    )
    matrix = metrics.confusion_matrix(actual, predicted)
    assert [list(row.values()) for row in performance.confusion.values()] == matrix.tolist()
    by_class = performance.by("prediction")
    assert by_class["a"].count == (predicted == "a").sum()
    assert "accuracy" in str(status)


def test_a_class_that_was_never_predicted_is_in_the_confusion_matrix() -> None:
    """A label outside the classes of the reference counts as `__other__`."""
    reference = Reference.fit(
        {"x": [0.0] * 36},
        predictions=list("aabbaa") * 6,
        actuals=list("aabbcc") * 6,
        thresholds="asymptotic",
    )
    with made(reference) as monitor:
        monitor.record_outcomes(list("aabb"), list("abcz"))
        performance = monitor.status().performance
    assert performance is not None
    assert performance.confusion["c"]["b"] == 1
    assert performance.confusion["__other__"]["b"] == 1


def _labelled_by_line(features: dict[str, Any], predicted: Any, actual: Any) -> Status:
    reference = Reference.fit(
        features, predictions=predicted, actuals=actual, segments=["line"], thresholds="asymptotic"
    )
    ids = [f"c{at}" for at in range(ROWS)]
    buckets = {"claimed_amount": [1_000, 10_000]}
    with made(reference, segments=["line"], buckets=buckets) as monitor:
        monitor.record(features, predicted, ids=ids)
        monitor.label(ids, actual)
        return monitor.status()


def test_performance_is_computed_for_each_bucket_of_a_declared_field() -> None:
    """Buckets agree with numpy, also by segment and by bin of the prediction."""
    rng = np.random.default_rng(4)
    claimed = rng.uniform(0, 20_000, ROWS)
    line = rng.choice(["motor", "home"], ROWS)
    predicted, actual = claimed * 0.9, claimed * rng.normal(0.9, 0.1, ROWS)
    features = {"claimed_amount": claimed, "line": line}
    status = _labelled_by_line(features, predicted, actual)
    error = np.abs(predicted - actual)
    assert status.performance is not None
    buckets = status.performance.by("claimed_amount")
    assert list(buckets) == ["(-inf, 1000]", "(1000, 10000]", "(10000, inf)"]
    middle = (claimed > 1_000) & (claimed <= 10_000)
    assert buckets["(1000, 10000]"]["mae"].value == pytest.approx(error[middle].mean(), rel=1e-9)
    motor = status.performance.by("segment")["motor"]
    assert motor == status.segments["motor"].performance
    assert motor["mae"].value == pytest.approx(error[line == "motor"].mean(), rel=1e-9)
    whole = sum(part.count for part in status.performance.by("prediction").values())
    assert whole == status.performance.count == ROWS
    with pytest.raises(LookupError, match="claimed_amount"):
        status.performance.by("nothing")


def test_a_custom_metric_is_averaged_over_rows() -> None:
    """It has an interval; a metric that raises is named and leaves the others unaffected."""
    share = Metric("within_10_percent", lambda p, a: np.abs(p - a) <= 0.1 * np.abs(a))
    broken = Metric("broken", lambda p, a: p / a.nothing)
    with made(metrics=[share, broken]) as monitor:
        monitor.record_outcomes([1.0, 2.0, 3.0, np.nan], [1.05, 2.5, 3.0, 1.0])
        status = monitor.status()
    assert status.performance is not None
    assert status.performance["within_10_percent"].value == pytest.approx(2 / 3)
    assert "broken" not in status.performance
    assert "broken" in (status.last_error or "")


@pytest.mark.parametrize(
    ("kind", "has_reference"),
    [
        ("int", True),
        ("float", True),
        ("bool", True),
        ("text", True),
        ("int", False),
        ("bool", False),
    ],
)
def test_a_custom_metric_gets_zeros_and_ones_as_numbers(kind: str, *, has_reference: bool) -> None:
    """As texts they would equal no number, and every cost would be 0; texts stay texts."""
    rng = np.random.default_rng(4)
    score = rng.random(1_000)
    truth = rng.random(1_000) < score
    actuals = np.where(truth, "1", "0") if kind == "text" else truth.astype(kind)
    positive: object = "1" if kind == "text" else 1
    cost = Metric("cost", lambda p, a: 5.0 * ((a == positive) & (p != positive)))
    reference = fitted({"x": score}, score, actuals) if has_reference else None
    with made(reference, metrics=[cost]) as monitor:
        monitor.record_outcomes(score, actuals)
        performance = monitor.status().performance
    assert performance is not None
    assert performance["cost"].value == pytest.approx(5 * np.mean(truth & (score <= 0.5)))


@pytest.mark.parametrize(
    "options",
    [
        {"buckets": {"x": []}},
        {"buckets": {"x": [2, 1]}},
        {"buckets": {"x": ["a"]}},
        {"buckets": {"prediction": [1]}},
        {"metrics": [abs]},
        {"metrics": [Metric("mae", abs)]},
    ],
    ids=["no edge", "falling", "texts", "prediction", "no metric", "a name that is taken"],
)
def test_invalid_buckets_and_metrics_are_refused(options: dict[str, Any]) -> None:
    """The error is raised at construction and names the option."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        made(**options)


def test_only_the_newest_of_120_000_predictions_match_their_labels() -> None:
    """Predictions and labels in waiting are both limited to 50,000; the oldest are evicted."""
    rows = 120_000
    ids, x = [f"{at}" for at in range(rows)], np.arange(float(rows))
    with made(
        Reference.fit({"x": x[:500]}, predictions=x[:500], thresholds="asymptotic")
    ) as monitor:
        monitor.record({"x": x}, x, ids=ids)
        monitor.label(ids, x + 1)
        monitor.status()
        status = monitor.status()
    assert status.labels["matched"] == 50_000
    assert status.performance is not None
    assert status.performance["bias"].value == -1


def test_each_cohort_shows_the_share_of_labels_that_have_arrived() -> None:
    """A tenth of the labels arrives on each of ten days, so maturity grows with age."""
    clock = ManualClock(DAY * 20_000)
    with made(config={"baseline_rows": 10}, clock=clock) as monitor:
        for day in range(20):
            ids = [f"{day}-{at}" for at in range(10)]
            monitor.record({"x": np.ones(10)}, np.ones(10), ids=ids)
            monitor.status()
            for back in range(min(day + 1, 10)):
                monitor.label(f"{day - back}-{back}", 1.0 + (day - back))
            monitor.status()
            clock.advance(DAY)
        cohorts = monitor.status().cohorts
    assert [cohort.predicted for cohort in cohorts] == [10] * 20
    assert [cohort.labelled for cohort in cohorts] == [10] * 11 + list(range(9, 0, -1))
    assert cohorts[-1].maturity == pytest.approx(0.1)
    assert cohorts[-4].maturity == pytest.approx(0.4)
    assert cohorts[0].maturity == 1.0
    assert cohorts[3].performance["bias"].value == -3
    assert cohorts[0].start == datetime.fromtimestamp(DAY * 20_000, UTC)


def test_labels_may_carry_the_time_at_which_they_became_known() -> None:
    """Half of the labels took two days, so a cohort of yesterday is half mature."""
    clock = ManualClock(DAY * 20_000)
    with made(config={"baseline_rows": 5}, clock=clock) as monitor:
        monitor.record({"x": np.ones(10)}, np.ones(10), ids=[f"a{at}" for at in range(10)])
        monitor.status()
        clock.advance(4 * DAY)
        monitor.record({"x": np.ones(10)}, np.ones(10), ids=[f"b{at}" for at in range(10)])
        monitor.status()
        clock.advance(DAY)
        times = [DAY * 20_000 + 60] * 5 + [DAY * 20_002] * 5
        monitor.label([f"a{at}" for at in range(10)], np.ones(10), at=times)
        first, second = monitor.status().cohorts
    assert (first.labelled, first.maturity) == (10, 1.0)
    assert (second.labelled, second.maturity) == (0, 0.5)


def test_pairs_of_a_model_that_never_learned_a_reference_are_counted_at_close() -> None:
    """Until then they wait, because a reference may still be learned."""
    with made(config={"baseline_rows": 1_000}) as monitor:
        monitor.record({"x": np.ones(3)}, np.ones(3))
        monitor.record_outcomes([1.0, 2.0], [1.0, 3.0])
        assert monitor.status().performance is None
        monitor.close()
        performance = monitor.status().performance
    assert performance is not None
    assert performance["mae"].value == 0.5


def test_pairs_count_in_the_cohort_of_their_prediction_time() -> None:
    """Times may be datetimes, numbers, or one value for all pairs."""
    moments = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2, 2)]
    with made() as monitor:
        monitor.record_outcomes([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], predicted_at=moments)
        monitor.record_outcomes([1.0], [2.0], predicted_at=moments[0].timestamp())
        monitor.record_outcomes([1.0], [2.0], predicted_at="2026-01-02T09:00:00+00:00")
        cohorts = monitor.status().cohorts
    assert [cohort.labelled for cohort in cohorts] == [2, 3]
    assert cohorts[0].performance["mae"].value == 0.5


@pytest.mark.parametrize(
    ("scores", "relevances"),
    [
        ([[0.9, 0.1, 0.5], [0.2, 0.8]], [[0, 1, 1], [0, 1]]),
        (np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.1]]), np.array([[0, 1, 1], [0, 1, 0]])),
    ],
    ids=["lists", "arrays"],
)
def test_rankings_are_recorded_as_pairs_of_rows(scores: Any, relevances: Any) -> None:
    """One query has its first relevant item in second position, the other in first."""
    performance = status_of(scores, relevances).performance
    assert performance is not None
    assert performance.task == "ranking"
    assert performance.count == 2
    assert performance["mrr"].value == 0.75
    assert 0.8 < performance["ndcg"].value < 0.9


@pytest.mark.parametrize(
    ("scores", "relevances"),
    [
        ([[0.9, 0.1, 0.5], [0.2, 0.8]], [[0, 1], [0, 1]]),
        ([[0.9, 0.1, 0.5], [0.2, 0.8]], [[0, 1, 1], [0, 1, 1]]),
        ([[0.9, 0.1, 0.5], [0.2, 0.8]], [[0, None, 1], [0, 1]]),
        (np.array([[0.9, np.nan], [0.2, 0.8]]), np.array([[0.0, 1.0], [0.0, 1.0]])),
    ],
    ids=["fewer", "more", "none", "no score"],
)
def test_a_query_without_a_relevance_for_each_score_is_refused(
    scores: Any, relevances: Any
) -> None:
    """Measures over some of the items would be wrong; the message says what to pass."""
    with made() as monitor:
        monitor.record_outcomes(scores, relevances)
        status = monitor.status()
    assert status.performance is None
    assert "pass 0 for an item that is not relevant" in (status.last_error or "")


def test_a_mistake_in_pairs_is_named_and_raises_nothing() -> None:
    """The error in the status states both lengths."""
    with made() as monitor:
        monitor.record_outcomes([1.0, 2.0], [1.0])
        assert "each of the 2 predictions, got 1" in (monitor.status().last_error or "")


def test_predictions_are_evicted_after_the_configured_age() -> None:
    """Labels that arrive after that hour match nothing."""
    clock = ManualClock(1_000_000.0)
    with made(config={"pending_seconds": 3_600, "baseline_rows": 2}, clock=clock) as monitor:
        monitor.record({"x": np.ones(3)}, np.ones(3), ids=list("abc"))
        monitor.status()
        clock.advance(3_601.0)
        monitor.label("a", 1.0)
        monitor.status()
        labels = monitor.status().labels
    assert (labels["matched"], labels["unknown"]) == (0, 1)


def exported(**options: Any) -> tuple[Monitor, InMemoryExporter]:
    """Return a monitor and the exporter that receives its series."""
    exporter = InMemoryExporter()
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    return Monitor("m", exporters=[exporter], config=config, **options), exporter


def test_a_backend_can_add_up_the_errors_of_a_fleet_by_declared_bucket() -> None:
    """Sums exported by two processes give the MAE and the bias of both, in every bucket."""
    rng = np.random.default_rng(7)
    claimed = rng.uniform(0, 2_000, 2 * ROWS)
    error = rng.normal(0, 10, 2 * ROWS)
    totals = dict.fromkeys(("count", "absolute", "signed"), 0.0)
    for own in np.split(np.arange(2 * ROWS), 2):
        monitor, exporter = exported(buckets={"claimed_amount": [1_000]})
        with monitor:
            features = {"claimed_amount": claimed[own]}
            monitor.record_outcomes(claimed[own] + error[own], claimed[own], features=features)
            monitor.flush()
            labels = {"field": "claimed_amount", "bucket": "(1000, inf)"}
            for name in totals:
                totals[name] += exporter.value(f"mlmonitor.error.{name}", labels)
            assert exporter.value("mlmonitor.actual", labels) == pytest.approx(
                claimed[own][claimed[own] > 1_000].sum()
            )
    expected = error[claimed > 1_000]
    assert totals["count"] == expected.size
    assert totals["absolute"] / totals["count"] == pytest.approx(np.abs(expected).mean())
    assert totals["signed"] / totals["count"] == pytest.approx(expected.mean())


def test_a_class_of_few_rows_is_not_named_outside_the_process() -> None:
    """It may identify a person; from five rows on it is named."""
    monitor, exporter = exported()
    actuals = ["rare"] * 4 + ["usual"] * 9 + ["other"] * 9
    with monitor:
        monitor.record_outcomes(["usual"] * 22, actuals)
        monitor.flush()
        cell = {"actual": "rare", "predicted": "usual"}
        with pytest.raises(KeyError):
            exporter.value("mlmonitor.confusion", cell)
        monitor.record_outcomes(["usual"], ["rare"])
        monitor.flush()
        assert exporter.value("mlmonitor.confusion", cell) == 5


def test_measures_confusion_scores_and_cohorts_are_exported(truth: Any, score: Any) -> None:
    """Each has its own metric, and the score bins by outcome add up to the rows."""
    monitor, exporter = exported()
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    with monitor:
        monitor.record_outcomes(score, truth, predicted_at=moment)
        monitor.flush()
        labels = {"measure": "accuracy", "basis": "realised"}
        accuracy = exporter.value("mlmonitor.performance", labels)
        assert accuracy == metrics.accuracy_score(truth, score > 0.5)
        cell = {"actual": "true", "predicted": "false"}
        missed = int((truth & (score <= 0.5)).sum())
        assert exporter.value("mlmonitor.confusion", cell) == missed
        last = {"class": "true", "le": "0.50", "actual": "true"}
        own = truth & (score > 0.45) & (score <= 0.5)
        assert exporter.value("mlmonitor.score.bin", last) == own.sum()
        cohort = {"cohort": moment.isoformat()}
        assert exporter.value("mlmonitor.cohort.labelled", cohort) == ROWS
        assert exporter.value("mlmonitor.labels.maturity", {}) == 1.0


@pytest.mark.parametrize(
    ("predictions", "actuals", "counts"),
    [
        ([1.0, 2.0, 3.0], [1.0, None, "x"], (1, 1, 1)),
        ([1.0, None, "x"], [1.0, 2.0, 3.0], (1, 1, 1)),
        ([1.0, 2.0, float("inf")], [1.0, 2.0, 3.0], (2, 0, 1)),
        ([None, 2.0, 3.0], [None, float("nan"), 3.0], (1, 2, 0)),
        (["a", None, "b"], ["a", "a", None], (1, 2, 0)),
    ],
)
def test_every_pair_is_counted_once_as_matched_or_by_its_missing_side(
    predictions: Any, actuals: Any, counts: tuple[int, int, int]
) -> None:
    """No row of a nightly job is lost silently; texts among numeric predictions are an error."""
    with made() as monitor:
        monitor.record_outcomes(predictions, actuals)
        status = monitor.status()
    assert status.internal_errors == int("x" in predictions)
    names = "matched", "missing", "unreadable"
    assert tuple(status.labels[name] for name in names) == counts
    assert sum(status.labels.values()) == 3


@pytest.mark.parametrize(
    ("predictions", "actuals", "message"),
    [
        (None, [1.0], "a column of predictions and one of actuals, got NoneType and list"),
        ([1.0], None, "a column of predictions and one of actuals, got list and NoneType"),
        (1.0, 2.0, "a column of predictions and one of actuals, got float and float"),
        ([1.0, 2.0], [1.0], "each of the 2 predictions, got 1 actuals: pass an actual for each"),
    ],
)
def test_pairs_without_one_side_are_a_counted_error_that_names_both(
    predictions: Any, actuals: Any, message: str
) -> None:
    """The call raises nothing, and the status tells the user what to do."""
    with made() as monitor:
        monitor.record_outcomes(predictions, actuals)
        status = monitor.status()
    assert status.internal_errors == 1
    assert status.last_error is not None
    assert message in status.last_error


@pytest.mark.parametrize(
    ("classes", "trained", "labels"),
    [
        ([0, 1], [0, 1], [False, True]),
        ([0, 1], [False, True], [0.0, True]),
        ([False, True], [False, True], [0, 1]),
        ([False, True], [0, 1.0], [np.array([False])[0], 1.0]),
        (["0", "1"], ["0", "1"], [0, True]),
    ],
)
def test_numbers_and_booleans_that_are_equal_are_one_class(
    classes: list[object], trained: list[object], labels: list[object]
) -> None:
    """Otherwise correct labels would count as wrong, or as new categories."""
    scores = np.tile([[0.9, 0.1], [0.1, 0.9]], (100, 1))
    reference = Reference.fit(
        {"x": np.arange(200.0)},
        predictions=scores,
        actuals=trained * 100,
        output="probabilities",
        classes=classes,
        thresholds="asymptotic",
    )
    with made(reference) as monitor:
        for score, label in zip(scores[:2].tolist(), labels, strict=True):
            names = {"output": "probabilities", "names": classes}
            with monitor.observe({"x": 1.0}, **names) as prediction:
                prediction.value = score
            monitor.label(prediction.id, label)
        status = monitor.status()
    (actual,) = (field for field in status.fields if field.role == "actual")
    assert {kind: count for kind, count in actual.quality.items() if count} == {"valid": 2}
    assert status.performance is not None
    assert status.performance["accuracy"].value == 1.0
