"""The seasonal e-process: a function of counts by visit, and nearly the plain one in one season."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.seasonal_eprocess import SeasonalEProcess

BINS = 5
SEASONS = 3


def begun(fields: int = 2, seasons: int = SEASONS, rows: int = 300) -> SeasonalEProcess:
    """Return the evidence of fields whose seasons differ."""
    rng = np.random.default_rng(7)
    shares = rng.dirichlet(np.full(BINS, 5.0), seasons)
    reference = np.array([[rng.multinomial(rows, p) for p in shares] for _ in range(fields)])
    return SeasonalEProcess(reference, np.ones((fields, BINS), np.bool_), restart_rows=200)


VISITS = st.lists(
    st.tuples(
        st.integers(0, SEASONS - 1),
        st.lists(
            st.lists(st.integers(0, 30), min_size=BINS, max_size=BINS), min_size=1, max_size=3
        ),
    ),
    max_size=6,
)


@given(VISITS)
def test_the_split_of_a_visit_into_updates_does_not_matter_without_restarts(
    visits: list[tuple[int, list[list[int]]]],
) -> None:
    """The evidence depends on the counts of each visit, not on the number of updates."""
    rng = np.random.default_rng(3)
    reference = rng.integers(0, 50, (1, SEASONS, BINS))
    present = np.ones((1, BINS), np.bool_)
    once, often = (SeasonalEProcess(reference, present, restart_rows=10**9) for _ in range(2))
    for season, looks in visits:
        once.begin_season(season)
        once.update(np.array([np.sum(looks, axis=0, dtype=np.int64)]))
        for counts in looks:
            often.begin_season(season)
            often.update(np.array([counts]))
            often.log_e()
    np.testing.assert_allclose(once.log_e(), often.log_e(), atol=1e-8)


def test_with_a_single_season_the_evidence_equals_that_of_the_plain_e_process() -> None:
    """The uncertainty of the shares of the season is negligible beside that of the change."""
    rng = np.random.default_rng(0)
    reference = rng.multinomial(10**7, np.full(BINS, 1 / BINS), 4)
    present = np.ones((4, BINS), np.bool_)
    plain, seasonal = EProcess(reference, present), SeasonalEProcess(reference[:, None], present)
    for shares in (np.full(BINS, 0.2), np.array([0.3, 0.25, 0.2, 0.15, 0.1])):
        for _ in range(10):
            counts = rng.multinomial(300, shares, 4)
            plain.update(counts)
            seasonal.begin_season(0)
            seasonal.update(counts)
            np.testing.assert_allclose(seasonal.log_e(), plain.log_e(), atol=0.02, rtol=1e-3)
    np.testing.assert_array_equal(seasonal.evaluate().change.counts, plain.evaluate().change.counts)


def test_a_stretch_records_the_seasons_of_its_rows() -> None:
    """They are those of the visits since its restart, the current one included."""
    evidence = begun(fields=1)
    for season, rows in ((0, 50), (1, 70), (2, 60), (0, 10)):
        evidence.begin_season(season)
        evidence.update(np.array([[rows, 0, 0, 0, 0]]))
    stretch = evidence.evaluate().change
    assert stretch.seasons.sum(axis=1).tolist() == stretch.rows.tolist()
    assert stretch.counts.sum(axis=1).tolist() == stretch.rows.tolist()
    assert stretch.seasons[0].tolist() == [60, 70, 60]


def test_resetting_some_fields_does_not_change_the_others() -> None:
    """Once an alert is cleared, no trace of its cause remains in its fields."""
    evidence, fresh = begun(), begun()
    rng = np.random.default_rng(1)
    for season in (0, 1, 2, 1):
        evidence.begin_season(season)
        evidence.update(rng.integers(0, 100, (2, BINS)))
    before = evidence.log_e()
    evidence.reset(np.array([True, False]))
    fresh.begin_season(1)
    assert evidence.log_e()[0] == pytest.approx(fresh.log_e()[0])
    assert evidence.log_e()[1] == before[1]
    counts = rng.integers(0, 50, (2, BINS))
    evidence.update(counts)
    fresh.update(counts)
    assert evidence.log_e()[0] == pytest.approx(fresh.log_e()[0])
    evidence.begin_season(2)
    fresh.begin_season(2)
    assert evidence.log_e()[0] == pytest.approx(fresh.log_e()[0])


def test_a_season_absent_from_the_reference_is_learned_and_gives_no_evidence() -> None:
    """Its first rows are compared with equal shares, and do not affect other seasons."""
    reference = np.zeros((1, 2, BINS), np.int64)
    reference[0, 0] = 1_000
    evidence = SeasonalEProcess(reference, np.ones((1, BINS), np.bool_))
    evidence.begin_season(1)
    evidence.update(np.array([[900, 10, 10, 10, 70]]))
    evidence.begin_season(0)
    assert evidence.log_e()[0] < 1.0
    evidence.update(np.full((1, BINS), 200))
    assert evidence.log_e()[0] < 1.0


def test_the_memory_of_a_seasonal_e_process_does_not_grow_with_rows() -> None:
    """It is the same after many restarts and cycles."""
    evidence = begun()
    bytes_before = evidence.nbytes
    for turn in range(200):
        evidence.begin_season(turn % SEASONS)
        evidence.update(np.full((2, BINS), 50))
    assert evidence.nbytes == bytes_before
    assert np.isfinite(evidence.log_e()).all()
