"""What a reference contains, whatever container holds the training data."""

from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Field, Kind, Reference, SchemaError
from mlmonitor.aggregate.sketches.categories import NEW, OTHER
from mlmonitor.formats.reference import CategoricalReference, CountedEntry, NumericReference
from mlmonitor.reference.fitting.fit import SAMPLE_ROWS
from mlmonitor.reference.fitting.top_categories import OTHER_CATEGORIES, TOP_CATEGORIES
from mlmonitor.reference.kind_inference import infer_kind
from support.references import fit_reference

PERSONAL = "Ada Lovelace"


PUBLIC = [Field("x", public=True)]


def only(reference: Reference) -> CountedEntry:
    """Return the one field of a reference."""
    (entry,) = reference.content.fields
    return entry


def numeric(values: Any, **options: Any) -> NumericReference:
    """Return the entry of one column that is read as numbers."""
    entry = only(fit_reference({"x": values}, **options))
    assert isinstance(entry, NumericReference)
    return entry


def categorical(values: Any, **options: Any) -> CategoricalReference:
    """Return the entry of one column that is read as categories."""
    entry = only(fit_reference({"x": values}, **options))
    assert isinstance(entry, CategoricalReference)
    return entry


WHEN = datetime(2024, 5, 1, 12, tzinfo=UTC)


def parts(rows: int, size: int) -> Iterator[dict[str, Any]]:
    """Yield the numbers below `rows` in chunks."""
    for start in range(0, rows, size):
        yield {"x": np.arange(start, min(start + size, rows))}


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=60), st.integers(1, 20))
def test_the_split_of_training_data_into_chunks_does_not_matter(
    values: list[float | None], size: int
) -> None:
    """Chunks below the limit of the sample give the same reference as the whole data."""
    cut = ({"x": values[at : at + size]} for at in range(0, len(values), size))
    in_parts, whole = (
        numeric_or_empty(fit_reference(cut, schema={"x": "numeric"})),
        numeric_or_empty(fit_reference({"x": values}, schema={"x": "numeric"})),
    )
    for name in ("rows", "missing", "min", "max", "edges", "counts", "quantiles"):
        assert getattr(in_parts, name) == getattr(whole, name)
    if whole.mean is not None:
        assert in_parts.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-9 * abs(whole.max or 0))


def numeric_or_empty(reference: Reference) -> NumericReference:
    """Return the one field, which is numeric."""
    entry = only(reference)
    assert isinstance(entry, NumericReference)
    return entry


def test_a_long_stream_is_sampled_but_its_moments_cover_all_rows() -> None:
    """Bins come from 100,000 rows of 250,000; count, mean and range come from all of them."""
    entry = numeric_or_empty(fit_reference(parts(250_000, 30_000)))
    assert (entry.rows, sum(entry.counts)) == (SAMPLE_ROWS, SAMPLE_ROWS)
    assert (entry.min, entry.max, entry.mean) == (0, 249_999, 124_999.5)
    np.testing.assert_allclose(entry.edges, np.arange(1, 10) * 25_000, atol=1_500)
    assert fit_reference(parts(250_000, 30_000)).content.rows_seen == 250_000


def test_the_sample_is_the_same_for_the_same_seed() -> None:
    """The seed is an argument: equal seeds give equal samples, and others differ."""
    one, same, other = (fit_reference(parts(150_000, 50_000), seed=s) for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_data_passed_as_a_whole_is_not_sampled() -> None:
    """All rows of a frame are used, however many there are."""
    entry = numeric(np.arange(SAMPLE_ROWS + 1.0))
    assert entry.rows == sum(entry.counts) == SAMPLE_ROWS + 1


@pytest.mark.parametrize("blank", [[None, None], [], [np.nan], np.array([np.nan, np.nan])])
def test_a_chunk_without_values_does_not_decide_the_kind_of_a_column(blank: Any) -> None:
    """If the first chunk has only missing values, the first value after it decides."""
    entry = only(fit_reference(iter([{"x": blank}, {"x": ["motor", "home"]}]), fields=PUBLIC))
    assert isinstance(entry, CategoricalReference)
    assert (entry.missing, entry.counts) == (len(blank), [1, 1, 0])


KINDS: list[tuple[str, Any, Kind | None]] = [
    ("floats", [1.0, None], Kind.NUMERIC),
    ("integers", [1, 2], Kind.NUMERIC),
    ("decimals", [Decimal("1.5")], Kind.NUMERIC),
    ("float array", np.ones(2, np.float16), Kind.NUMERIC),
    ("unsigned array", np.ones(2, np.uint8), Kind.NUMERIC),
    ("booleans", [True, None, False], Kind.BOOLEAN),
    ("numpy booleans", [np.True_], Kind.BOOLEAN),
    ("boolean array", np.array([True]), Kind.BOOLEAN),
    ("booleans among numbers", [True, 2], Kind.NUMERIC),
    ("text", ["a", None, float("nan")], Kind.CATEGORICAL),
    ("text array", np.array(["a"]), Kind.CATEGORICAL),
    *(
        [("variable text array", np.array(["a"], np.dtypes.StringDType()), Kind.CATEGORICAL)]
        if hasattr(np.dtypes, "StringDType")  # since numpy 2
        else []
    ),
    ("bytes", [b"a"], Kind.CATEGORICAL),
    ("mostly text", ["a", "b", 1], Kind.CATEGORICAL),
    ("mostly numbers", [1, 2, "a", float("nan")], Kind.NUMERIC),
    ("enumeration", [Enum("Line", {"A": "a"}).A], Kind.CATEGORICAL),  # type: ignore[attr-defined]
    ("datetimes", [WHEN], Kind.DATETIME),
    ("dates", [date(2024, 1, 1)], Kind.DATETIME),
    ("datetime array", np.array(["2024-01-01", "NaT"], "M8[s]"), Kind.DATETIME),
    ("timestamps", [pd.Timestamp(WHEN), pd.NaT], Kind.DATETIME),
    ("nothing", [None, float("nan"), pd.NA, pd.NaT], None),
    ("not a number", np.array([np.nan]), None),
    ("not a time", np.array(["NaT"], "M8[s]"), None),
    ("no values", [], None),
]


@pytest.mark.parametrize(
    ("values", "kind"), [case[1:] for case in KINDS], ids=[c[0] for c in KINDS]
)
def test_the_kind_of_a_column_is_that_of_most_of_its_values(values: Any, kind: Kind | None) -> None:
    """Missing values are ignored; without any other value the kind is unknown."""
    assert infer_kind("x", values) is kind


@pytest.mark.parametrize(
    "dtype", ["datetime64[s]", "datetime64[ns]", "datetime64[us, Europe/Berlin]"]
)
def test_datetimes_are_summarised_as_seconds_since_1970(dtype: str) -> None:
    """A pandas column of datetimes is read in UTC, whatever its unit and time zone."""
    series = pd.Series([WHEN, WHEN + timedelta(hours=1)]).astype("datetime64[us, UTC]")
    column = series.astype(dtype) if "," in dtype else series.dt.tz_localize(None).astype(dtype)
    entry = only(fit_reference(pd.DataFrame({"x": column})))
    assert isinstance(entry, NumericReference)
    assert (entry.kind, entry.min) == ("datetime", WHEN.timestamp())
    assert entry.max == WHEN.timestamp() + 3_600


@pytest.mark.parametrize(
    ("values", "kind", "shown"),
    [
        ([1, 2], "categorical", ["1", "2"]),
        ([0, 1], "boolean", ["false", "true"]),
        (["2024-01-01", "2025-01-01"], Kind.DATETIME, 2),
        (["a", 7], "numeric", 1),
    ],
)
def test_a_declared_kind_overrides_the_inferred_one(values: Any, kind: Any, shown: Any) -> None:
    """Values that cannot be read as the declared kind are missing."""
    entry = only(fit_reference({"x": values}, schema={"x": kind}, fields=PUBLIC))
    assert entry.kind == kind
    if isinstance(entry, CategoricalReference):
        assert sorted(entry.categories) == shown
    else:
        assert sum(entry.counts) == shown


def test_the_schema_may_declare_the_kind_of_predictions() -> None:
    """Class numbers are counted as categories if the schema says so."""
    reference = fit_reference(
        {"x": [1, 2]}, predictions=[0, 1], schema={"prediction": "categorical"}
    )
    assert [entry.kind for entry in reference.content.fields] == ["numeric", "categorical"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"y": "numeric"}, "'y'"),
        ({"x": "number"}, "'x': expected one of numeric, categorical, boolean, datetime"),
        ({"x": Field("x")}, "embedding, got Field: a Field belongs in fields=[...]"),
        ({"x": None}, "'x'"),
        (["x"], "schema: expected a mapping"),
        ({"x": "numeric"}, "'x': expected numeric, as the schema says"),
        ({"x": "boolean"}, "'x': expected boolean, as the schema says"),
        ({"x": "datetime"}, "'x': expected datetime, as the schema says"),
    ],
)
def test_a_schema_that_does_not_fit_the_data_is_refused(schema: Any, said: str) -> None:
    """A missing column, an unknown kind, and a kind that no value has are errors."""
    with pytest.raises(SchemaError) as caught:
        fit_reference({"x": [PERSONAL]}, schema=schema)
    assert said in str(caught.value)
    assert PERSONAL not in str(caught.value)


@given(
    st.lists(st.one_of(st.none(), st.floats(), st.integers()), min_size=1, max_size=200),
    st.integers(2, 20),
)
def test_every_number_is_in_one_bin_or_missing(values: list[Any], bins: int) -> None:
    """Counts and missing values add up, and every count agrees with the edges of its bin."""
    entry = numeric(values, bins=bins, schema={"x": "numeric"})
    finite = [
        float(v) for v in values if v is not None and abs(v) < 2**1024 and np.isfinite(float(v))
    ]
    assert (entry.rows, entry.missing) == (len(values), len(values) - len(finite))
    tally = Counter(int(np.searchsorted(entry.edges, value, side="left")) for value in finite)
    assert entry.counts == [tally[at] for at in range(len(entry.edges) + 1)]
    if finite:
        assert (entry.min, entry.max) == (min(finite), max(finite))
        assert (entry.quantiles[0], entry.quantiles[-1]) == (min(finite), max(finite))


@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308, 1.7e308],
        [5e-324, 1e-310, 0.0],
        [0.1] * 1_000,
        [10**400, 1.0],
        [np.inf, -np.inf, 1.0],
        [True, 2, 3.5],
        np.array([1e300, 1e4000], np.longdouble),
        [Decimal("1e-400"), Decimal("sNaN"), 1],
    ],
)
def test_extreme_numbers_give_a_valid_reference(values: Any) -> None:
    """The largest, smallest and infinite values cause no warning and leave only finite numbers."""
    entry = numeric(values)
    assert entry.mean is not None
    assert entry.stddev is not None
    assert np.isfinite([entry.mean, entry.stddev]).all()
    assert entry.rows == entry.missing + sum(entry.counts)
    plan = fit_reference({"x": values}).plan(("feature",), deviations=3.0)  # type: ignore[arg-type]
    assert not np.isnan(plan.probes).any()


def test_a_frequent_single_value_has_its_own_bin() -> None:
    """Half of the values are zeros, as in claims; their bin holds no other value."""
    entry = numeric([0.0] * 500 + [float(x) for x in range(1, 501)])
    assert entry.edges[0] < 0.0 < entry.edges[1] < 1e-6
    assert entry.counts[:2] == [0, 500]


@pytest.mark.parametrize("values", [[7] * 50, [None] * 50, ["motor"] * 50, [True] * 50])
def test_a_constant_column_is_summarised_like_any_other(values: Any) -> None:
    """It may hold one value or none at all."""
    entry = only(fit_reference({"x": values}))
    assert entry.rows == 50
    assert sum(entry.counts) + entry.missing == 50


def test_missing_booleans_are_neither_true_nor_false() -> None:
    """Both categories are listed even if one of them never occurs."""
    entry = categorical([True, None, True])
    assert (entry.kind, entry.categories) == ("boolean", ["false", "true"])
    assert (entry.counts, entry.missing) == ([0, 2, 0], 1)


def test_the_list_of_categories_is_limited_and_marked_as_incomplete() -> None:
    """Of 10,000 categories the top 50 are counted, 2,000 more are listed by name."""
    values = ["often"] * 50 + ["second"] * 30 + [f"c{at}" for at in range(9_998)]
    entry = categorical(values, fields=PUBLIC)
    assert entry.categories[:2] == ["often", "second"]
    assert (len(entry.categories), len(entry.others)) == (TOP_CATEGORIES, OTHER_CATEGORIES)
    assert entry.is_closed is False
    assert sum(entry.counts) == len(values)


def test_a_category_with_the_name_of_a_reserved_bin_is_counted_among_the_others() -> None:
    """Values may be called like the bins for other and new categories."""
    entry = categorical([OTHER, NEW, OTHER, "motor"], fields=PUBLIC)
    assert entry.categories == ["motor"]
    assert (entry.counts, sorted(entry.others)) == ([1, 3], sorted([OTHER, NEW]))


def test_text_that_utf8_cannot_encode_is_escaped() -> None:
    """A lone surrogate becomes an escape sequence, so that the reference can be saved."""
    assert categorical(["\ud800", "x"], fields=PUBLIC).categories == ["\\ud800", "x"]


def test_masked_values_are_missing() -> None:
    """Values hidden by a masked array must not enter the reference."""
    matrix = np.ma.array(np.arange(6.0).reshape(3, 2), mask=[[1, 0], [0, 0], [0, 0]])
    first = fit_reference(matrix, names=["x", "y"]).content.fields[0]
    assert isinstance(first, NumericReference)
    assert (first.missing, first.min) == (1, 2.0)


def test_column_names_need_not_be_text() -> None:
    """Numbers become text, in a frame, in the names of an array, and in rows alike."""
    for features in (pd.DataFrame(np.eye(2)), [{0: 1.0, 1: 0.0}, {0: 0.0, 1: 1.0}], np.eye(2)):
        reference = fit_reference(features, names=[0, 1])  # type: ignore[list-item]
        assert [(e.name, e.missing) for e in reference.content.fields] == [("0", 0), ("1", 0)]


def test_ranges_deques_and_indexes_are_read_as_columns() -> None:
    """Any sequence with a length and positions is accepted."""
    assert numeric(range(3)).mean == 1.0
    assert numeric(deque([1, 3])).mean == 2.0
    assert numeric(pd.Index([1, 3])).mean == 2.0


def test_the_time_zone_of_a_datetime_does_not_change_its_instant() -> None:
    """One instant written in two time zones is one value."""
    berlin = WHEN.astimezone(timezone(timedelta(hours=2)))
    assert numeric([WHEN, berlin]).counts == [0, 2, 0]
