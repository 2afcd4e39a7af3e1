"""The interface and the results of every e-process."""

from typing import NamedTuple, Protocol

from mlmonitor.records import Counts, Floats, Mask


class ChangeSegment(NamedTuple):
    """The rows since the restart with the most evidence, for each field.

    counts: `[fields, bins]`; rows: `[fields]`.
    seasons: the rows by season, `[fields, seasons]`; `[fields, 0]` without seasons.
    """

    counts: Counts
    rows: Counts
    seasons: Counts


class Evaluation(NamedTuple):
    """The logarithm of each field's e-value, and its most evident change."""

    log_e: Floats
    change: ChangeSegment


class RestartSegments(NamedTuple):
    """The rows since each restart of some fields, and the log of the e-value times the stake.

    log_e: `[restarts, fields]`; minus infinity for a restart that was dropped. counts: `[restarts,
    fields, bins]`. seasons: `[restarts, fields, seasons]`.
    """

    log_e: Floats
    counts: Counts
    seasons: Counts


class EvidenceProcess(Protocol):
    """Evidence of drift for each field, valid at any number of evaluations."""

    def begin_season(self, season: int) -> None:
        """Count later rows in this season."""

    def update(self, counts: Counts) -> None:
        """Add the counts of new rows, `[fields, bins]`."""

    def log_e(self) -> Floats:
        """Return the logarithm of each field's e-value."""

    def evaluate(self) -> Evaluation:
        """Return the e-values, and the most evident change of each field."""

    def restarts(self, fields: Counts) -> RestartSegments:
        """Return all stored restarts of the fields at these indices."""

    def reset(self, fields: Mask) -> None:
        """Discard all evidence of these fields."""

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
