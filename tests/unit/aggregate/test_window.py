"""Windows count everything once, drop old rows in time, and use the stated memory."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate import shapes as module
from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.shapes import Shapes
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.aggregate.window import Span, Window
from mlmonitor.errors import FormatError
from mlmonitor.records import Block, Field, Kind, Role

X = Field("x", Role.FEATURE, Kind.NUMERIC)
C = Field("c", Role.FEATURE, Kind.CATEGORICAL)
PLAN = Plan.build([X, C], {X: NumericPlan(np.array([10.0, 20.0]))}, {C: Dictionary(["a"])})
HOUR = Span(3_600.0, None, 60)
YEAR = 365 * 86_400.0


def rows(*numbers: float) -> Block:
    """Return a row for each number, with its text as a name."""
    names = [f"n{number:g}" for number in numbers]
    values = np.array([numbers], np.float64)
    return Block(len(numbers), values, np.zeros((1, 3), np.int64), [names])


def a_window(span: Span, plan: Plan = PLAN) -> Window:
    """Return a window that starts at time zero."""
    return Window(plan, span, hitters=4, now=0.0)


def held(window: Window) -> int:
    """Return how many rows the view covers."""
    return window.view().profile.rows


def extremes(window: Window) -> tuple[float, float]:
    """Return the smallest and the largest value in the digest."""
    digests = window.view().shapes.digests
    return float(digests.min[0]), float(digests.max[0])


def test_the_view_drops_old_rows_one_pane_at_a_time() -> None:
    """A row stays in an hour's view for 59 to 60 minutes."""
    window = a_window(HOUR)
    window.update(rows(1.0), now=59.9)
    for now, seen in ((60.0, 1), (3_599.9, 1), (3_600.0, 0)):
        window.advance(now)
        assert held(window) == seen
    assert window.total().rows == 1


def test_quantiles_drop_old_rows_half_a_window_at_a_time() -> None:
    """A value stays among the quantiles for half an hour to an hour."""
    window = a_window(HOUR)
    window.update(rows(1.0), now=10.0)
    window.update(rows(2.0), now=1_810.0)
    assert extremes(window) == (1.0, 2.0)
    window.advance(3_599.0)
    assert extremes(window) == (1.0, 2.0)
    window.advance(3_600.0)
    assert extremes(window) == (2.0, 2.0)
    assert [hit.name for hit in window.view().shapes.hitters[0].top()] == ["n2"]
    window.advance(5_400.0)
    assert extremes(window) == (np.inf, -np.inf)


@pytest.mark.parametrize("panes", [1, 2, 3, 7, 60])
def test_no_value_older_than_the_span_is_kept_for_any_number_of_panes(panes: int) -> None:
    """After one span, counts and quantiles are empty, for few and for many panes."""
    window = a_window(Span(60.0, None, panes))
    window.update(rows(1.0), now=0.0)
    assert held(window) == 1
    window.advance(60.0)
    assert held(window) == 0
    assert extremes(window) == (np.inf, -np.inf)


@given(
    st.lists(st.tuples(st.floats(0, 10_000), st.integers(0, 20)), max_size=20),
    st.sampled_from(
        [Span(60.0, None, 6), Span(60.0, None, 1), Span(None, 7, 3), Span(None, 1, 60)]
    ),
)
def test_the_total_of_a_window_counts_every_row_once(
    steps: list[tuple[float, int]], span: Span
) -> None:
    """Clock ticks and block sizes do not matter to bins, qualities and moments."""
    window, now, taken = a_window(span), 0.0, []
    for wait, size in steps:
        now += wait
        values = (np.arange(size) + len(taken)).astype(float).tolist()
        taken += values
        window.update(rows(*values), now=now)
        window.advance(now)
        window.view()
    total = window.total()
    assert total.rows == len(taken)
    assert total.bins.sum() == total.moments.count[0] == len(taken)
    assert total.moments.sum[0] == pytest.approx(sum(taken))
    assert total.quality.sum(axis=1).tolist() == [len(taken)] * 2


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(1, 30), st.integers(1, 60))
def test_a_window_by_rows_holds_the_newest_rows(sizes: list[int], length: int, panes: int) -> None:
    """The view covers the latest rows, up to a pane more or less than asked for."""
    window, taken = a_window(Span(None, length, panes)), 0
    for size in sizes:
        window.update(rows(*range(taken, taken + size)), now=0.0)
        taken += size
    recent = window.view().profile
    pane = -(-length // panes)
    assert min(taken, length - pane) <= recent.rows <= min(taken, length + pane - 1)
    if recent.rows:
        assert (recent.moments.min[0], recent.moments.max[0]) == (taken - recent.rows, taken - 1)
    low, high = extremes(window)
    if np.isfinite(low):
        assert high == taken - 1
        assert taken - low <= length + pane - 1


@given(st.lists(st.integers(0, 20), max_size=6), st.integers(1, 12), st.integers(1, 6))
def test_the_split_of_rows_into_blocks_does_not_change_a_window(
    sizes: list[int], length: int, panes: int
) -> None:
    """After one block, a window by rows equals that after single rows."""
    span, numbers = Span(None, length, panes), range(sum(sizes))
    one, two, three = (a_window(span) for _ in range(3))
    one.update(rows(*numbers), now=0.0)
    for number in numbers:
        two.update(rows(number), now=0.0)
    taken = 0
    for size in sizes:
        three.update(rows(*numbers[taken : taken + size]), now=0.0)
        taken += size
    for other in (two, three):
        assert held(other) == held(one)
        assert extremes(other) == extremes(one)
        assert other.total().bins.tolist() == one.total().bins.tolist()
        np.testing.assert_array_equal(other.view().profile.bins, one.view().profile.bins)


@pytest.mark.parametrize(("length", "panes"), [(100, 60), (130, 60), (60, 60), (7, 60), (1, 1)])
def test_a_window_by_rows_has_the_requested_length(length: int, panes: int) -> None:
    """If panes do not divide the rows, there are fewer panes and not a shorter window."""
    window = a_window(Span(None, length, panes))
    counts = []
    for number in range(3 * length):
        window.update(rows(number), now=0.0)
        counts.append(held(window))
    pane = -(-length // panes)
    assert length - pane <= min(counts[length:]) <= max(counts) <= length + pane - 1
    assert window.memory_bytes <= a_window(Span(60.0, None, panes)).memory_bytes


def test_refused_values_of_a_block_are_counted_once_however_it_is_split() -> None:
    """The refused values of a block that spans many panes are added once."""
    block = Block(9, np.full((1, 9), np.nan), np.array([[4, 3, 2]]), [["a"] * 9])
    window = a_window(Span(None, 4, 2))
    window.update(block, now=0.0)
    assert window.total().quality[0].tolist()[1:4] == [4, 3, 2]


def test_a_gap_of_years_without_rows_costs_no_time() -> None:
    """After a jump of a thousand years one pane is opened, and not one a minute."""
    window = a_window(Span(3_600.0, None, 60))
    window.update(rows(1.0), now=0.0)
    window.update(rows(2.0), now=1_000 * YEAR)
    assert held(window) == 1
    assert window.total().rows == 2


def test_a_pane_starts_on_time_after_a_jump_of_the_clock() -> None:
    """Panes always start at multiples of their length."""
    window = a_window(Span(60.0, None, 6))
    window.advance(1_234.0)
    window.update(rows(1.0), now=1_239.9)
    window.update(rows(2.0), now=1_240.0)
    window.advance(1_299.9)
    assert window.view().profile.moments.min[0] == 2.0


def test_a_clock_that_stops_or_goes_back_is_tolerated() -> None:
    """A clock that was set back closes no pane and loses no row."""
    window = a_window(HOUR)
    for now in (100.0, 100.0, 50.0, -1e9, 100.0):
        window.update(rows(1.0), now=now)
    assert held(window) == window.total().rows == 5


def test_a_huge_block_does_not_open_a_pane_for_every_few_rows() -> None:
    """Of 100,000 rows in a window of 60, all are counted and 60 kept, in few rotations."""
    window = a_window(Span(None, 60, 60))
    opened = []
    window._rotate, rotate = lambda passed: (opened.append(passed), rotate(passed)), window._rotate  # type: ignore[method-assign]  # counts rotations
    window.update(rows(*range(100_000)), now=0.0)
    assert len(opened) <= 61
    assert window.total().rows == 100_000
    assert window.view().profile.moments.min[0] == 99_941


def test_rows_that_trained_the_reference_are_counted_and_not_compared() -> None:
    """They are in the total and in no view."""
    window = a_window(HOUR)
    window.count_only(rows(1.0, 2.0))
    assert (window.total().rows, held(window)) == (2, 0)


def test_a_view_of_a_window_is_not_changed_by_later_rows() -> None:
    """View and total are copies."""
    window = a_window(HOUR)
    window.update(rows(1.0), now=0.0)
    view, total = window.view(), window.total()
    window.update(rows(2.0, 30.0), now=1.0)
    assert (view.profile.rows, total.rows) == (1, 1)
    assert view.shapes.digests.count.tolist() == [1]
    assert view.profile.bins.sum() == total.bins.sum() == 1


FIELDS = [Field(f"x{at}", Role.FEATURE, Kind.NUMERIC) for at in range(3)]


def _warm(window: Window, rng: np.random.Generator) -> None:
    """Allocate what is allocated once in a process and does not belong to the window."""
    numbers = rng.normal(size=(3, 10_000))
    block = Block(10_000, numbers, np.zeros((3, 3), np.int64), [["a"] * 10_000])
    window.update(block, now=0.0)
    window.view()


@pytest.mark.slow
@pytest.mark.parametrize("span", [HOUR, Span(None, 50_000, 60), Span(None, 100, 1)])
def test_the_memory_of_a_window_stays_within_its_stated_bound(
    span: Span, rng: np.random.Generator
) -> None:
    """The bound does not change, and the memory after several spans is below it."""
    names = [f"{'é' * 150} {at}" for at in range(4_000)]
    numeric = {field: NumericPlan(np.linspace(-2, 2, 9)) for field in FIELDS}
    plan = Plan.build([*FIELDS, C], numeric, {C: Dictionary(["a"])})
    plan.dictionaries[0].encode(names)
    _warm(a_window(span, plan), rng)
    tracemalloc.start()
    try:
        window = a_window(span, plan)
        stated = window.memory_bytes
        for at in range(100):
            new = [names[place] for place in rng.integers(0, len(names), 100)]
            numbers = rng.normal(size=(3, 2_000))
            block = Block(2_000, numbers, np.zeros((3, 3), np.int64), [["a"] * 1_900 + new])
            window.update(block, now=60.0 * at)
        del numbers, block, new
        view = window.view()
        gc.collect()  # what Python keeps in hand for later is not the window's
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert window.total().rows == 200_000
    assert view.profile.plan is plan
    assert window.memory_bytes == stated
    assert stated / 3 < grown <= stated


def test_a_numeric_field_in_a_window_stays_within_32_kib() -> None:
    """20 fields of ten bins are kept for an hour in 60 panes."""
    fields = [Field(f"x{at}", Role.FEATURE, Kind.NUMERIC) for at in range(20)]
    plan = Plan.build(fields, {field: NumericPlan(np.arange(9.0)) for field in fields}, {})
    assert Window(plan, HOUR, hitters=16, now=0.0).memory_bytes <= 20 * 32 * 1_024


def test_saved_shapes_of_another_schema_are_refused() -> None:
    """The schema includes the fields and the number of heavy hitters."""
    state = Shapes(PLAN, 4).state()
    with pytest.raises(FormatError, match="digests"):
        Shapes.from_state(state, Plan.build([X, X, C], {}, {}), 4)
    with pytest.raises(FormatError, match="hitters"):
        Shapes.from_state(state, PLAN, 5)


def test_without_datasketches_new_names_are_kept_and_not_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Distinct counts need the package, so a window has none."""
    monkeypatch.setattr(module, "distinct_if_installed", lambda: None)
    window = a_window(HOUR)
    window.update(rows(1.0), now=0.0)
    shapes = window.view().shapes
    assert shapes.distinct == []
    assert [hit.name for hit in shapes.hitters[0].top()] == ["n1"]
    assert Shapes.from_state(shapes.state(), PLAN, 4).hitters[0].top() == shapes.hitters[0].top()


def test_a_window_of_one_pane_stores_no_closed_panes() -> None:
    """It starts again at each span."""
    window = a_window(Span(60.0, None, 1))
    assert window._panes.size == 0
    for now in (0.0, 30.0, 60.0, 90.0, 119.0):
        window.update(rows(now), now=now)
    assert held(window) == 3
    assert window.view().profile.moments.min[0] == 60.0
