"""A population in segments: counts add up wherever a block is split."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Reference
from mlmonitor.aggregate.segments import SegmentEncoder
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable, MappingTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.compare.segment_populations import (
    SegmentPopulations,
    ordered_segment_names,
    share_alpha,
    split_block,
)
from mlmonitor.compare.traffic import Traffic
from mlmonitor.records import ABSENT, Block, Declared, Role
from support.references import fit_reference

ROLES = (Role.FEATURE, Role.PREDICTION)
LENS = ComparisonOptions(Span(60.0, None, 6), Significance(0.01, 1, 0.005), hitters=4)
LINES = ["home", "motor", "travel", "pet"]


def reference(**options: Any) -> Reference:
    """Fit numbers, a datetime, a category and a boolean with segments by line."""
    rng = np.random.default_rng(0)
    line = rng.choice(LINES, 800, p=[0.5, 0.3, 0.15, 0.05])
    columns = {
        "line": line,
        "age": rng.normal(40, 10, 800),
        "day": rng.integers(0, 10_000, 800).astype("M8[D]"),
        "flag": rng.random(800) < 0.5,
    }
    return fit_reference(columns, predictions=columns["age"], segments=["line"], **options)


REFERENCE = reference(max_segments=2)

VALUE = st.one_of(st.floats(0, 90), st.none(), st.sampled_from([np.inf, -np.inf, np.nan, "x", []]))
ROW = st.fixed_dictionaries(
    {"line": st.sampled_from([*LINES, "boat", None])},
    optional={
        "age": VALUE,
        "day": st.one_of(st.sampled_from(["1990-01-01", "soon", None, 3]), st.none()),
        "flag": st.sampled_from([True, 0, None, "x"]),
    },
)
CALL = st.tuples(ROW, st.one_of(VALUE, st.just(ABSENT)))


def rows_of(calls: list[tuple[dict[str, object], object]]) -> Rows:
    """Return finished calls as the worker joins them."""
    table = MappingTable([features for features, _ in calls])
    predictions = [prediction for _, prediction in calls]
    failed = [prediction is ABSENT for prediction in predictions]
    return Rows(
        len(calls), table, {"prediction": predictions}, [], failed if any(failed) else [], None
    )


def watched(of: Reference = REFERENCE) -> Traffic:
    """Return traffic that counts rows overall and by segment."""
    traffic = Traffic(of, LENS, Declared(segments=("line",)), baseline_rows=100)
    traffic.begin_comparing(now=0.0)
    return traffic


def counts(population: Population) -> dict[str, np.ndarray]:
    """Return every count of a population, in total and over the window."""
    counts_by_field = {}
    for name, profile in (
        ("total", population.window.total()),
        ("window", population.window.view().profile),
    ):
        for part in ("bins", "categories", "quality", "outliers"):
            counts_by_field[f"{name} {part}"] = getattr(profile, part)
        counts_by_field[f"{name} rows"] = np.array(profile.rows)
        counts_by_field[f"{name} moments"] = profile.moments.count
    return counts_by_field


@given(st.lists(CALL, min_size=1, max_size=30))
def test_counts_of_segments_add_up_to_those_of_all_rows(calls: list[Any]) -> None:
    """Every count does, for any values and also for failed calls."""
    traffic = watched()
    traffic.ingest(rows_of(calls), now=1.0)
    assert traffic.population is not None
    assert traffic.segmentation is not None
    segments = [counts(population) for population in traffic.segmentation.split.populations]
    for name, whole in counts(traffic.population).items():
        np.testing.assert_array_equal(sum(part[name] for part in segments), whole, err_msg=name)
    failed = sum(prediction is ABSENT for _, prediction in calls)
    assert traffic.segmentation.tally.failed.sum() == failed
    assert traffic.segmentation.tally.predictions.sum() == len(calls) - failed


@given(st.lists(CALL, min_size=2, max_size=20), st.data())
def test_the_split_of_rows_into_blocks_does_not_change_a_segment(
    calls: list[Any], data: st.DataObject
) -> None:
    """One batch or two give each segment the same counts."""
    at = data.draw(st.integers(1, len(calls) - 1))
    one, two = watched(), watched()
    one.ingest(rows_of(calls), now=1.0)
    for piece in (calls[:at], calls[at:]):
        two.ingest(rows_of(piece), now=1.0)
    assert one.segmentation is not None
    assert two.segmentation is not None
    for mine, theirs in zip(
        one.segmentation.split.populations, two.segmentation.split.populations, strict=True
    ):
        for name, counted in counts(mine).items():
            np.testing.assert_array_equal(counted, counts(theirs)[name], err_msg=name)


@given(st.lists(CALL, min_size=1, max_size=20))
def test_the_counts_of_a_segment_equal_those_of_its_rows_alone(calls: list[Any]) -> None:
    """A segment is a population of its own rows."""
    traffic = watched()
    traffic.ingest(rows_of(calls), now=1.0)
    assert traffic.segmentation is not None
    for place, population in enumerate(traffic.segmentation.split.populations):
        segment = ordered_segment_names(REFERENCE)[place]
        own = [c for c in calls if _place(c[0]["line"]) == segment]
        alone = watched()
        if own:
            alone.ingest(rows_of(own), now=1.0)
        whole = alone.population
        assert whole is not None
        for name, counted in counts(population).items():
            np.testing.assert_array_equal(counted, counts(whole)[name], err_msg=name)


def _place(line: object) -> str:
    return str(line) if line in ("home", "motor") else "__other__"


def test_missing_and_infinite_values_of_a_matrix_are_counted_separately_by_segment() -> None:
    """The matrix is read in one step, and each value's reason is kept."""
    plain = fit_reference(
        {"line": np.repeat([0.0, 1.0], 50), "age": np.arange(100.0)}, segments=["line"]
    )
    plan = plain.plan(ROLES, deviations=3.0)
    reader = Reader(plan.schema, keeps_reasons=True)
    rows = Rows(
        4,
        MappingTable(
            [
                {"line": 0.0, "age": np.nan},
                {"line": 1.0, "age": np.inf},
                {"line": 1.0, "age": np.nan},
                {"line": 0.0, "age": 4.0},
            ]
        ),
        {},
        [],
        [],
        None,
    )
    block = reader.read_block(rows)
    parts = dict(split_block(block, SegmentEncoder(["line"], [("0",), ("1",)]).encode(rows)))
    assert parts[0].refused.tolist() == [[0, 0, 0], [1, 0, 0]]
    assert parts[1].refused.tolist() == [[0, 0, 0], [1, 1, 0]]


def test_refused_counts_without_reasons_by_row_still_add_up_over_segments() -> None:
    """Each reason is assigned to as many missing values as it was counted for."""
    numeric = np.array([[1.0, np.nan, np.nan, np.nan]])
    block = Block(4, numeric, np.array([[1, 1, 0]]), [])
    refused = [part.refused for _, part in split_block(block, np.array([0, 0, 1, 1]))]
    assert sum(counts.sum() for counts in refused) == 2
    np.testing.assert_array_equal(sum(refused), block.refused)


def test_splitting_a_block_keeps_the_order_of_its_rows() -> None:
    """The sort by segment is stable."""
    block = Block(5, np.arange(5.0)[None, :], np.zeros((1, 3), np.int64), [list("abcde")])
    parts = list(split_block(block, np.array([2, 0, 2, 0, 2])))
    assert [code for code, _ in parts] == [0, 2]
    assert [part.numeric[0].tolist() for _, part in parts] == [[1, 3], [0, 2, 4]]
    assert [part.categorical[0] for _, part in parts] == [["b", "d"], ["a", "c", "e"]]


def test_the_rest_is_compared_only_if_the_reference_has_such_rows() -> None:
    """Otherwise its rows are only counted."""
    for most, has_rest in ((2, True), (4, False)):
        of = reference(max_segments=most)
        split = SegmentPopulations(of, ROLES, of.plan(ROLES, deviations=3.0), LENS, now=0.0)
        assert len(split.populations) == most + 1
        assert split.populations[-1].segment == "__other__"
        assert (split.populations[-1].drift is not None) is has_rest
        assert all(population.drift is not None for population in split.populations[:-1])


def test_alpha_is_shared_by_the_fields_of_all_segments() -> None:
    """Five fields are compared overall and in each of three segments."""
    assert len(REFERENCE.segment_names) == 3
    assert share_alpha(LENS, REFERENCE, has_segments=True).significance.fields == 5 * 4
    assert share_alpha(LENS, REFERENCE, has_segments=False).significance.fields == 5


def test_columns_are_split_into_segments_like_rows() -> None:
    """One of the columns is an array."""
    traffic = watched()
    table = ColumnTable(
        {"line": np.array(["home", "motor", "home"]), "age": [1.0, None, 3.0], "day": [None] * 3}, 3
    )
    traffic.ingest(Rows(3, table, {"prediction": [1.0, 2.0, 3.0]}, [], [], None), now=0.0)
    assert traffic.segmentation is not None
    home, motor, _ = traffic.segmentation.split.populations
    assert home.window.total().rows == 2
    assert motor.window.total().rows == 1
