"""A value has one name and one number, in any two forms a column may have at fit and live."""

import array
import collections
import enum
import pathlib
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlmonitor import Monitor, SchemaError
from support.references import fit_reference

ROWS = 60
TENTHS = np.linspace(0, 5.9, ROWS)
PREDICTIONS = np.arange(float(ROWS))


def repeat(*values: Any) -> list[Any]:
    """Repeat some values in turn until all rows are filled."""
    return [values[at % len(values)] for at in range(ROWS)]


class Colour(enum.Enum):
    """An enumeration of names."""

    RED = "red"
    BLUE = "blue"


DECIMALS = [Decimal(at) / 10 for at in range(ROWS)]
ARROW_DECIMALS = pa.table({"c": pa.array(DECIMALS, pa.decimal128(10, 2))})
MONTHS = repeat(*pd.period_range("2024-01", periods=3, freq="M"))
RANGES = pd.cut(TENTHS, 3)
FLAGS = repeat(True, False)  # noqa: FBT003 - values of a column
NAIVE = pd.date_range("2024-01-01", periods=ROWS, freq="7h")
AWARE = NAIVE.tz_localize("UTC")
DAYS = repeat(*[date(2024, 1, 1) + timedelta(days=at) for at in range(20)])
RECORDS = np.array(list(zip(TENTHS, range(ROWS), strict=True)), [("c", "f8"), ("d", "i4")])
PAYLOAD = np.frombuffer(struct.pack("<Q", 0x7FF8000000000123), "f8")[0]
GAPS = np.arange(ROWS) % 3 == 0
HOURS = [timedelta(hours=at) for at in range(ROWS)]

NUMBERS: dict[str, tuple[Any, Any]] = {
    "float16, and the same as float64": (
        TENTHS.astype(np.float16),
        TENTHS.astype(np.float16).astype(float),
    ),
    "long doubles": (TENTHS, np.arange(ROWS, dtype=np.longdouble) / 10),
    "decimals": (DECIMALS, TENTHS),
    "arrow decimals": (ARROW_DECIMALS, TENTHS),
    "floats, then arrow decimals": (TENTHS, ARROW_DECIMALS["c"]),
    "polars decimals": (pl.Series(DECIMALS), TENTHS),
    "pandas arrow decimals": (
        pd.Series(DECIMALS, dtype=pd.ArrowDtype(pa.decimal128(10, 2))),
        TENTHS,
    ),
    "fractions": ([Fraction(at, 10) for at in range(ROWS)], TENTHS),
    "sparse": (pd.arrays.SparseArray(TENTHS), TENTHS),
    "big-endian": (TENTHS.astype(">f8"), TENTHS.astype(">f4")),
    "buffers": (array.array("d", TENTHS), memoryview(TENTHS)),
    "ranges and deques": (range(ROWS), collections.deque(range(ROWS))),
    "int8 and uint64": (np.arange(ROWS, dtype=np.int8), np.arange(ROWS, dtype=np.uint64)),
    "integers beyond 64 bits": ([10**30 + at for at in range(ROWS)],) * 2,
    "negative zero": (repeat(0.0, 1.0), repeat(-0.0, 1.0)),
    "payloads of NaN": (np.where(GAPS, PAYLOAD, TENTHS), np.where(GAPS, np.nan, TENTHS)),
    "masks": (
        np.ma.array(TENTHS, mask=GAPS),
        [None if g else x for g, x in zip(GAPS, TENTHS, strict=True)],
    ),
    "nullable integers": (pd.array(repeat(1, 2, None, 4), dtype="Int64"), repeat(1, 2, None, 4)),
    "durations": (pd.to_timedelta(np.arange(ROWS), unit="h"), HOURS),
    "arrow durations": (pa.array(HOURS), HOURS),
}
CATEGORIES: dict[str, tuple[Any, Any]] = {
    "periods": (MONTHS, [str(month) for month in MONTHS]),
    "a series of periods": (pd.Series(MONTHS), MONTHS),
    "intervals": (RANGES, list(RANGES)),
    "intervals as text": (RANGES, [str(interval) for interval in RANGES]),
    "nullable booleans": (pd.array(FLAGS, dtype="boolean"), FLAGS),
    "missing booleans": (pd.array(repeat(*FLAGS[:2], None), dtype="boolean"),) * 2,
    "arrow booleans, then 0 and 1": (pa.array(FLAGS), repeat(1, 0)),
    "numpy's booleans": (FLAGS, [np.bool_(flag) for flag in FLAGS]),
    "times of day": (repeat(time(1), time(2)), pa.array(repeat(time(1), time(2)))),
    "texts with surrogates": (repeat("\ud800a", "b"), repeat("\ud800a", "b")),
    "bytes": (repeat(b"a", b"b"), repeat("a", "b")),
    "string views": (
        pa.array(repeat("a", "b"), pa.large_string()),
        pa.array(repeat("a", "b"), pa.string_view()),
    ),
    "a table of string views": (
        repeat("a", "b"),
        pa.table({"c": pa.array(repeat("a", "b"), pa.string_view())}),
    ),
    "polars categories and enums": (
        pl.Series(repeat("a", "b"), dtype=pl.Categorical),
        pl.Series(repeat("a", "b"), dtype=pl.Enum(["b", "a"])),
    ),
    "arrow dictionaries": (pa.array(repeat("a", "b")).dictionary_encode(), repeat("a", "b")),
    "enum members": (repeat(Colour.RED, Colour.BLUE), repeat("red", "blue")),
    "paths": (repeat(pathlib.PurePosixPath("a"), pathlib.PurePosixPath("b")), repeat("a", "b")),
    "payloads of NaN among texts": (repeat("a", PAYLOAD), repeat("a", float("nan"))),
    "every kind of missing": (repeat("a", None), repeat("a", pd.NA, "a", pd.NaT)),
}
if hasattr(np.dtypes, "StringDType"):  # numpy 2
    SAME_TEXT = np.array(repeat("a", "b"), np.dtypes.StringDType()), np.array(repeat("a", "b"))
    CATEGORIES["variable-width strings"] = SAME_TEXT
DATES: dict[str, tuple[Any, Any]] = {
    "naive, then in UTC": (NAIVE, AWARE),
    "naive, then in Berlin": (NAIVE, AWARE.tz_convert("Europe/Berlin")),
    "Python's, naive and aware": (
        [moment.to_pydatetime() for moment in NAIVE],
        [datetime.fromtimestamp(moment.timestamp(), UTC) for moment in AWARE],
    ),
    "dates and midnights": (DAYS, pd.to_datetime(DAYS)),
    "texts": (NAIVE, [str(moment) for moment in NAIVE]),
    "arrow's in Berlin": (
        pa.array(AWARE.to_pydatetime(), pa.timestamp("us", "Europe/Berlin")),
        NAIVE,
    ),
    "polars dates": (pl.Series(DAYS), DAYS),
}
DECLARED: dict[str, tuple[Any, Any]] = {
    "floats and integers": (pd.Categorical(repeat(1.0, 2.0)), repeat(1, 2)),
    "negative zero": (repeat(0.0, 1.0), repeat(-0.0, 1.0)),
    "integers beyond 64 bits": (repeat(10**30, 10**30 + 1),) * 2,
    "the largest of 64 bits": (
        np.array(repeat(2**64 - 1, 2**64 - 2), np.uint64),
        repeat(2**64 - 1, 2**64 - 2),
    ),
    "categories of integers": (pd.Categorical(repeat(1, 2)), repeat("1", "2")),
}
PAIRS = {
    f"{kind}: {name}": (pair, schema)
    for kind, pairs, schema in (
        ("numbers", NUMBERS, {}),
        ("categories", CATEGORIES, {}),
        ("dates", DATES, {}),
        ("declared", DECLARED, {"c": "categorical"}),
    )
    for name, pair in pairs.items()
}


@pytest.mark.parametrize(("pair", "schema"), PAIRS.values(), ids=PAIRS)
def test_one_column_in_two_forms_does_not_drift(
    pair: tuple[Any, Any], schema: dict[str, Any]
) -> None:
    """All rows are valid or missing as at fit, and the distance is zero."""
    trained, served = (form if isinstance(form, pa.Table) else {"c": form} for form in pair)
    reference = fit_reference(trained, predictions=PREDICTIONS, schema=schema)
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(served, PREDICTIONS)
        status = monitor.status()
    field = status.field("c")
    assert (status.internal_errors, status.unknown_fields) == (0, {})
    assert field.quality["valid"] + field.quality["missing"] == ROWS
    assert field.quality["valid"] > 0
    assert field.psi == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "rows",
    [
        RECORDS,
        RECORDS.view(np.recarray),
        list(RECORDS),
        pa.record_batch({"c": pa.array(TENTHS), "d": pa.array(range(ROWS))}),
        pd.DataFrame({"c": TENTHS, "d": range(ROWS)}).set_index("d").reset_index(),
    ],
    ids=["structured", "records", "rows of records", "record batch", "frame"],
)
def test_rows_of_named_values_are_read_in_every_container(rows: Any) -> None:
    """Structured arrays, their rows, and batches of arrow tables and frames."""
    reference = fit_reference({"c": TENTHS, "d": np.arange(ROWS)}, predictions=PREDICTIONS)
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(rows, PREDICTIONS)
        status = monitor.status()
    assert (status.internal_errors, status.unknown_fields) == (0, {})
    assert [status.field(name).quality["valid"] for name in "cd"] == [ROWS, ROWS]
    assert [status.field(name).psi for name in "cd"] == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (
            pd.DataFrame(
                np.c_[TENTHS, TENTHS],
                columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]),
            ),
            "('a', 'x')",
        ),
        (pd.DataFrame(np.c_[TENTHS, TENTHS]), "0"),
    ],
    ids=["two levels", "numbers"],
)
def test_column_names_that_are_not_text_are_converted_to_text(frame: Any, name: str) -> None:
    """At fit and in service alike, so that the fields match."""
    reference = fit_reference(frame, predictions=PREDICTIONS)
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(frame, PREDICTIONS)
        status = monitor.status()
    assert status.field(name).quality["valid"] == ROWS
    assert status.unknown_fields == {}


@pytest.mark.parametrize(
    "empty",
    [
        pd.DataFrame({"c": []}),
        pl.DataFrame({"c": []}),
        pa.table({"c": []}),
        {"c": []},
        np.empty((0, 1)),
        [],
        pd.DataFrame(),
        RECORDS[:0],
    ],
    ids=["pandas", "polars", "arrow", "columns", "matrix", "list", "no columns", "records"],
)
def test_a_batch_without_rows_is_not_reported_as_a_mistake(empty: Any) -> None:
    """A job whose query returned nothing may record the empty result."""
    reference = fit_reference({"c": TENTHS}, predictions=PREDICTIONS)
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(empty, [])
        status = monitor.status()
    assert (status.predictions, status.internal_errors) == (0, 0)


@pytest.mark.parametrize(
    "column",
    [TENTHS + 1j, [{"a": at} for at in range(ROWS)], pa.array([{"a": at} for at in range(ROWS)])],
    ids=["complex", "dicts", "structs"],
)
def test_columns_without_a_kind_are_refused_at_fit_and_counted_live(column: Any) -> None:
    """The message names the column; live values count as having a wrong type."""
    with pytest.raises(SchemaError, match="column 'c': expected numbers, text, booleans"):
        fit_reference({"c": column, "d": TENTHS})
    reference = fit_reference({"c": TENTHS, "d": TENTHS}, predictions=PREDICTIONS)
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record({"c": column, "d": TENTHS}, PREDICTIONS)
        status = monitor.status()
    assert status.field("c").quality["wrong_type"] == ROWS
    assert status.field("d").quality["valid"] == ROWS
