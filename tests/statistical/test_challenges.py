"""Challenges: how often equal models are decided, and how soon a better one is detected."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from mlmonitor import Challenge
from mlmonitor.records import Floats

ALPHA = 0.05
Draw = Callable[[np.random.Generator, int], tuple[Floats, Floats]]


def draw_numbers(rng: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """Draw the errors of two equally good models that share most of their noise."""
    shared = rng.normal(0, 2, rows)
    return shared + rng.normal(size=rows), shared + rng.normal(size=rows)


def draw_rare_errors(rng: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """Draw two classifiers that are wrong on one row in fifty, each on rows of its own."""
    return (rng.random(rows) < 0.02) * 1.0, (rng.random(rows) < 0.02) * 1.0


def draw_heavy_tails(rng: np.random.Generator, rows: int) -> tuple[Floats, Floats]:
    """Draw errors with three finite moments."""
    return rng.standard_t(4, rows), rng.standard_t(4, rows)


def test_challenges_of_equal_models_on_grouped_rows_are_rarely_decided() -> None:
    """Ten rows of a customer have one loss each; counted as independent, most would be decided."""
    rng = np.random.default_rng(13)
    decided = {True: 0, False: 0}
    for _ in range(30):
        for has_groups in decided:
            challenge = Challenge("equal", alpha=ALPHA)
            for look in range(6):
                customers = np.repeat(np.arange(100) + 100 * look, 10)
                champion, challenger = np.repeat(rng.exponential(size=(2, 100)), 10, axis=1)
                groups = customers if has_groups else None
                challenge.record_outcomes(
                    np.zeros(1_000), champion=champion, challenger=challenger, groups=groups
                )
            decided[has_groups] += challenge.status().decision != "undecided"
    assert decided[True] <= binom.ppf(0.999, 30, ALPHA)
    assert decided[False] > decided[True]


def count_decisions(draw: Draw, *, streams: int, looks: int, rows: int, is_canary: bool) -> int:
    """Count the streams of equal models that are ever decided; read the status after each batch."""
    rng = np.random.default_rng(11)
    decided = 0
    for _ in range(streams):
        challenge = Challenge("equal", alpha=ALPHA)
        for _ in range(looks):
            champion, challenger = draw(rng, rows)
            actual = np.zeros(rows)
            if is_canary:
                challenge.record_outcomes(actual, champion=champion)
                challenge.record_outcomes(actual, challenger=challenger)
            else:
                challenge.record_outcomes(actual, champion=champion, challenger=challenger)
            if challenge.status().decision != "undecided":
                decided += 1
                break
    return decided


@pytest.mark.slow
@pytest.mark.parametrize("is_canary", [False, True], ids=["shadow", "canary"])
@pytest.mark.parametrize("draw", [draw_numbers, draw_rare_errors, draw_heavy_tails])
def test_challenges_of_equal_models_are_rarely_decided_however_often_status_is_read(
    draw: Draw, *, is_canary: bool
) -> None:
    """At most alpha of the streams are decided, over 9,000 labels and 60 readings each."""
    decided = count_decisions(draw, streams=150, looks=60, rows=150, is_canary=is_canary)
    assert decided <= binom.ppf(0.999, 150, ALPHA)


def test_few_challenges_of_equal_models_in_shadow_are_decided() -> None:
    """The short form has 40 streams of 2,000 labels."""
    decided = count_decisions(draw_numbers, streams=40, looks=20, rows=100, is_canary=False)
    assert decided <= binom.ppf(0.999, 40, ALPHA)


def test_a_better_challenger_is_detected_within_a_thousand_labels() -> None:
    """It is wrong on 7% of the rows and the other on 12%, independently of each other."""
    rng = np.random.default_rng(12)
    labels = []
    for _ in range(20):
        challenge = Challenge("better", alpha=ALPHA)
        for _ in range(60):
            wrong = rng.random((2, 50)) < np.array([[0.12], [0.07]])
            challenge.record_outcomes(np.zeros(50), champion=wrong[0], challenger=wrong[1])
        labels.append(challenge.status().decided_after or 10_000)
    assert np.median(labels) <= 1_000
    assert max(labels) <= 3_000
