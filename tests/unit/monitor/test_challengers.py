"""Challengers beside the watched version: in shadow, as a canary, late and invalid."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlmonitor import Challenger, ChallengeStatus, Config, ConfigError, Monitor, Reference
from mlmonitor.challenge.challenge_set import ChallengeSet
from mlmonitor.testing import InMemoryExporter

Floats = NDArray[np.float64]
ROWS = 400
IDS = [f"r{row}" for row in range(ROWS)]
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS)
ACTUAL = X + 0.2 * RNG.normal(size=ROWS)
WORSE = X + 0.5 * RNG.normal(size=ROWS)
REFERENCE = Reference.fit({"x": X}, predictions=WORSE, actuals=ACTUAL, thresholds="asymptotic")


@pytest.fixture
def exporter() -> InMemoryExporter:
    """An exporter that keeps what it receives."""
    return InMemoryExporter()


def begin(*challengers: Challenger, **options: Any) -> Monitor:
    """Return a monitor of version 7 with challengers, which exports only on request."""
    options.setdefault("exporters", [])
    config = options.pop("config", Config(block_rows=64, export_interval_seconds=3_600))
    return Monitor(
        "m",
        version="7",
        reference=options.pop("reference", REFERENCE),
        challengers=challengers,
        config=config,
        **options,
    )


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitor with one challenger and a loss of numbers."""
    with begin(Challenger("8")) as running:
        yield running


def challenge(monitor: Monitor) -> ChallengeStatus:
    """Return the challenge of version 8."""
    return monitor.status().challenges["8"]


def paired_difference() -> float:
    """Return the mean difference of the absolute errors."""
    return float((np.abs(X - ACTUAL) - np.abs(WORSE - ACTUAL)).mean())


def test_a_challenger_in_shadow_is_paired_with_the_watched_rows(monitor: Monitor) -> None:
    """Its predictions arrive by id, before or after the label, which is given once."""
    monitor.record_challenger("8", X[:100], ids=IDS[:100])
    monitor.record({"x": X}, WORSE, ids=IDS)
    monitor.label(IDS[:300], ACTUAL[:300])
    monitor.status()
    monitor.record_challenger("8", X[100:], ids=IDS[100:])
    monitor.label(IDS[300:], ACTUAL[300:])
    status = monitor.status()
    result = status.challenges["8"]
    assert (result.name, result.decision, result.basis) == ("8 against 7", "challenger", "paired")
    assert result.difference.count == ROWS
    assert result.difference.value == pytest.approx(paired_difference())
    assert result.rows == {"champion": ROWS, "challenger": ROWS, "both": ROWS}
    assert status.labels["matched"] == result.labels["matched"] == ROWS
    assert status.performance is not None
    assert status.performance["mae"].value == pytest.approx(result.champion.value)
    assert "challenger 8: the challenger is better" in str(status)
    assert status.to_dict()["challenges"]["8"]["decision"] == "challenger"


def test_watched_calls_are_paired_by_the_id_read_in_them(monitor: Monitor) -> None:
    """The id is read inside a call, and from the block of `observe`."""

    @monitor.watch
    def predict(features: dict[str, float]) -> float:
        monitor.record_challenger("8", 2.0, ids=monitor.prediction_id)
        ids.append(monitor.prediction_id)
        return features["x"]

    ids: list[str] = []
    predict({"x": 1.0})
    with monitor.observe({"x": 3.0}) as prediction:
        prediction.value = 3.0
    ids.append(prediction.id)
    monitor.record_challenger("8", [2.0], ids=[prediction.id])
    monitor.label(ids, [1.0, 1.0])
    result = challenge(monitor)
    assert (result.champion.value, result.challenger.value) == (1.0, 1.0)
    assert result.rows == {"champion": 2, "challenger": 2, "both": 2}
    assert result.difference.count == 2


def test_a_canary_predicts_other_rows_and_their_labels_count_for_it(monitor: Monitor) -> None:
    """They count neither as traffic nor in the performance of the current version."""
    half = ROWS // 2
    monitor.record({"x": X[:half]}, WORSE[:half], ids=IDS[:half])
    monitor.record_challenger("8", X[half:], ids=IDS[half:])
    monitor.label(IDS, ACTUAL)
    status = monitor.status()
    result = status.challenges["8"]
    assert (result.basis, result.difference.count) == ("unpaired", half)
    expected = np.abs(X - ACTUAL)[half:].mean() - np.abs(WORSE - ACTUAL)[:half].mean()
    assert result.difference.value == pytest.approx(expected)
    assert status.predictions == half
    assert (status.labels["matched"], status.labels["unknown"]) == (half, 0)
    assert status.performance is not None
    assert status.performance.count == half


def test_labels_wait_for_the_prediction_of_the_monitor_if_the_challenger_came_first(
    monitor: Monitor,
) -> None:
    """Many drains may come between; both performances count every label once."""
    monitor.record_challenger("8", X, ids=IDS)
    monitor.label(IDS, ACTUAL)
    assert monitor.status().labels["unknown"] == 0
    monitor.status()
    for part in (slice(0, 100), slice(100, ROWS)):
        monitor.record({"x": X[part]}, WORSE[part], ids=IDS[part])
        monitor.status()
    status = monitor.status()
    assert {n: c for n, c in status.labels.items() if c} == {"matched": ROWS}
    assert status.performance is not None
    assert status.performance.count == status.challenges["8"].difference.count == ROWS


def test_labels_of_evicted_predictions_are_counted_although_a_challenger_has_the_row() -> None:
    """The current version had predicted the row, so its label is not that of a canary."""
    config = Config(block_rows=64, export_interval_seconds=3_600, pending_predictions=100)
    with begin(Challenger("8"), config=config) as monitor:
        monitor.record({"x": X}, WORSE, ids=IDS)
        monitor.record_challenger("8", X, ids=IDS)
        monitor.status()
        monitor.label(IDS, ACTUAL)
        monitor.status()
        status = monitor.status()
    assert (status.labels["matched"], status.labels["unknown"]) == (100, ROWS - 100)
    assert status.challenges["8"].difference.count == ROWS


@pytest.mark.parametrize("names", [("no", "yes"), (0, 1)], ids=str)
def test_class_probabilities_of_both_models_are_compared_by_log_loss(
    names: tuple[Any, Any],
) -> None:
    """The classes may be in a different order for each model."""
    chance = 1 / (1 + np.exp(-X))
    scores = np.stack([1 - chance, chance], axis=1)
    truth = RNG.random(ROWS) < chance
    actual = [names[int(yes)] for yes in truth]
    reference = Reference.fit({"x": X}, thresholds="asymptotic")
    with begin(Challenger("8"), reference=reference) as monitor:
        kept = {"ids": IDS, "output": "probabilities"}
        monitor.record({"x": X}, scores / 2 + 0.25, names=names, **kept)
        monitor.record_challenger("8", scores[:, ::-1], names=names[::-1], **kept)
        monitor.label(IDS, actual)
        result = challenge(monitor)
    assert result.last_error is None
    assert (result.loss, result.difference.count) == ("log", ROWS)
    own = np.where(truth, chance, 1 - chance)
    assert result.challenger.value == pytest.approx(-np.log(own).mean())
    assert result.champion.value == pytest.approx(-np.log(own / 2 + 0.25).mean())


@pytest.mark.parametrize(("kind", "loss"), [("probability", "log"), ("decision", "hinge")])
def test_without_a_declared_loss_that_of_a_classifier_follows_from_the_reference(
    kind: str, loss: str
) -> None:
    """A score alone does not show whether it is a probability; a failed call shows nothing."""
    scores = {"probability": 1 / (1 + np.exp(-X)), "decision": X}
    actual = (ACTUAL > 0).astype(int)
    reference = Reference.fit(
        {"x": X}, predictions=scores[kind], actuals=actual, thresholds="asymptotic"
    )
    with begin(Challenger("8"), reference=reference) as monitor:
        with pytest.raises(KeyError), monitor.observe({"x": 1.0}):
            raise KeyError
        monitor.status()
        monitor.record({"x": X}, scores[kind], ids=IDS)
        monitor.record_challenger("8", scores[kind], ids=IDS)
        monitor.label(IDS, actual)
        result = challenge(monitor)
    assert (result.loss, result.champion.count, result.last_error) == (loss, ROWS, None)


def test_a_challenge_uses_the_groups_of_the_monitor() -> None:
    """Ten equal rows of a customer are one label; a canary gives groups with its rows."""
    columns = {"x": X, "customer": np.arange(ROWS) // 10}
    options: dict[str, Any] = {"predictions": WORSE, "actuals": ACTUAL, "groups": "customer"}
    reference = Reference.fit(columns, thresholds="asymptotic", **options)
    one, other = np.repeat(RNG.exponential(size=(2, ROWS // 10)), 10, axis=1)
    with begin(Challenger("8"), Challenger("9"), reference=reference) as monitor:
        monitor.record(columns, one, ids=IDS)
        monitor.record_challenger("8", other, ids=IDS)
        own = [f"canary {row}" for row in range(ROWS)]
        monitor.record_challenger("9", other, ids=own, groups=columns["customer"])
        monitor.label([*IDS, *own], np.zeros(2 * ROWS))
        results = monitor.status().challenges
    assert {version: result.last_error for version, result in results.items()} == {
        "8": None,
        "9": None,
    }
    for result in results.values():
        assert result.effective_labels == pytest.approx(ROWS / 10, rel=0.15)


def test_a_challenge_is_exported_and_announced_once(exporter: InMemoryExporter) -> None:
    """The export has the difference with its interval, evidence, decision and counts."""
    decided: list[ChallengeStatus] = []
    options = {"exporters": [exporter], "on_challenge": decided.append}
    with begin(Challenger("8", margin=0.01), Challenger("9"), **options) as monitor:
        for part in (slice(0, 200), slice(200, ROWS)):
            monitor.record({"x": X[part]}, WORSE[part], ids=IDS[part])
            monitor.record_challenger("8", X[part], ids=IDS[part])
            monitor.label(IDS[part], ACTUAL[part])
            assert monitor.flush(timeout_seconds=60)
        result = challenge(monitor)
    assert [(status.name, status.decision) for status in decided] == [("8 against 7", "challenger")]
    own = {"model.version": "7", "challenger": "8"}

    def read(name: str, **labels: str) -> Any:
        return exporter.value(f"mlmonitor.challenge.{name}", own | labels)

    assert read("difference", statistic="current") == pytest.approx(result.difference.value)
    assert read("difference", statistic="high") == pytest.approx(result.difference.high)
    assert read("difference", statistic="limit") == -0.01
    assert read("evidence") == pytest.approx(result.log10_e_value)
    assert result.log10_e_value > np.log10(1 / 0.05)
    assert read("decision", decision="challenger") == 1.0
    assert read("decision", decision="undecided") == 0.0
    assert read("loss", side="champion") == pytest.approx(result.champion.value)
    assert read("predictions", side="both") == ROWS
    assert read("labels", status="matched") == ROWS
    other = own | {"challenger": "9"}
    assert exporter.value("mlmonitor.challenge.decision", other | {"decision": "undecided"}) == 1.0


def test_adopting_a_challenger_ends_its_challenge_and_restarts_the_others() -> None:
    """Late labels of the old version count for the old version alone."""
    with begin(Challenger("8"), Challenger("9")) as monitor:
        monitor.record({"x": X}, WORSE, ids=IDS)
        monitor.record_challenger("9", X, ids=IDS)
        monitor.adopt(REFERENCE, version="8")
        monitor.record_challenger("8", X, ids=IDS)
        monitor.label(IDS, ACTUAL)
        status = monitor.status()
    assert list(status.challenges) == ["9"]
    assert status.challenges["9"].name == "9 against 8"
    assert status.challenges["9"].champion.count == 0
    assert status.earlier[0].labels["matched"] == ROWS


def test_predictions_of_an_adopted_challenger_do_not_fill_the_queue() -> None:
    """A job that still records them loses nothing else."""
    config = Config(buffer_rows=20, poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with begin(Challenger("8"), config=config) as monitor:
        monitor.adopt(REFERENCE, version="8")
        for start in range(0, 100, 10):
            monitor.record_challenger("8", X[start : start + 10], ids=IDS[start : start + 10])
            status = monitor.status()
    assert (status.dropped, status.challenges) == (0, {})


def test_classes_of_a_challenger_may_be_an_array() -> None:
    """`classes=model.classes_` is used beside the reference of a classifier."""
    actual = (X > 0).astype(int)
    scores = 1 / (1 + np.exp(-X))
    reference = Reference.fit({"x": X}, predictions=scores, actuals=actual, thresholds="asymptotic")
    with begin(Challenger("8", classes=np.array([0, 1])), reference=reference) as monitor:
        monitor.record({"x": X}, scores, ids=IDS)
        monitor.record_challenger("8", scores, ids=IDS)
        monitor.label(IDS, actual)
        assert challenge(monitor).loss == "log"
        assert challenge(monitor).champion.count == ROWS


@pytest.mark.parametrize(
    "call",
    [
        lambda monitor: monitor.record_challenger("10", 1.0, ids="a"),
        lambda monitor: monitor.record_challenger("8", [1.0, 2.0], ids=["a", "b", "c"]),
        lambda monitor: monitor.record_challenger("8", 1.0, ids="a", output="wrong"),
        lambda monitor: monitor.record_challenger("8", object(), ids="a"),
    ],
    ids=["undeclared", "lengths", "output", "an object"],
)
def test_invalid_calls_for_a_challenger_do_not_reach_the_host(monitor: Monitor, call: Any) -> None:
    """They are counted, and the current version is not affected."""
    call(monitor)
    monitor.record({"x": X}, WORSE, ids=IDS)
    monitor.label(IDS, ACTUAL)
    status = monitor.status()
    unusable = status.challenges["8"].rows["challenger"] == 0
    assert status.internal_errors == 1 or unusable
    assert status.labels["matched"] == ROWS


@pytest.mark.parametrize(
    ("predictions", "options", "unusable"),
    [
        (X, {"ids": None}, 0),
        (np.stack([X, X], axis=1), {}, 0),
        (X, {"groups": ["short"]}, 0),
        (np.stack([X, X], axis=1), {"output": "probabilities", "names": ["a", "b", "c"]}, 0),
        (np.full(ROWS, np.nan), {}, ROWS),
        (["text"] * ROWS, {}, ROWS),
    ],
    ids=["no ids", "a matrix", "groups", "names", "missing", "texts"],
)
def test_no_prediction_of_a_challenger_is_lost_silently(
    monitor: Monitor, predictions: Any, options: dict[str, Any], unusable: int
) -> None:
    """A wrong call is in the status, and a prediction without a loss is counted."""
    monitor.record({"x": X}, WORSE, ids=IDS)
    monitor.status()
    monitor.record_challenger("8", predictions, **{"ids": IDS, **options})
    status = monitor.status()
    assert status.challenges["8"].unusable == {"champion": 0, "challenger": unusable}
    assert ("have a loss" in (status.challenges["8"].last_error or "")) == (unusable > 0)
    assert (status.internal_errors, "expected" in (status.last_error or "")) == (
        (0, False) if unusable else (1, True)
    )


def test_waiting_predictions_of_a_challenger_are_bounded_and_evictions_counted() -> None:
    """The memory bound includes them."""
    without, small = begin(), begin(Challenger("8", pending_predictions=50))
    with without, small:
        small.record({"x": X}, WORSE, ids=IDS)
        small.record_challenger("8", X, ids=IDS)
        small.label(IDS, ACTUAL)
        result = challenge(small)
        assert result.labels["matched"] == 50
        assert result.labels["evicted"] >= ROWS - 50
        assert small.memory_bytes > without.memory_bytes


def test_an_internal_error_in_a_challenge_counts_no_row_twice(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls are read one by one only if reading them together failed."""

    def fail(*_args: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ChallengeSet, "ingest_champion", fail)
    predict = monitor.watch(lambda row: row["x"])
    for value in (1.0, 2.0, 3.0):
        predict({"x": value})
    status = monitor.status()
    assert status.internal_errors > 0
    assert (status.window_rows, status.field("x").count) == (3, 3)


def test_the_memory_bound_does_not_change_with_the_rows_of_a_challenger() -> None:
    """It depends on the options alone, so a service knows it at its start."""
    with Monitor("m", version="7", groups="g", challengers=[Challenger("8")]) as monitor:
        before = monitor.memory_bytes
        monitor.record({"x": X, "g": np.arange(ROWS) // 2}, WORSE, ids=IDS)
        monitor.record_challenger("8", X, ids=IDS)
        assert monitor.status().challenges["8"].rows["both"] == ROWS
        assert monitor.memory_bytes == before


def test_a_batch_job_waits_for_room_for_the_predictions_of_a_challenger() -> None:
    """A service does not wait, and counts what it drops."""
    config = Config(buffer_rows=20, poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with begin(Challenger("8"), config=config) as job, begin(Challenger("8"), config=config) as web:
        job.record({"x": X[:10]}, WORSE[:10], ids=IDS[:10])
        for monitor in (job, web):
            for start in range(0, ROWS, 10):
                monitor.record_challenger("8", X[start : start + 10], ids=IDS[start : start + 10])
        assert (challenge(job).rows["challenger"], job.status().dropped) == (ROWS, 0)
        assert challenge(web).rows["challenger"] + web.status().dropped == ROWS


@pytest.mark.parametrize(
    "challengers",
    ["8", [8], [Challenger("8"), Challenger("8")], [Challenger("8"), Challenger("7")]],
    ids=["text", "number", "twice", "the version in use"],
)
def test_invalid_challengers_are_refused_at_set_up(challengers: Any) -> None:
    """The error says what is expected."""
    with pytest.raises(ConfigError, match="challengers: expected"):
        Monitor("m", version="7", challengers=challengers)


def test_the_error_for_an_undeclared_challenger_lists_the_declared_ones(monitor: Monitor) -> None:
    """Typically a number is given instead of a text."""
    monitor.record_challenger(8, 1.0, ids="a")  # type: ignore[arg-type]
    assert "declared challenger ('8'), as a text" in (monitor.status().last_error or "")


def test_a_disabled_monitor_ignores_challengers() -> None:
    """Nothing is stored or shown."""
    monitor = begin(Challenger("8"), config=Config(enabled=False))
    monitor.record_challenger("8", 1.0, ids="a")
    assert monitor.status().challenges == {}
