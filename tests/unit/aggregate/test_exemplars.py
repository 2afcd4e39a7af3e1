"""An exemplar is the newest traced value of its bucket."""

from bisect import bisect_left
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.call_stats import (
    ERROR_TYPES,
    LATENCY_BOUNDS_SECONDS,
    OTHER_ERRORS,
    CallStats,
)
from mlmonitor.aggregate.exemplars import (
    CallExemplars,
    Exemplar,
    FieldExemplars,
    rows_with_origin,
)
from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.entry import Call, Entry, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.trace_context import Traced
from mlmonitor.records import Block, Field, Kind, Role

SHAPE = Shape((), Outputs())
BOUNDS = (0.001, 0.01, 0.1)
WIDE = Field("wide", Role.FEATURE, Kind.NUMERIC)
NARROW = Field("narrow", Role.PREDICTION, Kind.NUMERIC)
EDGES = {WIDE: (-2.0, -1.0, 0.0, 1.0, 2.0), NARROW: (0.5,)}
BANDS = {WIDE: (-1.5, 1.5), NARROW: (-np.inf, np.inf)}
PLAN = Plan.build(
    [WIDE, NARROW],
    {
        field: NumericPlan(np.array(EDGES[field]), band_low=low, band_high=high)
        for field, (low, high) in BANDS.items()
    },
    {},
)

values = st.sampled_from([*EDGES[WIDE], 0.5, -1.5, 1.5, np.nan]) | st.floats(-3, 3)
ids = st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))
drains = st.lists(
    st.lists(st.tuples(values, values, st.none() | ids), min_size=1, max_size=8), max_size=6
)


def block(rows: list[tuple[float, float]]) -> Block:
    """Return rows of the plan's two fields."""
    numeric = np.array(rows, np.float64).T.reshape(2, len(rows))
    return Block(len(rows), numeric, np.zeros((2, 3), np.int64), [])


def exemplar(value: float, time_ns: int, origin: tuple[int, int]) -> Exemplar:
    """Return an exemplar with its ids in the form of OTLP."""
    return Exemplar(value, time_ns, origin[0].to_bytes(16, "big"), origin[1].to_bytes(8, "big"))


@given(drains)
def test_each_bin_and_each_side_of_the_band_has_its_last_traced_value(drawn: Any) -> None:
    """Bins are `(a, b]`, a side is strictly outside the band, and missing values count nowhere."""
    kept = FieldExemplars(PLAN)
    before = kept.nbytes
    bins: dict[tuple[int, int], Exemplar] = {}
    sides: dict[int, Exemplar] = {}
    for time_ns, rows in enumerate(drawn, start=1):
        origins = [(at, row[2]) for at, row in enumerate(rows) if row[2] is not None]
        rows_block = block([row[:2] for row in rows])
        kept.update(
            rows_block, [at for at, _ in origins], [origin for _, origin in origins], time_ns
        )
        for at, origin in origins:
            for field, plan_of_field in enumerate((WIDE, NARROW)):
                value = rows[at][field]
                if np.isnan(value):
                    continue
                one = exemplar(value, time_ns, origin)
                bins[field, bisect_left(EDGES[plan_of_field], value)] = one
                if value < BANDS[plan_of_field][0]:
                    sides[2 * field] = one
                elif value > BANDS[plan_of_field][1]:
                    sides[2 * field + 1] = one
    assert sorted(kept.bins) == sorted((field, one) for (field, _), one in bins.items())
    assert dict(kept.sides) == sides
    assert kept.nbytes == before
    assert all(
        a[0] < b[0] or a[1].time_ns <= b[1].time_ns
        for a, b in zip(kept.bins, kept.bins[1:], strict=False)
    )


@given(st.lists(st.tuples(st.none() | st.floats(0, 1), st.none() | st.sampled_from("AB"), ids)))
def test_a_latency_and_an_error_have_the_last_traced_call(calls: Any) -> None:
    """A call without a duration has no latency; the value of an error's exemplar is one."""
    kept = CallExemplars(BOUNDS)
    durations: dict[int, Exemplar] = {}
    errors: dict[str, Exemplar] = {}
    for time_ns, (seconds, error, origin) in enumerate(calls, start=1):
        kept.update([(seconds, error, origin)], time_ns)
        if seconds is not None:
            durations[bisect_left(BOUNDS, seconds)] = exemplar(seconds, time_ns, origin)
        if error is not None:
            errors[error] = exemplar(1.0, time_ns, origin)
    assert kept.durations == tuple(
        sorted(durations.values(), key=lambda duration: duration.time_ns)
    )
    assert {name: kept.of_error(name) for name in errors} == {k: (v,) for k, v in errors.items()}
    assert kept.of_error("C") == ()


def traced(error: str | None = None, *, rows: int = 1, span: int = 1) -> Entry:
    """Return a call that was made in a span."""
    traced_call = Traced((SHAPE, PayloadForm.MAPPINGS, rows, {}, None, 2_000_000, error, Call()))
    traced_call.origin = (1, span)
    return traced_call


def test_errors_beyond_the_known_types_share_one_exemplar_as_they_share_their_count() -> None:
    """A host that keeps raising new types does not fill the memory."""
    calls = CallStats(Span(60.0, None, 6), now=0.0)
    entries = [traced(f"E{at}", span=at + 1) for at in range(2 * ERROR_TYPES)]
    calls.update(entries, now=1.0)
    calls.update_exemplars(entries, 1)
    assert len(calls.exemplars._errors) == ERROR_TYPES + 1
    for name in calls.errors:
        (one,) = calls.exemplars.of_error(name)
        span = int.from_bytes(one.span_id, "big") - 1
        assert name == (f"E{span}" if span < ERROR_TYPES else OTHER_ERRORS)


def test_a_latency_exemplar_is_in_the_bucket_that_counts_it() -> None:
    """Two milliseconds are in `(0.001, 0.0025]`, as in the histogram."""
    calls = CallStats(Span(60.0, None, 6), now=0.0)
    calls.update([traced()], now=1.0)
    calls.update_exemplars([traced()], 1)
    (one,) = calls.exemplars.durations
    place = calls.latency.total().bins[0].tolist().index(1)
    assert LATENCY_BOUNDS_SECONDS[place - 1] < one.value <= LATENCY_BOUNDS_SECONDS[place]


def test_only_calls_of_one_row_give_field_exemplars() -> None:
    """Rows are numbered from the first compared one; earlier rows trained the reference."""
    run = [traced(), traced(rows=3), (*traced(),), traced(span=5), traced(rows=0), traced(span=6)]
    assert rows_with_origin(run, 7) == ([0, 5, 6], [(1, 1), (1, 5), (1, 6)])
    assert rows_with_origin(run, 2) == ([0, 1], [(1, 5), (1, 6)])
    assert rows_with_origin(run, 1) == ([0], [(1, 6)])
