"""The content of a reference file, with parsing and validation."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    model_validator,
)

from mlmonitor.errors import FormatError
from mlmonitor.formats.reference.calibration_entries import CalibrationReference
from mlmonitor.formats.reference.derived_entries import (
    AnomalyReference,
    FieldEntry,
    check_derived,
    counted,
)
from mlmonitor.formats.reference.entries import (
    Count,
    Finite,
    Name,
    want,
)
from mlmonitor.formats.reference.loss_entries import LossReference, check_losses
from mlmonitor.formats.reference.segment_entries import (
    SegmentReference,
    check_seasons,
    check_segments,
)
from mlmonitor.formats.reference.upgrade import upgrade

VERSION = 2
FILE_BYTES = 64 << 20
"""Maximum size of a file, for both reading and writing."""


class GroupedRows(BaseModel):
    """The declared groups of a reference's rows.

    `field`: the column that names the group; null if groups were given as an array. `groups`: the
    number of groups. `size`: the mean, over rows, of the size of the row's group.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    field: Name | None
    groups: Count
    size: Annotated[float, Field(ge=1, le=1 << 53, allow_inf_nan=False)]


class ReferenceFile(BaseModel):
    """The content of a reference file.

    `rows` is the number of rows that were counted, `rows_seen` the number of all training rows.
    `explained` names the prediction that `predicted` of the entries describes, if there is one.
    `attributions` holds the mean absolute attribution of each feature. `parent_version` is the
    version that this model replaces. `copied_rows` counts rows that are copies of earlier rows; 0
    if unknown. `losses` summarises the losses of rows with a prediction and an actual, by measure;
    `calibration` describes how predictions and actuals relate. `grouped` describes the declared
    groups of rows. `is_dated`: whether the rows were ordered by times.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    format: Literal["mlmonitor.reference"] = "mlmonitor.reference"
    version: Annotated[int, Field(ge=1, le=VERSION)] = VERSION
    rows: Count
    rows_seen: Count
    copied_rows: Count = 0
    trained_at: AwareDatetime | None = None
    importances: dict[Name, Finite] = {}
    training_metrics: dict[Name, Finite] = {}
    training_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    training_rows: Count | None = None
    parent_version: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    attributions: dict[Name, Finite] = {}
    losses: Annotated[list[LossReference], Field(max_length=100)] = []
    calibration: CalibrationReference | None = None
    explained: Name | None = None
    anomaly: AnomalyReference | None = None
    fields: Annotated[
        list[Annotated[FieldEntry, Field(discriminator="kind")]], Field(max_length=100_000)
    ]
    segmented_by: Annotated[list[Name], Field(max_length=100)] = []
    segments: Annotated[list[SegmentReference], Field(max_length=10_000)] = []
    season: Literal["hour_of_day", "hour_of_week"] | None = None
    season_search: Literal["found", "not_found", "too_short"] | None = None
    season_timezone: Annotated[str, Field(min_length=1, max_length=100)] = "UTC"
    grouped: GroupedRows | None = None
    is_dated: bool = False

    @field_serializer("fields", mode="wrap")
    def _omit_unknown(
        self, fields: list[FieldEntry], serialize: SerializerFunctionWrapHandler
    ) -> list[dict[str, Any]]:
        """Leave out an unknown `distinct`, so that the id of an older file does not change."""
        written: list[dict[str, Any]] = serialize(fields)
        for entry in written:
            if entry.get("distinct", 0) is None:
                del entry["distinct"]
        return written

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        identities = [(field.role, field.name) for field in self.fields]
        want(len(set(identities)) == len(identities), "fields: expected each role and name once")
        roles = [role for role, _ in identities]
        want(roles.count("actual") <= 1, "fields: expected one actual at most")
        want(self.rows <= self.rows_seen, "rows: expected at most rows_seen")
        want(self.copied_rows <= self.rows, "copied_rows: expected at most rows")
        for at, field in enumerate(self.fields):
            is_part = field.role == "derived" or field.kind in ("text", "embedding")
            if field.accepted_at is not None:  # this entry counts the rows of a live window
                continue
            most = self.rows_seen if is_part else self.rows
            want(
                field.rows <= most and (is_part or field.rows == most),
                f"fields.{at}.rows: expected the rows of the whole",
            )
        check_derived(self.fields, self.anomaly)
        check_losses(self.losses, rows=self.rows)
        fields = counted(self.fields)
        for field in fields:
            check_seasons(field, self.season, f"fields: {ascii(field.name)[:60]}")
        total = sum(segment.rows for segment in self.segments)
        want(not self.segments or total == self.rows, "segments: expected the rows of the whole")
        want(bool(self.segments) == bool(self.segmented_by), "segmented_by: expected with segments")
        check_segments(self.segments, fields, width=len(self.segmented_by), season=self.season)
        return self


class _Head(BaseModel):
    """The part that is read first, so that a file of a newer version is not reported as damaged."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    format: str
    version: Annotated[int, Field(strict=True, ge=1, lt=1 << 31)]


def load(data: bytes) -> ReferenceFile:
    """Parse and validate the reference in `data`.

    Raises:
        FormatError: the data is not a reference, has a newer version, or is damaged or
            inconsistent; the message says where.
    """
    _check_size(data)
    try:
        head = _Head.model_validate_json(data)
    except ValidationError as error:
        raise FormatError(
            f"reference: not a file that mlmonitor saved: {_describe_errors(error)}: give the path "
            "that Reference.save wrote"
        ) from None
    if head.format != "mlmonitor.reference":
        raise FormatError("reference: format: expected mlmonitor.reference")
    if head.version > VERSION:
        raise FormatError(
            f"reference: version {head.version} is newer than this library, which reads up to "
            f"{VERSION}: upgrade mlmonitor-sdk, or save the reference again"
        )
    _check_keys(data)
    try:
        return ReferenceFile.model_validate_json(upgrade(data, head.version))
    except ValidationError as error:
        raise FormatError(f"reference: {_describe_errors(error)}") from None


def dump(content: ReferenceFile) -> bytes:
    """Serialise a reference as indented JSON; raise FormatError if it is too large for `load`."""
    data = content.model_dump_json(indent=1).encode() + b"\n"
    _check_size(data)
    return data


def compute_reference_id(content: ReferenceFile) -> str:
    """Return the id of a reference in the event log and the store: a hash of its content."""
    return hashlib.sha256(dump(content)).hexdigest()[:32]


def _check_size(data: bytes) -> None:
    if len(data) > FILE_BYTES:
        raise FormatError(
            f"reference: larger than {FILE_BYTES >> 20} MiB: leave out columns of many categories"
        )


def _check_keys(data: bytes) -> None:
    """Raise FormatError if an object repeats a key: parsers disagree about which value counts."""
    # Syntax and depth were checked with the head. Numbers are not parsed: they may be huge.
    tree = json.loads(
        data, object_pairs_hook=_build_object, parse_int=bool, parse_float=bool, parse_constant=bool
    )
    for place in _find_repeated(tree, ()):
        raise FormatError(f"reference: {_place(place)}: expected each key once")


class _Twice:
    """Stands for the value of a key that occurred more than once."""


def _build_object(items: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(items)
    if len(unique) < len(items):
        (key, _), *_ = Counter(key for key, _ in items).most_common(1)
        return {key: _Twice()}
    return unique


def _find_repeated(tree: Any, place: tuple[int | str, ...]) -> Iterator[tuple[int | str, ...]]:
    if isinstance(tree, _Twice):
        yield place
    elif isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            if isinstance(value, _Twice | dict | list):
                yield from _find_repeated(value, (*place, key))


def _describe_errors(error: ValidationError) -> str:
    """Describe the first three errors by field and expectation, without values."""
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    messages = []
    for fault in faults[:3]:
        message = _WANTED.get(fault["type"], fault["msg"]).removeprefix("Value error, ")
        messages.append(f"{_place(fault['loc'])}: {message}")
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return "; ".join(messages) + more


_KINDS = "expected a kind: numeric, datetime, categorical, boolean, text or embedding"
_WANTED = {
    # These replace messages of pydantic that quote the value.
    "union_tag_invalid": _KINDS,
    "union_tag_not_found": _KINDS,
}


def _place(steps: Iterable[int | str]) -> str:
    """Return the position in the file as one line of bounded length."""
    return ".".join(ascii(step)[:60].strip("'") for step in steps) or "file"
