"""Calls of one shape are joined into rows, with ids and failures in order."""

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
    """Return what one call queues."""
    form, rows, payload = Copiers()[type(features)](features)
    call: Call = [] if identity is None else [identity]
    return shape, form, rows, payload, prediction, 1, error, call


def test_consecutive_calls_of_one_kind_are_read_together() -> None:
    """A new shape or form starts a new run, and the order is kept."""
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
    """Its features are read, its prediction is absent, and other rows keep theirs."""
    rows = read_rows(
        [entry({"a": 1}, 0.1), entry({"a": 2}, error="ValueError"), entry({"a": 3}, 0.3)]
    )
    assert rows.count == 3
    assert rows.features.column("a") == [1, 2, 3]
    assert list(rows.failed) == [False, True, False]
    assert [rows.predictions["prediction"][0], rows.predictions["prediction"][2]] == [0.1, 0.3]


def test_batches_are_joined_with_their_predictions() -> None:
    """Batches of two, none and one rows give three rows."""
    batches = [entry([{"a": 1}, {"a": 2}], [0.1, 0.2]), entry([], []), entry([{"a": 3}], [0.3])]
    rows = read_rows(batches)
    assert rows.count == 3
    assert rows.predictions["prediction"] == [0.1, 0.2, 0.3]


def test_grouping_calls_runs_no_code_of_the_host() -> None:
    """Two functions select their outputs with objects whose comparison raises."""

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


def test_a_call_whose_id_was_not_read_has_no_id() -> None:
    """Ids are then an empty list, so that nothing waits for a label."""
    assert read_rows([entry({"a": 1}), entry({"a": 2})]).ids == []


def test_each_row_has_the_id_of_its_call() -> None:
    """Batches have one id, two ids, none, one for each row, or too few."""
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
    """It is read as text; a whole float in a column of floats is an integer."""
    shape = Shape((), Outputs(), "id")
    assert list(read_rows([entry({"id": value}, shape=shape)]).ids) == [expected]


def test_a_row_has_the_id_of_the_caller_and_the_generated_one() -> None:
    """If only one of the two exists, the row has that one."""
    shape = Shape((), Outputs(), "id")
    calls = [
        entry({"id": "mine"}, shape=shape, identity="made"),
        entry({"x": 1}, shape=shape, identity="made too"),
        entry({"id": None}, shape=shape),
    ]
    assert list(read_rows(calls).ids) == [("mine", "made"), "made too", None]


def test_an_id_that_raises_is_ignored() -> None:
    """The row beside it keeps its id."""

    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError

    shape = Shape((), Outputs(), "id")
    calls = [entry({"id": Hostile()}, shape=shape), entry({"id": "two"}, shape=shape)]
    assert list(read_rows(calls).ids) == [None, "two"]


def test_the_columns_of_an_array_have_the_declared_names() -> None:
    """They are declared with the monitor."""
    rows = read_rows([entry(np.array([1.0, 2.0])), entry(np.array([3.0, 4.0]))])
    np.testing.assert_array_equal(rows.features.column("b"), [2.0, 4.0])
