"""Predictions of the log in columns, for storing and counting them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlmonitor.formats.events.event_records import (
    Fields,
    RecordColumns,
    build_record_types,
    read_features,
)

_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[list(b"0123456789abcdef")] = range(16)
_UUID_CHARACTERS = 36
_DAY = 86_400_000_000  # microseconds
_DASHES = [8, 13, 18, 23]
_DIGITS = [place for place in range(_UUID_CHARACTERS) if place not in _DASHES]
_DEFAULTS: Mapping[str, Any] = {
    "schema_version": 1,
    "model_version": "",
    "instance": "",
    "segment": "all",
    "sample": 1.0,
} | {name: {} for name in ("scores", "outputs", "features", "derived", "invalid")}


@dataclass(frozen=True)
class PredictionBlock:
    """Valid predictions in columns, with one item per row.

    features: the parsed `columns.features`. uuids: the ids of the events, uint8 `[rows, 16]`.
    microseconds: the times of the events, in microseconds since 1970.
    """

    columns: RecordColumns
    features: Sequence[Fields]
    uuids: NDArray[np.uint8]
    microseconds: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """The number of predictions."""
        return len(self.features)

    @cached_property
    def versions(self) -> Sequence[tuple[str, str]]:
        """The model and model version of each row."""
        return [*zip(self.columns.model, self.columns.model_version, strict=True)]

    @property
    def days(self) -> list[str]:
        """The distinct days of the rows in UTC, such as `2026-01-31`, ascending."""
        return np.unique(self.microseconds // _DAY).astype("M8[D]").astype(str).tolist()  # type: ignore[no-any-return]  # numpy

    @classmethod
    def from_records(
        cls, records: Sequence[Any], *, earliest: int, latest: int
    ) -> tuple[Self, Sequence[int]]:
        """Build a block of the valid records; also return the indices of all others.

        earliest, latest: limits of the time, in microseconds since 1970. The other records must be
        validated by their model, which accepts them or describes the error.
        Price: 5 us a prediction of 20 features.
        """
        columns = RecordColumns(*zip(*map(build_record_types().list_values, records), strict=True))
        features = read_features(columns.features)
        uuids, is_right = parse_uuids(columns.event_id)
        microseconds = _count_microseconds(columns.time)
        is_right &= (microseconds >= earliest) & (microseconds <= latest)
        is_right &= [fields is not None for fields in features]
        if is_right.all():
            return cls(columns, features, uuids, microseconds), ()  # type: ignore[arg-type]  # none is None
        right = [records[place] for place in np.flatnonzero(is_right).tolist()]
        left_out = np.flatnonzero(~is_right).tolist()
        if not right:
            return cls.from_contents([]), left_out
        return cls.from_records(right, earliest=earliest, latest=latest)[0], left_out

    @classmethod
    def from_contents(cls, contents: Sequence[Mapping[str, Any]]) -> Self:
        """Build a block of validated events, which are dictionaries as in JSON."""
        given: dict[str, list[Any]] = {
            name: [content.get(name, _DEFAULTS.get(name)) for content in contents]
            for name in RecordColumns._fields
        }
        features = given["features"]
        given["features"] = [*map(_write_features, features)]
        given["time"] = [datetime.fromisoformat(text) for text in given["time"]]
        columns = RecordColumns(**given)
        uuids, _ = parse_uuids(columns.event_id)
        return cls(columns, features, uuids, _count_microseconds(columns.time))

    @classmethod
    def join(cls, blocks: Sequence[Self]) -> Self:
        """Concatenate the rows of one or more blocks."""
        if len(blocks) == 1:
            return blocks[0]
        parts = zip(*(block.columns for block in blocks), strict=True)
        columns = [[*chain.from_iterable(part)] for part in parts]
        return cls(
            RecordColumns(*columns),
            [*chain.from_iterable(block.features for block in blocks)],
            np.concatenate([block.uuids for block in blocks]),
            np.concatenate([block.microseconds for block in blocks]),
        )

    def rewrite(self) -> Self:
        """Return the block with its features serialised again, so that numbers have few digits."""
        columns = self.columns._replace(features=[*map(_write_features, self.features)])
        return type(self)(columns, self.features, self.uuids, self.microseconds)


def parse_uuids(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Parse texts of 36 characters to bytes, `[ids, 16]`; also mark the valid lower-case UUIDs."""
    characters = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8)
    characters = characters.reshape(-1, _UUID_CHARACTERS)
    nibbles = _NIBBLES[characters[:, _DIGITS]]
    is_uuid = (nibbles <= 15).all(axis=1) & (characters[:, _DASHES] == ord("-")).all(axis=1)
    uuids = nibbles[:, ::2] << 4 | nibbles[:, 1::2] & 15
    return uuids.astype(np.uint8), is_uuid


def _write_features(features: Fields) -> bytes:
    """Serialise features by the standard library, which accepts integers of any size."""
    return json.dumps(features, separators=(",", ":"), ensure_ascii=False).encode()


def _count_microseconds(times: Sequence[datetime]) -> NDArray[np.int64]:
    """Return microseconds since 1970, exactly: a float of seconds is only exact to 0.25 us."""
    seconds = np.array([time.timestamp() for time in times], np.float64)
    return np.rint(seconds * 1e6).astype(np.int64)
