"""The counts of many rows, in total and by segment, and their serialised form."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import numpy as np

from mlmonitor.aggregate.sketches.codec import Array, demand, nest, pack, part, unpack, within
from mlmonitor.capture.read.reader import Reader
from mlmonitor.compare.population import Population
from mlmonitor.compare.traffic import Comparing
from mlmonitor.errors import FormatError, IncompatibleSketch
from mlmonitor.fleet.population_content import PopulationContent, Privacy
from mlmonitor.records import Counts

KIND = "fleet profile"
_PAIR = 2


class ProfileContent:
    """The counts of all rows and of each segment; merging adds them up.

    tally: rows `[2, segments]`: predicted, then failed. unknown: the number of values in each
    column that the reference does not have; None counts columns beyond the limit of names. last_at:
    when the newest rows were predicted; None if unknown.
    """

    __slots__ = ("last_at", "populations", "segments", "tally", "unknown")

    def __init__(
        self,
        populations: Sequence[PopulationContent],
        segments: Sequence[str],
        tally: Counts,
        unknown: Mapping[str | None, int],
        last_at: float | None = None,
    ) -> None:
        self.populations: list[PopulationContent] = list(populations)
        self.segments: tuple[str, ...] = tuple(segments)
        self.tally: Counts = tally
        self.unknown: dict[str | None, int] = dict(unknown)
        self.last_at: float | None = last_at

    @classmethod
    def copy_from(cls, comparing: Comparing, last_at: float) -> Self:
        """Copy the counts of the window, whose newest rows were predicted at `last_at`."""
        populations: list[Population] = [comparing.population]
        segments: tuple[str, ...] = ()
        if comparing.segmentation is not None:
            populations += comparing.segmentation.split.populations
            segments = comparing.segmentation.tally.names
        privacy = Privacy.find(comparing.population)
        contents = [PopulationContent.copy_from(p, privacy) for p in populations]
        tally = np.array([[own.rows for own in contents[1:]], [0] * len(segments)], np.int64)
        return cls(contents, segments, tally, comparing.reader.unknown, last_at)

    @property
    def rows(self) -> int:
        """The number of counted rows."""
        return self.populations[0].rows

    def copy(self) -> Self:
        """Return a copy that shares nothing with this one."""
        copies = [population.copy() for population in self.populations]
        return type(self)(copies, self.segments, self.tally.copy(), self.unknown, self.last_at)

    def merge(self, other: Self) -> None:
        """Add the counts of `other`; raise IncompatibleSketch, adding none, if they do not fit."""
        if self.segments != other.segments:
            raise IncompatibleSketch("profiles with different segments cannot be merged")
        pairs = list(zip(self.populations, other.populations, strict=True))
        for mine, theirs in pairs:
            mine.check_mergeable(theirs)
        for mine, theirs in pairs:
            mine.merge(theirs)
        self.tally = self.tally + other.tally
        if other.last_at is not None:
            self.last_at = max(self.last_at or other.last_at, other.last_at)
        _add_unknown(self.unknown, other.unknown)

    def apply_to(self, comparing: Comparing, *, is_recent: bool = True) -> None:
        """Add all counts to a comparison with the same reference.

        is_recent: whether these rows also count in its window; otherwise they only add evidence.

        Raises:
            FormatError: an array does not fit the reference.
            IncompatibleSketch: the counts belong to another reference, or to other segments.
        """
        populations, segmentation = [comparing.population], comparing.segmentation
        if segmentation is not None:
            populations += segmentation.split.populations
        names = () if segmentation is None else segmentation.tally.names
        if names != self.segments:
            raise IncompatibleSketch("the profile belongs to a reference with other segments")
        views = [
            content.view(population.plan)
            for content, population in zip(self.populations, populations, strict=True)
        ]
        for population, view in zip(populations, views, strict=True):
            population.absorb(view, is_recent=is_recent)
        if segmentation is not None:
            segmentation.tally.predictions += self.tally[0]
            segmentation.tally.failed += self.tally[1]
        _add_unknown(comparing.reader.unknown, self.unknown)

    def to_bytes(self, *, is_redacted: bool = True) -> bytes:
        """Serialise the content with a version and a checksum.

        is_redacted: leave out values that could identify a person. Partial counts are not redacted
        until they have been merged, because they stay where the rows are.
        """
        unknown = [[name, count] for name, count in self.unknown.items()]
        about_rows: dict[str, Any] = {"segments": self.segments, "unknown": unknown}
        if self.last_at is not None:
            about_rows["last_at"] = self.last_at
        about = json.dumps(about_rows)
        state: dict[str, Array] = {
            "about": np.frombuffer(about.encode("utf-8", "surrogatepass"), np.uint8),
            "tally": self.tally,
        }
        for place, population in enumerate(self.populations):
            state |= nest(f"population.{place}", population.state(is_redacted=is_redacted))
        return pack(KIND, state)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what `to_bytes` returned; return None for the bytes of an empty profile.

        Raises:
            FormatError: the bytes are not a profile, or are damaged; the message says where.
        """
        state = unpack(KIND, data)
        if not state:
            return None
        segments, unknown, last_at = _read_about(part(state, "about", np.uint8, ndim=1).tobytes())
        tally = part(state, "tally", np.int64, shape=(2, len(segments)))
        demand((tally >= 0).all(), "tally: expected zero or more")
        populations = []
        for place in range(1 + len(segments)):
            try:
                own = within(f"population.{place}", state)
                populations.append(PopulationContent.from_state(own))
            except FormatError as error:
                raise FormatError(f"{KIND}: population {place}: {error}") from None
        return cls(populations, segments, tally, unknown, last_at)


def _add_unknown(mine: dict[str | None, int], theirs: Mapping[str | None, int]) -> None:
    """Add counts of unknown columns; names beyond a `Reader`'s limit are counted under None."""
    for name, count in theirs.items():
        has_room = name in mine or len(mine) < Reader.UNKNOWN_NAMES
        key = name if has_room else None
        mine[key] = mine.get(key, 0) + count


def pack_empty() -> bytes:
    """Serialise an empty profile, which belongs to no reference."""
    return pack(KIND, {})


def _read_about(text: bytes) -> tuple[tuple[str, ...], dict[str | None, int], float | None]:
    about: Any = None
    with suppress(ValueError, RecursionError):
        about = json.loads(text.decode("utf-8", "surrogatepass"))
    is_sound = (
        isinstance(about, dict)
        and isinstance(about.get("segments"), list)
        and isinstance(about.get("unknown"), list)
        and all(isinstance(name, str) for name in about["segments"])
        and all(map(_is_count, about["unknown"]))
        and _is_time(about.get("last_at"))
    )
    demand(is_sound, f"{KIND}: about: expected the names of segments and unknown columns")
    # Profiles of the first release lack the time.
    return tuple(about["segments"]), dict(about["unknown"]), about.get("last_at")


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        return False
    return value is None or math.isfinite(value)


def _is_count(pair: object) -> bool:
    if not isinstance(pair, list) or len(pair) != _PAIR:
        return False
    name, count = pair
    return isinstance(name, str | None) and type(count) is int and count >= 0
