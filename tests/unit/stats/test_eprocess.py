"""Which restarts an e-process keeps, and what a long past costs."""

import numpy as np
import pytest

from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.evidence.restarts import slot_for_restart


def kept_ages(kept: int, restarts: int) -> list[list[int]]:
    """Return after each restart the ages, in restarts and ascending, of those that are kept."""
    order = np.full((kept, 1), -1)
    order[0] = 0
    ages = []
    for number in range(1, restarts + 1):
        order[slot_for_restart(order), 0] = number
        ages.append(sorted(number - at for at in order[:, 0].tolist() if at >= 0))
    return ages


@pytest.mark.parametrize(("kept", "share"), [(12, 0.5), (8, 0.2)])
def test_a_change_of_any_age_has_a_kept_restart_of_similar_age(kept: int, share: float) -> None:
    """The rows since the change and since the nearest kept restart differ by a bounded factor."""
    for number, ages in enumerate(kept_ages(kept, 3_000), start=1):
        change = np.arange(1, number + 1)
        older = np.searchsorted(ages, change)
        younger = np.array(ages)[np.maximum(older - 1, 0)]
        share_kept = np.maximum(younger / change, change / np.array(ages)[older])
        assert share_kept.min() >= share


@pytest.mark.parametrize("kept", [5, 8, 12])
def test_the_first_and_the_newest_restart_are_always_kept(kept: int) -> None:
    """Free slots are filled first, and no restart is kept twice."""
    for number, ages in enumerate(kept_ages(kept, 200), start=1):
        assert ages[0] == 0
        assert ages[-1] == number
        assert len(set(ages)) == min(number + 1, kept)


def test_each_field_chooses_the_slot_of_a_restart_on_its_own() -> None:
    """Fields with different histories get the slots that they would get alone."""
    alone = [np.full((5, 1), -1) for _ in range(2)]
    together = np.full((5, 2), -1)
    for number in range(60):
        for field, order in enumerate(alone):
            if number % (field + 1) == 0:
                slot = slot_for_restart(order) if number else np.array([0])
                order[slot, 0] = number // (field + 1)
                together[slot, field] = number // (field + 1)
        np.testing.assert_array_equal(
            slot_for_restart(together), [slot_for_restart(order)[0] for order in alone]
        )


def test_a_small_lasting_change_is_detected_after_a_long_clean_past(
    rng: np.random.Generator,
) -> None:
    """Missing values rise from 5% to 6% after 100,000 clean rows; most of 40 streams alert."""
    streams, rows = 40, 1_000
    evidence = EProcess(
        np.tile([500, 9_500], (streams, 1)), np.ones((streams, 2), np.bool_), kept=8
    )

    def add(share: float, blocks: int) -> None:
        for _ in range(blocks):
            missing = rng.binomial(rows, share, streams)
            evidence.update(np.stack([missing, rows - missing], axis=1))

    add(0.05, 100)
    assert (evidence.log_e() < np.log(100)).all()
    add(0.06, 100)
    assert np.median(evidence.log_e()) > np.log(10_000)


def test_empty_bins_with_a_small_prior_cost_little_power(rng: np.random.Generator) -> None:
    """Eleven empty bins between point masses must not hide a change among the ten masses."""
    shares = np.linspace(0.5, 1.5, 10) / 10
    moved = shares[::-1]
    reference = rng.multinomial(5_000, shares, 1)
    wide = np.zeros((1, 21), np.int64)
    wide[:, 1::2] = reference
    prior = np.where(wide == 0, 0.5 / 11, 0.5)
    plain = EProcess(reference, np.ones((1, 10), np.bool_))
    padded = EProcess(wide, np.ones((1, 21), np.bool_), prior=prior)
    window = rng.multinomial(300, moved, 1)
    wide_window = np.zeros_like(wide)
    wide_window[:, 1::2] = window
    plain.update(window)
    padded.update(wide_window)
    assert padded.log_e()[0] > plain.log_e()[0] - 2.0
    assert plain.log_e()[0] > 10
