"""The rows that are kept while an incident is examined."""

from collections.abc import Sequence

import numpy as np
import pytest

from mlmonitor import Reference
from mlmonitor.aggregate.plan import Plan
from mlmonitor.compare.causes.change_sample import SAMPLE_ROWS, ChangeSample
from mlmonitor.records import Block, Role

ROWS = 2_000


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A plan of two numbers, an integer and a category."""
    rng = np.random.default_rng(0)
    features = {
        "x": rng.normal(size=ROWS),
        "y": rng.normal(size=ROWS),
        "age": rng.integers(20, 60, ROWS).astype(float),
        "line": rng.choice(["fire", "water"], ROWS),
    }
    reference = Reference.fit(features, predictions=np.ones(ROWS), thresholds="asymptotic")
    return reference.plan((Role.FEATURE,), deviations=3.0)


def block(rows: int, *, seed: int = 1) -> Block:
    """Return rows in the order of the plan."""
    rng = np.random.default_rng(seed)
    numbers = np.vstack([rng.normal(size=(2, rows)), rng.integers(20, 60, (1, rows))])
    return Block(
        rows, numbers, np.zeros((3, 3), np.int64), [rng.choice(["fire", "ice"], rows).tolist()]
    )


def repeat(rows: Block, times: int) -> Block:
    """Repeat each row several times in succession."""
    order = np.repeat(np.arange(rows.rows), times)
    categories: list[Sequence[object]] = [
        [values[place] for place in order.tolist()] for values in rows.categorical
    ]
    return Block(order.size, rows.numeric[:, order], rows.refused, categories)


def test_a_change_sample_gives_the_counts_and_quantiles_of_a_window_of_its_rows(plan: Plan) -> None:
    """Rows may be split into blocks anywhere."""
    whole = block(300)
    sample = ChangeSample(plan, 10)
    for start in range(0, 300, 70):
        own = slice(start, start + 70)
        column = whole.categorical[0][own]
        sample.update(Block(len(column), whole.numeric[:, own], whole.refused, [column]))
    shown = sample.shown()
    assert shown.profile.rows == shown.changed_rows == 300
    np.testing.assert_array_equal(shown.profile.bins.sum(axis=1), [300, 300, 300])
    names = whole.categorical[0]
    assert [(h.name, h.count) for h in shown.shapes.hitters[0].top()] == [
        ("ice", int(np.count_nonzero(np.asarray(names) == "ice")))
    ]
    medians = shown.shapes.digests.quantile(np.array([0.5]))[:, 0]
    np.testing.assert_allclose(medians, np.median(whole.numeric, axis=1), atol=0.05)


def test_a_full_change_sample_adds_no_more_rows(plan: Plan) -> None:
    """Its memory is constant."""
    sample = ChangeSample(plan, 10)
    before = sample.nbytes
    for seed in range(4):
        sample.update(block(200, seed=seed))
    assert sample.rows == SAMPLE_ROWS
    assert sample.shown().profile.rows == SAMPLE_ROWS
    assert sample.nbytes == before


@pytest.mark.parametrize(("times", "copies"), [(1, 0), (2, 150), (3, 300)])
def test_copies_of_rows_are_counted_in_a_change_sample(plan: Plan, times: int, copies: int) -> None:
    """All but the first of each count, in any block."""
    sample = ChangeSample(plan, 10)
    sample.update(repeat(block(150), times))
    assert sample.shown().copied_rows == copies


def test_equal_rows_of_few_possible_values_do_not_count_as_copies(plan: Plan) -> None:
    """They are equal by chance."""
    few = block(300)
    few.numeric[:2] = np.round(few.numeric[:2])
    few.numeric[2] = 30
    sample = ChangeSample(plan, 10)
    sample.update(few)
    assert sample.shown().copied_rows == 0


def test_missing_values_beyond_the_kept_rows_are_not_counted(plan: Plan) -> None:
    """Only 512 rows of a block of two thousand are kept."""
    rows = block(ROWS)
    is_missing = np.random.default_rng(3).random(ROWS) < 0.1
    rows.numeric[0, is_missing] = np.nan
    rows.refused[0, 0] = np.count_nonzero(is_missing)
    sample = ChangeSample(plan, 16)
    sample.update(rows)
    counts = sample.shown().profile.quality[0]
    assert counts.sum() == SAMPLE_ROWS
    assert SAMPLE_ROWS - counts[0] - counts[4] == np.count_nonzero(is_missing[:SAMPLE_ROWS])
