"""Calls of one shape are gathered into rows, with their ids and failures in place."""

from typing import Any

import numpy as np
import pytest

from mlmonitor.capture.entry import Call, Entry, Shape
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.rows import gather, read_rows

SHAPE = Shape(("a", "b"), Outputs())


def entry(
    features: Any,
    prediction: Any = 0.5,
    *,
    shape: Shape = SHAPE,
    error: str | None = None,
    identity: str | list[str] | None = None,
) -> Entry:
    """What one call leaves behind."""
    form, rows, payload = Copiers()[type(features)](features)
    call: Call = [] if identity is None else [identity]
    return shape, form, rows, payload, prediction, 1, error, call


def test_consecutive_calls_of_one_kind_are_one_run() -> None:
    """A new shape, or another form, begins a new run; nothing is lost or reordered."""
    other = Shape((), Outputs())
    entries = [
        entry({"a": 1}),
        entry({"a": 2}),
        entry([1.0, 2.0]),
        entry({"a": 3}),
        entry({"a": 4}, shape=other),
    ]
    runs = list(gather(entries))
    assert [len(run) for run in runs] == [2, 1, 1, 1]
    assert [call for run in runs for call in run] == entries


def test_a_failed_call_keeps_its_row() -> None:
    """Its features are read, its prediction is absent, and the neighbours' stay theirs."""
    rows = read_rows(
        [entry({"a": 1}, 0.1), entry({"a": 2}, error="ValueError"), entry({"a": 3}, 0.3)]
    )
    assert rows.count == 3
    assert rows.features.column("a") == [1, 2, 3]
    assert list(rows.failed) == [False, True, False]
    assert [rows.predictions["prediction"][0], rows.predictions["prediction"][2]] == [0.1, 0.3]


def test_batches_and_their_predictions_stay_together() -> None:
    """Batches of two, none and one rows are three rows."""
    batches = [entry([{"a": 1}, {"a": 2}], [0.1, 0.2]), entry([], []), entry([{"a": 3}], [0.3])]
    rows = read_rows(batches)
    assert rows.count == 3
    assert rows.predictions["prediction"] == [0.1, 0.2, 0.3]


def test_grouping_calls_runs_no_code_of_the_host() -> None:
    """Two watched functions whose outputs are selected by objects that cannot be compared."""

    class Select:
        def __call__(self, result: Any) -> Any:
            return result

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = object.__hash__

    shapes = [Shape((), Outputs(Select())) for _ in range(2)]
    calls = [entry({"a": 1}, shape=shapes[at % 2]) for at in range(4)]
    assert [len(run) for run in gather(calls)] == [1, 1, 1, 1]
    assert [len(run) for run in gather(calls[::2])] == [2]


def test_a_call_whose_id_was_not_read_has_none() -> None:
    """Ids are an empty list then, so that nothing is kept waiting."""
    assert read_rows([entry({"a": 1}), entry({"a": 2})]).ids == []


def test_each_row_has_the_id_of_its_call() -> None:
    """A batch of one by both its names, a row nobody asked about, a batch's ids, and too few."""
    rows = read_rows(
        [
            entry([{"a": 1}], [0.1], identity="one"),
            entry([{"a": 2}], [0.2]),
            entry([{"a": 3}, {"a": 4}], [0.3, 0.4], identity=["three", "four"]),
            entry([{"a": 5}, {"a": 6}], [0.5, 0.6], identity=["too few"]),
        ]
    )
    assert list(rows.ids) == [("one", "one-0"), None, "three", "four", None, None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("r-1", "r-1"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (None, None), (float("nan"), None)],
)
def test_a_feature_may_hold_the_id(value: object, expected: str | None) -> None:
    """It is text; a whole float is the integer that a column of floats made of it."""
    shape = Shape((), Outputs(), "id")
    assert list(read_rows([entry({"id": value}, shape=shape)]).ids) == [expected]


def test_a_row_without_its_own_id_has_the_one_that_was_asked_for() -> None:
    """A row has the caller's id and the one made inside the call, or the one of them there is."""
    shape = Shape((), Outputs(), "id")
    calls = [
        entry({"id": "mine"}, shape=shape, identity="made"),
        entry({"x": 1}, shape=shape, identity="made too"),
        entry({"id": None}, shape=shape),
    ]
    assert list(read_rows(calls).ids) == [("mine", "made"), "made too", None]


def test_an_id_that_raises_is_ignored() -> None:
    """The row beside it keeps its own."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

    shape = Shape((), Outputs(), "id")
    calls = [entry({"id": Hostile()}, shape=shape), entry({"id": "two"}, shape=shape)]
    assert list(read_rows(calls).ids) == [None, "two"]


def test_an_array_is_named_by_its_shape() -> None:
    """Names declared with the monitor are those of the columns."""
    rows = read_rows([entry(np.array([1.0, 2.0])), entry(np.array([3.0, 4.0]))])
    np.testing.assert_array_equal(rows.features.column("b"), [2.0, 4.0])
