"""Hypothesis strategies for numbers, blocks of numbers, names, and rows of raw values."""

import datetime as dt
import math
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mlmonitor.aggregate.plan import Plan
from mlmonitor.records import ABSENT, Block

Floats = NDArray[np.float64]

FINITE = st.one_of(
    st.floats(-1e6, 1e6),
    st.sampled_from([0.0, -0.0, 1.0, 1.0, 2.0, 1e9 - 1, 1e9 + 1, 5e-324, -5e-324, 1e300, -1e300]),
    st.floats(allow_nan=False, allow_infinity=False),
)
"""Finite numbers, repeated ones and the ends of the range among them."""


class Colour(Enum):
    """A plain enumeration."""

    RED = "red"
    BLUE = "blue"


class Size(StrEnum):
    """An enumeration of strings; `str` of a member returns its value."""

    SMALL = "S"


class Mood(str, Enum):  # noqa: UP042 - such classes exist, and show themselves as `Mood.GOOD`
    """An enumeration of strings; `str` of a member does not return its value."""

    GOOD = "good"


class Grade(IntEnum):
    """An enumeration whose members are numbers."""

    BEST = 1


class Opaque:
    """An object of the host that compares by identity, as a tensor does."""

    def __repr__(self) -> str:
        return "Opaque()"


NAMES = st.one_of(
    st.sampled_from(["", "a", "b", "c", "1", "true", "ä", "\ud800", "a\nb", "a\\nb"]),
    st.text(max_size=8),
    st.integers(0, 30).map(lambda at: "x" * 300 + str(at)),
)

COUNTED = st.dictionaries(NAMES, st.integers(1, 1_000), max_size=30)
"""Names with their counts."""

RAW = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    NAMES,
    st.binary(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.integers(), st.integers(), max_size=1),
    st.tuples(st.integers()),
    st.sampled_from([*Colour, *Size, *Mood, *Grade, ABSENT, Decimal(1), 1 + 0j, math.nan]),
    st.sampled_from([np.True_, np.int64(1), np.float32(0.1), np.float64("nan"), np.str_("a")]),
    st.sampled_from([np.datetime64("NaT", "ns"), np.datetime64("2024-05-01"), np.array([1, 2])]),
    st.datetimes(),
    st.dates(),
    st.builds(Opaque),
    st.just(dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)),
)
"""Any value that a host may pass as a category."""


def blocks(fields: int, *, rows: st.SearchStrategy[int] | None = None) -> st.SearchStrategy[Floats]:
    """Return a strategy of arrays `[fields, rows]`: finite numbers and NaN, often 0 or 1 rows."""
    lengths = st.one_of(st.integers(0, 2), st.integers(0, 40)) if rows is None else rows
    return lengths.flatmap(
        lambda length: hnp.arrays(
            np.float64,
            (fields, length),
            elements=st.one_of(FINITE, FINITE, FINITE, st.just(math.nan)),
            fill=st.sampled_from([0.0, 1.0, math.nan]),
        )
    )


@st.composite
def row_blocks(draw: st.DrawFn, plan: Plan) -> Block:
    """Draw blocks of rows for a plan; every NaN counts as a missing value."""
    numeric = draw(blocks(len(plan.schema.numeric)))
    rows = numeric.shape[1]
    categorical: list[Any] = [
        draw(st.lists(RAW, min_size=rows, max_size=rows)) for _ in plan.schema.categorical
    ]
    refused = np.zeros((len(numeric), 3), np.int64)
    refused[:, 0] = np.isnan(numeric).sum(axis=1)
    return Block(rows, numeric, refused, categorical)
