"""For any input of the host, nothing is raised, every row is counted, and others are kept."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Config, Monitor, Status
from mlmonitor.records import ABSENT, Quality
from support.references import fit_reference
from support.strategies import RAW

FIELDS = "abcd"
GOOD = {"a": 0.5, "b": "x", "c": True, "d": "2024-01-02"}


class Refusal(Exception):
    """The exception of hostile objects."""


def _refuse(*_: object, **__: object) -> Any:
    raise Refusal


class Elusive:
    """Has no readable attribute."""

    __getattr__ = _refuse


class Unequal(str):
    """A text whose comparison raises."""

    __slots__ = ()
    __eq__ = _refuse
    __hash__ = str.__hash__


class Unreal(float):
    """A number whose conversion raises."""

    __float__ = _refuse


class Endless(list[object]):
    """A list whose length raises."""

    __len__ = _refuse


class Closed(dict[str, object]):
    """A mapping that cannot be read."""

    __iter__ = keys = items = _refuse


class Hollow:
    """An array-like that cannot be converted."""

    __array__ = _refuse


class Mute:
    """Cannot be converted to text."""

    __slots__ = ()
    __repr__ = _refuse


HOSTILE = st.sampled_from(
    [
        *(Elusive(), Unequal("x"), Unreal(1.0), Hollow(), Mute(), object, len, slice(1), ...),
        *(10**400, -(10**5_000), "\x00", b"\xff", {1, 2}, range(3), memoryview(b"a")),
        *(np.zeros(0), np.zeros((2, 2, 2)), np.array(5), np.array("x"), np.ma.masked),
        *(np.float16(1), np.longdouble(1e30), np.complex64(1), np.datetime64("0001-01-01")),
        *(pd.NA, pd.NaT, pl.Series([1])),
    ]
)
VALUE = st.one_of(RAW.filter(lambda value: value is not ABSENT), HOSTILE)
KEYS = st.one_of(st.sampled_from(FIELDS), st.integers(), st.none(), st.just(Unequal("q")))
ROW = st.one_of(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUE)),
    st.dictionaries(KEYS, VALUE, max_size=5),
    st.lists(VALUE, max_size=6),
    st.lists(VALUE, max_size=6).map(tuple),
    VALUE,
    st.builds(Endless),
    st.builds(Closed),
)


def objects(values: list[object]) -> object:
    """Return an array of objects."""
    array = np.empty(len(values), object)
    for at, value in enumerate(values):
        array[at] = value
    return array


def frame(rows: int) -> Mapping[str, object]:
    """Return a frame that lacks two fields."""
    return {"a": [1.0] * rows, "b": ["x"] * rows}


FEATURES = st.one_of(
    ROW,
    st.lists(ROW, max_size=4),
    st.lists(VALUE, max_size=4).map(objects),
    st.lists(st.floats(), max_size=5).map(np.array),
    st.tuples(st.integers(0, 3), st.integers(0, 5)).map(np.ones),
    st.integers(0, 3).map(lambda rows: pd.DataFrame(frame(rows))),
    st.integers(0, 3).map(lambda rows: pl.DataFrame(frame(rows))),
    st.dictionaries(st.sampled_from(FIELDS), st.lists(VALUE, max_size=4), max_size=4),
)
RESULT = st.one_of(VALUE, FEATURES, st.dictionaries(st.sampled_from("pqr"), VALUE, max_size=2))
EXTRA = st.one_of(st.none(), VALUE, st.lists(VALUE, max_size=3))

Handed = Callable[[Monitor, Any, Any, Any], None]


def call(monitor: Monitor, features: Any, result: Any, _: Any) -> None:
    """Make a watched call."""
    assert monitor.watch(lambda _: result)(features) is result


def call_classifier(monitor: Monitor, features: Any, result: Any, _: Any) -> None:
    """Make a watched call whose result should be probabilities."""
    watched = monitor.watch(output="probabilities", names=["no", "yes"])(lambda _: result)
    assert watched(features) is result


def call_part(monitor: Monitor, features: Any, result: Any, _: Any) -> None:
    """Make a watched call whose result should have a part `p`."""
    assert monitor.watch(prediction="p")(lambda _: result)(features) is result


def call_by_id(monitor: Monitor, features: Any, result: Any, extra: Any) -> None:
    """Make a watched call with an id, and label it at once."""

    def predict(_: object, i: object) -> object:
        return result

    assert monitor.watch(id_from="i")(predict)(features, extra) is result
    monitor.label(extra, result)


def observe(monitor: Monitor, features: Any, result: Any, extra: Any) -> None:
    """Run a block."""
    with monitor.observe(features, prediction_id=extra) as prediction:
        prediction.value = result


def record(monitor: Monitor, features: Any, result: Any, extra: Any) -> None:
    """Record a batch."""
    monitor.record(features, result, ids=extra)


WAYS = [call, call_classifier, call_part, call_by_id, observe, record]


REFERENCE = fit_reference(
    {
        "a": np.linspace(0, 1, 200),
        "b": ["x", "y"] * 100,
        "c": [True, False] * 100,
        "d": pd.date_range("2024-01-01", periods=200),
    },
    predictions=np.linspace(0, 2, 200),
)


def make() -> Monitor:
    """Return a monitor with a field of every kind."""
    return Monitor(
        "m", reference=REFERENCE, exporters=[], config=Config(poll_interval_seconds=3_600)
    )


def counted(status: Status) -> dict[tuple[str, str], int]:
    """Return how many values of each field have a quality."""
    return {(field.name, field.role): sum(field.quality.values()) for field in status.fields}


@pytest.mark.parametrize("way", WAYS)
@given(st.data())
def test_no_input_raises_and_every_row_is_counted(way: Handed, data: st.DataObject) -> None:
    """Each field has one value of some quality in each row."""
    with make() as monitor:
        for _ in range(3):
            way(monitor, data.draw(FEATURES), data.draw(RESULT), data.draw(EXTRA))
        status = monitor.status()
        assert str(status)
        rows = status.predictions
        declared = {
            key: n for key, n in counted(status).items() if key[1] in ("feature", "prediction")
        }
        assert declared == dict.fromkeys(declared, rows)


@given(ROW, VALUE, VALUE)
def test_an_invalid_row_of_any_kind_does_not_affect_other_rows(
    bad: object, result: object, identity: object
) -> None:
    """It stands between two valid rows, which are read and labelled."""
    with make() as monitor:
        monitor.record([GOOD, bad, GOOD], [1.0, result, 1.0], ids=["one", identity, "three"])
        monitor.status()
        monitor.label(["one", "three"], [1.0, 1.0])
        status = monitor.status()
        assert status.predictions == 3
        for name in FIELDS:
            assert status.field(name).quality[Quality.VALID] >= 2
        assert status.field("prediction", role="prediction").quality[Quality.VALID] >= 2
        assert status.labels["matched"] == 2
        assert status.internal_errors == 0


@given(st.lists(ROW, max_size=6), st.sampled_from(range(7)))
def test_an_invalid_call_does_not_affect_other_calls_of_its_drain(
    bad: list[object], at: int
) -> None:
    """A valid call among invalid ones is read in any position."""
    with make() as monitor:
        predict = monitor.watch(lambda _: 1.0)
        for features in [*bad[:at], GOOD, *bad[at:]]:
            predict(features)
        status = monitor.status()
        for name in FIELDS:
            assert status.field(name).quality[Quality.VALID] >= 1


def test_fewer_labels_than_ids_are_an_error_that_names_the_expected_number() -> None:
    """The error says what was expected."""
    with make() as monitor:
        monitor.label(["a", "b"], [1.0])
        status = monitor.status()
        assert status.internal_errors == 1
        assert "an actual for each of the 2 ids" in str(status.last_error)
