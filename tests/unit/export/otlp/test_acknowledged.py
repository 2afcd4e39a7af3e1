"""Acknowledged deltas add up to the total, over adjacent intervals."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import catalog
from mlmonitor.export.base import Family, Histograms, Series
from mlmonitor.export.otlp.acknowledged import AcknowledgedTotals

BORN = 1_000

Steps = list[tuple[list[int], list[bool]]]

steps = st.lists(
    st.tuples(
        st.lists(st.integers(0, 5), min_size=3, max_size=3),
        st.lists(st.booleans(), min_size=3, max_size=3),
    ),
    max_size=12,
)


def attributes(size: int) -> list[tuple[tuple[str, str], ...]]:
    """Return the attributes of some series."""
    return [(("status", str(at)),) for at in range(size)]


def counter(series: Series, values: np.ndarray) -> Family:  # type: ignore[type-arg]  # of either type
    """Return a family of a counter."""
    return Family(catalog.PREDICTIONS, series, values)


@given(steps, st.sampled_from([np.int64, np.float64]), st.sampled_from(["anew", "kept"]))
def test_acknowledged_and_new_deltas_add_up_to_the_total(
    steps: Steps, kind: type, anew: str
) -> None:
    """Each row does, also if its series is a new object; intervals are adjacent."""
    ledger, series = AcknowledgedTotals(), Series(attributes(3))
    total, taken = np.zeros(3, kind), np.zeros(3, kind)
    until = [BORN] * 3
    for at, (grown, is_taken) in enumerate(steps):
        total = total + np.array(grown, kind) * (kind(0.1) if kind is np.float64 else 1)
        if anew == "anew":
            series = Series(attributes(3))
        delta = ledger.delta(counter(series, total), first_ns=BORN)
        assert delta.start_ns.tolist() == until
        assert isinstance(delta.family.values, np.ndarray)
        np.testing.assert_allclose(taken + delta.family.values, total, rtol=1e-12)
        assert (delta.family.values >= 0).all()
        now = BORN + 10 * (at + 1)
        rows = np.flatnonzero(np.array(is_taken) & delta.rows)
        delta.settle(rows, time_ns=now)
        taken[rows] += delta.family.values[rows]
        for row in rows.tolist():
            until[row] = now
    assert len(ledger) == (3 if steps else 0)


@given(steps)
def test_acknowledged_and_new_histograms_add_up_to_the_total(steps: Steps) -> None:
    """Counts and sums of the acknowledged intervals are those of all values."""
    ledger, series = AcknowledgedTotals(), Series(attributes(1))
    counts, sums = np.zeros((1, 3), np.int64), np.zeros(1)
    taken, taken_sum = np.zeros((1, 3), np.int64), 0.0
    for at, (grown, is_taken) in enumerate(steps):
        counts, sums = counts + np.array([grown]), sums + sum(grown) * 0.1
        bounds = np.array([1.0])
        block = Histograms(((1.0, 2.0),), counts, sums, bounds, bounds)
        delta = ledger.delta(Family(catalog.DURATION, series, block), first_ns=BORN)
        new = delta.family.values
        assert isinstance(new, Histograms)
        assert (taken + new.counts == counts).all()
        assert np.isnan(new.min[0]) == taken.any()  # smallest of all is of the first interval alone
        if is_taken[0] and delta.rows[0]:
            delta.settle(np.array([0]), time_ns=BORN + at + 1)
            taken, taken_sum = taken + new.counts, taken_sum + float(new.sum[0])
    assert np.isclose(taken_sum, sums[0]) or (taken != counts).any()


def test_the_first_delta_of_a_series_is_sent_even_if_zero() -> None:
    """Afterwards a delta of zero is not sent."""
    ledger, series = AcknowledgedTotals(), Series(attributes(2))
    first = ledger.delta(counter(series, np.array([0, 5])), first_ns=BORN)
    assert first.rows.tolist() == [True, True]
    first.settle(np.array([0, 1]), time_ns=2_000)
    later = Series(attributes(3))
    second = ledger.delta(counter(later, np.array([0, 6, 7])), first_ns=2_000)
    assert second.rows.tolist() == [False, True, True]
    assert second.family.values.tolist() == [0, 1, 7]  # type: ignore[union-attr]
    assert second.start_ns.tolist() == [2_000, 2_000, 2_000]


def test_a_series_that_returns_continues_after_its_last_acknowledged_total() -> None:
    """What was acknowledged before it disappeared is not sent again."""
    ledger = AcknowledgedTotals()
    ledger.delta(counter(Series(attributes(2)), np.array([3, 4])), first_ns=BORN).settle(
        np.array([0, 1]), time_ns=2_000
    )
    ledger.delta(counter(Series(attributes(1)), np.array([3])), first_ns=BORN)
    back = ledger.delta(counter(Series(attributes(2)), np.array([3, 9])), first_ns=3_000)
    assert back.family.values.tolist() == [0, 5]  # type: ignore[union-attr]
    assert back.start_ns.tolist() == [2_000, 2_000]


def test_a_total_that_decreases_counts_as_restarted() -> None:
    """The new total is sent in full; a float that decreases by rounding counts as equal."""
    ledger, series = AcknowledgedTotals(), Series(attributes(1))
    for values, reported in ((10, 10), (4, 4), (6, 2)):
        delta = ledger.delta(counter(series, np.array([values])), first_ns=BORN)
        assert delta.family.values.tolist() == [reported]  # type: ignore[union-attr]
        delta.settle(np.array([0]), time_ns=2_000)
    floats = Series(attributes(1))
    other = AcknowledgedTotals()
    other.delta(counter(floats, np.array([0.3])), first_ns=BORN).settle(np.array([0]), time_ns=2)
    fell = other.delta(counter(floats, np.array([np.nextafter(0.3, 0)])), first_ns=BORN)
    assert fell.family.values.tolist() == [0.0]  # type: ignore[union-attr]


def test_a_histogram_with_new_bounds_starts_again_at_zero() -> None:
    """Its interval begins where the old one ended, because counts over other bounds differ."""
    ledger, series = AcknowledgedTotals(), Series(attributes(1))
    nan = np.full(1, np.nan)
    one = Histograms(((1.0,),), np.array([[2, 3]]), np.array([4.0]), nan, nan)
    ledger.delta(Family(catalog.DURATION, series, one), first_ns=BORN).settle(
        np.array([0]), time_ns=2_000
    )
    other = Histograms(((1.0, 2.0),), np.array([[2, 3, 0]]), np.array([4.0]), nan, nan)
    delta = ledger.delta(Family(catalog.DURATION, series, other), first_ns=3_000)
    assert isinstance(delta.family.values, Histograms)
    assert delta.family.values.counts.tolist() == [[2, 3, 0]]
    assert delta.start_ns.tolist() == [2_000]
    fewer = one._replace(counts=np.array([[1, 1]]), sum=np.array([1.0]))
    again = AcknowledgedTotals()
    again.delta(Family(catalog.DURATION, series, one), first_ns=BORN).settle(
        np.array([0]), time_ns=2_000
    )
    fell = again.delta(Family(catalog.DURATION, series, fewer), first_ns=BORN)
    assert isinstance(fell.family.values, Histograms)
    assert fell.family.values.counts.tolist() == [[1, 1]]
