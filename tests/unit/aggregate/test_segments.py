"""Segments: unique names, codes of rows, and rows without a value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.segments import ALL, MISSING, SegmentEncoder, segment_name, segment_values
from mlmonitor.aggregate.sketches.categories import OTHER
from mlmonitor.capture.naming import NAME_CHARACTERS
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable, MappingTable

TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", "all", "__other__", "__missing__", "\\", "\\all", "\\\\all", "a", "a=b"]),
    st.text(alphabet="\\,=ab_", max_size=8),
    st.text(max_size=300),
)


def rows_of(table: ColumnTable | MappingTable) -> Rows:
    """Return rows that have only features."""
    return Rows(table.rows, table, {}, [], [], None)


@given(
    st.lists(
        st.tuples(TEXTS, TEXTS).map(lambda two: tuple(map(_category, two))),
        min_size=2,
        max_size=2,
        unique=True,
    ),
    st.sampled_from([("a",), ("a", "b"), ("a,b=", "c"), ("a\\", "b")]),
)
def test_no_two_segments_share_a_name(
    two: list[tuple[str | None, ...]], fields: tuple[str, ...]
) -> None:
    """Names also differ from those of the whole, the rest and the missing segment."""
    values = [segment[: len(fields)] for segment in two]
    names = [segment_name(fields, segment) for segment in values]
    assert (names[0] == names[1]) == (values[0] == values[1])
    assert {ALL, OTHER}.isdisjoint(names)
    for name, value in zip(names, values, strict=True):
        assert 0 < len(name) <= NAME_CHARACTERS
        assert (name == MISSING) == (len(fields) == 1 and value[0] is None)


def _category(text: str | None) -> str | None:
    return None if text is None else segment_values([[text]])[0][0]


def test_segment_names_consist_of_their_values() -> None:
    """One field is named by its value, several by name and value, a missing value as such."""
    assert segment_name(["line"], ("motor",)) == "motor"
    assert segment_name(["line"], ("a=b,c",)) == "a=b,c"
    assert segment_name(["line", "region"], ("motor", "north")) == "line=motor,region=north"
    assert segment_name(["line", "region"], ("motor", None)) == "line=motor,region=__missing__"
    assert segment_name(["line"], None) == OTHER


COLUMN = st.lists(
    st.one_of(
        st.sampled_from(["a", "b", "c", "1", "true"]),
        st.sampled_from([1, 1.0, True, False, None, float("nan"), np.int64(1), np.str_("a")]),
        st.just([1, 2]),
    ),
    min_size=1,
    max_size=30,
)


@given(COLUMN.flatmap(lambda c: st.tuples(st.just(c), st.permutations(c))), st.integers(0, 6))
def test_live_rows_get_the_code_of_their_segment_at_training(
    columns: tuple[list[object], list[object]], kept_count: int
) -> None:
    """Rows of segments that were not kept belong to the rest."""
    values = segment_values(columns)
    kept = list(dict.fromkeys(values))[:kept_count]
    codes = SegmentEncoder(["x", "y"], kept)
    table = ColumnTable(dict(zip("xy", map(list, columns), strict=True)), len(columns[0]))
    expected = [kept.index(value) if value in kept else len(kept) for value in values]
    assert codes.encode(rows_of(table)).tolist() == expected
    assert codes.other == len(kept)


@pytest.mark.parametrize(
    "column",
    [
        np.array(["a", "b", "a"]),
        np.array([1, 2, 1]),
        np.array([1.0, np.nan, 2.5]),
        np.array([True, False, True]),
        np.array(["2026-01-01", "NaT", "2026-01-01"], "M8[D]"),
        np.array(["2026-01-01T00:00:00.5", "NaT", "2026-01-01"], "M8[ns]"),
    ],
)
def test_rows_in_arrays_belong_to_the_same_segments_as_at_training(column: np.ndarray) -> None:
    """Arrays may have any type that a column may have."""
    values = segment_values([column])
    kept = list(dict.fromkeys(values))
    codes = SegmentEncoder(["x"], kept).encode(rows_of(ColumnTable({"x": column}, len(column))))
    assert [kept[code] for code in codes.tolist()] == values


def test_rows_without_the_field_belong_to_the_missing_segment_or_the_rest() -> None:
    """Unreadable rows and rows without the value have a segment as well."""
    rows = rows_of(MappingTable([{"line": "motor"}, {}, None, {"line": None}, {"line": "new"}]))
    assert SegmentEncoder(["line"], [("motor",), (None,)]).encode(rows).tolist() == [0, 1, 1, 1, 2]
    assert SegmentEncoder(["line"], [("motor",)]).encode(rows).tolist() == [0, 1, 1, 1, 1]
    nothing = rows_of(ColumnTable({}, 3))
    assert SegmentEncoder(["line"], [("motor",), (None,)]).encode(nothing).tolist() == [1, 1, 1]
