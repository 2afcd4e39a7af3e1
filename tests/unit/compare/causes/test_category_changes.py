"""Merged and exchanged categories, and similar cases that are neither."""

import numpy as np
import pytest

from mlmonitor.compare.causes.category_changes import are_exchanged, are_merged, find_moved_share

SHARES = np.array([0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize("rows", [100, 1_000, 100_000])
def test_a_category_that_another_one_absorbed_is_merged(rows: int) -> None:
    """The counts are random."""
    now = np.random.default_rng(rows).multinomial(rows, [0.4, 0.5, 0, 0.1])
    assert are_merged(SHARES, now)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param([400, 300, 200, 100], id="unchanged"),
        pytest.param([500, 375, 0, 125], id="a category merely gone"),
        pytest.param([600, 400, 0, 0], id="two gone"),
        pytest.param([450, 450, 50, 50], id="one only rarer"),
        pytest.param([10, 8, 0, 2], id="too few rows to be merged"),
        pytest.param([700, 100, 100, 100], id="another mix"),
        pytest.param([250, 250, 250, 250], id="equal shares"),
        pytest.param([8, 6, 4, 2], id="too few rows to be exchanged"),
        pytest.param([200, 150, 100, 50], id="the same shares of fewer rows"),
        pytest.param([0, 0, 0, 0], id="no rows"),
    ],
)
def test_categories_without_matching_shares_are_neither_merged_nor_exchanged(
    now: list[int],
) -> None:
    """Only a share has changed, or nothing has."""
    assert not are_merged(SHARES, np.array(now))
    assert not are_exchanged(SHARES, np.array(now))


@pytest.mark.parametrize("order", [[1, 2, 3, 0], [1, 0, 2, 3], [3, 2, 1, 0]])
def test_categories_with_the_shares_of_each_other_are_exchanged(order: list[int]) -> None:
    """They are rotated, reversed, or two of them have changed places."""
    now = np.random.default_rng(1).multinomial(1_000, SHARES[order])
    assert are_exchanged(SHARES, now)


def test_equal_shares_cannot_be_exchanged() -> None:
    """Every order of them looks the same."""
    now = np.random.default_rng(1).multinomial(1_000, [0.25] * 4)
    assert not are_exchanged(np.full(4, 0.25), now)


def test_a_move_between_categories_is_reported_only_if_others_stayed_the_same() -> None:
    """If there are only two categories, one always gains what the other loses."""
    assert find_moved_share(np.array([0.7, 0.3, 0.0]), np.array([610, 390, 0])) is None
    before = np.array([0.4, 0.2, 0.15, 0.15, 0.1, 0.0])
    move = find_moved_share(before, np.array([300, 300, 150, 150, 100, 0]))
    assert move is not None
    assert (move.place, move.target) == (0, 1)


MIXES = np.array([0.3, 0.25, 0.2, 0.12, 0.08, 0.05])


@pytest.mark.parametrize("shares", [MIXES, np.array([0.7, 0.3]), np.array([0.5, 0.3, 0.2])])
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.6])
@pytest.mark.parametrize("place", [0, 1])
def test_one_category_that_became_rarer_or_more_frequent_is_neither_merged_nor_exchanged(
    shares: np.ndarray, factor: float, place: int
) -> None:
    """A source that ends or grows keeps the proportions of the other categories."""
    traffic = np.append(shares, 0.0)
    traffic[place] *= factor
    for seed in range(3):
        now = np.random.default_rng(seed).multinomial(512, traffic / traffic.sum())
        assert not are_merged(shares, now[:-1])
        assert not are_exchanged(shares, now[:-1])
        assert find_moved_share(np.append(shares, 0.0), now) is None


@pytest.mark.parametrize("shares", [MIXES, np.array([0.7, 0.3])])
def test_a_new_category_does_not_count_as_renamed_while_all_known_ones_remain(
    shares: np.ndarray,
) -> None:
    """All known ones become rarer in proportion, and none by the share of the new one."""
    now = np.random.default_rng(3).multinomial(1_000, [*(0.85 * shares), 0.15])
    assert find_moved_share(np.append(shares, 0.0), now) is None
    renamed = np.append(shares, 0.0)
    renamed[[1, -1]] = shares[1] / 2
    now = np.random.default_rng(3).multinomial(1_000, renamed)
    move = find_moved_share(np.append(shares, 0.0), now)
    assert move is not None
    assert (move.place, move.target) == (1, shares.size)
