"""`Profile`: rows counted once, anywhere, to be merged and compared with a reference later."""

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

from mlmonitor.config import Config
from mlmonitor.display.markup import add_text, new_fragment, to_text
from mlmonitor.environment.argument_checks import find_file
from mlmonitor.errors import ConfigError
from mlmonitor.fleet.data_file import split_data_file
from mlmonitor.fleet.profile_content import ProfileContent, pack_empty
from mlmonitor.fleet.row_chunks import read_chunks
from mlmonitor.formats.atomic_file import write_atomically
from mlmonitor.formatting import counted, describe_kind
from mlmonitor.profiling.counting_plan import CountingPlan, resolve_reference, resolve_time
from mlmonitor.profiling.file_counting import count_file
from mlmonitor.profiling.round_comparison import compare_rounds
from mlmonitor.profiling.row_counting import count_chunks
from mlmonitor.reference.reference import Reference
from mlmonitor.status.build import build_status
from mlmonitor.status.status import Status


class Profile:
    """The counts, moments and quantiles of rows over a reference's bins, to be merged and stored.

    Promise: merging profiles, for any order and partitioning, gives the counts of a
        service that recorded all rows. Quantiles are as accurate as their digests.
    Price: constant memory, as for a window, for any number of rows; time as for `Monitor.record`.

    `Profile()` is the empty profile: merging it changes nothing.
    """

    __slots__ = ("_content",)

    def __init__(self) -> None:
        self._content: ProfileContent | None = None

    @classmethod
    def of(  # noqa: PLR0913 - all but the rows by keyword
        cls,
        features: Any,
        predictions: Any = None,
        *,
        reference: Reference | str | PathLike[str],
        segments: Sequence[str] = (),
        ignore: Sequence[str] = (),
        at: float | None = None,
        config: Config | None = None,
    ) -> Self:
        """Count rows: a frame, columns by name, an array, a list of rows, or an iterator of these.

        Readers and datasets of pyarrow, and readers of pandas, are read chunk by chunk. Columns
        that are predictions or actuals in the reference are not counted as features.

        Args:
            features: the rows; a chunk of an iterator may be a pair of features and predictions.
            predictions: one per row, or columns of several outputs, if `features` lacks them.
            reference: the reference, or the path of its file.
            segments: the features that split the rows, as in `Monitor`.
            ignore: columns to leave out.
            at: when the rows were predicted, in seconds since 1970, which decides their season; by
                default now.
            config: `outlier_deviations` and `heavy_hitters` must be those of all merged profiles.

        Raises:
            ConfigError: an argument is wrong.
            SchemaError: the rows cannot be read.
        """
        plan = CountingPlan.resolve(
            reference, segments=segments, ignore=ignore, at=at, config=config
        )
        chunks = plan.check_chunks(read_chunks(features, predictions, plan.roles))
        content = count_chunks(plan, chunks, None)
        plan.warn_of_missing(content)
        return cls._wrap(content)

    @classmethod
    def read(  # noqa: PLR0913 - all but the file by keyword
        cls,
        path: str | PathLike[str],
        *,
        reference: Reference | str | PathLike[str],
        prediction: str | None = None,
        segments: Sequence[str] = (),
        ignore: Sequence[str] = (),
        at: float | None = None,
        config: Config | None = None,
        workers: int | None = None,
    ) -> Self:
        """Count the rows of a Parquet or CSV file in constant memory, with a progress line.

        Promise: the bytes of the profile do not depend on `workers`.

        Args:
            path: the file, which ends in .parquet or .csv.
            reference: the reference, or the path of its file.
            prediction: the column of the predictions, if its name differs from that in training.
            segments: the features that split the rows, as in `Monitor`.
            ignore: columns to leave out.
            at: as in `of`.
            config: as in `of`.
            workers: processes that count parts of the file; by default one per core. Parquet is
                split between row groups; a file of fewer than 262,144 rows is not split.

        Raises:
            ConfigError: an argument is wrong, or the file has no column of the reference.
            FormatError: the file's contents do not match its extension.
            OSError: the file cannot be read.
        """
        plan = CountingPlan.resolve(
            reference,
            prediction=prediction,
            segments=segments,
            ignore=ignore,
            at=at,
            config=config,
        )
        file = split_data_file(path)
        plan.check_columns(file.names, "data")
        content = count_file(plan, os.fspath(path), file, workers=workers)
        plan.warn_of_missing(content)
        return cls._wrap(content)

    @classmethod
    def _wrap(cls, content: ProfileContent) -> Self:
        profile = cls()
        profile._content = content
        return profile

    @property
    def rows(self) -> int:
        """The number of counted rows."""
        return 0 if self._content is None else self._content.rows

    @property
    def last_at(self) -> float | None:
        """When the newest rows were predicted, in seconds since 1970; None if there are no rows."""
        return None if self._content is None else self._content.last_at

    def merge(self, other: Self) -> Self:
        """Add the counts of `other` to this profile, and return this profile, so that calls chain.

        Raises:
            ConfigError: `other` is not a profile.
            IncompatibleSketch: the profiles differ in reference or segments; nothing is added.
        """
        read_content(other)
        if other._content is None:
            return self
        if self._content is None:
            self._content = other._content.copy()
        else:
            theirs = other._content.copy() if other is self else other._content
            self._content.merge(theirs)
        return self

    def to_bytes(self) -> bytes:
        """Serialise the profile, with a version and a checksum.

        Values that could identify a person are left out: the quantiles of ids, and new categories
        that a status would not name. Price: about 3 KiB per numeric field.
        """
        return pack_empty() if self._content is None else self._content.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the result of `to_bytes`, of this release or an earlier one; nothing is unpickled.

        Raises:
            FormatError: the bytes are not a profile, or are damaged; the message says where.
        """
        content = ProfileContent.from_bytes(data)
        return cls() if content is None else cls._wrap(content)

    def save(self, path: str | PathLike[str]) -> None:
        """Write `to_bytes` to a file atomically: a reader never sees a partly written file.

        Raises:
            OSError: the file cannot be written.
        """
        write_atomically(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a saved profile.

        Raises:
            FormatError: the file holds no profile, or is damaged.
            OSError: the file cannot be read.
        """
        file = find_file(path, "profile", "the file that Profile.save wrote")
        return cls.from_bytes(file.read_bytes())

    def status(  # noqa: PLR0913 - all but the reference by keyword
        self,
        reference: Reference | str | PathLike[str],
        *,
        earlier: Sequence[Self] = (),
        model: str = "model",
        version: str = "",
        ignore: Sequence[str] = (),
        at: float | None = None,
        config: Config | None = None,
    ) -> Status:
        """Compare with a reference, as a service that recorded these rows in one window would.

        earlier: profiles of earlier rows, the oldest first. They add evidence but are not in the
        window. A late change is found sooner if earlier rows have profiles of their own.
        at: the start time of this profile's alerts, in seconds since 1970; by default now. Alerts
        of earlier profiles start at the time of their newest rows.

        The rows of a profile are evaluated together, so e-values may differ from a service's. Parts
        that need individual rows (labels, latencies, rules, groups, estimates) are missing.

        Raises:
            ConfigError: an argument is wrong.
            IncompatibleSketch: the rows were counted with another reference or other segments.
        """
        return build_status(
            compare_rounds(
                self._list_rounds(earlier),
                resolve_reference(reference),
                identity=(model, version),
                ignore=ignore,
                now=resolve_time(at),
                config=config,
            )
        )

    def report(  # noqa: PLR0913 - all but the path and the reference by keyword
        self,
        path: str | PathLike[str],
        reference: Reference | str | PathLike[str],
        *,
        earlier: Sequence[Self] = (),
        model: str = "model",
        version: str = "",
        ignore: Sequence[str] = (),
        at: float | None = None,
        config: Config | None = None,
    ) -> Path:
        """Write `status` as a report, in the form of `Monitor.report`; return its path.

        The extension `.html` gives one self-contained file for people, `.json` one for programs.
        Charts show each profile, those in `earlier` and this one, at the time of its newest rows.
        Price: 15 to 25 ms and 25 kB per field.

        Raises:
            ConfigError: an argument is wrong, or the path has another extension.
            IncompatibleSketch: the rows were counted with another reference or other segments.
            MissingExtra: the extra `report` is not installed, for HTML.
            OSError: the file cannot be written.
        """
        from mlmonitor.present.report.report_file import check_path, write_report
        from mlmonitor.present.views.view_options import ModelReading

        check_path(path)  # before anything is compared
        snapshot = compare_rounds(
            self._list_rounds(earlier),
            resolve_reference(reference),
            identity=(model, version),
            ignore=ignore,
            now=resolve_time(at),
            config=config,
            with_history=True,
        )
        return write_report(ModelReading(snapshot, build_status(snapshot)), path)

    def _list_rounds(self, earlier: Sequence[Self]) -> list[ProfileContent]:
        if isinstance(earlier, Profile):
            raise ConfigError("earlier: expected a list of profiles, got one Profile")
        contents = map(read_content, (*earlier, self))
        return [content for content in contents if content is not None]

    def __repr__(self) -> str:
        return f"Profile({counted(self.rows)} rows)"

    def _repr_html_(self) -> str:
        """Return the profile as HTML, for notebooks."""
        root = new_fragment("Profile", f": {counted(self.rows)} rows")
        if self._content is not None and self._content.segments:
            add_text(root, f"{len(self._content.segments)} segments")
        return to_text(root)


def wrap_content(content: ProfileContent) -> Profile:
    """Return a profile with these counts."""
    return Profile._wrap(content)  # noqa: SLF001 - of this module


def read_content(profile: object) -> ProfileContent | None:
    """Return a profile's counts, None if it is empty; raise ConfigError if it is not a profile."""
    if not isinstance(profile, Profile):
        kind = describe_kind(profile)
        raise ConfigError(f"profile: expected a Profile, as of Profile.load(path), got {kind}")
    return profile._content  # noqa: SLF001 - of this module
