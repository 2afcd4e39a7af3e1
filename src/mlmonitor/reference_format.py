"""The JSON a reference is saved as. Whatever is read back has been checked against this."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from mlmonitor.errors import FormatError

VERSION = 1
QUANTILE_POINTS = 101
FILE_BYTES = 64 << 20
"""The largest file that is read, and so the largest that is written."""

_Count = Annotated[int, Field(ge=0, le=1 << 53)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
_Category = Annotated[str, StringConstraints(max_length=1_000)]
_Role = Literal["feature", "prediction", "actual"]


class _Entry(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: _Name
    role: _Role
    rows: _Count
    missing: _Count

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Categories and quantiles are what single rows held: they are not told.
        return [("name", self.name), ("role", self.role), ("rows", self.rows)]


class NumericReference(_Entry):
    """One numeric or datetime field: moments, range, quantiles, and counts over its bins.

    `missing` counts rows without a usable number; `counts` are over `edges` in the form `(a, b]`.
    """

    kind: Literal["numeric", "datetime"]
    mean: _Finite | None
    stddev: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    min: _Finite | None
    max: _Finite | None
    quantiles: Annotated[list[_Finite], Field(max_length=QUANTILE_POINTS)]
    edges: Annotated[list[_Finite], Field(max_length=10_000)]
    counts: Annotated[list[_Count], Field(max_length=10_001)]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        _want(len(self.counts) == len(self.edges) + 1, "counts: wanted one more than edges")
        _want(_ascends(self.edges, strictly=True), "edges: wanted strictly ascending")
        _want(
            self.rows == self.missing + sum(self.counts),
            "rows: wanted the sum of counts and missing",
        )
        points = QUANTILE_POINTS if sum(self.counts) else 0
        _want(len(self.quantiles) == points, f"quantiles: wanted {points} for these counts")
        moments = self.mean, self.stddev, self.min, self.max
        if points == 0:
            _want(moments == (None,) * 4, "mean, stddev, min, max: wanted null without counts")
            return self
        if self.mean is None or self.stddev is None or self.min is None or self.max is None:
            raise ValueError("mean, stddev, min, max: wanted numbers, since there are counts")
        _want(_ascends(self.quantiles, strictly=False), "quantiles: wanted ascending")
        low, high = self.min, self.max
        for name, values in (("mean", [self.mean]), ("quantiles", self.quantiles)):
            _want(low <= values[0] and values[-1] <= high, f"{name}: wanted between min and max")
        return self


class CategoricalReference(_Entry):
    """One categorical or boolean field: its most frequent categories, and the rest as one.

    `categories` have `counts`, the last count being that of all others. `others` names those of
    them that were kept; `is_closed` says whether all were.
    """

    kind: Literal["categorical", "boolean"]
    categories: Annotated[list[_Category], Field(max_length=10_000)]
    counts: Annotated[list[_Count], Field(max_length=10_001)]
    others: Annotated[list[_Category], Field(max_length=100_000)]
    is_closed: bool

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        names = self.categories + self.others
        _want(len(set(names)) == len(names), "categories: wanted each name once")
        _want(
            len(self.counts) == len(self.categories) + 1, "counts: wanted one more than categories"
        )
        _want(
            self.rows == self.missing + sum(self.counts),
            "rows: wanted the sum of counts and missing",
        )
        is_boolean = self.kind == "boolean"
        _want(not is_boolean or names == ["false", "true"], "categories: wanted false and true")
        return self


class ReferenceFile(BaseModel):
    """A whole reference, as it stands in its file."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["mlmonitor.reference"] = "mlmonitor.reference"
    version: Annotated[int, Field(ge=1, le=VERSION)] = VERSION
    rows: _Count
    rows_seen: _Count
    trained_at: AwareDatetime | None = None
    importances: dict[_Name, _Finite] = {}
    training_metrics: dict[_Name, _Finite] = {}
    fields: Annotated[
        list[Annotated[NumericReference | CategoricalReference, Field(discriminator="kind")]],
        Field(max_length=100_000),
    ]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        identities = [(field.role, field.name) for field in self.fields]
        _want(len(set(identities)) == len(identities), "fields: wanted each role and name once")
        roles = [role for role, _ in identities]
        _want(roles.count("actual") <= 1, "fields: wanted one actual at most")
        _want(self.rows <= self.rows_seen, "rows: wanted at most rows_seen")
        for at, field in enumerate(self.fields):
            _want(field.rows == self.rows, f"fields.{at}.rows: wanted the rows of the whole")
        return self


class _Head(BaseModel):
    """What is looked at first, so that a newer file is called newer and not damaged."""

    format: str
    version: Annotated[int, Field(strict=True, ge=1, lt=1 << 31)]


def parsed(data: bytes) -> ReferenceFile:
    """The reference in `data`.

    Raises:
        FormatError: it is no reference, is too new, is damaged, or contradicts itself; the message
            says where.
    """
    _check_size(data)
    try:
        head = _Head.model_validate_json(data)
    except ValidationError as error:
        raise FormatError(f"reference: not a file that mlmonitor saved: {_where(error)}") from None
    if head.format != "mlmonitor.reference":
        raise FormatError("reference: format: wanted mlmonitor.reference")
    if head.version > VERSION:
        raise FormatError(
            f"reference: version {head.version} is newer than this library, which reads up to "
            f"{VERSION}: upgrade mlmonitor-sdk, or save the reference again"
        )
    try:
        return ReferenceFile.model_validate_json(data)
    except ValidationError as error:
        raise FormatError(f"reference: {_where(error)}") from None


def written(content: ReferenceFile) -> bytes:
    """The file of a reference, indented; raises FormatError where `parsed` would not take it."""
    data = content.model_dump_json(indent=1).encode() + b"\n"
    _check_size(data)
    return data


def _check_size(data: bytes) -> None:
    if len(data) > FILE_BYTES:
        raise FormatError(
            f"reference: larger than {FILE_BYTES >> 20} MiB: leave out columns of many categories"
        )


def _where(error: ValidationError) -> str:
    """The first three faults: where, and what was wanted; never what stood there."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    told = []
    for fault in faults[:3]:
        message = _WANTED.get(fault["type"], fault["msg"]).removeprefix("Value error, ")
        told.append(f"{_place(fault['loc'])}: {message}")
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return "; ".join(told) + more


_WANTED = {
    # pydantic quotes what stood there in these.
    "union_tag_invalid": "wanted a kind: numeric, datetime, categorical or boolean",
    "union_tag_not_found": "wanted a kind: numeric, datetime, categorical or boolean",
}


def _place(steps: Iterable[int | str]) -> str:
    """Where in the file, on one short line whatever its keys are."""
    return ".".join(ascii(step)[:60].strip("'") for step in steps) or "file"


def _want(holds: bool, message: str) -> None:  # noqa: FBT001 - an assertion's first argument
    if not holds:
        raise ValueError(message)


def _ascends(values: list[float], *, strictly: bool) -> bool:
    return all(a < b if strictly else a <= b for a, b in pairwise(values))
