"""The entries of single fields in a reference file."""

import sys
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

QUANTILE_POINTS = 101
CRITICAL_ROWS = (20, 30, 50, 80, 120, 200, 300, 500, 1_000, 3_000, 10_000)
"""The sizes of windows for which the threshold of each distance is saved.

They are dense, because some thresholds fall abruptly when the rarest bins get their first rows.
"""

Count = Annotated[int, Field(ge=0, le=1 << 53)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
_Category = Annotated[str, StringConstraints(max_length=1_000)]
_Role = Literal["feature", "prediction", "actual", "derived", "kpi", "attribution"]


NUMBER_BYTES = 36  # a number and its slot in an over-allocated list
ENTRY_BYTES = 300  # the name of a table and its slot in a dictionary
OBJECT_BYTES = 1_500  # the objects of an entry without the contents of lists

_Critical = Annotated[
    list[Finite], Field(min_length=len(CRITICAL_ROWS), max_length=len(CRITICAL_ROWS))
]
CriticalTable = Annotated[dict[Name, _Critical], Field(max_length=100)]
Deviation = Annotated[float, Field(ge=0, allow_inf_nan=False)]
SeasonRow = Annotated[str, StringConstraints(pattern=r"^\d{1,16}( \d{1,16})*$", max_length=200_000)]
"""Counts separated by blanks, so that a season is one line of the file."""


_Effect = Annotated[float, Field(ge=1, le=1e12, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class FieldDependence(BaseModel):
    """How strongly consecutive rows, and rows of one group, depend on each other in one field.

    `effects` holds the design effects of runs of `rows` consecutive rows: the ratio of the variance
    of a count to its variance for independent rows. `correlation` is the intraclass correlation of
    declared groups. `is_resolved`: whether there were enough rows to measure the dependence.
    `dates`: the number of dates that were compared; 0 if there are no times.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    rows: Annotated[list[_Effect], Field(min_length=1, max_length=100)]
    effects: Annotated[list[_Effect], Field(min_length=1, max_length=100)]
    correlation: _Share = 0.0
    is_resolved: bool = True
    dates: Count = 0

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        want(len(self.rows) == len(self.effects), "effects: expected one for each of rows")
        want(_ascends(self.rows, strictly=True), "rows: expected strictly ascending")
        want(_ascends(self.effects, strictly=False), "effects: expected ascending")
        return self


class FieldReference(BaseModel):
    """The fields that all entries share.

    `critical` holds thresholds by measure of drift, one for each size in `CRITICAL_ROWS`: 1% of
    windows of this many rows exceed them without drift. `seasons` holds the counts of each season,
    missing values last. `nonfinite` and `wrong_type` count the `missing` values that were refused
    for these reasons. `predicted` and `predicted_variance` are the mean and variance of the
    explained prediction by bin, missing values last; null for a bin without rows. `mix_weight` is
    the part of a feature's mix effect that other features do not share; null if unknown. Features
    with the same `mix_group` are correlated and explain shifts together. `dependence` is null if
    not measured. `accepted_at`: when a live window became the baseline; null for training rows.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    name: Name
    role: _Role
    rows: Count
    missing: Count
    nonfinite: Count = 0
    wrong_type: Count = 0
    id_like: bool = False
    critical: CriticalTable = {}
    seasons: Annotated[list[SeasonRow], Field(max_length=1_000)] = []
    predicted: Annotated[list[Finite | None], Field(max_length=10_002)] = []
    predicted_variance: Annotated[list[Deviation | None], Field(max_length=10_002)] = []
    dependence: FieldDependence | None = None
    accepted_at: AwareDatetime | None = None
    mix_weight: Finite | None = None
    mix_group: Count = 0

    @property
    def is_id_like(self) -> bool:
        """Whether almost all values were different, like ids."""
        return self.id_like

    @property
    def is_advancing(self) -> bool:
        """Whether the values are times or numbers that advance beyond the range of training."""
        return False

    @property
    def is_unrepeated(self) -> bool:
        """Whether new rows naturally have new values, so that a difference is not drift."""
        return False

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        tables = sum(ENTRY_BYTES + len(table) * NUMBER_BYTES for table in self.critical.values())
        predicted = len(self.predicted) + len(self.predicted_variance)
        seasons = sum(map(sys.getsizeof, self.seasons))
        if self.dependence is not None:
            predicted += 2 * len(self.dependence.rows) + OBJECT_BYTES // NUMBER_BYTES
        return OBJECT_BYTES + tables + seasons + predicted * NUMBER_BYTES

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Categories and quantiles are left out: they may be values of individual rows.
        return [("name", self.name), ("role", self.role), ("rows", self.rows)]


class NumericReference(FieldReference):
    """A numeric or datetime field: moments, range, quantiles, and counts over its bins.

    `missing` counts rows without a usable number; `counts` are over bins `(a, b]` between `edges`.
    The edges, quantiles and range of an `id_like` field are rounded, so that they do not disclose
    the value of a row. `sequential` marks serial numbers, which were assigned in ascending order.
    """

    kind: Literal["numeric", "datetime"]
    sequential: bool = False
    mean: Finite | None
    stddev: Deviation | None
    skewness: Finite | None = None
    min: Finite | None
    max: Finite | None
    quantiles: Annotated[list[Finite], Field(max_length=QUANTILE_POINTS)]
    edges: Annotated[list[Finite], Field(max_length=10_000)]
    counts: Annotated[list[Count], Field(max_length=10_001)]

    @property
    def expected(self) -> list[int]:
        """Counts that a window is compared with: one per bin, then that of missing values."""
        return [*self.counts, self.missing]

    @property
    def is_advancing(self) -> bool:
        """Whether the values are times or numbers that advance beyond the range of training."""
        return self.sequential or (self.id_like and self.kind == "datetime")

    @property
    def is_unrepeated(self) -> bool:
        """Whether new rows naturally have new values, so that a difference is not drift."""
        return self.sequential or self.id_like

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        figures = len(self.quantiles) + len(self.edges) + len(self.counts)
        return super().nbytes + figures * NUMBER_BYTES

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        want(len(self.counts) == len(self.edges) + 1, "counts: expected one more than edges")
        agree_on_rows(self, len(self.counts))
        want(_ascends(self.edges, strictly=True), "edges: expected strictly ascending")
        want(
            self.rows == self.missing + sum(self.counts),
            "rows: expected the sum of counts and missing",
        )
        points = QUANTILE_POINTS if sum(self.counts) else 0
        want(len(self.quantiles) == points, f"quantiles: expected {points} for these counts")
        moments = self.mean, self.stddev, self.min, self.max
        if points == 0:
            want(moments == (None,) * 4, "mean, stddev, min, max: expected null without counts")
            return self
        if self.mean is None or self.stddev is None or self.min is None or self.max is None:
            raise ValueError("mean, stddev, min, max: expected numbers, since there are counts")
        want(_ascends(self.quantiles, strictly=False), "quantiles: expected ascending")
        low, high = self.min, self.max
        for name, values in (("mean", [self.mean]), ("quantiles", self.quantiles)):
            want(low <= values[0] and values[-1] <= high, f"{name}: expected between min and max")
        return self


class CategoricalReference(FieldReference):
    """A categorical or boolean field: counts of its most frequent categories, and of the rest.

    `categories` are listed with a count each; the last of `counts` is that of all other categories.
    `others` names further categories of this rest; `is_closed`: whether it names all of them.
    `once` and `twice`: number of categories that occurred once and twice, from which the rate of
    new categories is estimated (Good and Turing).
    If the listed categories were chosen on a part of the rows, `held_out` holds the counts of the
    other rows, as `[*categories, others, new, missing]`.
    Names that may identify a person are not stored, unless the user declared the field `public`:
    such categories are hashed into `groups` groups, which are the last of `categories`.
    `distinct` is the number of all categories, whether named here or not; null if unknown.
    """

    kind: Literal["categorical", "boolean"]
    categories: Annotated[list[_Category], Field(max_length=10_000)]
    counts: Annotated[list[Count], Field(max_length=10_001)]
    others: Annotated[list[_Category], Field(max_length=100_000)]
    is_closed: bool
    once: Count = 0
    twice: Count = 0
    distinct: Count | None = None
    held_out: Annotated[list[Count], Field(max_length=10_003)] = []
    public: bool = False
    groups: Annotated[int, Field(ge=0, le=1_000)] = 0

    @property
    def names(self) -> list[str]:
        """The categories whose names are stored."""
        return self.categories[: len(self.categories) - self.groups] + self.others

    @property
    def expected(self) -> list[int]:
        """Counts that a window is compared with: `[*categories, others, new, missing]`.

        The counts are those of the held-out rows, if there are any: on the rows by which they were
        chosen, the listed categories look more frequent than they are. A category that occurs in
        only one of the held-out rows counts as new (Good 1953).
        """
        return self.held_out or [*self.counts, 0, self.missing]

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        names = sum(sys.getsizeof(name) + 16 for name in self.categories + self.others)
        figures = len(self.counts) + len(self.held_out)
        return super().nbytes + names + figures * NUMBER_BYTES

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        agree_on_rows(self, len(self.counts))
        names = self.categories + self.others
        want(len(set(names)) == len(names), "categories: expected each name once")
        want(self.groups <= len(self.categories), "groups: expected no more than categories")
        want(
            len(self.counts) == len(self.categories) + 1,
            "counts: expected one more than categories",
        )
        want(
            self.rows == self.missing + sum(self.counts),
            "rows: expected the sum of counts and missing",
        )
        want(
            self.once + 2 * self.twice <= sum(self.counts),
            "once, twice: expected no more than there are values",
        )
        want(
            len(self.held_out) in (0, len(self.categories) + 3),
            "held_out: expected none, or three more than categories",
        )
        want(sum(self.held_out) <= self.rows, "held_out: expected no more than rows")
        is_boolean = self.kind == "boolean"
        want(not is_boolean or names == ["false", "true"], "categories: expected false and true")
        return self


CountedEntry = NumericReference | CategoricalReference
"""An entry that has bins, unlike the sources of derived fields."""


def agree_on_rows(entry: FieldReference, bins: int) -> None:
    """Check that counts and lists of an entry are consistent; raise ValueError otherwise."""
    want(
        entry.nonfinite + entry.wrong_type <= entry.missing,
        "nonfinite, wrong_type: expected no more than missing",
    )
    lengths = len(entry.predicted), len(entry.predicted_variance)
    want(
        lengths in ((0, 0), (bins + 1, bins + 1)),
        "predicted, predicted_variance: expected none, or one more than counts",
    )
    pairs = zip(entry.predicted, entry.predicted_variance, strict=True)
    want(
        all((mean is None) == (variance is None) for mean, variance in pairs),
        "predicted_variance: expected null where predicted is",
    )


def want(holds: bool, message: str) -> None:  # noqa: FBT001 - an assertion's first argument
    """Raise ValueError with `message`, which says what was expected, unless `holds`."""
    if not holds:
        raise ValueError(message)


def _ascends(values: list[float], *, strictly: bool) -> bool:
    return all(a < b if strictly else a <= b for a, b in pairwise(values))
