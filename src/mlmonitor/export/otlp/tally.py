"""Count the points of one export by outcome."""

from dataclasses import dataclass

from mlmonitor.errors import ExportClosed, ExportError, ExportRefused, ExportTimeout
from mlmonitor.export.base import Delivered
from mlmonitor.export.otlp.response import Answer, AnswerKind

UNANSWERED: tuple[AnswerKind, ...] = ("closed", "timed_out")


@dataclass
class ExportTally:
    """Counts the points of one export by outcome, and stores the first reason of a failure.

    is_delta: whether the points are deltas, which may count twice if they are sent again.
    """

    is_delta: bool
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    possibly_lost: int = 0
    possibly_doubled: int = 0
    closed: int = 0
    reason: str = ""
    unanswered: AnswerKind | None = None
    is_final: bool = True

    def add(self, answer: Answer, points: int, *, is_settled: bool) -> None:
        """Count the points of one request; `is_settled`: whether they need not be sent again."""
        is_unanswered = answer.kind in UNANSWERED
        if answer.kind == "stored":
            rejected = min(answer.rejected, points)
            self.rejected += rejected
            self.accepted += points - rejected
        elif is_settled:
            self.possibly_lost += points
        elif is_unanswered and self.is_delta:
            self.possibly_doubled += points
        else:
            self.failed += points
        if is_unanswered:
            self.unanswered = self.unanswered or answer.kind
            self.closed += points if answer.kind == "closed" and self.is_delta else 0
        self.reason = self.reason or answer.reason
        self.is_final = self.is_final and answer.is_final

    def deliver(self, destination: str) -> Delivered:
        """Return the outcome; raise ExportError if nothing can have been stored."""
        reason = f"{destination}: {self.reason}" if self.reason else ""
        stored = self.accepted + self.rejected + self.possibly_lost + self.possibly_doubled
        if self.failed and not stored:
            if self.is_final:
                raise ExportRefused(reason)
            raise _ERRORS.get(self.unanswered, ExportError)(reason)
        return Delivered(
            self.accepted,
            self.rejected,
            self.failed,
            self.possibly_lost,
            reason,
            self.possibly_doubled,
            self.closed,
        )


_ERRORS: dict[AnswerKind | None, type[ExportError]] = {
    "closed": ExportClosed,
    "timed_out": ExportTimeout,
}
