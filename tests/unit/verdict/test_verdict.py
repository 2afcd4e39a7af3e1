"""Keep, recalibrate or retrain: the advice of a running monitor, based on its labels."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from mlmonitor import Alert, Cohort, Config, Monitor, Objective, Reference, Verdict
from mlmonitor.aggregate.segments import ALL
from mlmonitor.records import Role
from mlmonitor.testing import InMemoryExporter
from mlmonitor.verdict.early_rise import find_standing_rise
from mlmonitor.verdict.input_reasons import defect_reason, drift_reason
from mlmonitor.verdict.verdict import VerdictReason

DAY = 86_400.0
START = 1_700_000_000.0
Floats = NDArray[np.float64]


class Rows(NamedTuple):
    """Features, predictions and actuals."""

    x: Floats
    z: Floats
    predicted: Floats
    actual: Floats


Make = Callable[[np.random.Generator, int], Rows]


def draw(rng: np.random.Generator, rows: int, *, center: float = 0.0) -> Rows:
    """Draw rows whose actuals equal the prediction plus noise."""
    x, z = rng.normal(center, 1, rows), rng.normal(size=rows)
    predicted = 10 + 2 * x
    return Rows(x, z, predicted, predicted + rng.normal(size=rows))


def calm(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows as in training."""
    return draw(rng, rows)


def benign(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows of another distribution, on which the model is as good as before."""
    return draw(rng, rows, center=1.0)


def inflated(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows whose actuals are a sixth higher, in the same order."""
    drawn = draw(rng, rows)
    return drawn._replace(actual=drawn.actual + drawn.predicted / 6)


def another_concept(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows whose actuals depend mostly on a feature that the model does not use."""
    drawn = draw(rng, rows)
    return drawn._replace(actual=drawn.actual + 3 * drawn.z)


def shuffled(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows whose labels belong to other rows."""
    drawn = draw(rng, rows)
    return drawn._replace(actual=rng.permutation(drawn.actual))


@cache
def reference(trained_at: datetime | None = None) -> Reference:
    """Return a reference of the training data, with its mean absolute error."""
    drawn = draw(np.random.default_rng(0), 3_000)
    return Reference.fit(
        {"x": drawn.x, "z": drawn.z},
        predictions=drawn.predicted,
        actuals=drawn.actual,
        training_metrics={"mae": float(np.abs(drawn.predicted - drawn.actual).mean())},
        trained_at=trained_at,
        thresholds="asymptotic",
    )


class Service:
    """A monitor whose days are as long as the test requires."""

    def __init__(
        self,
        trained: Reference | None = None,
        *,
        objectives: Sequence[Objective] = (),
        **options: Any,
    ) -> None:
        self.now = START
        self.verdicts: list[Verdict] = []
        self.exporter = InMemoryExporter()
        self.monitor = Monitor(
            "claims",
            version="1",
            reference=reference() if trained is None else trained,
            exporters=[self.exporter],
            on_verdict=self.verdicts.append,
            objectives=objectives,
            config=Config(**options),
            clock=lambda: self.now,
        )
        self._rng, self._days = np.random.default_rng(1), 0

    def run_day(self, make: Make, rows: int = 1_000, *, labelled: float = 1.0) -> Verdict:
        """Predict for a day, label a share of it at once, and return the next day's verdict."""
        drawn, self._days = make(self._rng, rows), self._days + 1
        ids = [f"{self._days}-{row}" for row in range(rows)]
        self.monitor.record({"x": drawn.x, "z": drawn.z}, drawn.predicted, ids=ids)
        self.monitor.status()
        count = round(labelled * rows)
        self.monitor.label(ids[:count], drawn.actual[:count])
        self.monitor.status()
        self.now += DAY
        verdict = self.monitor.status().verdict
        assert verdict is not None
        assert self.monitor.flush(timeout_seconds=60)  # callbacks run in the worker
        return verdict

    def codes(self) -> list[str]:
        """Return the codes of the reasons of the current verdict."""
        verdict = self.monitor.status().verdict
        assert verdict is not None
        return [reason.code for reason in verdict.reasons]


def test_a_model_as_good_as_at_training_is_kept() -> None:
    """The reason names the measure and its number of labels."""
    service = Service()
    verdict = service.run_day(calm)
    assert verdict.action == "keep"
    assert service.codes() == ["stable"]
    assert verdict.reasons[0].measure == "mae"
    assert verdict.reasons[0].count == 1_000
    assert service.verdicts == []


def test_harmless_drift_keeps_the_model() -> None:
    """The verdict mentions the drift and that it does no harm."""
    service = Service()
    verdict = service.run_day(benign)
    assert verdict.action == "keep"
    assert service.codes() == ["stable", "drift"]
    assert "x" in verdict.reasons[1].fields
    assert "without harm" in str(verdict)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full(1_000, np.nan), "x lost"),
        (np.full(1_000, 1.0), "x stuck at one value"),
        (np.full(1_000, "n/a", object), "x unreadable: 100% of values of the wrong type"),
        (np.full(1_000, np.inf), "x unreadable: 100% of values not finite"),
    ],
    ids=["lost", "stuck", "wrong type", "infinite"],
)
def test_a_defective_field_is_not_reported_as_drift_without_harm(
    values: NDArray[Any], words: str
) -> None:
    """The loss is unchanged because the model got better values than the monitor."""

    def lose(rng: np.random.Generator, rows: int) -> Rows:
        return calm(rng, rows)._replace(x=values)

    service = Service()
    verdict = service.run_day(lose)
    assert verdict.action == "keep"
    assert service.codes() == ["stable", "input"]
    assert words in str(verdict.reasons[1])
    assert "without harm" not in str(verdict)
    assert all(incident.harm != "benign" for incident in service.monitor.status().incidents)


def test_a_field_with_only_new_categories_is_not_reported_as_drift_without_harm() -> None:
    """A few new categories among many known ones are."""
    alerts = [
        Alert("city", Role.FEATURE, ALL, "psi", 9.0, 9.0, 0.1, 9.0, "firing", 500, 10.0, ""),
        Alert("city", Role.FEATURE, ALL, "new_category", 1, 1, 0.1, 9, "firing", 500, 10.0, ""),
    ]
    assert drift_reason(alerts, judged_until=11.0) is None
    assert "city has only new values" in str(defect_reason(alerts))
    slight = [alerts[0], replace(alerts[1], current=0.02)]
    assert "without harm" in str(drift_reason(slight, judged_until=11.0))
    assert defect_reason(slight) is None


def test_the_verdict_on_replayed_rows_starts_at_the_time_of_the_rows() -> None:
    """Performance alerts and their incident start at that time, too."""
    service, drawn = Service(), another_concept(np.random.default_rng(1), 500)
    recorded_at = START - 90 * DAY
    ids = [str(row) for row in range(500)]
    service.monitor.record({"x": drawn.x, "z": drawn.z}, drawn.predicted, ids=ids, at=recorded_at)
    service.monitor.status()
    service.monitor.label(ids, drawn.actual)
    service.now += DAY
    status = service.monitor.status()
    assert status.verdict is not None
    assert status.verdict.since == datetime.fromtimestamp(recorded_at, UTC)
    assert {alert.started_at for alert in status.alerts} == {recorded_at}
    assert {incident.started_at for incident in status.incidents} == {recorded_at}


def test_predictions_too_low_in_the_right_order_are_recalibrated() -> None:
    """A constant factor restores the loss."""
    service = Service()
    verdict = service.run_day(inflated)
    assert verdict.action == "recalibrate"
    assert "calibration" in service.codes()
    assert "too low" in str(verdict)


def test_a_loss_that_no_linear_correction_removes_calls_for_retraining() -> None:
    """The callback is called once."""
    service = Service()
    verdict = service.run_day(another_concept, rows=500)
    assert verdict.action == "retrain"
    reason = verdict.reasons[0]
    assert (reason.code, reason.measure, reason.count) == ("risk", "mae", 500)
    assert reason.value is not None
    assert reason.limit is not None
    assert reason.value > reason.limit
    assert [verdict.action for verdict in service.verdicts] == ["retrain"]


def test_too_few_labels_keep_the_model_and_say_so() -> None:
    """The reason states how many labels are needed."""
    service = Service()
    verdict = service.run_day(another_concept, labelled=0.05)
    assert verdict.action == "keep"
    assert service.codes()[0] == "few_labels"
    assert "50 of 1,000 predictions, and 100 are needed" in str(verdict)


def test_the_estimated_loss_is_shown_until_labels_arrive_but_decides_nothing() -> None:
    """It is also higher if the live rows are harder to predict."""
    rng = np.random.default_rng(8)
    x = rng.uniform(0, 4, 5_000)
    predicted = 10 * x
    trained = Reference.fit(
        {"x": x},
        predictions=predicted,
        actuals=predicted + rng.normal(size=5_000) * (1 + 3 * x),
        thresholds="asymptotic",
    )
    monitor = Monitor("m", reference=trained, exporters=[], clock=lambda: START)
    for low, words in ((0, "not beyond the tolerance"), (3, ": beyond the tolerance")):
        x = rng.uniform(low, 4, 3_000)
        monitor.adopt(trained, version=str(low))
        monitor.record({"x": x}, 10 * x, ids=[f"{low}-{row}" for row in range(3_000)])
        verdict = monitor.status().verdict
        assert verdict is not None
        assert verdict.action == "keep"
        assert [reason.code for reason in verdict.reasons[:2]] == ["few_labels", "estimate"]
        assert words in str(verdict)


@pytest.mark.parametrize(("noise", "action"), [(1.0, "keep"), (1.3, "keep"), (4.0, "retrain")])
def test_half_of_the_labels_suffice_only_if_the_others_cannot_change_the_verdict(
    noise: float, action: str
) -> None:
    """With sixty of a hundred, the loss must be too high even if the others show none."""
    service = Service()
    service.run_day(calm)

    def make(rng: np.random.Generator, rows: int) -> Rows:
        drawn = draw(rng, rows)
        error = drawn.actual - drawn.predicted
        return drawn._replace(actual=drawn.predicted + noise * error)

    drawn = make(service._rng, 2_000)
    ids = [f"half-{row}" for row in range(2_000)]
    service.monitor.record({"x": drawn.x, "z": drawn.z}, drawn.predicted, ids=ids)
    service.monitor.status()
    service.monitor.label(ids[:1_200], drawn.actual[:1_200])
    verdict = service.monitor.status().verdict
    assert verdict is not None
    assert verdict.action == action
    if action == "retrain":
        assert verdict.reasons[0].maturity == pytest.approx(0.6)
        assert "still to arrive show no loss at all" in str(verdict)


def test_labels_of_an_immature_cohort_are_not_judged() -> None:
    """The first labels of a cohort are not a random sample of all of them."""
    service = Service()
    for _ in range(3):
        drawn = calm(service._rng, 300)
        service.monitor.record_outcomes(
            drawn.predicted, drawn.actual, predicted_at=service.now, features=None
        )
        service.now += DAY
    drawn = another_concept(service._rng, 1_000)
    ids = [f"late-{row}" for row in range(1_000)]
    service.monitor.record({"x": drawn.x, "z": drawn.z}, drawn.predicted, ids=ids)
    service.monitor.status()
    service.monitor.label(ids[:400], drawn.actual[:400])
    assert service.monitor.status().verdict is not None
    assert service.codes() == ["stable"]


def test_the_advice_to_retrain_ends_once_the_newest_labels_are_good() -> None:
    """While they are bad it stands, dated from the first day."""
    service = Service()
    first = service.run_day(another_concept, rows=300)
    second = service.run_day(another_concept, rows=300)
    assert (first.action, second.action) == ("retrain", "retrain")
    assert second.since == first.since
    assert service.run_day(calm, rows=300).action == "keep"
    assert [verdict.action for verdict in service.verdicts] == ["retrain", "keep"]


def cohort_of_day(day: int) -> Cohort:
    """Return a cohort of one day, of which only the time matters."""
    start = datetime(2026, 1, day, tzinfo=UTC)
    return Cohort(start, start + timedelta(days=1), 1, 1, 1.0, cast("Any", None))


@pytest.mark.parametrize(("mature_days", "stands"), [((), True), ((1, 2), True), ((1, 3), False)])
def test_advice_of_young_cohorts_stands_until_the_same_or_newer_ones_are_mature(
    mature_days: tuple[int, ...], *, stands: bool
) -> None:
    """It concerns cohorts from the third day on, about which older ones say nothing."""
    since = datetime(2026, 1, 3, tzinfo=UTC)
    reason = VerdictReason("risk", "the loss rose", predictions_since=since)
    previous = Verdict("retrain", (reason,), since)
    standing = find_standing_rise(previous, [cohort_of_day(day) for day in mature_days])
    assert standing == (reason if stands else None)


def test_drift_after_the_newest_judged_prediction_is_not_called_harmless() -> None:
    """The labels of the drifted rows may show harm once they arrive."""
    alert = Alert(
        "x", Role.FEATURE, ALL, "psi", 0.5, 0.5, 0.1, 9.0, "firing", 500, started_at=10.0, reason=""
    )
    assert "without harm" in str(drift_reason([alert], judged_until=11.0))
    assert "labels do not show yet" in str(drift_reason([alert], judged_until=9.0))
    assert "labels do not show yet" in str(drift_reason([alert], judged_until=None))


def test_the_advice_stands_while_no_label_refutes_it() -> None:
    """If labels stop arriving, that is no reason to keep a bad model."""
    service = Service()
    first = service.run_day(another_concept)
    service.now += 80 * DAY
    drawn = calm(service._rng, 500)
    service.monitor.record(
        {"x": drawn.x, "z": drawn.z}, drawn.predicted, ids=list(map(str, range(500)))
    )
    verdict = service.monitor.status().verdict
    assert verdict is not None
    assert (verdict.action, verdict.since) == ("retrain", first.since)
    assert service.codes()[:2] == ["risk", "few_labels"]
    assert service.run_day(calm).action == "keep"


def test_advice_to_retrain_ends_at_half_of_the_tolerance() -> None:
    """The hysteresis prevents advice that changes from day to day."""
    service = Service(verdict_tolerance=0.4)

    def worse(factor: float) -> Make:
        def make(rng: np.random.Generator, rows: int) -> Rows:
            drawn = draw(rng, rows)
            return drawn._replace(
                actual=drawn.predicted + factor * (drawn.actual - drawn.predicted)
            )

        return make

    assert service.run_day(worse(1.3), rows=2_000).action == "keep"
    assert service.run_day(worse(2.0), rows=2_000).action == "retrain"
    assert service.run_day(worse(1.3), rows=2_000).action == "retrain"
    assert service.run_day(worse(1.0), rows=2_000).action == "keep"


def test_a_violated_objective_calls_for_retraining() -> None:
    """The loss is as at training, but the objective is stricter."""
    service = Service(objectives=[Objective("mae", maximum=0.6)])
    verdict = service.run_day(calm, rows=2_000)
    assert verdict.action == "retrain"
    assert verdict.reasons[0].code == "bounds"
    assert (verdict.reasons[0].measure, verdict.reasons[0].limit) == ("mae", 0.6)


def test_an_objective_that_a_correction_would_meet_calls_for_recalibration() -> None:
    """The loss rose because the predictions are too low."""
    service = Service(objectives=[Objective("mae", maximum=1.0)])
    assert service.run_day(inflated, rows=2_000).action == "recalibrate"


def test_a_change_within_a_day_is_found_before_the_day_is_over() -> None:
    """Cohorts are a day long, but the running risk uses each label as it arrives."""
    service = Service()
    service.run_day(calm, rows=2_000)
    for make in (calm, another_concept):
        drawn = make(service._rng, 1_500)
        service.monitor.record_outcomes(drawn.predicted, drawn.actual)
    verdict = service.monitor.status().verdict
    assert verdict is not None
    assert verdict.action == "retrain"


def test_the_losses_of_the_reference_are_a_baseline_without_training_metrics() -> None:
    """They are measured at fit if there are actuals."""
    drawn = draw(np.random.default_rng(0), 3_000)
    plain = Reference.fit(
        {"x": drawn.x, "z": drawn.z},
        predictions=drawn.predicted,
        actuals=drawn.actual,
        thresholds="asymptotic",
    )
    service = Service(plain)
    assert service.run_day(calm).action == "keep"
    assert "in the reference" in str(service.monitor.status().verdict)
    assert service.run_day(another_concept).action == "retrain"


def shifted(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows whose labels belong to the row before."""
    drawn = draw(rng, rows)
    return drawn._replace(actual=np.roll(drawn.actual, 1))


def negated(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows whose labels have the opposite sign."""
    drawn = draw(rng, rows)
    return drawn._replace(actual=-drawn.actual)


def in_thousands(rng: np.random.Generator, rows: int) -> Rows:
    """Draw rows whose labels are in thousands."""
    drawn = draw(rng, rows)
    return drawn._replace(actual=drawn.actual / 1_000)


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (shuffled, "unrelated_labels"),
        (shifted, "misaligned_labels"),
        (negated, "inverted_scores"),
        (in_thousands, "scaled_labels"),
    ],
)
def test_faulty_labels_call_for_their_repair_instead_of_retraining(make: Make, cause: str) -> None:
    """A new model would be as bad; the advice stands until the newest labels are valid again."""
    service = Service()
    service.run_day(calm, rows=600)
    verdict = service.run_day(make)
    assert cause in {incident.cause for incident in service.monitor.status().incidents}
    assert (verdict.action, verdict.reasons[0].code) == ("keep", "input")
    assert "repair the labels first" in verdict.reasons[0].text
    repaired = service.run_day(calm, rows=200)
    assert repaired.action == "keep"
    assert service.verdicts == []


def test_a_change_of_concept_after_a_fault_of_labels_calls_for_retraining() -> None:
    """Losses that the fault does not explain refute it."""
    service = Service()
    service.run_day(shuffled)
    assert service.run_day(another_concept).action == "retrain"


def test_a_relation_that_becomes_much_weaker_at_once_calls_for_retraining() -> None:
    """It still exists, so the labels belong to their predictions."""

    def weakened(rng: np.random.Generator, rows: int) -> Rows:
        drawn = draw(rng, rows)
        return drawn._replace(actual=10 + 0.2 * (drawn.actual - 10) + 2 * rng.normal(size=rows))

    service = Service()
    service.run_day(calm, rows=600)
    assert service.run_day(weakened, rows=2_000).action == "retrain"


def test_a_concept_that_changes_gradually_calls_for_retraining_although_nothing_else_moves() -> (
    None
):
    """The loss exceeds its limit before the labels look unrelated to the predictions."""
    service, actions = Service(), []
    for day in range(1, 11):

        def fading(rng: np.random.Generator, rows: int, share: float = day / 10) -> Rows:
            drawn = draw(rng, rows)
            moved = 10 + 2 * drawn.z + rng.normal(size=rows)
            return drawn._replace(actual=(1 - share) * drawn.actual + share * moved)

        actions.append(service.run_day(fading, rows=300).action)
    assert "retrain" in actions[:5]
    assert actions[-1] == "retrain"


def test_a_model_older_than_its_declared_age_calls_for_retraining() -> None:
    """Its performance does not matter."""
    trained = reference(datetime.fromtimestamp(START, UTC) - timedelta(days=90))
    service = Service(trained, max_model_age_seconds=100 * DAY)
    assert service.run_day(calm, rows=200).action == "keep"
    service.now += 30 * DAY
    verdict = service.monitor.status().verdict
    assert verdict is not None
    assert verdict.action == "retrain"
    assert verdict.reasons[0].code == "age"


def test_a_fault_of_the_data_is_to_be_repaired_before_retraining() -> None:
    """A missing field harms the model, and a new model would be trained without it."""
    service = Service()

    def lost(rng: np.random.Generator, rows: int) -> Rows:
        drawn = another_concept(rng, rows)
        return drawn._replace(x=np.full(rows, np.nan))

    verdict = service.run_day(lost, rows=2_000)
    assert verdict.action == "keep"
    assert verdict.reasons[0].code == "input"
    assert "x" in verdict.reasons[0].fields
    assert "risk" in service.codes()


def test_without_a_loss_at_training_the_first_cohorts_are_the_baseline() -> None:
    """Two cohorts are needed for a baseline."""
    drawn = draw(np.random.default_rng(0), 1_000)
    plain = Reference.fit({"x": drawn.x, "z": drawn.z}, predictions=drawn.predicted, bins=5)
    service = Service(plain)
    assert service.run_day(calm, rows=300).action == "keep"
    assert service.codes()[0] == "no_baseline"
    verdict = service.run_day(another_concept, rows=300)
    assert verdict.action == "retrain"
    assert "the first cohorts" in str(verdict)


@pytest.mark.parametrize(("power", "expected"), [(1.0, "keep"), (3.0, "recalibrate")])
def test_scores_are_recalibrated_if_only_their_level_is_wrong(power: float, expected: str) -> None:
    """The true probability is a power of the score, which keeps the order."""
    rng = np.random.default_rng(3)
    score = rng.uniform(0.02, 0.98, 3_000)
    trained = Reference.fit(
        {"x": score},
        predictions=np.column_stack([1 - score, score]),
        output="probabilities",
        classes=["no", "yes"],
        actuals=np.where(rng.uniform(size=3_000) < score, "yes", "no"),
        thresholds="asymptotic",
    )
    monitor = Monitor("fraud", reference=trained, exporters=[], clock=lambda: START)
    score = rng.uniform(0.02, 0.98, 2_000)
    actual = np.where(rng.uniform(size=2_000) < score**power, "yes", "no")
    ids = list(map(str, range(2_000)))
    monitor.record(
        {"x": score},
        np.column_stack([1 - score, score]),
        ids=ids,
        output="probabilities",
        names=["no", "yes"],
    )
    monitor.status()
    monitor.label(ids, actual.tolist())
    verdict = monitor.status().verdict
    assert verdict is not None
    assert verdict.action == expected


def test_a_disabled_monitor_has_no_verdict() -> None:
    """It records nothing that could be judged."""
    assert Service(enabled=False).monitor.status().verdict is None


def test_a_verdict_is_printed_and_written_as_json() -> None:
    """Both as a part of the status and on its own."""
    service = Service()
    verdict = service.run_day(another_concept)
    status = service.monitor.status()
    printed = " ".join(str(status).split())
    assert "verdict: retrain (since 2023-" in printed
    assert "mae rose from" in printed
    written = json.loads(status.to_json())["verdict"]
    assert written["action"] == "retrain"
    assert written["reasons"][0]["code"] == "risk"
    document = verdict.to_dict()
    assert document["since"] == "2023-11-14T22:13:20+00:00"
    assert json.loads(json.dumps(document)) == document
    assert document["reasons"][0]["measure"] == "mae"
    assert "fields" not in document["reasons"][0]


def test_the_verdict_is_exported_as_one_series_for_each_action_and_reason() -> None:
    """Exactly one combination has the value 1."""
    service = Service()
    service.run_day(another_concept)
    values = {
        (dict(point.attributes)["action"], dict(point.attributes)["reason"]): point.value
        for point in service.exporter.snapshots[-1].points
        if point.metric.name == "mlmonitor.verdict"
    }
    assert [pair for pair, value in values.items() if value] == [("retrain", "risk")]
    assert values["keep", "stable"] == 0
    assert {action for action, _ in values} == {"keep", "recalibrate", "retrain"}


def test_a_callback_that_raises_is_counted_and_the_verdict_stands() -> None:
    """Exceptions of `on_verdict` are handled like those of `on_alert`."""

    def fail(_: Verdict) -> None:
        raise ValueError

    service = Service()
    service.monitor._callbacks = service.monitor._callbacks._replace(on_verdict=fail)
    service.monitor._worker._reset(reference())
    assert service.run_day(another_concept).action == "retrain"
    status = service.monitor.status()
    assert status.internal_errors == 1
    assert status.last_error is not None
    assert "on_verdict raised ValueError" in status.last_error
