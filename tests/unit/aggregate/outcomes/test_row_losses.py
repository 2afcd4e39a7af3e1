"""Counts of losses by bin, for one batch or its parts."""

import numpy as np
import pytest

from mlmonitor.aggregate.outcomes.row_losses import LossBins


@pytest.mark.parametrize("rows", [0, 1, 499, 500, 501, 1_700])
@pytest.mark.parametrize("measure", ["mae", "accuracy"])
def test_each_part_of_a_batch_is_counted_as_it_is_alone(measure: str, rows: int) -> None:
    """Bins and sums are those of the part to the last bit; a part without losses has none."""
    rng = np.random.default_rng(rows)
    losses = rng.exponential(2.0, rows) if measure == "mae" else rng.integers(0, 2, rows) * 1.0
    losses[rng.random(rows) < 0.1] = np.nan
    losses[500:1_000] = np.nan
    bins = LossBins(measure, 3.0 if measure == "mae" else 1.0)
    parts = bins.count_parts(losses, 500)
    alone = [
        bins.count_losses(losses[start : start + 500]) for start in range(0, max(rows, 1), 500)
    ]
    np.testing.assert_array_equal(parts, alone)
    assert parts[:, :-1].sum() == np.count_nonzero(~np.isnan(losses))


def test_losses_are_counted_in_the_bins_of_a_histogram() -> None:
    """Bins have equal width up to the scale, and the last one holds larger losses."""
    losses = np.random.default_rng(0).exponential(1.0, 2_000)
    totals = LossBins("mae", 2.0).count_losses(losses)
    expected, _ = np.histogram(np.minimum(losses, 2.0), bins=np.linspace(0, 2, totals.size))
    np.testing.assert_array_equal(totals[:-1], expected)
    assert totals[-1] == pytest.approx(losses.sum())
