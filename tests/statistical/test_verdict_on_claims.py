"""Verdicts on the demo's claims, labelled on the days on which they were closed."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from support.example_modules import import_from_demo

MONTH_SECONDS = 30 * 86_400.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def verdicts() -> Iterator[Any]:
    """The module of the demo that follows the claims on their own calendar."""
    with import_from_demo("verdicts") as (verdicts,):
        yield verdicts


@pytest.fixture(scope="module")
def trained(verdicts: Any) -> Any:
    """The model of the demo, and its reference."""
    return verdicts.train()


@pytest.fixture(scope="module")
def worlds(verdicts: Any) -> Any:
    """The claims as they are, with inflation, and with fewer home claims."""
    claims = verdicts.claims
    return verdicts.worlds(claims.live(claims.load(claims.prism_path())))


@pytest.fixture(scope="module")
def inflated(verdicts: Any, trained: Any, worlds: Any) -> Any:
    """The quarterly results of the claims with inflation."""
    return verdicts.follow(worlds[1], *trained)


@pytest.mark.parametrize(
    ("world", "action"),
    [(0, "keep"), (1, "retrain"), (2, "keep")],
    ids=["unchanged", "inflated", "fewer homes"],
)
def test_inflation_leads_to_retraining_and_a_benign_shift_of_the_mix_does_not(
    verdicts: Any, trained: Any, worlds: Any, world: int, action: str
) -> None:
    """Claims take more than a year to close, so few cohorts are ever mature."""
    course = verdicts.follow(worlds[world], *trained, cohort_seconds=MONTH_SECONDS)
    verdict = course.looks[-1].verdict
    assert verdict.action == action, str(verdict)


def test_advice_to_retrain_stands_until_labels_of_the_same_predictions_refute_it(
    inflated: Any,
) -> None:
    """A new cohort moves the maturity of the others below its limit once meanwhile."""
    actions = [look.verdict.action for look in inflated.looks]
    changes = [after for before, after in pairwise(actions) if before != after]
    assert changes == ["retrain"]


def test_errors_by_arrival_hide_the_inflation_that_projected_errors_of_cohorts_contain(
    verdicts: Any, inflated: Any
) -> None:
    """Errors are compared on the day of the verdict, for the quarters since inflation began."""
    look = next(look for look in inflated.looks if look.verdict.action == "retrain")
    listed = verdicts.quarters(inflated, look)
    late = [quarter for quarter in listed if quarter.middle >= verdicts.claims.SHIFT_DATE]
    limit = look.verdict.reasons[0].limit
    assert len(late) >= 4
    assert all(quarter.arrived < limit < quarter.in_the_end for quarter in late)
    for quarter in late:
        projected = quarter.cohort.projected["mae"]
        assert projected.low <= quarter.in_the_end <= projected.high
