"""Everything that decides how rows are counted, as one value that other processes can read."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from typing import Self

from mlmonitor import options
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.fleet.row_chunks import ColumnRoles
from mlmonitor.formats.reference import dump, load
from mlmonitor.reference.reference import Reference


@dataclass(frozen=True)
class CountingPlan:
    """How rows are counted: the same for all parts of one count, wherever they are.

    prediction: the column of the predictions, if it has another name than in training. at: when
    the rows were predicted, which decides their season.
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
        """Check the arguments of a count, in the process that asks for it.

        Raises:
            ConfigError: an argument is wrong.
        """
        own = options.resolve_config(config, os.environ)
        ignored = options.check_names("ignore", ignore)
        whole = resolve_reference(reference)
        split_by = options.check_segments(segments, whole.without(frozenset(ignored)), own)
        now = time.time() if at is None else float(at)
        return cls(whole, own, now, prediction, tuple(split_by), tuple(ignored))

    @property
    def counted(self) -> Reference:
        """The reference without the ignored features."""
        return self.reference.without(frozenset(self.ignore))

    @property
    def roles(self) -> ColumnRoles:
        """Which columns are predictions, and which are left out."""
        return ColumnRoles(self.counted, self.prediction)

    def check_columns(self, names: Sequence[str], argument: str) -> None:
        """Raise ConfigError unless data with these columns may be of the reference's model."""
        if self.prediction is not None and self.prediction not in names:
            raise ConfigError(f"{argument}: has no column {self.prediction!r}")
        if not {field.name for field in self.counted.fields}.intersection(names):
            raise ConfigError(
                f"{argument}: has no column of the reference: is it data of this model?"
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
        """Read back `to_bytes`; the last plan of a process is kept, for its next part."""
        return _read_plan(data)


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
    """Return the reference, from its file if a path was given; raise ConfigError without one."""
    resolved = options.resolve_reference(reference)
    if resolved is None:
        raise ConfigError("reference: expected a Reference (see Reference.fit) or its file's path")
    return resolved
