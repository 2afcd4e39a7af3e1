"""All challenges to the version in use of a monitored model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mlmonitor.buffer.id_index import list_texts_and_rows
from mlmonitor.capture.guard import Guard, describe_error
from mlmonitor.capture.host.challenger_entries import ChallengerEntry
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.read.rows import Rows
from mlmonitor.challenge.challenge_state import ChallengeState, Side
from mlmonitor.challenge.challenge_status import ChallengeStatus
from mlmonitor.challenge.early_labels import EarlyLabels
from mlmonitor.challenge.pair_losses import OutputColumns, read_predictions
from mlmonitor.records import Challenger
from mlmonitor.reference.reference import Reference


class _ForwardingGuard(Guard):
    """Counts the errors of one challenge, and forwards them to the monitor's guard for logging."""

    __slots__ = ("faults",)

    def __init__(self, faults: list[Exception]) -> None:
        super().__init__()
        self.faults = faults

    def hold(self, error: Exception) -> None:
        """Count `error`, and keep it for the monitor's guard."""
        self.internal_errors += 1
        self.last = describe_error(error)
        self.faults.append(error)


class ChallengeSet:
    """Compares the version in use with each declared challenger. Belongs to the worker.

    Promise: unreadable data never raises; the error is counted for its challenge and returned by
        `drain_faults`.
    """

    def __init__(
        self,
        challengers: Sequence[Challenger],
        *,
        champion: str,
        groups: str | None = None,
        reference: Reference | None = None,
    ) -> None:
        self._faults: list[Exception] = []
        self._states: dict[str, tuple[ChallengeState, Guard]] = {}
        for options in challengers:
            if options.version != champion:
                name = f"{options.version} against {champion or 'the version in use'}"
                self._states[options.version] = (
                    ChallengeState(name, _complete(options, reference)),
                    _ForwardingGuard(self._faults),
                )
        self._groups = groups
        limits = (int(options.pending_predictions) for options in challengers)
        self._early, self._due = EarlyLabels(max(limits, default=0)), list[LabelEntry]()
        self._announced: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._states)

    @property
    def memory_bytes(self) -> int:
        """Bytes used when the maximum number of predictions and labels wait for each other."""
        own = sum(state.memory_bytes for state, _ in self._states.values())
        return own + self._early.memory_bytes

    def ingest_champion(self, rows: Rows, *, now: float, is_counted: bool = True) -> None:
        """Add rows that the version in use has predicted.

        is_counted: whether the predictions are new; False if only their ids are.
        """
        groups = None if self._groups is None else rows.features.column(self._groups)
        sides: dict[Side, OutputColumns] = {"champion": rows.predictions}
        if self._early:
            self._due.append(self._early.drain(list_texts_and_rows(rows.ids)[0]))
        for state, guard in self._states.values():
            with guard:
                state.ingest(sides, rows.ids, now=now, groups=groups, is_counted=is_counted)

    def ingest(self, entries: Sequence[ChallengerEntry], *, now: float) -> None:
        """Add predictions of challengers; entries of undeclared versions are ignored."""
        for entry in entries:
            if entry.version in self._states:
                state, guard = self._states[entry.version]
                with guard:
                    rows = len(entry.ids)
                    columns = read_predictions(entry.predictions, entry.outputs, rows)
                    own: dict[Side, OutputColumns] = {"challenger": columns}
                    state.ingest(own, entry.ids, now=now, groups=entry.groups)

    def ingest_labels(self, entries: Sequence[LabelEntry]) -> None:
        """Add labels; a label without a prediction waits for it."""
        for state, guard in self._states.values():
            with guard:
                state.ingest_labels(entries)

    def hold_foreign(self, entry: LabelEntry) -> LabelEntry:
        """Store the labels of rows that only a challenger has predicted; return the other labels.

        If the version in use predicts such a row later, `drain_due` returns its label.
        """
        if not self._states:
            return entry
        by_state = [state.mark_sides(entry.ids) for state, _ in self._states.values()]
        champion, challenger = np.any(by_state, axis=0)
        is_foreign = challenger & ~champion
        if not is_foreign.any():
            return entry
        self._early.add(entry.rows(np.flatnonzero(is_foreign)))
        return entry.rows(np.flatnonzero(~is_foreign))

    def drain_due(self) -> list[LabelEntry]:
        """Return the labels that `hold_foreign` stored and whose rows have since been predicted."""
        due, self._due = self._due, []
        return [entry for entry in due if entry.ids]

    def settle(self) -> None:
        """Count the labels that still wait as unmatched; no more predictions will arrive."""
        for state, _ in self._states.values():
            state.settle()

    def drain_faults(self) -> list[Exception]:
        """Return the errors since the last call, for the monitor to count and log as well."""
        faults = self._faults[:]
        self._faults.clear()
        return faults

    def drain_decided(self) -> list[ChallengeStatus]:
        """Return the challenges that were decided since the last call."""
        decided = {name for name, (state, _) in self._states.items() if state.is_decided}
        new = [name for name in self._states if name in decided - self._announced]
        self._announced |= decided
        return [self._build(name) for name in new]

    def _build(self, version: str) -> ChallengeStatus:
        state, guard = self._states[version]
        return state.status(invalid=guard.internal_errors, last_error=guard.last)

    def statuses(self) -> Mapping[str, ChallengeStatus]:
        """Return the status of each challenge, by the version of its challenger."""
        return MappingProxyType({version: self._build(version) for version in self._states})


def _complete(options: Challenger, reference: Reference | None) -> Challenger:
    """Add the reference's classes and loss to a challenger that declares neither."""
    calibration = None if reference is None else reference.content.calibration
    if calibration is None or options.loss is not None or options.classes:
        return options
    classes = list(calibration.classes)
    if calibration.task == "binary" and calibration.positive == 0:
        classes.reverse()
    are_decisions = bool(classes) and not calibration.is_probability and calibration.label is None
    return replace(options, classes=classes, loss="hinge" if are_decisions else None)
