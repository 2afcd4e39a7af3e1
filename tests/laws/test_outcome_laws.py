"""Laws of every state of labelled predictions and of every measure computed from it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.outcomes.outcome_plan import (
    OutcomeBlock,
    OutcomePlan,
    score_losses,
)
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.errors import FormatError, IncompatibleSketch
from mlmonitor.records import Metric

BUCKETS = 3
WITHIN = Metric("within", lambda predicted, actual: abs(predicted - actual) <= 1)
PLANS = {
    "regression": OutcomePlan("regression", center=5.0, metrics=(WITHIN,)),
    "binary": OutcomePlan("binary", ("no", "yes"), has_scores=True),
    "binary, labels alone": OutcomePlan("binary", ("no", "yes")),
    "multiclass": OutcomePlan("multiclass", ("a", "b", "c"), has_scores=True),
    "ranking": OutcomePlan("ranking"),
}


def pairs(plan: OutcomePlan, rows: int, seed: int) -> tuple[OutcomeBlock, np.ndarray[Any, Any]]:
    """Draw predictions and actuals of a task, some of them missing, with the bucket of each."""
    rng = np.random.default_rng(seed)
    actual, predicted = rng.normal(5, 3, (2, rows))
    predicted[rng.random(rows) < 0.1] = np.nan
    classes = rng.integers(-1, len(plan.classes) + 1, (2, rows))
    scores = rng.dirichlet(np.ones(max(len(plan.classes), 2)), rows).T[: plan.scored]
    block = OutcomeBlock(predicted, actual, classes[0], classes[1], scores, {})
    if plan.has_scores:
        block.means.update(score_losses(plan, block))
    for name in set(plan.mean_names) - set(block.means):
        block.means[name] = rng.random(rows)
    return block, rng.integers(-1, BUCKETS, rows)


def part_of(block: OutcomeBlock, rows: Any) -> OutcomeBlock:
    """Return some of the pairs."""
    means = {name: values[rows] for name, values in block.means.items()}
    columns = (block.predicted, block.actual, block.predicted_class, block.actual_class)
    return OutcomeBlock(*(column[rows] for column in columns), block.scores[:, rows], means)


def filled(plan: OutcomePlan, rows: int, seed: int) -> OutcomeTables:
    """Return tables that have seen some rows."""
    tables = OutcomeTables(plan, BUCKETS)
    tables.update(*pairs(plan, rows, seed))
    return tables


def assert_same(one: OutcomeTables, two: OutcomeTables) -> None:
    """Assert that counts are equal and that sums and measures are equal up to rounding."""
    for name, array in one.state().items():
        np.testing.assert_allclose(two.state()[name], array, rtol=1e-9, atol=1e-9, err_msg=name)
    for bucket in (slice(None), 0, 1, 2):
        first, second = Performance(one, bucket), Performance(two, bucket)
        assert first.keys() == second.keys()
        for measure, estimate in first.items():
            np.testing.assert_allclose(second[measure][:3], estimate[:3], rtol=1e-6, atol=1e-6)


every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
sizes, seeds = st.integers(0, 40), st.integers(0, 1_000)


@every_plan
@given(st.tuples(sizes, sizes, sizes), seeds)
def test_merging_outcome_tables_is_associative_and_commutative(
    plan: OutcomePlan, rows: tuple[int, int, int], seed: int
) -> None:
    """(a + b) + c equals c + (b + a)."""
    a, b, c = (filled(plan, size, seed + at) for at, size in enumerate(rows))
    left, right = a.copy(), b.copy()
    left.merge(b)
    left.merge(c)
    right.merge(a)
    whole = c.copy()
    whole.merge(right)
    assert_same(left, whole)


@every_plan
@given(sizes, seeds)
def test_an_empty_state_is_the_identity_of_merging(plan: OutcomePlan, rows: int, seed: int) -> None:
    """It may be merged from either side."""
    tables = filled(plan, rows, seed)
    left, right = OutcomeTables(plan, BUCKETS), tables.copy()
    left.merge(tables)
    right.merge(OutcomeTables(plan, BUCKETS))
    assert_same(left, tables)
    assert_same(right, tables)


@every_plan
@given(sizes, seeds, st.lists(st.integers(0, 40), max_size=4))
def test_rows_in_any_order_and_batches_give_the_state_of_all_rows_at_once(
    plan: OutcomePlan, rows: int, seed: int, cuts: list[int]
) -> None:
    """Rows are permuted and split anywhere; one state or one a batch, merged, gives the same."""
    block, buckets = pairs(plan, rows, seed)
    order = np.random.default_rng(seed).permutation(rows)
    batches, merged = OutcomeTables(plan, BUCKETS), OutcomeTables(plan, BUCKETS)
    for chosen in np.split(order, sorted(min(cut, rows) for cut in cuts)):
        batches.update(part_of(block, chosen), buckets[chosen])
        one = OutcomeTables(plan, BUCKETS)
        one.update(part_of(block, chosen), buckets[chosen])
        merged.merge(one)
    whole = filled(plan, rows, seed)
    assert_same(batches, whole)
    assert_same(merged, whole)


@every_plan
@given(sizes, seeds)
def test_a_state_survives_being_saved_as_arrays(plan: OutcomePlan, rows: int, seed: int) -> None:
    """What is read equals what was written."""
    tables = filled(plan, rows, seed)
    assert_same(OutcomeTables.from_state(tables.state(), plan), tables)


@every_plan
@given(sizes, seeds)
def test_each_value_lies_within_its_interval(plan: OutcomePlan, rows: int, seed: int) -> None:
    """Shares and their limits also lie between 0 and 1."""
    performance = Performance(filled(plan, rows, seed))
    for measure, e in performance.items():
        if not np.isnan(e.low):
            assert e.low - 1e-9 <= e.value <= e.high + 1e-9, measure
        if measure in ("accuracy", "precision", "recall", "f1", "roc_auc", "pr_auc", "ece"):
            assert np.isnan(e.value) or 0 <= e.value <= 1, measure


@every_plan
def test_states_of_different_plans_are_not_merged(plan: OutcomePlan) -> None:
    """Neither are states with different buckets."""
    others = [other for other in PLANS.values() if other is not plan]
    for twin in [OutcomeTables(other, BUCKETS) for other in others] + [OutcomeTables(plan, 2)]:
        with pytest.raises(IncompatibleSketch):
            OutcomeTables(plan, BUCKETS).merge(twin)


@every_plan
def test_arrays_of_another_plan_are_refused(plan: OutcomePlan) -> None:
    """A state belongs to one task and its classes."""
    other = PLANS["multiclass" if plan.task != "multiclass" else "regression"]
    with pytest.raises(FormatError):
        OutcomeTables.from_state(filled(other, 10, 0).state(), plan)
