"""The arguments of a count as one serialisable value, for other processes."""

import json
import logging
import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from typing import Self

import numpy as np

from mlmonitor import options
from mlmonitor.capture.host.label_entries import read_times
from mlmonitor.compare.declarations import check_names, check_segments
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.fleet.row_chunks import ColumnRoles, RowChunk, find_names
from mlmonitor.formats.reference import dump, load
from mlmonitor.formatting import ask_similar, describe_kind, find_similar
from mlmonitor.records import QUALITIES, Quality, Role
from mlmonitor.reference.reference import Reference

log: logging.Logger = logging.getLogger("mlmonitor")

_MISSING = QUALITIES.index(Quality.MISSING)
_NAMED = 5  # columns that an error lists


@dataclass(frozen=True)
class CountingPlan:
    """How rows are counted: the same for all parts of a count, in any process.

    prediction: the column of the predictions, if its name differs from that in training. at: when
    the rows were predicted, in seconds since 1970, which decides their season.
    """

    reference: Reference
    config: Config
    at: float
    prediction: str | None = None
    segments: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def resolve(
        cls,
        reference: Reference | str | PathLike[str],
        *,
        prediction: str | None = None,
        segments: Sequence[str] = (),
        ignore: Sequence[str] = (),
        at: float | None = None,
        config: Config | None = None,
    ) -> Self:
        """Check the arguments of a count, and build its plan.

        Raises:
            ConfigError: an argument is wrong.
        """
        own = options.resolve_config(config, os.environ)
        ignored = check_names("ignore", ignore)
        whole = resolve_reference(reference)
        split_by = check_segments(segments, whole.without(frozenset(ignored)), own)
        now = resolve_time(at)
        return cls(whole, own, now, prediction, tuple(split_by), tuple(ignored))

    @property
    def counted(self) -> Reference:
        """The reference without the ignored features."""
        return self.reference.without(frozenset(self.ignore))

    @property
    def roles(self) -> ColumnRoles:
        """The roles of the columns: which are features, predictions, or left out."""
        return ColumnRoles(self.counted, self.prediction)

    def check_columns(self, names: Collection[str], argument: str) -> None:
        """Raise ConfigError unless `names` include all features and segments of the reference.

        Other columns count as unknown. The predictions may be absent unless `prediction` names
        them.
        """
        if self.prediction is not None and self.prediction not in names:
            hint = ask_similar(self.prediction, names)
            raise ConfigError(f"{argument}: has no column {self.prediction!r}{hint}")
        fields = self.counted.fields
        if not {field.name for field in fields}.intersection(names):
            raise ConfigError(
                f"{argument}: has no column of the reference: is it data of this model?"
            )
        expected = [*(f.name for f in fields if f.role is Role.FEATURE), *self.segments]
        missing = [name for name in dict.fromkeys(expected) if name not in names]
        if missing:
            raise ConfigError(
                f"{argument}: has no column {_list_missing(missing, set(names) - set(expected))}, "
                "which the reference has: add what is missing, or leave it out of the comparison "
                "with ignore=[...]"
            )

    def check_chunks(self, chunks: Iterable[RowChunk]) -> Iterator[RowChunk]:
        """Yield chunks of rows; raise ConfigError at the first chunk that lacks a column."""
        for chunk in chunks:
            names = find_names(chunk.features)
            if names is not None:
                self.check_columns(names, "features")
            yield chunk

    def warn_of_missing(self, content: ProfileContent) -> None:
        """Log a warning if there were no rows, or if no row has a prediction."""
        if not content.rows:
            log.warning("profile: there are no rows to count: is the file or the frame empty?")
            return
        entries = self.counted.entries((Role.FEATURE, Role.PREDICTION, Role.DERIVED))
        quality = content.populations[0].added["quality"]
        places = [place for place, e in enumerate(entries) if e.role == "prediction"]
        if places and (quality[places, _MISSING] == content.rows).all():
            log.warning(
                "profile: the reference has predictions (%s), but no row has one: they count as "
                "missing; pass predictions, or name their column if it has another name",
                ", ".join(entries[place].name for place in places[:_NAMED]),
            )

    def to_bytes(self) -> bytes:
        """Serialise the plan: a line of JSON, then the reference's file."""
        about = {
            "config": self.config.model_dump(mode="json"),
            "at": self.at,
            "prediction": self.prediction,
            "segments": self.segments,
            "ignore": self.ignore,
        }
        return json.dumps(about).encode() + b"\n" + dump(self.reference.content)

    @classmethod
    def from_bytes(cls, data: bytes) -> "CountingPlan":
        """Read what `to_bytes` returned; a process caches the last plan that it has read."""
        return _read_plan(data)


def _list_missing(missing: Sequence[str], others: Collection[str]) -> str:
    """List missing columns, each with the most similar of the other columns."""
    described = []
    for name in missing[:_NAMED]:
        similar = find_similar(name, others)
        described.append(f"{name!r} (there is {similar[0]!r})" if similar else repr(name))
    more = len(missing) - _NAMED
    return ", ".join(described) + (f" and {more} more" if more > 0 else "")


def resolve_time(at: object) -> float:
    """Return a time in seconds since 1970, now for None; raise ConfigError if it is not a time."""
    if at is None:
        return time.time()
    seconds = read_times(at)
    if seconds.size != 1 or not np.isfinite(seconds).all():
        raise ConfigError(f"at: expected seconds since 1970 or a datetime, got {describe_kind(at)}")
    return float(seconds[0])


@lru_cache(maxsize=1)
def _read_plan(data: bytes) -> CountingPlan:
    line, _, content = data.partition(b"\n")
    about = json.loads(line)
    return CountingPlan(
        Reference(load(content)),
        Config.model_validate(about["config"]),
        about["at"],
        about["prediction"],
        tuple(about["segments"]),
        tuple(about["ignore"]),
    )


def resolve_reference(reference: Reference | str | PathLike[str]) -> Reference:
    """Return the reference, loaded if it is a path; raise ConfigError for anything else."""
    resolved = options.resolve_reference(reference)
    if resolved is None:
        raise ConfigError("reference: expected a Reference (see Reference.fit) or its file's path")
    return resolved
