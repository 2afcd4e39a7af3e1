"""The share of values that has changed, and similar cases that no change explains."""

import numpy as np
import pytest

from mlmonitor.compare.causes.numbers.mixtures import estimate_ranks, find_part, measure_point
from mlmonitor.compare.causes.numbers.swaps import find_swapped_part
from mlmonitor.records import Floats

ROWS = 2_000
RANKS = np.linspace(0, 1, 201)


def draw(seed: int) -> Floats:
    """Draw positive, skewed numbers."""
    return np.random.default_rng(seed).gamma(3.0, 100.0, ROWS)


def at_ranks(values: Floats) -> Floats:
    """Return their quantiles."""
    return np.quantile(values, RANKS)


def mix(changed: Floats, share: float) -> Floats:
    """Draw numbers, and replace a share of them by changed ones."""
    is_changed = np.random.default_rng(9).random(ROWS) < share
    return np.where(is_changed, changed, draw(1))


def test_swapped_rows_are_detected_if_the_same_share_of_both_fields_changed() -> None:
    """If one field became like the other, they are not swapped."""
    one, two = at_ranks(draw(0)), at_ranks(draw(5) + 900)
    swapped = (
        at_ranks(mix(draw(6) + 900, 0.4)),
        at_ranks(np.where(np.random.default_rng(8).random(ROWS) < 0.4, draw(7), draw(5) + 900)),
    )
    share = find_swapped_part((one, two), swapped, rows=ROWS)
    assert share == pytest.approx(0.4, abs=0.05)
    assert find_swapped_part((one, two), (swapped[0], two), rows=ROWS) is None


def test_ranks_count_equal_values_as_half() -> None:
    """A rank is the average of the shares below and up to a point."""
    values = np.array([1.0, 2.0, 2.0, 3.0])
    np.testing.assert_allclose(estimate_ranks(values, np.array([0.0, 2.0, 4.0])), [0, 0.5, 1])


def test_few_rows_do_not_show_a_changed_part() -> None:
    """The same ranks are evident for many rows and not for fifty."""
    before, now, changed = np.array([0.2, 0.8]), np.array([0.1, 0.5]), np.array([[0.0, 0.1]])
    assert find_part(before, now, changed, rows=5_000, preferred=1, apart=0.2) is not None
    assert find_part(before, now, changed, rows=50, preferred=1, apart=0.2) is None


def test_the_share_of_a_new_single_value_is_estimated() -> None:
    """A client sends a default in three of ten rows."""
    now = at_ranks(mix(np.full(ROWS, 70.0), 0.3))
    assert measure_point(at_ranks(draw(0)), now, rows=ROWS) == pytest.approx(0.3, abs=0.02)


def test_a_new_value_is_not_a_default_if_other_values_moved_too() -> None:
    """If all limits grow by a quarter, each of the few values is new."""
    limits = np.repeat([8_000.0, 50_000.0, 300_000.0], [1_000, 600, 400])
    grown = np.repeat([8_000.0, 10_000.0, 62_500.0, 375_000.0], [200, 800, 600, 400])
    assert measure_point(at_ranks(limits), at_ranks(grown), rows=ROWS) == 0
