"""A champion against a challenger: in shadow or as a canary, with and without labels."""

import json
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlmonitor import Challenge, ConfigError

Floats = NDArray[np.float64]


def errors(challenge: Challenge) -> str | None:
    """Return the last error that was counted."""
    return challenge.status().last_error


def test_a_better_challenger_in_shadow_wins_by_paired_losses() -> None:
    """Both share most of the noise, so a small difference is detected soon."""
    rng = np.random.default_rng(0)
    actual = rng.gamma(2, 500, 2_000)
    common = rng.normal(0, 200, 2_000)
    champion, challenger = actual + common + 60, actual + common
    ids = [f"c{row}" for row in range(2_000)]
    challenge = Challenge("8 against 7")
    challenge.record(champion=champion, challenger=challenger, ids=ids)
    challenge.label(ids, actual)
    status = challenge.status()
    assert (status.decision, status.basis) == ("challenger", "paired")
    expected = np.abs(challenger - actual) - np.abs(champion - actual)
    assert status.difference.value == pytest.approx(expected.mean())
    assert status.difference.low < expected.mean() < status.difference.high < 0
    assert status.champion.value == pytest.approx(np.abs(champion - actual).mean())
    assert status.score_difference.value == pytest.approx(-60)
    assert status.labels["matched"] == 2_000
    assert "the challenger is better" in str(status)
    assert json.loads(json.dumps(status.to_dict()))["decision"] == "challenger"


def test_a_worse_challenger_loses_and_an_equal_one_is_not_decided() -> None:
    """One challenger is worse, the other as good as the champion."""
    rng = np.random.default_rng(1)
    actual = rng.normal(size=3_000)
    one, two = actual + rng.normal(size=3_000), actual + rng.normal(size=3_000)
    worse, equal = Challenge("worse"), Challenge("equal")
    worse.record_outcomes(actual, champion=one, challenger=two * 1.5)
    equal.record_outcomes(actual, champion=one, challenger=two)
    assert worse.status().decision == "champion"
    assert equal.status().decision == "undecided"


def test_a_challenger_must_win_by_the_margin() -> None:
    """A small improvement may not be worth the change."""
    rng = np.random.default_rng(2)
    actual = rng.normal(size=5_000)
    noise = rng.normal(size=5_000)
    outcomes = {}
    for margin in (0.0, 0.2):
        challenge = Challenge("m", margin=margin)
        challenge.record_outcomes(actual, champion=actual + noise, challenger=actual + 0.9 * noise)
        outcomes[margin] = challenge.status().decision
    assert outcomes == {0.0: "challenger", 0.2: "champion"}


def test_a_canary_is_compared_by_the_losses_of_different_rows() -> None:
    """Each row is predicted by one of the two models."""
    rng = np.random.default_rng(3)
    challenge = Challenge("canary", loss="squared")
    for side, noise in (("champion", 2.0), ("challenger", 1.0)):
        actual = rng.normal(size=4_000)
        ids = [f"{side}-{row}" for row in range(4_000)]
        challenge.record(**{side: actual + noise * rng.normal(size=4_000)}, ids=ids)
        challenge.label(ids, actual)
    status = challenge.status()
    assert (status.decision, status.basis) == ("challenger", "unpaired")
    assert status.difference.value == pytest.approx(-3, rel=0.1)
    assert status.difference.count == 4_000


def test_without_labels_the_predictions_are_compared_and_nothing_is_decided() -> None:
    """The status has the PSI over the champion's deciles."""
    rng = np.random.default_rng(4)
    champion = rng.normal(size=3_000)
    same, other = Challenge("same"), Challenge("other")
    for start in range(0, 3_000, 300):
        part = champion[start : start + 300]
        same.record(champion=part, challenger=part + rng.normal(0, 0.1, 300))
        other.record(champion=part, challenger=2 * part + 1)
    assert same.status().decision == other.status().decision == "undecided"
    assert same.status().basis == "none"
    close, far = same.status().score_psi, other.status().score_psi
    assert close is not None
    assert far is not None
    assert close < 0.02
    assert far > 0.3
    assert "no labels yet" in str(other.status())


def test_classes_are_compared_by_their_errors_and_by_their_agreement() -> None:
    """A text, a number and a boolean may mean the same class."""
    rng = np.random.default_rng(5)
    actual = rng.choice(["a", "b", "c"], 4_000)
    wrong = rng.choice(["a", "b", "c"], 4_000)
    champion = np.where(rng.random(4_000) < 0.7, actual, wrong)
    challenger = np.where(rng.random(4_000) < 0.8, actual, wrong)
    challenge = Challenge("classes", loss="error")
    challenge.record_outcomes(actual.tolist(), champion=champion, challenger=challenger.tolist())
    status = challenge.status()
    assert status.decision == "challenger"
    assert status.champion.value == pytest.approx((champion != actual).mean())
    assert status.score_difference.value == pytest.approx((champion != challenger).mean())
    truths = Challenge("truths", loss="error")
    truths.record_outcomes([1, 0, 1], champion=[1.0, 0.0, 1.0], challenger=["1", "0", "0"])
    assert truths.status().champion.value == 0
    assert truths.status().challenger.value == pytest.approx(1 / 3)


def test_a_custom_loss_is_a_function_of_two_arrays() -> None:
    """One that raises is counted and named, and nothing else is lost."""
    challenge = Challenge("own", loss=lambda predicted, actual: np.maximum(actual - predicted, 0))
    challenge.record_outcomes([3.0, 1.0], champion=[1.0, 2.0], challenger=[3.0, 0.0])
    assert challenge.status().champion.value == 1.0

    def fail(_predicted: Floats, _actual: Floats) -> Floats:
        raise RuntimeError("secret")

    broken = Challenge("broken", loss=fail)
    broken.record_outcomes([3.0], champion=[1.0], challenger=[3.0])
    assert errors(broken) == "CallbackError: loss: raised RuntimeError"
    assert broken.status().invalid == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.record(),
        lambda c: c.record(champion=[1.0, 2.0], challenger=[1.0]),
        lambda c: c.record(champion=[1.0, 2.0], ids=["a"]),
        lambda c: c.label(["a", "b"], [1.0]),
        lambda c: c.record_outcomes([1.0], champion=[1.0, 2.0]),
        lambda c: c.record_outcomes([1.0]),
        lambda c: c.record_outcomes([1.0, 2.0], champion=[1.0, 2.0], groups=["a"]),
    ],
    ids=["neither", "lengths", "ids", "labels", "outcomes", "no predictions", "groups"],
)
def test_invalid_calls_are_counted_and_not_raised(call: Any) -> None:
    """The comparison goes on."""
    challenge = Challenge("m")
    call(challenge)
    status = challenge.status()
    assert status.invalid == 1
    assert status.last_error is not None
    assert "expected" in status.last_error
    challenge.record_outcomes([1.0], champion=[1.0], challenger=[2.0])
    assert challenge.status().difference.value == 1.0


def test_missing_and_unreadable_values_do_not_count() -> None:
    """They are among the predictions of either model and among the actuals."""
    challenge = Challenge("m")
    challenge.record_outcomes(
        [1.0, None, 3.0, "text"], champion=[1.0, 1.0, None, 1.0], challenger=[2.0, 1.0, 3.0, 1.0]
    )
    status = challenge.status()
    assert (status.champion.count, status.challenger.count, status.difference.count) == (1, 2, 1)


def test_models_recorded_separately_are_paired_by_id_in_any_order() -> None:
    """Either may be first or follow its label, and nothing counts twice."""
    rng = np.random.default_rng(8)
    actual = rng.normal(size=400)
    champion, challenger = actual + rng.normal(size=(2, 400))
    ids = [f"r{row}" for row in range(400)]
    apart, together = Challenge("apart"), Challenge("together")
    together.record_outcomes(actual, champion=champion, challenger=challenger)
    apart.record(champion=champion[:300], ids=ids[:300])
    apart.record(challenger=challenger[:100], ids=ids[:100])
    apart.label(ids[:300], actual[:300])
    apart.record(challenger=challenger[100:], ids=ids[100:])
    apart.label(ids[300:], actual[300:])
    apart.record(champion=champion[300:], ids=ids[300:])
    apart.record(champion=champion + 5, challenger=challenger + 9, ids=ids)  # labelled already
    one, other = apart.status(), together.status()
    assert (one.basis, one.difference.count, one.champion.count) == ("paired", 400, 400)
    assert one.difference[:4] == pytest.approx(other.difference[:4])
    assert one.champion.value == pytest.approx(other.champion.value)
    assert one.score_difference.count == 400 + 400


@pytest.mark.parametrize("is_single", [True, False], ids=["one by one", "at once"])
def test_a_label_in_a_challenge_waits_for_its_prediction(*, is_single: bool) -> None:
    """Many calls may come between them."""
    challenge = Challenge("early", loss="absolute")
    challenge.record(champion=[9.0], ids=["unlabelled"])
    ids, actual = [f"r{row}" for row in range(20)], np.arange(20.0)
    if is_single:
        for name, value in zip(ids, actual, strict=True):
            challenge.label(name, value)
    else:
        challenge.label(ids, actual)
    challenge.label(ids[0], 7.0)
    assert challenge.status().labels["waiting"] == 21
    challenge.record(champion=actual[:5] + 2, challenger=actual[:5] + 1, ids=ids[:5])
    challenge.record(champion=actual + 2, ids=ids)
    challenge.record(challenger=actual + 1, ids=ids)
    status = challenge.status()
    assert (status.difference.value, status.difference.count) == (-1.0, 20)
    counts = {name: count for name, count in status.labels.items() if count}
    assert counts == {"matched": 20, "contradicting": 1}


@pytest.mark.parametrize("count", [1, 2, 5, 49])
def test_a_challenge_of_few_groups_is_never_decided(count: int) -> None:
    """Each group counts as one label, and a single group has no interval."""
    rng = np.random.default_rng(11)
    challenge = Challenge("few groups", loss="absolute")
    groups = np.arange(5_000) % count
    losses = 5 + rng.normal(size=count)[groups] + 0.05 * rng.normal(size=5_000) - 3
    challenge.record_outcomes(
        np.zeros(5_000), champion=np.full(5_000, 5.0), challenger=losses, groups=groups
    )
    status = challenge.status()
    assert status.decision == "undecided"
    assert status.effective_labels <= count + 1e-6
    assert np.isnan(status.difference.low) == (count == 1)


@pytest.mark.filterwarnings("error")
def test_huge_predictions_are_counted_as_unusable_without_a_warning() -> None:
    """Their squares would overflow; the other predictions are compared."""
    challenge = Challenge("huge", loss="squared")
    challenge.record_outcomes(
        [1.0, 2.0, 3.0], champion=[1.0, -1.7e308, 3.0], challenger=[1e200, 1.7e308, 4.0]
    )
    status = challenge.status()
    assert status.unusable == {"champion": 1, "challenger": 2}
    assert (status.difference.value, status.difference.count) == (1.0, 1)


def test_the_text_says_that_no_label_gave_a_usable_loss() -> None:
    """The labels were matched, so the text must not claim that there are none."""
    challenge = Challenge("percent", loss="log")
    challenge.record_outcomes([1, 0], champion=[80.0, 20.0], challenger=[70.0, 30.0])
    assert "no label gave a usable loss: only predictions are compared" in str(challenge.status())


def test_a_stray_pair_does_not_change_a_canary_into_a_shadow() -> None:
    """Pairs alone are compared only if most rows of the challenger are paired."""
    challenge = Challenge("canary")
    challenge.record_outcomes(np.ones(300), champion=np.full(300, 3.0))
    challenge.record_outcomes(np.ones(300), challenger=np.full(300, 2.0))
    challenge.record_outcomes([1.0], champion=[1.0], challenger=[9.0])
    status = challenge.status()
    assert (status.basis, status.difference.count) == ("unpaired", 301)


def test_the_decision_of_a_challenge_is_final() -> None:
    """It is made once, and names the number of labels."""
    challenge = Challenge("swing")
    actual = np.zeros(200)
    rng = np.random.default_rng(9)
    challenge.record_outcomes(actual, champion=2 + rng.random(200), challenger=rng.random(200))
    for _ in range(20):
        challenge.record_outcomes(actual, champion=rng.random(200), challenger=5 + rng.random(200))
    status = challenge.status()
    assert status.difference.low > 0
    assert (status.decision, status.decided_after) == ("challenger", 200)
    assert "decided after 200 labels" in str(status)


def test_models_that_agree_are_not_decided_after_a_hundred_labels() -> None:
    """A hundred equal predictions do not show that the next ones are equal within the margin."""
    challenge = Challenge("equal so far", loss="error", margin=0.01)
    challenge.record_outcomes(["a"] * 100, champion=["a"] * 100, challenger=["a"] * 100)
    assert challenge.status().decision == "undecided"
    challenge.record_outcomes(["a"] * 5_000, champion=["a"] * 5_000, challenger=["a"] * 5_000)
    assert challenge.status().decision == "champion"


def test_the_loss_follows_from_the_first_predictions_if_none_is_declared() -> None:
    """Predictions are numbers, classes, probabilities, or the score of one of two classes."""
    names = {}
    given: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any]]] = {
        "absolute": ([1.0], [1.0], {}, {}),
        "error": (["a"], ["a"], {}, {}),
        "log": ([[0.2, 0.8]], ["b"], {}, {"output": "probabilities", "names": ["a", "b"]}),
        "log of one": ([0.8], ["b"], {"classes": ["a", "b"]}, {}),
    }
    for name, (predictions, actual, options, how) in given.items():
        challenge = Challenge("m", **options)
        challenge.record_outcomes(actual, champion=predictions, challenger=predictions, **how)
        names[name] = challenge.status().loss
        assert challenge.status().champion.count == 1
    assert names == {"absolute": "absolute", "error": "error", "log": "log", "log of one": "log"}


def test_predictions_without_a_loss_are_counted_by_model() -> None:
    """Probabilities are impossible, or a label names none of the classes."""
    challenge = Challenge("m", loss="log", classes=["a", "b"])
    bad = [[0.2, 0.8], [0.7, 0.7], [-0.1, 1.1]]
    good = [[0.2, 0.8]] * 3
    ids = ["0", "1", "2"]
    challenge.record(champion=good, challenger=bad, ids=ids, output="probabilities")
    challenge.label(ids, ["a", "b", "b"])
    challenge.label("nobody", "a")
    challenge.record(champion=[good[0]], ids=["3"], output="probabilities")
    challenge.label("3", "c")
    status = challenge.status()
    assert status.unusable == {"champion": 0, "challenger": 2}
    assert (status.labels["unreadable"], status.difference.count) == (1, 1)
    assert "without a loss: challenger 2" in str(status)


def test_class_names_have_no_log_loss_and_are_counted_as_unusable() -> None:
    """The other model's probabilities still count."""
    challenge = Challenge("m", loss="log", classes=["no", "yes"])
    challenge.record(champion=["yes", "no"], challenger=[0.9, 0.2], ids=["a", "b"])
    challenge.label(["a", "b"], ["yes", "no"])
    status = challenge.status()
    assert status.unusable == {"champion": 2, "challenger": 0}
    assert (status.basis, status.challenger.count) == ("none", 2)


@pytest.mark.parametrize("predictions", [["high", "low"], [None, np.nan]], ids=["text", "missing"])
def test_a_model_without_a_usable_prediction_is_named_in_the_error(predictions: Any) -> None:
    """The error is cleared by the model's first usable prediction."""
    challenge = Challenge("m", loss="absolute")
    challenge.record(champion=[1.0, None], challenger=predictions)
    status = challenge.status()
    assert (status.unusable, status.invalid) == ({"champion": 1, "challenger": 2}, 0)
    error = status.last_error or ""
    assert error.startswith("challenger: expected predictions that have a loss (absolute), got 2")
    assert f"last error: {error}" in str(status)
    challenge.record(challenger=[1.0])
    assert challenge.status().last_error is None


def test_pairs_without_a_loss_are_counted_by_reason() -> None:
    """Reasons are unreadable actuals, texts, and different forms of the two models."""
    challenge = Challenge("m", loss="log")
    challenge.record_outcomes(["yes", None], champion=[0.8, 0.1], challenger=["high", None])
    status = challenge.status()
    assert (status.labels["unreadable"], status.labels["missing"]) == (1, 1)
    assert status.unusable == {"champion": 0, "challenger": 2}
    challenge = Challenge("m", loss="log")
    scores = {"champion": [[0.2, 0.8]], "challenger": [0.8]}
    challenge.record_outcomes([1], **scores, output="probabilities")
    assert "record both models alike" in (errors(challenge) or "")


def test_several_outputs_without_classes_are_refused() -> None:
    """The message says to choose one of them or to declare classes."""
    challenge = Challenge("m")
    challenge.record(champion={"low": [1.0], "high": [2.0]}, ids=["a"])
    assert "declare classes=, or record one of them" in (errors(challenge) or "")


def report(challenge: Challenge, how: str, losses: tuple[Floats, Floats], groups: Any) -> None:
    """Report rows whose actual is 0, so that the predictions are the losses."""
    rows = len(losses[0])
    actual, ids = np.zeros(rows), [f"r{row}" for row in range(rows)]
    if how == "pairs":
        challenge.record_outcomes(actual, champion=losses[0], challenger=losses[1], groups=groups)
    elif how == "shadow":
        challenge.record(champion=losses[0], ids=ids, groups=groups)
        challenge.label(ids, actual)
        challenge.record(challenger=losses[1], ids=ids)
    else:
        challenge.record_outcomes(actual, champion=losses[0], groups=groups)
        challenge.record_outcomes(actual, challenger=losses[1], groups=groups)


@pytest.mark.parametrize("how", ["pairs", "shadow", "canary"])
def test_equal_rows_of_a_group_count_as_one_label(how: str) -> None:
    """The interval is as wide as that of the first row of each group."""
    rng = np.random.default_rng(10)
    groups = np.repeat(np.arange(150), 10).astype(str)
    champion, challenger = np.repeat(rng.exponential(size=(2, 150)), 10, axis=1)
    grouped, single = Challenge("grouped"), Challenge("single")
    report(grouped, how, (champion, challenger), groups)
    report(single, how, (champion[::10], challenger[::10]), None)
    status, expected = grouped.status(), single.status()
    assert (status.last_error, status.difference.count) == (None, 1_500)
    assert status.difference.value == pytest.approx(expected.difference.value)
    width = status.difference.high - status.difference.low
    assert width == pytest.approx(expected.difference.high - expected.difference.low, rel=0.1)
    assert status.effective_labels == pytest.approx(150, rel=0.15)
    assert "1,500 labels that count as 1" in str(status)


def test_labels_by_id_count_once_and_unknown_ones_are_counted() -> None:
    """Beyond the limit, the oldest predictions are evicted, as in a monitor."""
    challenge = Challenge("m", pending_predictions=2)
    challenge.record(champion=1.0, challenger=2.0, ids="first")
    challenge.record(champion=[1.0, 1.0], challenger=[2.0, 2.0], ids=["second", "third"])
    challenge.label("second", 1.0)
    challenge.label("second", 1.0)
    challenge.label("second", 5.0)
    challenge.label("nobody", 1.0)
    labels = challenge.status().labels
    assert (labels["matched"], labels["duplicate"], labels["contradicting"]) == (1, 1, 1)
    assert (labels["waiting"], labels["unknown"], labels["evicted"]) == (1, 0, 1)
    challenge.label(["no one", "not a soul"], [1.0, 1.0])
    challenge.label(None, 1.0)
    labels = challenge.status().labels
    assert (labels["waiting"], labels["unknown"]) == (2, 2)


def test_predictions_with_too_few_groups_are_refused_as_a_whole() -> None:
    """Rows are not counted, with actuals or without."""
    challenge = Challenge("m")
    sides = {"champion": [1.0, 2.0, 3.0], "challenger": [1.0, 2.0, 4.0]}
    challenge.record(**sides, ids=["a", "b", "c"], groups=["x", "y"])
    challenge.record_outcomes([1.0, 2.0, 3.0], **sides, groups=["x", "y"])
    status = challenge.status()
    assert status.invalid == 2
    assert set(status.rows.values()) == {0}
    assert status.labels["matched"] == 0


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "median"},
        {"alpha": 0},
        {"alpha": 1},
        {"alpha": True},
        {"alpha": "small"},
        {"margin": -1},
        {"margin": float("nan")},
        {"pending_predictions": 0},
        {"classes": "ab"},
    ],
    ids=str,
)
def test_invalid_options_of_a_challenge_are_refused_by_name(options: dict[str, Any]) -> None:
    """They are refused before anything is recorded."""
    (name,) = options
    with pytest.raises(ConfigError, match=f"{name}: expected"):
        Challenge("m", **options)


def test_no_pair_is_lost_while_threads_report_at_once() -> None:
    """Each call is added as a whole."""
    challenge = Challenge("m")

    def serve(place: int) -> None:
        for row in range(200):
            challenge.record(champion=1.0, challenger=2.0, ids=f"{place}-{row}")
            challenge.label(f"{place}-{row}", 1.0)

    threads = [threading.Thread(target=serve, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = challenge.status()
    assert (status.labels["matched"], status.invalid) == (800, 0)
    assert status.difference.value == 1.0
