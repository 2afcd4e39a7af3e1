"""Rows counted once, anywhere, and compared with a reference later: `Profile`."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Self

from mlmonitor import options
from mlmonitor.aggregate.window import Span
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.host.batch_slices import RecordedBatch
from mlmonitor.capture.host.host_capture import HostCapture
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.prediction_ids import prediction_id
from mlmonitor.capture.read.rows import read_rows
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.snapshot_building import build_snapshot
from mlmonitor.compare.traffic import Comparing
from mlmonitor.config import Config
from mlmonitor.display.markup import add_text, new_fragment, to_text
from mlmonitor.display.progress import ProgressLine
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.fleet.data_file import open_data_file
from mlmonitor.fleet.profile_content import ProfileContent, pack_empty
from mlmonitor.fleet.rounds import evaluate_rounds
from mlmonitor.fleet.row_chunks import ColumnRoles, RowChunk, read_chunks
from mlmonitor.formats.atomic_file import write_atomically
from mlmonitor.formatting import counted
from mlmonitor.records import Declared, Kind, Role
from mlmonitor.reference.reference import Reference
from mlmonitor.status.build import build_status
from mlmonitor.status.status import Status

_BUFFER_ROWS = 4 * 16_384  # four entries: see HostCapture
_ALL_ROWS = Span(None, None, 2)


class Profile:
    """The counts, moments and quantiles of rows over a reference's bins, to be merged and kept.

    Promise: merging profiles in any order and partitioning gives the counts of all rows at once,
        and those of a service that recorded them. Quantiles keep the error of their digests.
    Price: constant memory, as a window's, for any number of rows; time as `Monitor.record`.

    `Profile()` is the empty profile, which changes nothing that it is merged with.
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
        """Count rows: a frame, columns by name, an array, rows, or an iterator of any of them.

        Readers and datasets of pyarrow, and readers of pandas, are read chunk by chunk. Columns
        that are predictions or actuals in the reference are not counted as features.

        Args:
            features: the rows; a chunk of an iterator may be a pair of features and predictions.
            predictions: one a row, or columns of several outputs, if `features` lacks them.
            reference: or the path of its file.
            segments: the features that split the rows, as in `Monitor`.
            ignore: columns to leave out.
            at: when the rows were predicted, in seconds since 1970, which decides their season. If
                not given, now.
            config: `outlier_deviations` and `heavy_hitters` must be those of all merged profiles.

        Raises:
            ConfigError: an argument is wrong.
            SchemaError: rows cannot be read as rows.
        """
        counting = _RowCounting(reference, segments, ignore, at, config)
        chunks = read_chunks(features, predictions, ColumnRoles(counting.reference))
        return cls._wrap(counting.count(chunks, None))

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
    ) -> Self:
        """Count the rows of a Parquet or CSV file in constant memory, with a line of progress.

        Args:
            path: of a file that ends in .parquet or .csv.
            reference: or the path of its file.
            prediction: the column of the predictions, if it has another name than in training.
            segments: the features that split the rows, as in `Monitor`.
            ignore: columns to leave out.
            at: as in `of`.
            config: as in `of`.

        Raises:
            ConfigError: an argument is wrong, or the file has no column of the reference.
            FormatError: the file is not what its ending says.
            OSError: the file cannot be read.
        """
        counting = _RowCounting(reference, segments, ignore, at, config)
        roles = ColumnRoles(counting.reference, prediction)
        file = open_data_file(os.fspath(path), roles.kinds, argument="data", as_tables=True)
        if prediction is not None and prediction not in file.names:
            raise ConfigError(f"data: has no column {prediction!r}")
        if not {f.name for f in counting.reference.fields}.intersection(file.names):
            raise ConfigError("data: has no column of the reference: is it a file of this model?")
        return cls._wrap(counting.count(map(roles.split, file.chunks), file.rows))

    @classmethod
    def _wrap(cls, content: ProfileContent) -> Self:
        profile = cls()
        profile._content = content
        return profile

    @property
    def rows(self) -> int:
        """Rows counted."""
        return 0 if self._content is None else self._content.rows

    @property
    def last_at(self) -> float | None:
        """When the newest rows were predicted, in seconds since 1970; None without rows."""
        return None if self._content is None else self._content.last_at

    def merge(self, other: Self) -> Self:
        """Add what `other` has counted; return this profile, so that calls chain.

        Raises:
            IncompatibleSketch: they belong to different references or segments; nothing is added.
        """
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
        that a status would not name. Price: about 3 KiB a numeric field.
        """
        return pack_empty() if self._content is None else self._content.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read back `to_bytes`, of this release or an earlier one; nothing is unpickled.

        Raises:
            FormatError: these are not the bytes of a profile, or they are damaged; it says where.
        """
        content = ProfileContent.from_bytes(data)
        return cls() if content is None else cls._wrap(content)

    def save(self, path: str | PathLike[str]) -> None:
        """Write `to_bytes` to a file, which a concurrent reader never sees half written.

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
        with open(path, "rb") as file:  # noqa: PTH123 - a path-like object is enough
            return cls.from_bytes(file.read())

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

        earlier: profiles of earlier rows, the oldest first, which are evidence but not in the
        window. Evaluated in order, they show a late change sooner than all rows at once.
        at: when the alerts are said to have started, in seconds since 1970; if not given, now.

        The rows of a profile are evaluated at once, so e-values may differ from a service's. What
        needs single rows is missing: labels, latencies, rules, groups, estimated performance.

        Raises:
            ConfigError: an argument is wrong.
            IncompatibleSketch: the rows were counted with another reference or other segments.
        """
        resolved = _resolve_reference(reference)
        now = time.time() if at is None else float(at)
        rounds = [p._content for p in (*earlier, self)]  # noqa: SLF001 - of this class
        state = evaluate_rounds(
            [content for content in rounds if content is not None],
            resolved,
            config=options.resolve_config(config, os.environ),
            ignore=frozenset(options.check_names("ignore", ignore)),
            now=now,
        )
        snapshot = build_snapshot((model, version), state, Inbox(1), {}, now=now)
        calls = replace(snapshot.calls, predictions=sum(p.rows for p in (*earlier, self)))
        return build_status(replace(snapshot, calls=calls))

    def __repr__(self) -> str:
        return f"Profile({counted(self.rows)} rows)"

    def _repr_html_(self) -> str:
        """The profile as HTML, for notebooks."""
        root = new_fragment("Profile", f": {counted(self.rows)} rows")
        if self._content is not None and self._content.segments:
            add_text(root, f"{len(self._content.segments)} segments")
        return to_text(root)


class _RowCounting:
    """Counts rows with the code of a service, at one moment and in one window."""

    def __init__(
        self,
        reference: Reference | str | PathLike[str],
        segments: Sequence[str],
        ignore: Sequence[str],
        at: float | None,
        config: Config | None,
    ) -> None:
        own = options.resolve_config(config, os.environ)
        ignored = frozenset(options.check_names("ignore", ignore))
        self.reference: Reference = _resolve_reference(reference).without(ignored)
        split_by = options.check_segments(segments, self.reference, own)
        self._now = time.time() if at is None else float(at)
        schema = {f.name: f.kind for f in self.reference.fields if f.role is Role.FEATURE}
        self._inbox = Inbox(_BUFFER_ROWS)
        self._capture = self._begin_capture(own, schema)
        self._comparing = Comparing.begin(
            self.reference,
            replace(ComparisonOptions.from_config(own), span=_ALL_ROWS),
            Declared(ignore=ignored, segments=split_by, schema=schema),
            now=self._now,
        )

    def _begin_capture(self, config: Config, schema: dict[str, Kind]) -> HostCapture:
        recorder = Recorder(
            line=self._inbox.calls,
            clock=time.perf_counter_ns,
            new_id=lambda: prediction_id(unix_ms=0, chance=bytes(10)),
            name_late=self._inbox.name_late,
            guard=self._inbox.guard,
            copiers=options.choose_copiers(schema),
        )
        bounded = config.model_copy(update={"buffer_rows": _BUFFER_ROWS, "enabled": True})
        return HostCapture(recorder, options.list_features(self.reference), bounded)

    def count(self, chunks: Iterable[RowChunk], total: int | None) -> ProfileContent:
        """Count all chunks."""
        comparing = self._comparing
        with ProgressLine("counting rows", total) as line:
            for chunk in chunks:
                batch = RecordedBatch(chunk.features, chunk.predictions)
                for entry in self._capture.build_entries(batch, "value", ()):
                    comparing.update(read_rows([entry]), None, now=self._now)
                    line.update(comparing.population.unevaluated_rows)
                if self._inbox.guard.internal_errors:
                    raise SchemaError(f"features: cannot be read: {self._inbox.guard.last}")
        return ProfileContent.copy_from(comparing, self._now)


def _resolve_reference(reference: Reference | str | PathLike[str]) -> Reference:
    resolved = options.resolve_reference(reference)
    if resolved is None:
        raise ConfigError("reference: expected a Reference (see Reference.fit) or its file's path")
    return resolved
