"""Intervals of performance if the rows of a group depend on each other."""

import time
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference
from mlmonitor.aggregate.outcomes.group_sums import GroupSums
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan, score_losses
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.aggregate.sketches.group_sizes import Hashes, hash_row_groups
from mlmonitor.compare.performance.clusters.group_effects import GroupEffects
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.records import Floats

ROWS, SIZE = 2_000, 10
REGRESSION = OutcomePlan("regression", center=20.0)
BINARY = OutcomePlan("binary", ("0", "1"), has_scores=True)


def hashes_of(groups: Any) -> Hashes:
    """Return the hash of each row's group."""
    return hash_row_groups(groups, alone_before=0)[0]


def measure(plan: OutcomePlan, block: OutcomeBlock, groups: Hashes | None) -> Performance:
    """Return the performance of a block, with independent rows if there are no groups."""
    tables = OutcomeTables(plan, 1)
    tables.update(block, np.zeros(block.rows, np.int64))
    if groups is None:
        return Performance(tables)
    effects = GroupEffects(plan)
    effects.update(block, groups)
    return Performance(tables, effects=effects)


def numbers(rng: np.random.Generator, groups: Any) -> OutcomeBlock:
    """Draw errors of which half the variance is that of the group."""
    rows = len(groups)
    own = rng.normal(size=groups.max() + 1)[groups]
    actual = 20 + rng.normal(size=groups.max() + 1)[groups] + rng.normal(size=rows)
    nothing = np.full(rows, -1)
    predicted = actual + 0.3 + own + rng.normal(size=rows)
    return OutcomeBlock(predicted, actual, nothing, nothing, np.empty((0, rows)), {})


def classes(rng: np.random.Generator, groups: Any) -> OutcomeBlock:
    """Draw classes whose scores are wrong in the same way in all rows of a group."""
    rows = len(groups)
    own = rng.normal(size=groups.max() + 1)[groups]
    actual = rng.normal(size=rows) + own > 0
    scores = 1 / (1 + np.exp(-rng.normal(size=rows) - 0.5 * actual + 0.7 * own))
    codes = (scores > 0.5).astype(np.int64), actual.astype(np.int64)
    nothing = np.full(rows, np.nan)
    block = OutcomeBlock(scores, nothing, *codes, scores[None], {})
    block.means.update(score_losses(BINARY, block))
    return block


@pytest.mark.parametrize(("plan", "draw"), [(REGRESSION, numbers), (BINARY, classes)])
def test_groups_of_one_row_do_not_change_any_interval(plan: OutcomePlan, draw: Any) -> None:
    """Cluster-robust intervals generalise those of independent rows."""
    rng = np.random.default_rng(5)
    block = draw(rng, np.arange(ROWS))

    grouped = measure(plan, block, hashes_of(np.arange(ROWS)))

    assert dict(grouped) == dict(measure(plan, block, None))


@pytest.mark.parametrize(("plan", "draw"), [(REGRESSION, numbers), (BINARY, classes)])
def test_rows_without_a_group_are_groups_of_one_row(plan: OutcomePlan, draw: Any) -> None:
    """Rows without a group are not joined."""
    block = draw(np.random.default_rng(6), np.arange(ROWS))

    grouped = measure(plan, block, hashes_of(np.full(ROWS, np.nan)))

    assert dict(grouped) == dict(measure(plan, block, None))


@pytest.mark.parametrize(("plan", "draw"), [(REGRESSION, numbers), (BINARY, classes)])
def test_rows_repeated_ten_times_have_the_interval_of_single_rows(
    plan: OutcomePlan, draw: Any
) -> None:
    """Copies of a row are no further evidence."""
    rng = np.random.default_rng(7)
    rows = np.arange(1_000)
    once = draw(rng, rows)
    again = np.repeat(rows, SIZE)
    columns = (once.predicted, once.actual, once.predicted_class, once.actual_class)
    means = {name: values[again] for name, values in once.means.items()}
    block = OutcomeBlock(*(c[again] for c in columns), once.scores[:, again], means)

    single, grouped = measure(plan, once, None), measure(plan, block, hashes_of(again))

    for name in single.keys() - {"roc_auc", "pr_auc", "ece"}:
        wanted, widened = single[name], grouped[name]
        assert widened.high - widened.low == pytest.approx(wanted.high - wanted.low, rel=0.08), name


@pytest.mark.slow
@pytest.mark.parametrize(("plan", "draw"), [(REGRESSION, numbers), (BINARY, classes)])
def test_intervals_over_groups_of_ten_rows_contain_the_true_value(
    plan: OutcomePlan, draw: Any
) -> None:
    """About 95% do, while intervals of independent rows do so less often."""
    rng = np.random.default_rng(8)
    groups = np.arange(ROWS) // SIZE
    many = np.arange(300_000) // SIZE
    truth = {name: e.value for name, e in measure(plan, draw(rng, many), None).items()}
    inside, plain = (dict.fromkeys(truth, 0) for _ in range(2))
    repeats = 300
    for repeat in range(repeats):
        block = draw(rng, groups)
        names = hashes_of(groups + repeat * ROWS)
        for hits, grouped in ((inside, names), (plain, None)):
            for name, e in measure(plan, block, grouped).items():
                hits[name] += e.low <= truth[name] <= e.high

    shares = {name: hits / repeats for name, hits in inside.items()}
    exact = {n: s for n, s in shares.items() if n not in ("roc_auc", "pr_auc", "ece")}
    assert min(exact.values()) >= 0.915, shares
    assert min(hits / repeats for hits in plain.values()) < 0.85


def test_sums_by_group_merge_to_the_sums_of_all_rows() -> None:
    """Any split of the rows gives the same sums."""
    rng = np.random.default_rng(9)
    terms: Floats = rng.normal(size=(2, ROWS))
    terms[0] = 1.0
    groups = hashes_of(rng.integers(0, 100, ROWS))
    whole, first, second = (GroupSums(2) for _ in range(3))

    whole.update(terms, groups)
    first.update(terms[:, :700], groups[:700])
    second.update(terms[:, 700:], groups[700:])
    first.merge(second)

    assert np.allclose(first.counters, whole.counters)
    assert first.effect(np.array([-1.0, 2.0])) == pytest.approx(whole.effect(np.array([-1.0, 2.0])))


def test_a_single_group_has_no_interval() -> None:
    """It shows no variance between groups."""
    block = numbers(np.random.default_rng(10), np.zeros(ROWS, np.int64))

    grouped = measure(REGRESSION, block, hashes_of(np.zeros(ROWS)))

    assert np.isnan(grouped["mae"].low)
    assert np.isnan(grouped["mae"].high)
    assert grouped["mae"].value == measure(REGRESSION, block, None)["mae"].value


def test_the_interval_of_a_model_without_errors_depends_on_its_number_of_groups() -> None:
    """Wilson's interval counts groups if all rows agree."""
    groups = np.arange(ROWS) // SIZE
    codes = np.arange(ROWS) % 2
    nothing = np.full(ROWS, np.nan)
    plan = OutcomePlan("binary", ("0", "1"))
    block = OutcomeBlock(nothing, nothing, codes, codes, np.empty((0, ROWS)), {})

    accuracy = measure(plan, block, hashes_of(groups))["accuracy"]

    assert accuracy.value == accuracy.high == 1.0
    assert 1 - accuracy.low == pytest.approx(3.84 / (ROWS / SIZE), rel=0.1)
    assert accuracy.count == ROWS


@pytest.mark.parametrize("reports", ["labels", "outcomes"])
def test_declared_groups_widen_the_intervals_of_a_monitor(reports: str) -> None:
    """Labels arrive by id and as pairs, and performance is overall and by bucket."""
    rng = np.random.default_rng(11)
    groups = np.arange(ROWS) // SIZE
    block = numbers(rng, groups)
    rows = {"x": rng.normal(size=ROWS), "customer": [f"c{g}" for g in groups.tolist()]}
    training = {"x": rng.normal(size=500)}
    reference = Reference.fit(training, predictions=rng.normal(size=500), thresholds="asymptotic")

    def interval(**options: Any) -> float:
        monitor = Monitor("m", reference=reference, exporters=[], config=Config(), **options)
        features = rows if options else {"x": rows["x"]}
        if reports == "labels":
            ids = [str(row) for row in range(ROWS)]
            monitor.record(features, block.predicted, ids=ids)
            monitor.flush(timeout_seconds=20)
            monitor.label(ids, block.actual)
        else:
            monitor.record_outcomes(block.predicted, block.actual, features=features)
        monitor.flush(timeout_seconds=20)
        performance = monitor.status().performance
        assert performance is not None
        assert performance.count == ROWS
        first = next(iter(performance.by("prediction").values()))
        assert first["mae"].low <= first["mae"].value <= first["mae"].high
        monitor.close()
        return performance["bias"].high - performance["bias"].low

    assert interval(groups="customer") > 1.8 * interval()


@pytest.mark.parametrize("groups", [None, "g"])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_all_parts_of_performance_are_python_floats(task: str, groups: str | None) -> None:
    """Overall, by bucket, by cohort, projected and estimated, they can be written as JSON."""
    rng = np.random.default_rng(12)
    x = rng.normal(size=600)
    predicted, actual = {
        "regression": (x, x + rng.normal(size=600)),
        "binary": (1 / (1 + np.exp(-x)), (rng.normal(size=600) < x).astype(int)),
        "multiclass": (rng.dirichlet([1, 1, 1], 600), rng.integers(0, 3, 600)),
    }[task]
    reference = Reference.fit(
        {"x": x}, predictions=predicted, actuals=actual, thresholds="asymptotic"
    )
    monitor = Monitor("m", reference=reference, exporters=[], groups=groups)
    features = {"x": x, **({"g": np.arange(600) // 10} if groups else {})}
    monitor.record(features, predicted)
    ago = time.time() - 86_400 * np.linspace(0, 9, 600)
    monitor.record_outcomes(predicted, actual, predicted_at=ago, features=features)
    monitor.flush(timeout_seconds=20)
    status = monitor.status()
    monitor.close()

    whole = status.performance
    assert whole is not None
    parts = [whole, *(p for name in whole.dimensions for p in whole.by(name).values())]
    cohorts = [e for c in status.cohorts for e in (*c.performance.values(), *c.projected.values())]
    estimates = [e for part in parts for e in part.values()] + cohorts
    estimates += (status.estimated or {}).values()

    assert len(estimates) > 20
    assert {type(end) for e in estimates for end in (e.value, e.low, e.high)} == {float}
