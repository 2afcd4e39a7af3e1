"""The part of a monitor that hands a new version of the model to a running service."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.records import Declared, Kind, Role

if TYPE_CHECKING:
    from mlmonitor.export.series.identity import Identity
    from mlmonitor.pipeline.pipeline import Pipeline
    from mlmonitor.reference.reference import Reference
    from mlmonitor.worker.worker import Worker


class Adoption:
    """The part of a monitor that replaces a version of the model, or the baseline of a field."""

    config: Config
    _identity: "Identity"
    _worker: "Worker"
    _declare: "Callable[[Reference | None], Declared]"
    _positions: tuple[str, ...] | None

    def _begin_adoption(self, identity: "Identity", positions: tuple[str, ...] | None) -> None:
        """Start with the first version.

        positions: names of positional features, from the reference of this version; None if they
        were declared, and so apply to every version.
        """
        self._identity, self._positions = identity, positions
        self._used: dict[str, object] = {identity.version: None}

    def adopt(self, reference: "Reference | str | PathLike[str] | None", *, version: str) -> None:
        """Compare with the reference of a new version from now on, without a restart.

        Calls that ended before belong to the old version, later ones to the new. The series of the
        new version start at zero, and the old series keep their totals. Labels find the
        version that made their prediction, among the newest three of this process. Alerts of the
        old version are reported as resolved. Positional features are named by the new reference,
        unless `features=` was given.

        reference: as in `Monitor`; None to learn one from the next rows. version: a label that this
        process has not used yet.
        Price: the calling thread ingests all waiting rows.

        Raises:
            ConfigError: the version was used before, or an option of the monitor does not fit the
                reference.
            FormatError, OSError: the reference's file is damaged, or cannot be read.
            MonitorError: the monitor was closed.
        """
        from mlmonitor import options

        self._worker.check_open("adopt")
        resolved = options.resolve_reference(reference)
        declared = self._declare(resolved)
        _check_vectors(self._identity.declared, declared)
        names = options.list_features(resolved)
        is_renamed = self._positions is not None and resolved is not None
        positions = {self._positions or (): names} if is_renamed else {}
        mark = object()
        if not version or self._used.setdefault(str(version), mark) is not mark:
            raise ConfigError(
                "version: expected a label that this process has not used, because the bins of "
                "another reference cannot continue its series"
            )
        identity = replace(self._identity, version=str(version), declared=declared)
        if self.config.enabled:
            self._worker.apply(
                lambda pipeline, now: pipeline.adopt(identity, resolved, positions, now=now)
            )
        self._identity = identity

    def accept(self, field: str, *, role: Role | str = Role.FEATURE) -> None:
        """Accept a new normal: the live window of a field becomes its baseline from now on.

        Its alerts resolve, and `status()` and `reference` say when it was accepted
        (`FieldStatus.training.accepted_at`). Bins and categories stay the same. A reference
        saved later includes the new baseline. The evidence about other fields starts again, but
        their alerts continue.

        Raises:
            ConfigError: no such field is compared, the role is unknown, the reference has seasons,
                or the window has fewer than 200 values of the field.
            MonitorError: the monitor was closed.
        """
        self._worker.check_open("accept")
        if role not in tuple(Role):
            raise ConfigError(f"role: expected one of {', '.join(Role)}")
        if self.config.enabled:
            self._worker.apply(lambda pipeline, now: _accept(pipeline, field, Role(role), now=now))


def _accept(pipeline: "Pipeline", field: str, role: Role, *, now: float) -> None:
    from mlmonitor.compare.acceptance.accept_field import accept_field

    pipeline.catch_up(now)
    pipeline.report(accept_field(pipeline.state, field, role, now=now), now)


def _check_vectors(before: Declared, after: Declared) -> None:
    """Raise ConfigError unless the same fields hold vectors, whose copiers are made only once."""
    vectors = [
        {name for name, kind in declared.schema.items() if kind is Kind.EMBEDDING}
        for declared in (before, after)
    ]
    if vectors[0] != vectors[1]:
        expected = ", ".join(sorted(map(repr, vectors[0]))) or "none"
        raise ConfigError(
            f"reference: expected the same embeddings as before, which are {expected}"
        )
