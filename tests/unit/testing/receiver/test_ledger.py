"""The ledger adds up what was sent, in whatever form, order and parts it arrived."""

import math
import random
import threading
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from mlmonitor.testing import Ledger
from mlmonitor.testing.receiver.backends.collector import Collector
from mlmonitor.testing.receiver.decoding import decode
from mlmonitor.testing.receiver.ledger import Request
from support.otlp_requests import (
    CUMULATIVE,
    DELTA,
    NOW,
    buckets,
    counter,
    exponential,
    exponential_histogram,
    gauge,
    histogram,
    number,
    request,
    summary,
)

BOUNDS = (1.0, 2.0, 5.0)

steps = st.lists(
    st.tuples(
        st.sampled_from(["observe", "observe", "export", "restart"]),
        st.sampled_from(["a", "b"]),
        st.integers(0, 7),
    ),
    max_size=40,
)
"""What two processes do, one thing a second: observe a value, export, export and start again."""


def take(ledger: Ledger, *metrics: Metric, instance: str = "a") -> None:
    """Let a collector accept the metrics of one process."""
    sent = request(*metrics, resource={"service.instance.id": instance})
    judgement = Collector().judge(decode(sent.SerializeToString()), now=NOW)
    assert not judgement.refused
    ledger.write(Request(0, 0, 0, 200, "", ""), judgement)


class Process:
    """A process that counts and measures, and exports both in either temporality."""

    def __init__(self, name: str) -> None:
        self.name, self.since, self.exported_at = name, 0, 0
        self.values: list[int] = []
        self.new: list[int] = []

    def observe(self, value: int) -> None:
        """Record one event of this value."""
        self.values.append(value)
        self.new.append(value)

    def export(self, at: int, temporality: int) -> tuple[str, Metric, Metric]:
        """Return a counter and a histogram of the events."""
        is_delta = temporality == DELTA
        values, since = (self.new, self.exported_at) if is_delta else (self.values, self.since)
        counts = np.bincount(np.searchsorted(BOUNDS, values), minlength=4).tolist()
        counted = counter("n", number(sum(values), at=at, since=since), temporality=temporality)
        measured = buckets(counts, BOUNDS, at=at, since=since, sum=sum(values))
        self.new, self.exported_at = [], at
        return self.name, counted, histogram("h", measured, temporality=temporality)

    def restart(self, at: int) -> None:
        """Start from zero at this time."""
        self.values, self.since = [], at


def exports(
    script: Sequence[tuple[str, str, int]], temporality: int
) -> tuple[list[tuple[str, Metric, Metric]], list[int]]:
    """Return all exports of a script, and all values that were observed."""
    processes = {name: Process(name) for name in "ab"}
    requests, values = [], []
    for at, (step, name, value) in enumerate(script, start=1):
        process = processes[name]
        if step == "observe":
            process.observe(value)
            values.append(value)
        else:
            requests.append(process.export(at, temporality))
        if step == "restart":
            process.restart(at)
    end = len(script) + 1
    return [
        *requests,
        *(process.export(end, temporality) for process in processes.values()),
    ], values


@given(steps, st.randoms(use_true_random=False), st.sampled_from([DELTA, CUMULATIVE]))
def test_totals_do_not_depend_on_how_counts_were_split_into_points(
    script: list[tuple[str, str, int]], chance: random.Random, temporality: int
) -> None:
    """Delta or cumulative, over exports, restarts and processes, in any order of arrival."""
    requests, values = exports(script, temporality)
    chance.shuffle(requests)
    ledger = Ledger()
    for name, counted, measured in requests:
        take(ledger, counted, measured, instance=name)
    assert ledger.total("n") == sum(values)
    histogram = ledger.histogram("h")
    assert histogram.count == len(values)
    assert histogram.sum == sum(values)
    expected = np.bincount(np.searchsorted(BOUNDS, values), minlength=4)
    np.testing.assert_array_equal(histogram.counts, expected)
    if temporality == DELTA:
        assert not ledger.warnings


@given(steps)
def test_cumulative_points_that_are_sent_again_change_nothing(
    script: list[tuple[str, str, int]],
) -> None:
    """A retry after a lost answer is harmless, so there is no warning."""
    requests, values = exports(script, CUMULATIVE)
    ledger = Ledger()
    for name, counted, measured in requests:
        for _ in range(2):
            take(ledger, counted, measured, instance=name)
    assert ledger.total("n") == sum(values)
    assert not ledger.warnings


@given(steps)
def test_delta_points_that_are_sent_again_count_twice_and_are_reported(
    script: list[tuple[str, str, int]],
) -> None:
    """Backends count them twice as well; each repeated interval overlaps itself."""
    requests, values = exports(script, DELTA)
    ledger = Ledger()
    for name, counted, measured in requests:
        for _ in range(2):
            take(ledger, counted, measured, instance=name)
    assert ledger.total("n") == 2 * sum(values)
    assert ledger.warnings == {"delta intervals overlap": 2 * len(requests)}


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 8)), min_size=1, max_size=12))
def test_all_overlaps_and_gaps_of_delta_intervals_are_counted(
    intervals: list[tuple[int, int]],
) -> None:
    """An array of seconds that are covered or not gives the expected numbers."""
    ledger, covered, overlaps = Ledger(), np.zeros(80, bool), 0
    for since, length in intervals:
        overlaps += bool(covered[since : since + length].any())
        covered[since : since + length] = True
        take(ledger, counter("n", number(1, since=since, at=since + length)))
    gaps = int(np.count_nonzero(np.diff(covered.astype(int)) == 1)) - 1
    assert ledger.total("n") == len(intervals)
    assert ledger.warnings["delta intervals overlap"] == overlaps
    assert ledger.warnings["gap between delta intervals"] == gaps


@given(
    st.lists(st.floats(-1e3, 1e3).filter(lambda value: abs(value) > 1e-3), max_size=30),
    st.lists(st.integers(-2, 4), min_size=2, max_size=2),
)
def test_exponential_histograms_of_different_scales_are_added_up(
    values: list[float], scales: list[int]
) -> None:
    """Every value is in the bucket given by its bounds, whatever the scale of its part."""
    ledger = Ledger()
    half = len(values) // 2
    for at, (part, scale) in enumerate(zip((values[:half], values[half:]), scales, strict=True)):
        point = exponential_of(part, scale, at=at)
        take(ledger, exponential_histogram("e", point), instance=str(at))
    histogram = ledger.histogram("e")
    assert histogram.count == len(values) == sum(histogram.counts)
    bounds = [-math.inf, *histogram.bounds, math.inf]
    magnitudes = np.abs(values)
    for (low, high), count in zip(pairwise(bounds), histogram.counts, strict=True):
        # A value at a power of the base may round to either side of its bucket's bound.
        slack = 1e-9 * magnitudes
        assert np.count_nonzero((values > low + slack) & (values < high - slack)) <= count
        assert np.count_nonzero((values > low - slack) & (values < high + slack)) >= count


def exponential_of(values: Sequence[float], scale: int, *, at: int) -> object:
    """Return an exponential histogram of values, by the definition of its buckets."""
    sides = []
    for sign in (1, -1):
        magnitudes = [sign * value for value in values if sign * value > 0]
        keys = [math.ceil(math.log2(magnitude) * 2.0**scale) - 1 for magnitude in magnitudes]
        low = min(keys, default=0)
        sides.append((low, np.bincount([key - low for key in keys]).tolist() if keys else []))
    (offset, counts), negative = sides
    return exponential(scale, offset, counts, negative=negative, at=at, sum=sum(values))


def test_a_gauge_has_the_value_of_its_newest_time() -> None:
    """The order of arrival and the sending process do not matter."""
    ledger = Ledger()
    for at, value, instance in ((1, 10, "a"), (3, 30, "b"), (2, 20, "a")):
        take(ledger, gauge("g", number(value, {"m": "x"}, at=at)), instance=instance)
    assert ledger.gauge("g") == ledger.gauge("g", m="x") == 30


def test_gauge_points_that_go_back_or_contradict_each_other_are_reported() -> None:
    """An exact repetition is harmless."""
    ledger = Ledger()
    for at, value in ((2, 1), (2, 1), (2, 3), (1, 1)):
        take(ledger, gauge("g", number(value, at=at)))
    assert ledger.warnings == {
        "same timestamp, different value": 1,
        "timestamp not after the one before": 1,
    }


def test_asking_for_a_missing_or_ambiguous_gauge_is_an_error_that_lists_the_series() -> None:
    """Otherwise a test with a misspelt name would compare the wrong series."""
    ledger = Ledger()
    take(ledger, gauge("g", number(1, {"m": "x"}), number(2, {"m": "y"})))
    with pytest.raises(LookupError, match="several series match") as caught:
        ledger.gauge("g")
    assert "g{m='x'}" in str(caught.value)
    with pytest.raises(LookupError, match="no series matches"):
        ledger.gauge("misspelt")
    with pytest.raises(LookupError, match="no histogram"):
        ledger.histogram("g")


def test_a_non_monotonic_sum_has_no_resets() -> None:
    """Its total is its newest value, and it can be read as a gauge."""
    ledger = Ledger()
    for at, value in ((1, 5), (2, 3)):
        point = number(value, at=at, since=0)
        take(ledger, counter("n", point, temporality=CUMULATIVE, is_monotonic=False))
    assert ledger.total("n") == ledger.gauge("n") == 3
    assert not ledger.warnings


def test_a_start_time_inside_an_earlier_run_is_reported() -> None:
    """Two processes share an identity, or a clock was set back."""
    ledger = Ledger()
    for since, at in ((0, 10), (5, 11)):
        take(ledger, counter("n", number(1, since=since, at=at), temporality=CUMULATIVE))
    assert ledger.warnings == {"start time inside an earlier run": 1}


def test_a_delta_without_an_interval_is_reported() -> None:
    """Without a start time, gaps and overlaps cannot be detected."""
    ledger = Ledger()
    take(ledger, counter("n", number(1, at=1)), counter("n", number(1, at=1, since=1)))
    assert ledger.total("n") == 2
    assert ledger.warnings == {"delta without an interval": 2}


def test_histograms_of_different_bounds_are_not_added() -> None:
    """The error names the remedy: each can be requested by its attributes."""
    ledger = Ledger()
    one = buckets([1, 2], [1], {"m": "x"}, sum=1, min=0, max=2)
    other = buckets([1, 2], [2], {"m": "y"}, sum=1)
    take(ledger, histogram("h", one, other))
    with pytest.raises(ValueError, match="different bounds"):
        ledger.histogram("h")
    total = ledger.histogram("h", m="x")
    assert (total.counts, total.sum, total.min, total.max) == ((1, 2), 1, 0, 2)


def test_minimum_and_maximum_cover_all_parts_of_a_histogram_with_values() -> None:
    """An empty part has neither, and does not change them."""
    ledger = Ledger()
    parts = [
        buckets([1, 0], [1], at=1, since=0, sum=1, min=1, max=1),
        buckets([0, 0], [1], at=2, since=1, sum=0),
        buckets([0, 2], [1], at=3, since=2, sum=9, min=4, max=5),
    ]
    take(ledger, histogram("h", *parts))
    total = ledger.histogram("h")
    assert (total.count, total.sum, total.min, total.max) == (3, 10, 1, 5)


def test_a_summary_is_stored_but_not_added_up() -> None:
    """Quantiles cannot be added."""
    ledger = Ledger()
    take(ledger, summary("s"))
    (series,) = ledger.series("s")
    assert series.kind == "summary"
    assert ledger.total("s") == 0


def test_fractions_are_added_without_rounding_errors() -> None:
    """Ten tenths are exactly one."""
    ledger = Ledger()
    take(ledger, counter("n", *(number(0.1, at=at + 1, since=at or 1e-6) for at in range(10))))
    assert ledger.total("n") == 1.0


def test_the_repr_of_a_ledger_shows_what_happened() -> None:
    """It has one line for pytest; both it and the printed form list series and warnings."""
    ledger = Ledger()
    take(ledger, counter("n", number(1, {"a.b": "c"}, at=1)))
    assert repr(ledger).splitlines() == [repr(ledger)]
    for text in (repr(ledger), str(ledger)):
        assert "1 points stored, answers: 1 x 200" in text
        assert "n{a.b='c'} delta sum of a: 1 points, last 1" in text
        assert "warnings: delta without an interval: 1" in text
    for at in range(40):
        take(ledger, gauge(f"g{at}", number(1)))
    assert "... and 11 more series" in str(ledger)


def test_waiting_ends_when_the_condition_holds_or_the_time_is_up() -> None:
    """The condition is evaluated after each request."""
    ledger = Ledger()
    thread = threading.Timer(0.01, take, (ledger, counter("n", number(2, at=1, since=0))))
    thread.start()
    assert ledger.wait_until(lambda points: points.total("n") == 2, timeout_seconds=30)
    thread.join()
    assert not ledger.wait_until(lambda points: points.total("n") == 3, timeout_seconds=0.01)
