"""Training data in any container, and which data is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

from mlmonitor import Field, Reference, SchemaError
from mlmonitor.formats.reference import CategoricalReference, NumericReference
from support.references import fit_reference

PERSONAL = "Ada Lovelace"


class Claim(BaseModel):
    """A row as a web service validates it."""

    x: float
    line: str | None = None


NUMBERS = [1.0, 2.0, 2.0, 4.0]
LINES = ["motor", "home", None, "motor"]

FORMS: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame({"x": NUMBERS, "line": LINES}),
    "pandas nullable": lambda: pd.DataFrame(
        {"x": pd.array(NUMBERS, "Float64"), "line": pd.array(LINES, "string")}
    ),
    "pandas categorical": lambda: pd.DataFrame({"x": NUMBERS, "line": pd.Categorical(LINES)}),
    "pandas of arrow": lambda: pd.DataFrame({"x": NUMBERS, "line": LINES}).convert_dtypes(
        dtype_backend="pyarrow"
    ),
    "pandas with an odd index": lambda: pd.DataFrame(
        {"x": NUMBERS, "line": LINES}, index=[7, 7, 1, 0]
    ),
    "polars": lambda: pl.DataFrame({"x": NUMBERS, "line": LINES}),
    "pyarrow": lambda: pa.table({"x": NUMBERS, "line": LINES}),
    "lists": lambda: {"x": NUMBERS, "line": LINES},
    "tuples": lambda: {"x": tuple(NUMBERS), "line": tuple(LINES)},
    "arrays": lambda: {"x": np.array(NUMBERS), "line": np.array(LINES, object)},
    "series": lambda: {"x": pd.Series(NUMBERS, index=[3, 2, 1, 0]), "line": pl.Series(LINES)},
    "arrow arrays": lambda: {
        "x": pa.array(NUMBERS),
        "line": pa.chunked_array([LINES[:1], LINES[1:]]),
    },
    "dicts": lambda: [{"x": x, "line": line} for x, line in zip(NUMBERS, LINES, strict=True)],
    "dicts with gaps": lambda: [
        {"x": x} | ({} if line is None else {"line": line})
        for x, line in zip(NUMBERS, LINES, strict=True)
    ],
    "models": lambda: [Claim(x=x, line=line) for x, line in zip(NUMBERS, LINES, strict=True)],
    "rows": lambda: list(zip(NUMBERS, LINES, strict=True)),
    "object array": lambda: np.array(list(zip(NUMBERS, LINES, strict=True)), object),
    "chunks": lambda: iter(
        [{"x": NUMBERS[:1], "line": LINES[:1]}, {"x": NUMBERS[1:], "line": LINES[1:]}]
    ),
    "chunks of frames": lambda: (
        pd.DataFrame({"x": [x], "line": [line]}) for x, line in zip(NUMBERS, LINES, strict=True)
    ),
}


UPPER_EDGES = [1.0000002, 2.0000004, 4.0000008]
"""Where the point masses 1, 2 and 4 end, by the tolerance of float32."""


@pytest.mark.parametrize("form", FORMS)
def test_the_container_of_the_data_does_not_matter(form: str) -> None:
    """The same rows give the same reference in every container."""
    reference = fit_reference(
        FORMS[form](), names=["x", "line"], fields=[Field("line", public=True)]
    )
    x, line = reference.content.fields
    assert isinstance(x, NumericReference)
    assert isinstance(line, CategoricalReference)
    assert (reference.rows, x.name, x.kind, x.mean, x.min, x.max) == (
        4,
        "x",
        "numeric",
        2.25,
        1.0,
        4.0,
    )
    assert (x.edges[1::2], x.counts, x.missing) == (UPPER_EDGES, [0, 1, 0, 2, 0, 1, 0], 0)
    assert (line.name, line.categories, line.counts) == ("line", ["motor", "home"], [2, 1, 0])
    assert (line.missing, line.is_closed, line.others) == (1, True, [])


PREDICTIONS: dict[str, Any] = {
    "list": [1, 2, 3],
    "tuple": (1, 2, 3),
    "array": np.array([1, 2, 3]),
    "column": np.array([[1], [2], [3]]),
    "pandas": pd.Series([1, 2, 3], index=[9, 8, 7]),
    "nullable": pd.Series([1, 2, 3], dtype="Int64"),
    "index": pd.Index([1, 2, 3]),
    "polars": pl.Series([1, 2, 3]),
    "pyarrow": pa.array([1, 2, 3]),
    "range": range(1, 4),
    "function": lambda chunk: np.array(chunk["x"]) + 1,
}


@pytest.mark.parametrize("form", PREDICTIONS)
@pytest.mark.parametrize("what", ["predictions", "actuals"])
def test_outputs_in_any_container_are_one_field(form: str, what: str) -> None:
    """Predictions and actuals may be lists, arrays, columns, series, or a function of the chunk."""
    reference = fit_reference({"x": [0, 1, 2]}, **{what: PREDICTIONS[form]})
    entry = reference.content.fields[1]
    assert isinstance(entry, NumericReference)
    assert (entry.name, entry.role) == (what[:-1], what[:-1])
    assert (entry.mean, entry.counts, entry.rows) == (2.0, [0, 1, 0, 1, 0, 1, 0], 3)


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        (np.ones((3, 2)), ["prediction.0", "prediction.1"]),
        ({"low": [1, 2, 3], "high": [4, 5, 6]}, ["prediction.low", "prediction.high"]),
        (pd.DataFrame({"low": [1, 2, 3], "b": list("abc")}), ["prediction.low", "prediction.b"]),
        (pl.DataFrame({"low": [1, 2, 3]}), ["prediction.low"]),
        ([{"low": 1}, {"low": 2}, {"low": 3}], ["prediction.low"]),
    ],
)
def test_several_outputs_are_one_field_each(outputs: Any, names: list[str]) -> None:
    """Columns of an array are named by position, those of a frame or mapping by name."""
    reference = fit_reference({"x": [0, 1, 2]}, predictions=outputs)
    assert [e.name for e in reference.content.fields if e.role == "prediction"] == names


def test_class_labels_are_read_as_categories() -> None:
    """Predictions and actuals of a classifier are counted by label."""
    reference = fit_reference(
        {"x": [0, 1, 2]},
        predictions=["yes", "no", "yes"],
        actuals=np.array(["no", "no", "yes"]),
        fields=[Field("prediction", public=True), Field("actual", public=True)],
    )
    _, prediction, actual = reference.content.fields
    assert isinstance(prediction, CategoricalReference)
    assert isinstance(actual, CategoricalReference)
    assert (prediction.categories, prediction.counts) == (["yes", "no"], [2, 1, 0])
    assert (actual.categories, actual.counts) == (["no", "yes"], [2, 1, 0])


def test_a_feature_may_be_called_prediction() -> None:
    """A field is identified by role and name together."""
    reference = fit_reference({"prediction": [1], "actual": [2]}, predictions=[3], actuals=[4])
    entries = [
        (e.role, e.name, e.mean)
        for e in reference.content.fields
        if isinstance(e, NumericReference)
    ]
    assert entries == [
        ("feature", "prediction", 1),
        ("feature", "actual", 2),
        ("prediction", "prediction", 3),
        ("actual", "actual", 4),
    ]


@pytest.mark.parametrize(
    ("features", "options", "said"),
    [
        (None, {}, "features"),
        (f"{PERSONAL}.csv", {}, "features"),
        (7, {}, "features"),
        ({1, 2}, {}, "features"),
        ([], {}, "features"),
        ({}, {}, "at least one row"),
        ({"x": []}, {}, "at least one row"),
        (pd.DataFrame(), {}, "at least one"),
        (pd.DataFrame(index=range(3)), {}, "at least one column"),
        (np.empty((0, 1)), {"names": ["x"]}, "at least one row"),
        (iter([]), {}, "at least one row"),
        (pl.LazyFrame({"x": [1]}), {}, "LazyFrame"),
        (pd.Series([1, 2]), {}, "Series"),
        (pl.Series([1, 2]), {}, "Series"),
        ([1, 2, 3], {"names": ["x"]}, "list of int"),
        (np.arange(3.0), {"names": ["x"]}, "1 dimensions"),
        (np.zeros((2, 2, 2)), {"names": ["x", "y"]}, "3 dimensions"),
        (np.zeros((2, 2)), {}, "names= with 2"),
        (np.zeros((2, 2)), {"names": ["x"]}, "names= with 2"),
        (np.zeros((2, 2)), {"names": ["x", "x"]}, "'x'"),
        (np.zeros((2, 2)), {"names": "xy"}, "names"),
        (np.zeros((2, 2)), {"names": ["x", ""]}, "1 to 1,000"),
        (np.zeros((2, 2)), {"names": ["x", "y" * 1_001]}, "1 to 1,000"),
        ({"a\ud800": [1]}, {}, "Unicode"),
        ([[1, 2], [1]], {"names": ["x", "y"]}, "row 1: expected 2 values, got 1"),
        ([[1, 2], [1, 2, PERSONAL]], {"names": ["x", "y"]}, "row 1: expected 2 values, got 3"),
        ([{"x": 1}, PERSONAL], {}, "row 1"),
        (pd.DataFrame(np.ones((2, 2)), columns=["x", "x"]), {}, "each column name once"),
        (pd.DataFrame(np.ones((2, 2)), columns=["1", 1]), {}, "'1'"),
        ({"x": [1, 2], "y": [1]}, {}, "'y': expected 2 rows, got 1"),
        ({"x": 1}, {}, "'x'"),
        ({"x": PERSONAL}, {}, "'x'"),
        ({"x": {"y": 1}}, {}, "'x'"),
        ({"x": iter([1])}, {}, "'x'"),
        ({"x": np.array(3)}, {}, "'x'"),
        ({"x": np.ones((2, 2))}, {}, "'x'"),
        ({"x": [[PERSONAL], [PERSONAL]]}, {}, "'x': expected numbers, text"),
        ({"x": [object()]}, {}, "'x': expected numbers, text"),
        ({"x": np.array([1j])}, {}, "'x': expected numbers, text"),
        (pd.DataFrame({"x": [[PERSONAL]]}), {}, "'x': expected numbers, text"),
        (pl.DataFrame({"x": [[PERSONAL]]}), {}, "'x': expected numbers, text"),
        (iter([{"x": [1]}, {"y": [1]}]), {}, "'x', 'y'"),
        (iter([{"x": [1]}, {"x": [PERSONAL]}]), {}, "'x': numeric in one chunk, categorical"),
    ],
)
def test_inconsistent_training_data_is_refused(
    features: Any, options: dict[str, Any], said: str
) -> None:
    """The error names the column or row and what was expected, but never a value."""
    with pytest.raises(SchemaError) as caught:
        fit_reference(features, **options)
    assert said in str(caught.value)
    assert PERSONAL not in str(caught.value)


@pytest.mark.parametrize("what", ["predictions", "actuals"])
@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([1, 2], "got 2"),
        ([1, 2, 3, 4], "got 4"),
        ([], "got 0"),
        (5, "got one int"),
        (PERSONAL, "got one text"),
        ({1, 2, 3}, "got set"),
        ([[1], [2, 3], [4]], "several values"),
        ({"low": [1, 2]}, "expected one for each"),
        (pd.DataFrame({"low": [1, 2]}), "expected one for each"),
        (np.ones((2, 3, 1)), "expected one for each"),
        (lambda _: None, "got NoneType"),
        (iter([[1, 2, 3]]), "iterator"),
    ],
)
def test_outputs_that_do_not_fit_the_rows_are_refused(what: str, values: Any, got: str) -> None:
    """One output for each row is required; a single value is not repeated."""
    with pytest.raises(SchemaError) as caught:
        fit_reference({"x": [0, 1, 2]}, **{what: values})
    assert str(caught.value).startswith(f"{what}: ")
    assert got in str(caught.value)
    assert PERSONAL not in str(caught.value)


@pytest.mark.parametrize("values", [np.ones((3, 2)), {"a": [1, 2, 3], "b": [1, 2, 3]}])
def test_actuals_must_have_one_value_per_row(values: Any) -> None:
    """Actuals of several columns are refused."""
    with pytest.raises(SchemaError, match="actuals: expected one value a row, got 2 columns"):
        fit_reference({"x": [0, 1, 2]}, actuals=values)


def parts(rows: int, size: int) -> Iterator[dict[str, Any]]:
    """Yield the numbers below `rows` in chunks."""
    for start in range(0, rows, size):
        yield {"x": np.arange(start, min(start + size, rows))}


@pytest.mark.parametrize(
    "predictions",
    [
        lambda: lambda chunk: chunk["x"] * 2,
        lambda: (chunk["x"] * 2 for chunk in parts(100, 7)),
    ],
    ids=["function", "iterator"],
)
def test_chunks_can_have_their_own_predictions(predictions: Callable[[], Any]) -> None:
    """They may come from a function of the chunk or from a second iterator."""
    reference = fit_reference(parts(100, 7), predictions=predictions(), actuals=lambda c: c["x"])
    whole = fit_reference(
        {"x": np.arange(100)}, predictions=2 * np.arange(100), actuals=np.arange(100)
    )
    assert reference == whole


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        ([1, 2], "features are in chunks"),
        (np.arange(4), "features are in chunks"),
        (iter([np.arange(2)]), "fewer chunks"),
        (iter([np.arange(2)] * 3), "more chunks"),
        (iter([np.arange(2), np.arange(3)]), "each of the 2 rows, got 3"),
    ],
)
def test_chunks_of_features_and_predictions_must_have_equal_lengths(
    predictions: Any, said: str
) -> None:
    """Both must also have the same number of chunks."""
    with pytest.raises(SchemaError, match=said):
        fit_reference(parts(4, 2), predictions=predictions)


def test_an_exception_in_a_function_of_the_user_propagates_from_fit() -> None:
    """Errors of functions and generators are not wrapped in one of this library."""

    def broken() -> Iterator[Any]:
        raise TypeError("the user's own")
        yield

    with pytest.raises(TypeError, match="the user's own"):
        fit_reference(parts(4, 2), predictions=broken())
    with pytest.raises(ZeroDivisionError):
        fit_reference({"x": [1]}, predictions=lambda _: 1 / 0)


def test_a_function_of_the_rows_cannot_change_the_training_data() -> None:
    """A model that scales its input in place must not change what the reference sees."""

    def predict(chunk: dict[str, Any]) -> Any:
        chunk["x"] *= 1_000
        return chunk["x"]

    reference = fit_reference({"x": np.array([1.0, 2.0])}, predictions=predict)
    assert isinstance(reference.content.fields[0], NumericReference)
    assert reference.content.fields[0].max == 2.0


@pytest.mark.parametrize(
    "as_times", [np.asarray, list, pd.Series, lambda seconds: pa.array(seconds).dictionary_encode()]
)
def test_times_of_training_rows_may_be_seconds_since_1970(as_times: Any) -> None:
    """As in `record(at=...)`; milliseconds would lie far in the future and are refused."""
    seconds = 1.7e9 + 3_600.0 * np.arange(200)
    datetimes = (seconds * 1e6).astype("M8[us]")
    values = {"x": np.arange(200.0) % 24}

    def fit(times: Any) -> Reference:
        return fit_reference(values, times=times, season="hour_of_day", thresholds="asymptotic")

    assert fit(as_times(seconds)).content.fields == fit(datetimes).content.fields
    with pytest.raises(SchemaError, match=r"times: expected seconds since 1970 \(not millisec"):
        fit(as_times(1_000 * seconds))
