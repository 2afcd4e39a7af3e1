"""Laws of cohorts: nothing is counted twice, new cohorts replace old ones, maturity is a share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.outcomes.cohort_table import MOST_COHORTS, CohortTable

moments = st.lists(st.floats(0, 200), min_size=1, max_size=30)


@given(st.lists(moments, min_size=1, max_size=6))
def test_the_newest_cohorts_count_every_prediction(batches: list[list[float]]) -> None:
    """Their predictions are counted as numpy counts them, in any order of arrival."""
    table = CohortTable(1.0)
    for batch in batches:
        places, _ = table.places(np.array(batch))
        table.count_predictions(places)
    times = np.floor(np.concatenate(batches))
    for place in table.order():
        period = table.periods[place]
        assert table.predicted[place] <= (times == period).sum()
    newest = times.max()
    place = int(newest) % MOST_COHORTS
    assert table.predicted[place] == (times == newest).sum()
    assert len(table.order()) <= MOST_COHORTS


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), max_size=60))
def test_maturity_is_a_share_that_never_falls_with_age(labels: list[tuple[int, int]]) -> None:
    """Any delays between predictions and labels are drawn."""
    table = CohortTable(1.0)
    for predicted, delay in labels:
        if predicted + delay <= 20:
            places, _ = table.places(np.array([float(predicted)]))
            table.count_predictions(places)
            table.count_labels(places, np.array([float(predicted + delay)]))
    shares = table.shares_by_age(21.0)
    measured = shares[~np.isnan(shares)]
    assert ((measured >= 0) & (measured <= 1)).all()
    assert (np.diff(measured) >= -1e-12).all()


def test_projected_label_shares_equal_the_chain_ladder_of_mack_on_a_triangle() -> None:
    """Cohorts have 10 20 20, 10 30 and 12 cumulative labels; the factors are 50/20 and 20/20."""
    table = CohortTable(1.0)
    for cohort, increments in enumerate(([10, 10, 0], [10, 20], [12])):
        for delay, count in enumerate(increments):
            times = np.full(count, float(cohort))
            places, _ = table.places(times)
            table.count_labels(places, times + delay)
    shares = table.shares_by_age(3.0)
    np.testing.assert_allclose(shares[:3], [20 / 50, 1.0, 1.0])
