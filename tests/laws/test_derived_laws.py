"""Laws of derived fields, however rows are split, merged, saved and read back."""

import itertools
import json
from functools import cache
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Reference, Role
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.window import Span, Window
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable, MappingTable
from mlmonitor.compare.drift.embedding_drift import mmd_of
from mlmonitor.derived.deriver import Deriver, reader_of
from mlmonitor.formats.reference import dump, load
from mlmonitor.records import Block
from support.references import fit_reference

ROLES = (Role.FEATURE, Role.PREDICTION, Role.DERIVED)


def columns(seed: int, rows: int) -> dict[str, Any]:
    """Return two related numbers, a text and two embeddings; some values are missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    texts = [" ".join(rng.choice(["a", "b", "c"], n)) for n in rng.integers(0, 5, rows)]
    vectors = [list(map(float, row)) for row in rng.normal(size=(rows, 3))]
    return {
        "x": x,
        "y": np.where(rng.random(rows) < 0.2, np.nan, x + rng.normal(size=rows)),
        "t": [None if n % 7 == 3 else text for n, text in enumerate(texts)],
        "v": [None if n % 5 == 2 else vector for n, vector in enumerate(vectors)],
        "w": rng.normal(size=(rows, 4)),
    }


@cache
def reference() -> Reference:
    """Fit a reference to a hundred of these rows."""
    schema = {"t": "text", "v": "embedding", "w": "embedding"}
    return fit_reference(columns(0, 100), schema=schema, anomaly_score=True)


def plan() -> Plan:
    """Return the plan of the reference."""
    return reference().plan(ROLES, deviations=3.0)


def block(seed: int, rows: int) -> Block:
    """Read some rows as a block and add the derived fields."""
    reader = reader_of(Deriver(reference().content, plan().schema), plan().schema, ignore=())
    table = ColumnTable(columns(seed, rows), rows)
    read = reader.read_block(Rows(rows, table, {}, [], [], None))
    assert reader.unknown == {}
    return read


def part(whole: Block, start: int, stop: int) -> Block:
    """Cut rows out of a block; its refused values count with the first part."""
    refused = whole.refused if start == 0 else np.zeros_like(whole.refused)
    return Block(
        stop - start,
        whole.numeric[:, start:stop],
        refused,
        [values[start:stop] for values in whole.categorical],
        kernels=whole.kernels[:, start:stop],
    )


def assert_same(actual: FieldProfile, expected: FieldProfile) -> None:
    """Assert that sums agree up to rounding and that counts agree exactly, as does the MMD."""
    np.testing.assert_allclose(actual.kernels, expected.kernels, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(actual.bins, expected.bins)
    np.testing.assert_array_equal(actual.quality, expected.quality)
    np.testing.assert_allclose(
        mmd_of(plan(), actual), mmd_of(plan(), expected), rtol=1e-9, equal_nan=True
    )


@given(st.integers(0, 99), st.lists(st.integers(0, 30), max_size=4), st.integers(0, 30))
def test_kernel_sums_do_not_depend_on_how_rows_are_split(
    seed: int, cuts: list[int], rows: int
) -> None:
    """Parts merged in another order give the profile of the whole block."""
    whole = block(seed, rows)
    at = sorted({0, rows, *(min(cut, rows) for cut in cuts)})
    parts = [part(whole, *pair) for pair in itertools.pairwise(at)]
    merged = FieldProfile(plan())
    for piece in parts:
        one = FieldProfile(plan())
        one.update(piece)
        one.merge(merged)
        merged = one
    expected = FieldProfile(plan())
    expected.update(whole)
    assert_same(merged, expected)


@given(st.integers(0, 99), st.integers(0, 20))
def test_merging_an_empty_profile_changes_nothing_and_bytes_keep_everything(
    seed: int, rows: int
) -> None:
    """The empty profile is the identity of `merge`, and bytes read back give the same sums."""
    expected = FieldProfile(plan())
    expected.update(block(seed, rows))
    profile = FieldProfile(plan())
    profile.merge(expected)
    profile.merge(FieldProfile(plan()))
    assert_same(profile, expected)
    np.testing.assert_array_equal(
        FieldProfile.from_bytes(expected.to_bytes(), plan()).kernels, expected.kernels
    )


@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 20))
def test_a_window_of_rows_holds_the_kernel_sums_of_its_own_rows_alone(
    seed: int, rows: int, length: int
) -> None:
    """Rows that left the window no longer contribute to the MMD."""
    window = Window(plan(), Span(None, length, 1), hitters=1, now=0.0)
    whole = block(seed, rows)
    window.update(whole, now=1.0)
    kept = window.view().profile.rows
    expected = FieldProfile(plan())
    expected.merge(FieldProfile(plan()))
    expected.update(part(whole, rows - kept, rows))
    windowed = window.view().profile
    np.testing.assert_allclose(windowed.kernels, expected.kernels, rtol=1e-9, atol=1e-9)


@given(st.integers(0, 99), st.integers(0, 12))
def test_derived_values_of_a_row_are_the_same_alone_or_in_a_batch(seed: int, rows: int) -> None:
    """Rows read one by one as dicts equal the same rows read together as columns."""
    by_columns = columns(seed, rows)
    single = [
        {name: values[at] for name, values in by_columns.items() if values[at] is not None}
        for at in range(rows)
    ]
    reader = reader_of(Deriver(reference().content, plan().schema), plan().schema, ignore=())
    alone = reader.read_block(Rows(rows, MappingTable(single), {}, [], [], None))
    expected = block(seed, rows)
    np.testing.assert_allclose(alone.numeric, expected.numeric, rtol=1e-9, equal_nan=True)
    np.testing.assert_array_equal(alone.refused, expected.refused)
    assert alone.categorical == expected.categorical


def test_a_saved_reference_with_derived_fields_is_read_back_unchanged() -> None:
    """It is equal to the last digit and gives the same plan."""
    data = dump(reference().content)
    again = Reference(load(data))
    assert again.content == reference().content
    assert again.plan(ROLES, deviations=3.0) == plan()
    assert json.loads(data)["anomaly"]["names"] == ["x", "y"]
