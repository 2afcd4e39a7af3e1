"""The entries of single fields in the file of a reference."""

import sys
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

QUANTILE_POINTS = 101
CRITICAL_ROWS = (20, 30, 50, 80, 120, 200, 300, 500, 1_000, 3_000, 10_000)
"""The sizes of windows for which the threshold of each distance is saved.

Dense, because some thresholds fall abruptly at the size at which the rarest bins begin to fill.
"""

Count = Annotated[int, Field(ge=0, le=1 << 53)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
_Category = Annotated[str, StringConstraints(max_length=1_000)]
_Role = Literal["feature", "prediction", "actual", "derived", "kpi", "attribution"]


NUMBER_BYTES = 36  # of a number and its slot in an over-allocated list
ENTRY_BYTES = 300  # of a table's name and its slot in a dictionary
OBJECT_BYTES = 1_500  # of an entry's objects, without the contents of its lists

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
    """How much consecutive rows of one field, and rows of one group, depend on each other.

    `effects` holds the design effects of runs of `rows` consecutive rows: by how much the variance
    of a count exceeds that of independent rows. `correlation` is the intraclass correlation of
    declared groups. `is_resolved`: whether the reference is long enough to show its dependence.
    `dates`: the number of dates that were compared; 0 without times.
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

    `critical` holds the value that each measure of drift exceeds in one of a hundred windows of
    `CRITICAL_ROWS` rows without drift. `seasons` holds the counts of each season, missing values
    last. `nonfinite` and `wrong_type` count those of the `missing` values that were not simply
    absent. `predicted` and `predicted_variance` are the mean and variance of the explained
    prediction by bin, missing values last; null for a bin without rows. `mix_weight` is the part of
    a feature's mix effect that is its own; null if unknown. Features with the same `mix_group`
    explain shifts together. `dependence` is null if it was not measured.
    `accepted_at`: when a live window was accepted as the field's baseline.
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
        """Whether the values are times or numbers that advance, so later ones exceed the range."""
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
        # Not reported: categories and quantiles are values of single rows.
        return [("name", self.name), ("role", self.role), ("rows", self.rows)]


class NumericReference(FieldReference):
    """One numeric or datetime field: moments, range, quantiles, and counts over its bins.

    `missing` counts rows without a usable number; `counts` are over bins `(a, b]` between `edges`.
    The edges, quantiles and range of an `id_like` field are rounded, so that none is the value of a
    row.
    `sequential` marks whole numbers that were handed out one after the other.
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
        """Counts that a window is compared with: those of its bins, then that of missing values."""
        return [*self.counts, self.missing]

    @property
    def is_advancing(self) -> bool:
        """Whether the values are times or numbers that advance, so later ones exceed the range."""
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
    """One categorical or boolean field: its most frequent categories, and the others as one.

    `counts` has one count per category, then that of all others. `others` names the categories
    among these that were kept; `is_closed`: whether it names all. `once` and `twice`: number of
    categories that occurred once and twice, which estimate new categories (Good and Turing).
    If some categories are not listed, `held_out` holds `[*categories, others, new, missing]` of the
    rows that did not decide which ones are listed. Names that may identify a person are in neither
    list, unless the user declared the field `public`; the last `groups` of `categories` stand for
    them.
    `distinct` counts all categories, also those without a name here; left out if this is unknown.
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
        """The categories that are named."""
        return self.categories[: len(self.categories) - self.groups] + self.others

    @property
    def expected(self) -> list[int]:
        """Counts that a window is compared with: `[*categories, others, new, missing]`.

        The most frequent of many categories look more frequent than they are, because they were
        chosen for it. The counts are therefore those of the held-out rows. A category that only one
        of these rows has counts as new (Good 1953).
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
    """Check that the parts of an entry agree on its rows; raise ValueError otherwise."""
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
    """Raise ValueError with `message`, which says what was expected, unless the condition holds."""
    if not holds:
        raise ValueError(message)


def _ascends(values: list[float], *, strictly: bool) -> bool:
    return all(a < b if strictly else a <= b for a, b in pairwise(values))
