"""The words the stages share: fields, schemas, and the block of rows that travels the line."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Role(StrEnum):
    """What a field is to the model."""

    FEATURE = "feature"
    PREDICTION = "prediction"
    ACTUAL = "actual"
    KPI = "kpi"
    DERIVED = "derived"  # worked out of others: a text's length, a row's distance
    SERVICE = "service"  # the calls themselves: their failures and latency


class Kind(StrEnum):
    """How a field's values are read; a datetime is read as seconds since 1970, UTC.

    A text and an embedding, a vector of fixed length, have no bins of their own: what is derived
    from them is watched.
    """

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    EMBEDDING = "embedding"


SOURCES = (Kind.TEXT, Kind.EMBEDDING)
"""Kinds that are watched through what is derived from them alone."""

MOST_DIMENSIONS = 4_096
"""A longer vector is none that can be read."""

SEASONS = {"hour_of_day": 24, "hour_of_week": 168}
"""The cycles that traffic may follow, and how many seasons each has."""


class Quality(StrEnum):
    """What one value turned out to be. Every value seen has exactly one of these."""

    VALID = "valid"
    MISSING = "missing"
    NONFINITE = "nonfinite"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    NEW_CATEGORY = "new_category"


QUALITIES = tuple(Quality)
REFUSED = (Quality.MISSING, Quality.NONFINITE, Quality.WRONG_TYPE)


class Field(NamedTuple):
    """One monitored quantity, and what its values must be. `role` and `name` identify it.

    To declare rules, give a monitor `fields=[Field("age", minimum=0, nullable=False)]`: values that
    break one are counted, and raise an alert.

    minimum, maximum: bounds that belong to what is allowed; datetimes for a field of times.
    allowed: the values a category may have. nullable: whether values may be missing. public:
    whether a category of fewer than five rows may be named outside the process. kind: of a declared
    field it need not be said: the reference knows.
    """

    name: str
    role: Role = Role.FEATURE
    kind: Kind = Kind.NUMERIC
    minimum: float | datetime | None = None
    maximum: float | datetime | None = None
    allowed: Collection[object] | None = None
    nullable: bool = True
    public: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether values are read as floats; the others are read as categories."""
        return self.kind in (Kind.NUMERIC, Kind.DATETIME)


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of one's own: the mean of what `function(predicted, actual)` returns for each row.

    function: takes two arrays of one length, of numbers or, for classes, of their names; returns
    one number a row, NaN where a row has none. Means are additive: they merge over any fleet.
    """

    name: str
    function: Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a user declares about later rows, beside the reference.

    ignore: features to leave out. segments: features whose values split the rows. schema: kinds
    that are not to be inferred, by feature. fields: rules that values must keep. buckets:
    edges between the buckets of a feature, by which performance is kept. metrics: further measures.
    """

    ignore: frozenset[str] = frozenset()
    segments: tuple[str, ...] = ()
    schema: Mapping[str, Kind] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()
    buckets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()


class Schema:
    """The fields of one population, numeric ones first: the order of every array's first axis."""

    __slots__ = ("categorical", "fields", "numeric")

    def __init__(self, fields: Sequence[Field]) -> None:
        self.numeric: tuple[Field, ...] = tuple(field for field in fields if field.is_numeric)
        self.categorical: tuple[Field, ...] = tuple(f for f in fields if not f.is_numeric)
        self.fields: tuple[Field, ...] = self.numeric + self.categorical

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(slots=True)
class Block:
    """Some rows, read and sorted out: what every sketch is fed with.

    numeric: float64 `[numeric fields, rows]`; NaN wherever there is no finite number.
    refused: int64 `[numeric fields, 3]`: how many were missing, not finite, of a wrong type.
    categorical: a sequence of `rows` raw values for each categorical field.
    reasons: int8 `[numeric fields, rows]`, 1 + the place in `REFUSED` of what was refused; None
        where nothing was, or nobody will split the block.
    season: the season of the rows, where there are seasons.
    kernels: float64 `[kernel features, rows]` of the embeddings; 0 where a row has no vector.
    """

    rows: int
    numeric: Floats
    refused: Counts
    categorical: list[Sequence[object]]
    reasons: NDArray[np.int8] | None = None
    season: int = 0
    kernels: Floats = field(default_factory=lambda: np.empty((0, 0)))


class Absent:
    """Stands where a row has no value *by right*: a failed call has no prediction. Not counted."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


Mask = NDArray[np.bool_]
