"""Rows become blocks: each value of each field is valid or counted for one reason."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.capture.entry import Call, Entry, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.results import copy_columns
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import gather, read_rows
from mlmonitor.records import Block, Field, Kind, Role, Schema

NAMES = ("a", "b", "c")
FIELDS = [Field(name, Role.FEATURE, Kind.NUMERIC) for name in NAMES]
PREDICTION = Field("prediction", Role.PREDICTION, Kind.NUMERIC)
OUTPUTS = Outputs()


def entry(copied: Any, prediction: Any = None, error: str | None = None) -> Entry:
    """Return a finished call."""
    form, rows, payload = copied
    return Shape(NAMES, OUTPUTS), form, rows, payload, prediction, 1, error, Call()


def read(reader: Reader, *features: Any, predictions: Any = None) -> list[Block]:
    """Read some calls into blocks, each with its own features."""
    shape = Shape(NAMES, OUTPUTS)
    results = predictions or [None] * len(features)
    entries = [
        (shape, *Copiers()[type(row)](row), result, 1, None, Call())
        for row, result in zip(features, results, strict=True)
    ]
    return [reader.read_block(read_rows(run)) for run in gather(entries)]


def numeric_reader(**options: Any) -> Reader:
    """Return a reader of three numbers."""
    return Reader(Schema(FIELDS), **options)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**308, 10**320)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "1.5", "nan", "inf", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=4,
)
mostly_plain = st.floats() | json_values
rows_of_json = st.lists(
    st.dictionaries(st.sampled_from((*NAMES, "d", "e")), mostly_plain, max_size=5), max_size=8
)


def one(value: object) -> str | float:
    """Read one value naively: return its float, or the reason for refusing it."""
    if value is None:
        return "missing"
    if not isinstance(value, bool | int | float):
        return "wrong type"
    try:
        number = float(value)
    except OverflowError:
        return "nonfinite"
    if math.isnan(number):
        return "missing"
    return "nonfinite" if math.isinf(number) else number


@given(rows_of_json, st.booleans())
def test_every_value_of_every_row_is_valid_or_counted(
    rows: list[dict[str, object]],
    as_batch: bool,  # noqa: FBT001 - drawn
) -> None:
    """Valid and refused values add up to all rows, and agree with reading values one by one."""
    reader = numeric_reader()
    blocks = read(reader, rows) if as_batch else read(reader, *rows)
    assert sum(block.rows for block in blocks) == len(rows)
    for at, name in enumerate(NAMES):
        expected = [one(row.get(name)) for row in rows]
        valid = [value for value in expected if isinstance(value, float)]
        values = np.concatenate([block.numeric[at] for block in blocks] or [np.empty(0)])
        refused = sum((block.refused[at] for block in blocks), np.zeros(3, int)).tolist()
        assert values[~np.isnan(values)].tolist() == valid
        assert refused == [expected.count(why) for why in ("missing", "nonfinite", "wrong type")]
        assert len(valid) + sum(refused) == len(rows)
    for name in ("d", "e"):
        assert reader.unknown.get(name, 0) == sum(name in row for row in rows)


@given(st.lists(st.lists(mostly_plain, max_size=5), max_size=6))
def test_missing_and_unknown_positions_of_rows_are_counted(rows: list[list[object]]) -> None:
    """A short row misses its last values, and a long one has unknown positions."""
    reader = numeric_reader()
    blocks = [
        reader.read_block(read_rows([entry((form, 1, row))]))
        for form, row in map(by_position, rows)
    ]
    for at in range(len(NAMES)):
        expected = [one(row[at] if at < len(row) else None) for row in rows]
        refused = sum((block.refused[at] for block in blocks), np.zeros(3, int)).tolist()
        assert refused == [expected.count(why) for why in ("missing", "nonfinite", "wrong type")]
    for at in (3, 4):
        assert reader.unknown.get(f"[{at}]", 0) == sum(len(row) > at for row in rows)


def by_position(row: list[object]) -> tuple[Any, tuple[object, ...]]:
    """Return a row in the form of a single sequence."""
    return PayloadForm.SEQUENCE, tuple(row)


FORMS = {
    "dicts": lambda m: [dict(zip(NAMES, row, strict=True)) for row in m.tolist()],
    "lists": lambda m: m.tolist(),
    "matrix": lambda m: [m],
    "float32 matrix": lambda m: [m.astype(np.float32)],
    "vectors": list,
    "batch of dicts": lambda m: [[dict(zip(NAMES, row, strict=True)) for row in m.tolist()]],
    "batch of vectors": lambda m: [list(m)],
    "objects": lambda m: [m.astype(object)],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_of_rows_gives_the_same_block(form: Any) -> None:
    """The numbers are the same in every form, with gaps and infinities."""
    matrix = np.array([[1.0, np.nan, 3.0], [np.inf, 5.0, 6.0], [-np.inf, np.nan, 0.5]])
    (block,) = read(numeric_reader(), *form(matrix))
    np.testing.assert_array_equal(block.numeric, np.where(np.isfinite(matrix), matrix, np.nan).T)
    assert block.refused.tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]


def test_columns_give_the_same_block_as_rows() -> None:
    """They are a recorded batch."""
    columns = {"a": [1.0, None], "b": np.array([2.0, np.inf]), "c": ["3", 3]}
    block = numeric_reader().read_block(read_rows([entry(copy_columns(columns))]))
    np.testing.assert_array_equal(block.numeric, [[1, np.nan], [2, np.nan], [np.nan, 3]])
    assert block.refused.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_field_that_no_row_has_is_missing_in_every_row() -> None:
    """Rows are read by name, by position, and from an array with too few columns."""
    for features in ({"a": 1.0, "b": 2.0}, [1.0, 2.0], np.ones(2), np.ones((1, 2))):
        (block,) = read(numeric_reader(), features)
        assert block.refused[2].tolist() == [1, 0, 0], type(features)


def test_an_unreadable_row_has_a_wrong_type_in_every_field() -> None:
    """Every field counts it."""
    for features, rows in ((object(), 1), (5.0, 1), (np.ones((2, 3, 3)), 2)):
        (block,) = read(numeric_reader(), features)
        assert block.refused.tolist() == [[0, 0, rows]] * 3


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_fields_are_found_in_any_order_of_the_schema(order: str) -> None:
    """The block has the order of the schema and not that of the row."""
    reader = Reader(Schema([Field(name, Role.FEATURE, Kind.NUMERIC) for name in order]))
    for features in ({"a": 1.0, "b": 2.0, "c": 3.0}, (1.0, 2.0, 3.0), np.array([1.0, 2.0, 3.0])):
        (block,) = read(reader, features)
        assert block.numeric[:, 0].tolist() == ["abc".index(name) + 1.0 for name in order]


def test_each_kind_of_field_has_its_own_reader() -> None:
    """A datetime becomes seconds and a category stays unchanged beside a number."""
    schema = Schema(
        [
            Field("a", Role.FEATURE, Kind.NUMERIC),
            Field("b", Role.FEATURE, Kind.DATETIME),
            Field("c", Role.FEATURE, Kind.CATEGORICAL),
            PREDICTION,
        ]
    )
    (block,) = read(Reader(schema), (1, "1970-01-02", "x"), (2, 5, None), predictions=[0.5, "bad"])
    np.testing.assert_array_equal(block.numeric, [[1, 2], [86_400, np.nan], [0.5, np.nan]])
    assert block.refused.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert block.categorical == [["x", None]]


def test_datetimes_of_a_categorical_field_are_not_read_as_integers() -> None:
    """Nanoseconds become datetimes and not large numbers."""
    schema = Schema([Field("a", Role.FEATURE, Kind.CATEGORICAL)])
    column = np.array(["2024-01-01", "NaT"], "M8[ns]")
    block = Reader(schema).read_block(read_rows([entry(copy_columns({"a": column}))]))
    assert block.categorical[0] == ["2024-01-01", None]


def test_a_failed_call_does_not_count_as_a_missing_prediction() -> None:
    """What was never predicted is absent, which is neither missing nor of a wrong type."""
    reader = Reader(Schema([*FIELDS, PREDICTION]))
    features = Copiers()[dict]({"a": 1, "b": 2, "c": 3})
    calls = [entry(features, None, "ValueError"), entry(features, 0.5), entry(features, None)]
    shape = calls[0][0]
    calls = [(shape, *call[1:]) for call in calls]
    block = reader.read_block(read_rows(calls))
    np.testing.assert_array_equal(block.numeric[3], [np.nan, 0.5, np.nan])
    assert block.refused[3].tolist() == [1, 0, 0]
    block = reader.read_block(read_rows(calls[:1]))
    assert block.refused[3].tolist() == [0, 0, 0]


def test_unknown_outputs_are_counted() -> None:
    """They are outputs that the reference lacks, counted by name."""
    reader = Reader(Schema([*FIELDS, PREDICTION]))
    read(reader, [0.0] * 3, [0.0] * 3, predictions=[0.5, {"score": 0.5, "why": None}])
    assert reader.unknown == {"prediction.score": 1}


def test_ignored_fields_are_not_unknown() -> None:
    """These are the fields of the option, and the feature that holds the id."""
    reader = numeric_reader(ignore=["d"])
    row = {"a": 1, "b": 2, "c": 3, "d": 4, "id": 5}
    form, rows, payload = Copiers()[dict](row)
    shape = Shape(NAMES, OUTPUTS, "id")
    reader.read_block(read_rows([(shape, form, rows, payload, None, 1, None, Call())]))
    assert reader.unknown == {}


def test_many_unknown_names_do_not_fill_the_memory() -> None:
    """Names beyond the limit are counted together, long ones are truncated, none is lost."""
    reader = numeric_reader()
    (block,) = read(reader, {f"{'x' * 10_000}{at}" if at else "y" * 10_000: 1 for at in range(500)})
    assert block.refused.tolist() == [[1, 0, 0]] * 3
    read(reader, *({str(at): 1.0} for at in range(1_000)))
    assert len(reader.unknown) <= Reader.UNKNOWN_NAMES + 1
    assert max(len(name or "") for name in reader.unknown) == Reader.NAME_CHARACTERS
    assert sum(reader.unknown.values()) == 1_500


def test_an_empty_batch_is_an_empty_block() -> None:
    """It has no rows and no counts, in every form of a batch."""
    for nothing in ([], np.empty((0, 3)), np.empty(0)):
        (block,) = read(numeric_reader(), nothing, predictions=[[]])
        assert (block.rows, block.numeric.shape) == (0, (3, 0))
        assert not block.refused.any()
