"""Rows packed in one pass equal values read one by one, or are not packed."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.capture.read.numbers import plain_floats
from mlmonitor.capture.read.packing import pack_floats, pack_rows

FLOATS = st.floats()
SMALL = st.integers(-(1 << 31), (1 << 31) - 1)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    1 << 31,
    1 << 70,
    "1.5",
    b"g1234567",
    1j,
    (1.0,),
    [1.0],
    {"g": 1.0},
    np.float64(1.5),
    np.array([1.0]),
    float,
    object(),
)


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[object, ...]]:
    """Draw rows whose columns hold one type of number each."""
    columns = draw(st.lists(st.sampled_from([FLOATS, SMALL]), min_size=1, max_size=6))
    return draw(st.lists(st.tuples(*columns), min_size=1, max_size=8))


def one_by_one(rows: Sequence[Sequence[object]]) -> Any:
    """Convert every value to a float with Python, as the oracle."""
    return [[float(value) for value in row] for row in rows]  # type: ignore[arg-type]


@given(tables())
def test_columns_of_plain_numbers_are_packed_bit_for_bit(rows: list[tuple[object, ...]]) -> None:
    """Signed zeros, denormals, infinities and NaN are included."""
    packed = pack_rows(rows, len(rows[0]))
    assert packed is not None
    expected = np.array(one_by_one(rows), np.float64)
    assert packed.tobytes() == expected.tobytes()


@given(tables())
def test_rows_that_are_lists_are_packed_like_tuples(rows: list[tuple[object, ...]]) -> None:
    """All rows must be of the same type."""
    packed = pack_rows([list(row) for row in rows], len(rows[0]))
    assert packed is not None
    assert packed.tobytes() == np.array(one_by_one(rows), np.float64).tobytes()


@given(tables(), st.data())
def test_one_value_of_another_type_is_never_read_as_a_number(
    rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    """Wherever it stands, the rows are not packed, and the caller reads each value."""
    row = data.draw(st.integers(0, len(rows) - 1))
    at = data.draw(st.integers(0, len(rows[0]) - 1))
    other = data.draw(st.sampled_from(OTHERS))
    rows[row] = (*rows[row][:at], other, *rows[row][at + 1 :])
    assert pack_rows(rows, len(rows[0])) is None


@given(tables(), st.data())
def test_rows_of_different_width_or_type_are_not_packed(
    rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    """Their total number of bytes may still be the same."""
    odd_rows: list[Any] = [rows[0][1:], (*rows[0], 1.0), None, dict.fromkeys("ab"), list(rows[0])]
    row = data.draw(st.integers(1, len(rows)))
    rows.insert(row, data.draw(st.sampled_from(odd_rows)))
    assert pack_rows(rows, len(rows[0])) is None


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=6))
def test_rows_that_mix_integers_and_floats_in_a_column_are_not_packed(rows: list[Any]) -> None:
    """They have the same number of bytes but other types."""
    rows[0], rows[1] = (1, rows[0][1]), (rows[1][0], 1)
    assert pack_rows(rows, 2) is None


@pytest.mark.parametrize("rows", [[], [()], ((),)])
def test_an_empty_list_of_rows_is_not_packed(rows: Sequence[Sequence[object]]) -> None:
    """There are no rows, or rows without values."""
    assert pack_rows(rows, 0) is None


@given(st.lists(FLOATS, min_size=1, max_size=8))
def test_a_column_of_floats_is_packed_bit_for_bit(values: list[float]) -> None:
    """The column is a list or a tuple."""
    for given_as in (values, tuple(values)):
        packed = pack_floats(given_as)
        assert packed is not None
        assert packed.tobytes() == np.array(values, np.float64).tobytes()


@given(st.lists(FLOATS, max_size=8), st.sampled_from([1, *OTHERS]), st.integers(0, 8))
def test_a_column_with_anything_but_floats_is_not_packed(
    values: list[Any], other: Any, at: int
) -> None:
    """Subclasses of float are left to the slower reader as well."""
    values.insert(at, other)
    assert pack_floats(values) is None


def test_a_host_whose_audit_forbids_marshal_loses_no_row() -> None:
    """They are recorded in a process of its own, because audit hooks cannot be removed."""
    code = (
        "import sys\n"
        "from mlmonitor import Monitor\n"
        "def audit(event, _):\n"
        "    if event.startswith('marshal.dumps'): raise RuntimeError('forbidden here')\n"
        "monitor = Monitor('m', exporters=[])\n"
        "watched = monitor.watch(lambda row: row['a'])\n"
        "sys.addaudithook(audit)\n"
        "for at in range(2_000): watched({'a': float(at), 'b': 1.0})\n"
        "status = monitor.status()\n"
        "print(status.predictions, status.internal_errors, status.field('a').count)\n"
    )
    command = [sys.executable, "-c", code]
    completed = subprocess.run(command, check=True, capture_output=True, text=True)
    assert completed.stdout.split() == ["2000", "0", "1000"]


@given(tables())
def test_rows_read_without_packing_give_the_same_result(rows: list[tuple[object, ...]]) -> None:
    """It does not matter which reader is used."""
    packed = pack_rows(rows, len(rows[0]))
    careful = plain_floats([value for row in rows for value in row])
    assert packed is not None
    assert careful is not None
    assert packed.tobytes() == careful.tobytes()
