"""Profile files merged into one model; they are read again only if a file has changed."""

from collections.abc import Sequence
from pathlib import Path

from mlmonitor.errors import ConfigError, FormatError, IncompatibleSketch
from mlmonitor.present.views.view_options import ModelReading
from mlmonitor.profiling.counting_plan import resolve_time
from mlmonitor.profiling.round_comparison import compare_rounds
from mlmonitor.profiling.row_profile import Profile, read_content
from mlmonitor.reference.reference import Reference
from mlmonitor.status.build import build_status

_ENDING = ".profile"

FileState = tuple[str, int, int]
"""Path, time of the last change in nanoseconds, and size."""


class FleetFiles:
    """Profiles in files and folders, merged by round and compared with one reference.

    round_seconds: the length of a round, a period whose rows are evaluated together; None puts all
    rows into one round. identity: the name and the version of the model.
    """

    def __init__(
        self,
        paths: Sequence[str],
        reference: str,
        *,
        round_seconds: float | None,
        identity: tuple[str, str],
        ignore: Sequence[str],
    ) -> None:
        self._paths, self._reference_path = tuple(paths), reference
        self._reference = Reference.load(reference)
        self._round_seconds, self._identity = round_seconds, identity
        self._ignore = tuple(ignore)
        self._newest: tuple[list[FileState], Profile, ModelReading] | None = None

    def read(self) -> ModelReading:
        """Compare the rows of all files with the reference, as of the time of the newest rows.

        Price: a merge of all profiles if any file has changed since the last call; otherwise one
        `stat` per file.

        Raises:
            ConfigError: a folder holds no profile.
            FormatError: a file holds no profile, or a profile of another reference.
            OSError: a file cannot be read.
        """
        states = self._list_states()
        if self._newest is None or self._newest[0] != states:
            merged, reading = self._merge([path for path, _, _ in states])
            self._newest = states, merged, reading
        return self._newest[2]

    @property
    def newest(self) -> Profile:
        """The merged profile of the newest round; empty before the first `read`."""
        return Profile() if self._newest is None else self._newest[1]

    def _list_states(self) -> list[FileState]:
        states = []
        for given in self._paths:
            files = sorted(Path(given).glob(f"*{_ENDING}")) if Path(given).is_dir() else [given]
            if not files:
                raise ConfigError(f"{given}: expected a file that ends in {_ENDING} in this folder")
            for file in map(Path, files):
                about = file.stat()
                states.append((str(file), about.st_mtime_ns, about.st_size))
        return states

    def _merge(self, paths: Sequence[str]) -> tuple[Profile, ModelReading]:
        rounds = self._merge_rounds(paths)
        ordered = [rounds[number] for number in sorted(rounds)]
        contents = [read_content(profile) for profile in ordered]
        try:
            snapshot = compare_rounds(
                [content for content in contents if content is not None],
                self._reference,
                identity=self._identity,
                ignore=self._ignore,
                now=resolve_time(ordered[-1].last_at),
                config=None,
                with_history=True,
            )
        except IncompatibleSketch as error:
            raise FormatError(f"{self._reference_path}: {error}") from error
        return ordered[-1], ModelReading(snapshot, build_status(snapshot))

    def _merge_rounds(self, paths: Sequence[str]) -> dict[int, Profile]:
        """Return the merged profile of each round, by the number of the round."""
        rounds: dict[int, Profile] = {}
        for path in paths:
            try:
                profile = Profile.load(path)
                rounds.setdefault(self._find_round(profile), Profile()).merge(profile)
            except (FormatError, IncompatibleSketch) as error:
                raise FormatError(f"{path}: {error}") from error
        return rounds

    def _find_round(self, profile: Profile) -> int:
        if self._round_seconds is None or not profile.rows:
            return 0
        if profile.last_at is None:
            raise FormatError("has no time: --by needs profiles of a newer release")
        return int(profile.last_at // self._round_seconds)
