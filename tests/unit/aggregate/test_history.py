"""The slices of a window add up to the window, for lengths in rows or in seconds."""

import numpy as np
import pytest

from mlmonitor.aggregate.history import History
from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.profile import COUNTS
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.aggregate.window import Span, Window
from mlmonitor.records import Block, Field, Kind, Role

X, Y, LINE = Field("x"), Field("y", Role.PREDICTION), Field("line", kind=Kind.CATEGORICAL)
PLAN = Plan.build(
    [X, Y, LINE],
    {
        X: NumericPlan(np.array([-1.0, 0.0, 1.0]), -3.0, 3.0, -2.0, 2.0),
        Y: NumericPlan(np.array([0.0])),
    },
    {LINE: Dictionary(("home", "motor"))},
)
SECONDS, ROWS = Span(60.0, None, 6), Span(None, 60, 6)


def draw(seed: int, rows: int) -> Block:
    """Draw some rows; a tenth of them lack their first value."""
    rng = np.random.default_rng(seed)
    numeric = rng.normal(seed, 1.0, (2, rows))
    numeric[0, ::10] = np.nan
    refused = np.zeros((2, 3), np.int64)
    refused[0, 0] = np.isnan(numeric[0]).sum()
    return Block(rows, numeric, refused, [rng.choice(["home", "motor", "sea"], rows).tolist()])


def fill(span: Span, sizes: list[int], *, step: float = 10.0) -> Window:
    """Return a window to which a block was added every `step` seconds."""
    window = Window(PLAN, span, hitters=4, now=1_000.0)
    for seed, rows in enumerate(sizes):
        now = 1_000.0 + seed * step
        if rows:
            window.update(draw(seed, rows), now=now)
        else:
            window.advance(now)
    return window


@pytest.mark.parametrize("span", [SECONDS, ROWS])
@pytest.mark.parametrize("sizes", [[7], [7, 0, 5], [9, 30, 1, 12, 8, 25, 3, 40, 6], [200, 3]])
def test_the_slices_add_up_to_the_window(span: Span, sizes: list[int]) -> None:
    """Rows, counts and means add up, also after neighbouring slices are merged."""
    window = fill(span, sizes)
    view, whole = window.view().profile, window.history()
    for history in (whole, whole.group(4), whole.group(1)):
        assert history.rows.sum() == view.rows
        for name in COUNTS:
            assert np.array_equal(history.counts[name].sum(axis=0), getattr(view, name)), name
        assert np.array_equal(history.valid.sum(axis=0), view.moments.count)
        sums = (history.valid * np.nan_to_num(history.mean)).sum(axis=0)
        assert sums / np.maximum(history.valid.sum(axis=0), 1) == pytest.approx(view.moments.mean)
    assert len(whole.group(4)) <= 4
    assert whole.group(1).stddev[0] == pytest.approx(view.moments.stddev)


def test_slices_of_time_follow_each_other_without_a_gap() -> None:
    """An empty slice is listed; those before the first row are not."""
    history = fill(SECONDS, [5, 0, 0, 4, 2]).history()
    assert history.rows.tolist() == [5, 0, 0, 4, 2]
    assert history.starts.tolist() == [1_000.0, 1_010.0, 1_020.0, 1_030.0, 1_040.0]


def test_a_slice_of_rows_starts_when_the_previous_one_was_full() -> None:
    """Each slice holds ten rows, except for the open one."""
    history = fill(ROWS, [10, 10, 5]).history()
    assert history.rows.tolist() == [10, 10, 5]
    assert history.starts.tolist() == [1_000.0, 1_000.0, 1_010.0]


def test_a_window_without_rows_has_one_slice() -> None:
    """It is the open slice."""
    for span in (SECONDS, ROWS):
        history = fill(span, []).history()
        assert len(history) == 1
        assert history.rows.sum() == 0


def test_later_rows_change_no_number_of_a_history() -> None:
    """A history is a copy, like everything in a snapshot."""
    window = fill(SECONDS, [5, 6, 7])
    history = window.history()
    before = {name: array.copy() for name, array in history.counts.items()}
    window.update(draw(9, 50), now=1_025.0)
    window.view()
    assert isinstance(history, History)
    assert all(np.array_equal(before[name], history.counts[name]) for name in COUNTS)
