"""Performance without labels is right where the calibration from training holds."""

import json
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mlmonitor import Config, Monitor, Reference, Role
from mlmonitor.aggregate.outcomes.expected_sums import ExpectedSums
from mlmonitor.aggregate.window import Span
from mlmonitor.compare.estimated.cohort_estimates import CohortEstimates
from mlmonitor.compare.estimated.estimator import Estimator
from mlmonitor.formats.reference import CalibrationReference, dump, load
from mlmonitor.records import Block
from mlmonitor.reference.calibration.isotonic import monotone_rates
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

ROWS = 20_000


class Scored(NamedTuple):
    """Rows with a feature, a miscalibrated score, a decision and the true class."""

    x: Any
    score: Any
    label: Any
    truth: Any


def scored(rng: np.random.Generator, rows: int = ROWS, *, shift: float = 0.0) -> Scored:
    """Draw overconfident scores: the true log odds are half of theirs."""
    x = rng.normal(shift, 1, rows)
    odds = 2 * x + rng.normal(0, 0.5, rows)
    chance = 1 / (1 + np.exp(-odds))
    score = 1 / (1 + np.exp(-2 * odds - 0.3))
    truth = (rng.random(rows) < chance).astype(int)
    return Scored(x, score, (score > 0.5).astype(int), truth)


def reference_of(data: Scored, **options: Any) -> Reference:
    """Fit a reference with its calibration."""
    predictions = {"label": data.label, "score": data.score}
    return fit_reference({"x": data.x}, predictions=predictions, actuals=data.truth, **options)


def estimates(reference: Reference, data: Scored) -> Any:
    """Return the estimates for these rows without labels."""
    with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
        monitor.record({"x": data.x}, {"label": data.label, "score": data.score})
        status = monitor.status()
    assert status.internal_errors == 0, status.last_error
    return status.estimated


def realised(data: Scored) -> dict[str, float]:
    """Return the same measures computed by scikit-learn from labels."""
    truth, label = data.truth, data.label
    return {
        "accuracy": metrics.accuracy_score(truth, label),
        "precision": metrics.precision_score(truth, label),
        "recall": metrics.recall_score(truth, label),
        "f1": metrics.f1_score(truth, label),
        "specificity": metrics.recall_score(1 - truth, 1 - label),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, label),
        "roc_auc": metrics.roc_auc_score(truth, data.score),
    }


@pytest.fixture(scope="module")
def training() -> Scored:
    """Training rows."""
    return scored(np.random.default_rng(1))


@pytest.fixture(scope="module")
def reference(training: Scored) -> Reference:
    """A reference of the training rows."""
    return reference_of(training)


@pytest.mark.parametrize("shift", [0.0, 0.8, -0.8])
def test_estimates_match_the_labels_while_features_and_scores_shift(
    reference: Reference, shift: float
) -> None:
    """Seven measures of two classes are estimated from scores that are not calibrated."""
    live = scored(np.random.default_rng(2), shift=shift)
    estimated, realised_values = estimates(reference, live), realised(live)
    assert set(estimated) == set(realised_values)
    for name, value in realised_values.items():
        assert estimated[name].value == pytest.approx(value, abs=0.015), name
        assert estimated[name].low - 0.005 <= value <= estimated[name].high + 0.005, name
        assert estimated[name].basis == "estimated"
        assert estimated[name].count == ROWS


@pytest.mark.slow
def test_intervals_cover_the_measures_from_labels_in_nineteen_of_twenty_chunks(
    reference: Reference,
) -> None:
    """Chunks have a thousand rows; intervals include chance of the labels and calibration."""
    covered = []
    for seed in range(60):
        live = scored(np.random.default_rng(100 + seed), 1_000)
        estimated, realised_values = estimates(reference, live), realised(live)
        covered += [
            estimated[n].low <= realised_values[n] <= estimated[n].high for n in realised_values
        ]
    assert 0.9 < np.mean(covered) < 0.995


def test_a_lost_calibration_shows_in_the_gap_once_labels_arrive(
    reference: Reference,
) -> None:
    """Labels are shuffled, which the estimate alone cannot show."""
    rng = np.random.default_rng(3)
    live = scored(rng, 2_000)
    ids = [f"r{at}" for at in range(2_000)]
    gaps = []
    for truth in (live.truth, rng.permutation(live.truth)):
        with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
            predictions = {"label": live.label, "score": live.score}
            monitor.record({"x": live.x}, predictions, ids=ids)
            assert not monitor.status().estimated.gap
            monitor.label(ids, truth)
            monitor.status()
            status = monitor.status()
        assert status.labels["matched"] == 2_000
        gap = status.estimated.gap["accuracy"]
        assert gap.realised == pytest.approx(float((truth == live.label).mean()))
        assert gap.realised == status.performance["accuracy"].value
        assert gap.difference == gap.estimated - gap.realised
        assert gap.count == 2_000
        gaps.append(gap.difference)
    assert abs(gaps[0]) < 0.03
    assert gaps[1] > 0.2


def test_a_group_whose_effect_changes_its_sign_with_the_score_does_not_correct_the_estimate() -> (
    None
):
    """Its effect on calibrated scores averages out, so the field is not used."""
    rng = np.random.default_rng(4)

    def rows(share: float) -> tuple[Any, Any, Any]:
        group = rng.random(ROWS) < share
        odds = rng.normal(0, 1.5, ROWS)
        chance = 1 / (1 + np.exp(-np.where(group, -odds, 2 * odds)))
        truth = (rng.random(ROWS) < chance).astype(int)
        return group, 1 / (1 + np.exp(-odds)), truth

    group, score, truth = rows(0.1)
    names = np.where(group, "new", "old")
    reference = fit_reference({"group": names}, predictions=score, actuals=truth)
    assert reference.content.calibration is not None
    group, score, truth = rows(0.6)
    with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
        monitor.record({"group": np.where(group, "new", "old").tolist()}, score)
        estimated = monitor.status().estimated
    assert estimated is not None
    assert estimated.fields == ()  # an effect of opposite sign by score averages out
    assert "given" not in estimated.assumption


def test_a_group_with_other_odds_at_each_score_corrects_the_estimate() -> None:
    """The score contains only half of the log odds, and the group the other half (PAPE)."""
    rng = np.random.default_rng(5)

    def rows(share: float) -> tuple[Any, Any, Any]:
        group = rng.random(ROWS) < share
        odds = rng.normal(0, 1.5, ROWS)
        chance = 1 / (1 + np.exp(-odds - np.where(group, 1.5, -1.5)))
        return group, 1 / (1 + np.exp(-odds)), (rng.random(ROWS) < chance).astype(int)

    group, score, truth = rows(0.5)
    reference = fit_reference(
        {"group": np.where(group, "new", "old"), "noise": rng.normal(size=ROWS)},
        predictions=score,
        actuals=truth,
    )
    group, score, truth = rows(0.9)
    with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
        names = np.where(group, "new", "old").tolist()
        monitor.record({"group": names, "noise": rng.normal(size=ROWS)}, score)
        estimated = monitor.status().estimated
    assert estimated is not None
    assert estimated.fields == ("group",)
    assert estimated.assumption == "a score means the same probability as in training, given group"
    realised_accuracy = metrics.accuracy_score(truth, score > 0.5)
    assert estimated["accuracy"].value == pytest.approx(realised_accuracy, abs=0.015)
    area = metrics.roc_auc_score(truth, score)
    assert estimated["roc_auc"].value == pytest.approx(area, abs=0.02)


def test_several_classes_are_estimated_from_one_probability_each() -> None:
    """Accuracy, macro averages and the one-vs-rest area agree with scikit-learn's from labels."""
    rng = np.random.default_rng(6)
    names = np.array(["a", "b", "c"])

    def rows(tilt: float) -> tuple[Any, Any, Any]:
        odds = rng.normal(0, 1.5, (ROWS, 3)) + np.array([tilt, 0, 0])
        chance = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
        share = np.exp(2 * odds) / np.exp(2 * odds).sum(axis=1, keepdims=True)  # overconfident
        truth = (chance.cumsum(axis=1) > rng.random((ROWS, 1))).argmax(axis=1)
        return odds[:, 0], share, names[truth]

    x, share, truth = rows(0.0)
    reference = fit_reference(
        {"x": x}, predictions=share, output="probabilities", classes=names, actuals=truth.tolist()
    )
    for tilt in (0.0, 0.7):
        x, share, truth = rows(tilt)
        with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
            monitor.record({"x": x}, share, output="probabilities", names=names)
            estimated = monitor.status().estimated
        predicted = names[share.argmax(axis=1)]
        assert estimated is not None
        expected = {
            "accuracy": metrics.accuracy_score(truth, predicted),
            "f1": metrics.f1_score(truth, predicted, average="macro"),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "roc_auc": metrics.roc_auc_score(truth, share, multi_class="ovr"),
        }
        for name, value in expected.items():
            assert estimated[name].value == pytest.approx(value, abs=0.02), name
            if not tilt:  # one probability at a time is not enough once a class is more frequent
                assert estimated[name].low < value < estimated[name].high, name


def test_errors_of_a_regression_are_estimated_by_prediction_and_by_field() -> None:
    """Errors grow with the prediction, and are four times as large in one region."""
    rng = np.random.default_rng(7)

    def rows(share: float, level: float) -> tuple[Any, Any, Any]:
        region = rng.random(ROWS) < share
        predicted = rng.gamma(4, level, ROWS)
        spread = predicted / 10 * np.where(region, 4, 1)
        return region, predicted, predicted + rng.normal(0, spread)

    region, predicted, actual = rows(0.2, 100)
    columns = {"region": np.where(region, "sea", "land"), "noise": rng.normal(size=ROWS)}
    reference = fit_reference(columns, predictions=predicted, actuals=actual)
    region, predicted, actual = rows(0.7, 130)
    with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
        names = np.where(region, "sea", "land").tolist()
        monitor.record({"region": names, "noise": rng.normal(size=ROWS)}, predicted)
        estimated = monitor.status().estimated
    assert estimated is not None
    assert estimated.fields == ("region",)
    error = predicted - actual
    assert estimated["mae"].value == pytest.approx(np.abs(error).mean(), rel=0.05)
    assert estimated["rmse"].value == pytest.approx(np.sqrt((error**2).mean()), rel=0.08)
    assert estimated["bias"].low < error.mean() < estimated["bias"].high


@pytest.mark.parametrize(
    "form",
    [
        lambda d: d.score,
        lambda d: {"label": d.label, "score": d.score},
        lambda d: {"label": np.where(d.label, "1", "0"), "score": d.score},
        lambda d: {"prediction": d.label.astype(bool), "score": d.score},
        lambda d: np.stack([1 - d.score, d.score], axis=1),
        lambda d: {"score": np.log(d.score / (1 - d.score))},
    ],
    ids=["score", "number", "text", "bool", "two columns", "decision values"],
)
def test_two_classes_are_estimated_alike_in_every_common_form(
    form: Any, training: Scored, reference: Reference
) -> None:
    """The same rows have the same estimates."""
    live = scored(np.random.default_rng(8), 4_000)
    options = {"output": "probabilities"} if isinstance(form(live), np.ndarray) else {}
    options = options if np.ndim(form(live)) == 2 else {}
    classes = {"classes": [0, 1]} if options else {}
    own = fit_reference(
        {"x": training.x},
        predictions=form(training),
        actuals=training.truth,
        **options,
        **classes,
    )
    names = {"names": [0, 1]} if options else {}
    with Monitor("m", reference=own, exporters=[], clock=ManualClock()) as monitor:
        monitor.record({"x": live.x}, form(live), **options, **names)
        estimated = monitor.status().estimated
    expected = estimates(reference, live)
    for name in ("accuracy", "roc_auc", "f1"):
        assert estimated[name].value == pytest.approx(expected[name].value, abs=0.004), name


def test_estimates_are_exported_with_their_basis_and_are_part_of_the_status(
    reference: Reference,
) -> None:
    """Each measure is one series, and the text says what is assumed."""
    live = scored(np.random.default_rng(9), 3_000)
    memory = InMemoryExporter()
    with Monitor("m", reference=reference, exporters=[memory], clock=ManualClock()) as monitor:
        monitor.record({"x": live.x}, {"label": live.label, "score": live.score})
        monitor.flush()
        status = monitor.status()
    assert status.estimated is not None
    for name, estimate in status.estimated.items():
        own = {"measure": name, "basis": "estimated"}
        assert memory.value("mlmonitor.performance", own) == pytest.approx(estimate.value)
    text = str(status)
    assert "estimated without labels: accuracy 0." in text
    assert "right if a score means the same probability as in training" in " ".join(text.split())
    assert status.to_dict()["estimated"]["roc_auc"]["basis"] == "estimated"


def test_a_reference_keeps_its_calibration_and_one_without_it_estimates_nothing(
    reference: Reference,
) -> None:
    """A saved calibration is read back, and an old file has none."""
    content = reference.content
    assert load(dump(content)).calibration == content.calibration
    old = content.model_dump(mode="json")
    del old["calibration"]
    without = load(json.dumps(old).encode())
    assert without.calibration is None
    assert estimates(Reference(without), scored(np.random.default_rng(1), 500)) is None
    assert len(dump(content)) - len(dump(without)) < 12_000


@pytest.mark.parametrize("actuals", [None, "few", "one class"])
def test_too_few_training_pairs_or_one_class_alone_give_no_calibration(actuals: str | None) -> None:
    """There are no actuals, fewer than a hundred, or those of a single class."""
    data = scored(np.random.default_rng(1), 90 if actuals == "few" else 500)
    truth = {None: None, "few": data.truth, "one class": np.zeros(500, int)}[actuals]
    reference = fit_reference({"x": data.x}, predictions=data.score, actuals=truth)
    assert reference.content.calibration is None


def test_scores_that_are_not_probabilities_are_left_out_of_the_estimate(
    reference: Reference,
) -> None:
    """Scores that are missing or outside 0 to 1 are skipped, and other rows are estimated."""
    live = scored(np.random.default_rng(3), 2_000)
    broken = live.score.copy()
    broken[::4], broken[1::4] = np.nan, 1.5
    kept = np.arange(2_000) % 4 > 1
    estimated = estimates(reference, live._replace(score=broken))
    alone = estimates(reference, Scored(*(column[kept] for column in live)))
    assert estimated.count == 1_000
    assert estimated["accuracy"].value == pytest.approx(alone["accuracy"].value)


def test_a_calibration_with_persons_as_classes_is_not_stored() -> None:
    """Two e-mail addresses are the classes."""
    data = scored(np.random.default_rng(3), 2_000)
    names = np.array(["mary@example.com", "john@example.com"])
    reference = fit_reference(
        {"x": data.x},
        predictions={"label": names[data.label], "score": data.score},
        actuals=names[data.truth].tolist(),
    )
    assert b"example.com" not in dump(reference.content)


def test_estimates_drop_old_rows_half_a_window_at_a_time(reference: Reference) -> None:
    """Rows older than the window do not contribute."""
    clock = ManualClock()
    config = Config(window_seconds=600)
    good, bad = scored(np.random.default_rng(1), 2_000), scored(np.random.default_rng(2), 2_000)
    bad = bad._replace(label=1 - bad.label)
    with Monitor("m", reference=reference, exporters=[], clock=clock, config=config) as monitor:
        values = []
        for data, seconds in ((bad, 0.0), (good, 310.0), (good, 310.0)):
            clock.advance(seconds)
            monitor.record({"x": data.x}, {"label": data.label, "score": data.score})
            estimated = monitor.status().estimated
            values.append((estimated["accuracy"].value, estimated.count))
        clock.advance(2_000)
        assert monitor.status().estimated is None
    assert values[0][0] < 0.3 < values[1][0] < values[2][0]
    assert [count for _, count in values] == [2_000, 4_000, 4_000]


@settings(max_examples=30)
@given(
    rates=st.lists(st.integers(0, 20), min_size=1, max_size=30),
    rows=st.lists(st.integers(0, 20), min_size=30, max_size=30),
)
def test_calibrated_rates_are_monotone_and_keep_the_total(
    rates: list[int], rows: list[int]
) -> None:
    """They lie between 0 and 1, and their sum over rows is unchanged."""
    counts = np.array(rows[: len(rates)])
    sums = np.minimum(np.array(rates), counts).astype(float)
    curve = monotone_rates(counts, sums)
    steps = np.diff(curve)
    assert (steps >= -1e-12).all() or (steps <= 1e-12).all()
    assert ((curve >= 0) & (curve <= 1)).all()
    if counts.sum():
        assert curve @ counts == pytest.approx(sums.sum())


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 300), max_size=4), seed=st.integers(0, 99))
def test_any_split_of_the_rows_gives_the_same_estimates(cuts: list[int], seed: int) -> None:
    """Parts may be merged in any order."""
    data = scored(np.random.default_rng(seed), 300)
    calibration, plan = _CALIBRATION
    bounds = [0, *sorted(cuts), 300]
    parts = [slice(a, b) for a, b in pairwise(bounds)]
    whole = _estimator(calibration, plan)
    whole.ingest(_block(data, slice(None)), now=0.0)
    split = _estimator(calibration, plan)
    for part in reversed(parts):
        split.ingest(_block(data, part), now=0.0)
    one, several = whole.performance(), split.performance()
    assert one is not None
    assert several is not None
    for name, estimate in one.items():
        assert several[name][:3] == pytest.approx(estimate[:3], abs=1e-12), name


def test_expected_sums_survive_serialisation() -> None:
    """The state of merged sums is read back unchanged."""
    sums = ExpectedSums(2, 3, 2)
    sums.update(np.array([0, 1]), np.array([2, 0]), np.array([0.5, 0.25]), np.array([0.25, 0.1]))
    sums.update_classes(np.array([[0.5, 0.1], [0.5, 0.9]]), np.array([0, 1]))
    sums.merge(sums.copy())
    again = ExpectedSums.from_state(sums.state())
    assert np.array_equal(again.table, sums.table)
    assert np.array_equal(again.confusion, sums.confusion)
    assert again.table[0].sum() == 4


def _fit_small() -> tuple[CalibrationReference, Any]:
    reference = reference_of(scored(np.random.default_rng(0), 2_000))
    assert reference.content.calibration is not None
    plan = reference.plan((Role.FEATURE, Role.PREDICTION), deviations=3.0)
    return reference.content.calibration, plan


_CALIBRATION = _fit_small()


def _estimator(calibration: CalibrationReference, plan: Any) -> Estimator:
    return Estimator(calibration, plan, Span(60.0, None, 6), now=0.0)


def _block(data: Scored, part: slice) -> Block:
    numeric = np.array([data.x[part], data.label[part], data.score[part]], np.float64)
    return Block(numeric.shape[1], numeric, np.zeros((3, 3), np.int64), [])


DAY = 86_400.0
NOON = 20_000.5 * DAY


class Predicted(NamedTuple):
    """The outputs of some rows by name, and their actuals."""

    outputs: dict[str, Any]
    actuals: Any


def predicted(task: str, rng: np.random.Generator, rows: int) -> Predicted:
    """Draw predictions of a task."""
    if task == "binary":
        data = scored(rng, rows)
        return Predicted({"label": data.label, "score": data.score}, data.truth)
    if task == "regression":
        values = rng.gamma(2.0, 10.0, rows)
        return Predicted({"prediction": values}, values + rng.normal(0, values))
    chances, names = rng.dirichlet([1, 1, 1], rows), np.array(["a", "b", "c"])
    truth = names[(rng.random((rows, 1)) < chances.cumsum(axis=1)).argmax(axis=1)]
    outputs = {"label": names[chances.argmax(axis=1)]}
    outputs |= {name: chances[:, place] for place, name in enumerate(names.tolist())}
    return Predicted(outputs, truth)


def status_of(reference: Reference, data: Predicted, rows: Any, at: Any = None) -> Any:
    """Return the status after these rows were recorded and the first was labelled."""
    clock = ManualClock(NOON)
    ids = [str(row) for row in rows.tolist()]
    with Monitor("m", reference=reference, exporters=[], clock=clock) as monitor:
        outputs = {name: values[rows] for name, values in data.outputs.items()}
        monitor.record({"x": np.zeros(rows.size)}, outputs, ids=ids, at=at)
        monitor.label(ids[:1], data.actuals[rows[:1]])
        monitor.status()
        status = monitor.status()
    assert status.internal_errors == 0, status.last_error
    return status


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_estimate_of_a_cohort_is_that_of_its_rows_alone(task: str) -> None:
    """Rows of two days are in one block; those without a recorded time belong to today."""
    rng = np.random.default_rng(5)
    data = predicted(task, rng, 900)
    reference = fit_reference(
        {"x": rng.normal(size=900)}, predictions=data.outputs, actuals=data.actuals
    )
    is_today = rng.random(900) < 0.3
    at = np.where(is_today, np.nan, NOON - DAY)
    cohorts = status_of(reference, data, np.arange(900), at).cohorts
    assert [cohort.predicted for cohort in cohorts] == [(~is_today).sum(), is_today.sum()]
    for cohort, is_own in zip(cohorts, (~is_today, is_today), strict=True):
        alone = status_of(reference, data, np.flatnonzero(is_own)).estimated
        assert set(cohort.estimated) == set(alone)
        for name, estimate in alone.items():
            assert cohort.estimated[name][:3] == pytest.approx(estimate[:3], rel=1e-9), name
            assert cohort.estimated[name][3:] == (is_own.sum(), "estimated")


def test_a_cohort_that_replaces_an_old_one_has_only_its_own_rows() -> None:
    """The newest sixty cohorts are kept, and rows of older ones are not counted."""
    data, (calibration, plan) = scored(np.random.default_rng(6), 300), _CALIBRATION
    estimator = _estimator(calibration, plan)
    for day in (0, 1, 60, 0):
        estimator.ingest(_block(data, slice(day, day + 100)), now=(day + 0.5) * DAY)
    assert set(estimator.by_cohort()) == {1, 60}
    alone = _estimator(calibration, plan)
    alone.ingest(_block(data, slice(60, 160)), now=60.5 * DAY)
    assert estimator.by_cohort()[60] == alone.by_cohort()[60]


def test_an_estimate_is_computed_again_after_more_rows_arrive() -> None:
    """Results are cached only until their period has more rows."""
    data, (calibration, plan) = scored(np.random.default_rng(7), 300), _CALIBRATION
    estimator = _estimator(calibration, plan)
    estimator.ingest(_block(data, slice(100)), now=0.0)
    before = estimator.by_cohort()[0]["accuracy"]
    estimator.ingest(_block(data, slice(100, 300)), now=1.0)
    after = estimator.by_cohort()[0]["accuracy"]
    assert (before.count, after.count) == (100, 300)


@pytest.mark.parametrize(
    ("nbytes_each", "most"), [(4_800, 60), (50_000, 10), (1_000_000, 1)], ids=["2", "11", "many"]
)
def test_wide_tables_of_many_classes_are_kept_for_fewer_periods(
    nbytes_each: int, most: int
) -> None:
    """All of them stay within half a megabyte, unless one alone needs more."""
    estimates = CohortEstimates(DAY, nbytes_each, lambda _: {})
    for period in range(100):
        estimates.update(period, ExpectedSums(2, 3))
    assert set(estimates.estimates()) == set(range(100 - most, 100))
    assert estimates.nbytes == most * (nbytes_each + 2_048)


def test_the_memory_bound_of_an_estimator_includes_its_cohorts() -> None:
    """They are sixty tables beside the three of the window and of the labels."""
    calibration, plan = _CALIBRATION
    bins = len(calibration.maps[0].rows)
    assert _estimator(calibration, plan).nbytes == (60 + 3) * 24 * 2 * bins + 60 * 2_048
