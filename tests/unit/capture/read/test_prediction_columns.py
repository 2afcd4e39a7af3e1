"""Results of every shape become prediction fields, one value a row."""

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pydantic import BaseModel

from mlmonitor.capture.host.results import extract_prediction
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.prediction_columns import PredictionColumns
from mlmonitor.errors import ConfigError
from mlmonitor.records import ABSENT


class Answer(BaseModel):
    """A result as a service returns it."""

    score: float
    label: str = "x"


class Scored(NamedTuple):
    """A result with names."""

    score: float
    label: str


def fields(result: Any, rows: int = 1, **how: Any) -> dict[str, list[object]]:
    """Return the prediction fields of one call's result."""
    outputs = Outputs(**how)
    read = PredictionColumns(outputs).read_calls([extract_prediction(outputs, result)], [rows])
    assert all(len(column) == rows for column in read.values())
    return {name: list(column) for name, column in read.items()}


def refused(column: object) -> list[int]:
    """Return how many values were missing, non-finite and of a wrong type."""
    counts: list[int] = parse_floats(column)[1].tolist()
    return counts


@pytest.mark.parametrize(
    "result",
    [
        0.5,
        np.float64(0.5),
        np.float32(0.5),
        np.array(0.5),
        np.array([0.5]),
        np.array([[0.5]]),
        [0.5],
    ],
    ids=["float", "float64", "float32", "0-d", "vector", "matrix", "list"],
)
def test_a_single_number_is_the_prediction(result: object) -> None:
    """It may be wrapped in any type, and belongs to one row."""
    assert fields(result) == {"prediction": [0.5]}


@pytest.mark.parametrize("result", ["high", True, None, 7])
def test_a_label_as_a_result_is_the_prediction(result: object) -> None:
    """Texts, booleans and None are passed on unchanged."""
    assert fields(result) == {"prediction": [result]}


@pytest.mark.parametrize(
    "result",
    [
        [0.1, 0.2],
        (0.1, 0.2),
        np.array([0.1, 0.2]),
        np.array([[0.1], [0.2]]),
        [[0.1], [0.2]],
        pd.Series([0.1, 0.2], index=[7, 3]),
        pl.Series([0.1, 0.2]),
        np.array([0.1, 0.2], object),
    ],
    ids=["list", "tuple", "vector", "column", "lists", "pandas", "polars", "objects"],
)
def test_a_batch_has_one_prediction_a_row(result: object) -> None:
    """The values are in order, whatever holds them."""
    assert fields(result, 2) == {"prediction": [0.1, 0.2]}


@pytest.mark.parametrize(
    "result",
    [
        {"score": 0.5, "label": "x"},
        Answer(score=0.5),
        Scored(0.5, "x"),
        SimpleNamespace(score=0.5, label="x"),
        [{"score": 0.5, "label": "x"}],
        {"score": [0.5], "label": np.array(["x"])},
        pd.DataFrame({"score": [0.5], "label": ["x"]}),
        pl.DataFrame({"score": [0.5], "label": ["x"]}),
        np.array([(0.5, "x")], dtype=[("score", float), ("label", "U1")]),
    ],
    ids=["dict", "model", "tuple", "object", "list", "columns", "pandas", "polars", "structured"],
)
def test_named_outputs_keep_their_names(result: object) -> None:
    """Every way to name outputs gives one field for each."""
    assert fields(result) == {"prediction.score": [0.5], "prediction.label": ["x"]}


def test_outputs_without_names_are_named_by_position() -> None:
    """A tuple of a number and a label is two fields, and the number stays a number."""
    assert fields((0.5, "x")) == {"prediction.0": [0.5], "prediction.1": ["x"]}
    assert fields((0.5, "x"), names=("score", "label")) == {
        "prediction.score": [0.5],
        "prediction.label": ["x"],
    }


def test_each_column_of_a_matrix_is_a_field() -> None:
    """Columns have declared names, or positions."""
    matrix = np.array([[0.1, 1.0], [0.2, 2.0]])
    assert fields(matrix, 2) == {"prediction.0": [0.1, 0.2], "prediction.1": [1.0, 2.0]}
    assert fields(matrix.tolist(), 2, names=("p", "q")) == {
        "prediction.p": [0.1, 0.2],
        "prediction.q": [1.0, 2.0],
    }


@pytest.mark.parametrize(
    ("result", "rows"),
    [
        (0.5, 2),
        ("high", 2),
        (True, 3),
        ([0.1, 0.2, 0.3], 2),
        (np.ones(3), 2),
        (np.ones((3, 3)), 2),
        (np.ones((2, 2, 2)), 2),
        ([], 1),
        ({}, 1),
        (pd.DataFrame({"a": [1.0]}), 2),
    ],
    ids=["number", "label", "truth", "list", "vector", "matrix", "cube", "empty", "dict", "frame"],
)
def test_a_result_that_fits_no_rows_is_one_value_of_a_wrong_type_a_row(
    result: object, rows: int
) -> None:
    """It is neither repeated for the rows nor dropped."""
    (column,) = fields(result, rows).values()
    assert refused(column) == [0, 0, rows]


def test_a_missing_result_for_a_batch_is_missing_in_each_row() -> None:
    """None for two rows counts as two missing predictions."""
    assert fields(None, 2) == {"prediction": [None, None]}


def test_an_output_of_the_wrong_length_does_not_affect_other_outputs() -> None:
    """A nested output beside a score has a wrong type, and the score is kept."""
    read = fields({"score": 0.5, "why": {"a": [1]}})
    assert read["prediction.score"] == [0.5]
    assert refused(read["prediction.why"]) == [0, 0, 1]


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ([{"p": 0.1}, None, 7, {"p": 0.4}], [1, 0, 1]),
        ([[0.1, 1.0], None, [0.3], [0.4, 1.0]], [1, 0, 1]),
        ([0.1, None, [0.3], 0.4], [1, 0, 1]),
    ],
    ids=["by name", "by position", "values"],
)
def test_an_unreadable_row_of_a_result_does_not_affect_other_rows(
    batch: list[object], expected: list[int]
) -> None:
    """None is missing, another shape has a wrong type, and the others are kept."""
    column = next(iter(fields(batch, 4).values()))
    assert [column[0], column[3]] == [0.1, 0.4]
    assert refused(column) == expected


def test_an_unreadable_call_does_not_affect_other_calls() -> None:
    """Calls that are read together keep their rows, whatever one of them returned."""
    outputs = Outputs()
    read = PredictionColumns(outputs).read_calls(
        [0.1, [1.0, 2.0], np.ones((5, 5)), ABSENT, None, 0.6], [1, 2, 1, 2, 1, 1]
    )
    column = read["prediction"]
    assert [column[0], column[1], column[2], column[7]] == [0.1, 1.0, 2.0, 0.6]
    assert column[4] is column[5] is ABSENT
    assert refused(column) == [1, 0, 1]


@pytest.mark.parametrize("result", [0.5, np.ones(3), {"a": 1.0}], ids=["value", "misfit", "named"])
def test_a_result_is_read_the_same_alone_and_in_a_batch(result: object) -> None:
    """What a call predicted does not depend on the calls read with it."""
    outputs = Outputs()
    alone = PredictionColumns(outputs).read_calls([result], [2])
    together = PredictionColumns(outputs).read_calls([result, ABSENT], [2, 1])
    for name, column in alone.items():
        assert refused(column) == refused(together[name])
        assert together[name][-1] is ABSENT


@pytest.mark.parametrize("count", [1, 2])
def test_results_that_fit_nothing_are_counted_even_if_no_call_fits(count: int) -> None:
    """They have a wrong type and do not count as failed calls."""
    read = PredictionColumns(Outputs()).read_calls([np.ones(3)] * count, [2] * count)
    assert refused(read["prediction"]) == [0, 0, 2 * count]


def test_an_empty_batch_has_no_predictions() -> None:
    """It adds nothing, alone or among other calls."""
    outputs = Outputs()
    for nothing in ([], None, np.empty(0), np.empty((0, 2)), 0.5):
        assert all(
            len(column) == 0
            for column in PredictionColumns(outputs).read_calls([nothing], [0]).values()
        )
    assert PredictionColumns(outputs).read_calls([[], 0.5], [0, 1])["prediction"] == [0.5]


@pytest.mark.parametrize(
    ("result", "rows", "names"),
    [
        ([0.2, 0.8], 1, ("no", "yes")),
        (np.array([0.2, 0.8]), 1, ("no", "yes")),
        (np.array([[0.2, 0.8]]), 1, ("no", "yes")),
        ({"no": 0.2, "yes": 0.8}, 1, ()),
        ([{"no": 0.2, "yes": 0.8}], 1, ()),
        (pd.DataFrame({"no": [0.2], "yes": [0.8]}), 1, ()),
    ],
    ids=["list", "vector", "matrix", "dict", "dicts", "frame"],
)
def test_probabilities_give_one_field_per_class_and_a_label(
    result: object, rows: int, names: tuple[str, ...]
) -> None:
    """Each class keeps its probability, and the most probable class is the prediction."""
    assert fields(result, rows, kind="probabilities", names=names) == {
        "prediction.no": [0.2],
        "prediction.yes": [0.8],
        "prediction": ["yes"],
    }


def test_probabilities_of_a_batch_are_labelled_one_row_at_a_time() -> None:
    """A tie goes to the first class, and a row without a probability has no label."""
    matrix = [[0.9, 0.1], [0.5, 0.5], [math.nan, 1.0], [None, 1.0], ["1.0", 0.0], None]
    read = fields(matrix, 6, kind="probabilities", names=("no", "yes"))
    assert read["prediction"] == ["no", "no", None, None, None, None]
    assert refused(read["prediction.no"]) == [3, 0, 1]


def test_a_single_column_of_probabilities_is_read_as_one_value_a_row() -> None:
    """There is nothing to choose from, so the probability is the prediction itself."""
    assert fields([0.2, 0.8], 2, kind="probabilities") == {"prediction": [0.2, 0.8]}
    assert fields(0.7, kind="probabilities") == {"prediction": [0.7]}


@pytest.mark.parametrize(
    ("result", "select"),
    [
        ({"score": 0.5, "items": 1}, "score"),
        (Answer(score=0.5), "score"),
        (Scored(0.5, "x"), "score"),
        (("x", 0.5), 1),
        (("x", 0.5), -1),
        ({0: 0.5}, 0),
        ({"a": {"b": 0.5}}, lambda result: result["a"]["b"]),
        (pd.DataFrame({"mean": [0.5]}), "mean"),
        ({"items": 0.5}, "items"),
    ],
    ids=["key", "model", "tuple", "index", "last", "number", "function", "column", "method"],
)
def test_an_output_option_selects_part_of_a_result(result: object, select: Any) -> None:
    """It is a key, attribute, index or function, and may have the name of a method."""
    assert fields(result, select=select) == {"prediction": [0.5]}


def test_an_unknown_kind_of_output_is_refused_at_decoration() -> None:
    """The error names the option."""
    with pytest.raises(ConfigError, match="output"):
        Outputs(kind="probability")  # type: ignore[arg-type]  # wrong on purpose


def test_an_output_that_one_call_lacks_is_missing() -> None:
    """It is absent only for a failed call."""
    read = PredictionColumns(Outputs()).read_calls([{"a": 1.0}, {"b": 2.0}, ABSENT], [1, 1, 1])
    assert read == {"prediction.a": [1.0, None, ABSENT], "prediction.b": [None, 2.0, ABSENT]}
