"""Send snapshots to one destination, count the outcomes, and contain failures."""

import logging
from dataclasses import replace

from mlmonitor.compare.snapshot import ExportStatus
from mlmonitor.errors import ExportError, ExportRefused
from mlmonitor.export.base import Delivered, Exporter, Snapshot
from mlmonitor.export.delivery.continuity import Continuity
from mlmonitor.export.delivery.failure_log import FailureLog
from mlmonitor.export.delivery.zero_points import ZeroPoints

log: logging.Logger = logging.getLogger("mlmonitor")

OUTCOMES = ("accepted", "rejected", "failed", "possibly_lost", "possibly_doubled")

OLDEST_ZERO_NS = 30 * 60 * 1_000_000_000
"""Zeros are no older than this: Prometheus refuses samples an hour older than its newest."""


class Delivery:
    """Sends snapshots to one exporter.

    Promise: each counter and histogram is sent as 0 before its first value, with the time of the
        previous export, so that the backend's `rate` and `increase` include the first value. An
        exporter whose `sends_zero_points` is False skips this. `send` never raises.
    Price: a set entry per series.
    """

    def __init__(self, exporter: Exporter, name: str) -> None:
        self.exporter: Exporter = exporter
        self.name: str = name
        self.outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self.unanswered: dict[str, int] = {"closed": 0, "timeout": 0}
        sends_zeros = bool(getattr(exporter, "sends_zero_points", True))
        self._zeros = ZeroPoints() if sends_zeros else None
        self._continuity = Continuity(is_delta=not sends_zeros)
        self._failures = FailureLog(name)
        self._is_well = True
        self._last_reason: str | None = None
        self._last_time_ns = 0
        self._last_success: float | None = None  # by the clock that never goes back

    @property
    def wants_fine_durations(self) -> bool:
        """Whether latencies are counted in exponential buckets as well."""
        return bool(getattr(self.exporter, "wants_fine_durations", False))

    @property
    def keeps_exemplars(self) -> bool:
        """Whether the destination stores exemplars: links from values to their traces."""
        return bool(getattr(self.exporter, "keeps_exemplars", False))

    def send(self, snapshot: Snapshot) -> bool:
        """Deliver a snapshot; return whether the destination stored all of it."""
        if self._continuity.is_interrupted(snapshot):
            self._begin_series(snapshot)
        adapted = self._continuity.adapt(snapshot)
        if self._zeros is not None and not self._send_zeros(adapted, self._zeros):
            return False
        delivered = self._deliver(adapted)
        if isinstance(delivered, Exception):
            if not isinstance(delivered, ExportRefused):
                self._continuity.book(snapshot, adapted.time_unix_ns, None)
            return False
        self._continuity.book(snapshot, adapted.time_unix_ns, delivered)
        if delivered.accepted:
            self._last_time_ns = adapted.time_unix_ns
            self._last_success = snapshot.now
        return not _list_problems(delivered)

    def status(self, now: float) -> ExportStatus:
        """Return counts by outcome, the seconds since the last success, and the last failure."""
        since = None
        if self._last_success is not None:
            since = max(now - self._last_success, 0.0)
        return ExportStatus(
            dict(self.outcomes), self._is_well, self._last_reason, since, dict(self.unanswered)
        )

    def limit_sends(self, timeout_seconds: float) -> None:
        """Limit the duration of later sends, if the exporter supports it."""
        limit = getattr(self.exporter, "limit_sends", None)
        if limit is not None:
            limit(timeout_seconds)

    def close(self, *, timeout_seconds: float) -> None:
        """Close the exporter; if that raises, log the type of the exception."""
        try:
            self.exporter.close(timeout_seconds=timeout_seconds)
        except Exception as error:  # noqa: BLE001 - an exporter's error must not reach the host
            log.warning("closing %s failed: %s", self.name, type(error).__name__)

    def _begin_series(self, snapshot: Snapshot) -> None:
        """Begin new series, whose counters start at zero, after the clock was set back."""
        self.outcomes["possibly_doubled"] += self._continuity.begin_series(snapshot)
        self._last_time_ns = 0
        if self._zeros is not None:
            self._zeros = ZeroPoints()
        log.warning(
            "%s: the clock was set back: its series continue under another service.instance.id",
            self.name,
        )

    def _send_zeros(self, snapshot: Snapshot, zero_points: ZeroPoints) -> bool:
        """Send zeros for new series; return whether the values may be sent now.

        Values have to wait if the zeros did not arrive. Zeros that the destination refused are not
        sent again: otherwise a backend that accepts no new series would get no values at all.
        """
        zeros = zero_points.collect(snapshot.families)
        if zeros:
            oldest = snapshot.time_unix_ns - OLDEST_ZERO_NS
            before = max(self._last_time_ns, snapshot.start_unix_ns, oldest)
            made_ns = int(snapshot.now * 1e9)
            earlier = replace(snapshot, families=zeros, time_unix_ns=before, made_unix_ns=made_ns)
            outcome = self._deliver(earlier, behind=snapshot.size)
            if isinstance(outcome, Exception) and not isinstance(outcome, ExportRefused):
                return False
        zero_points.mark_sent(snapshot.families, zeros)
        return True

    def _deliver(self, snapshot: Snapshot, *, behind: int = 0) -> Delivered | Exception:
        """Send the points and count the outcome; return it, or the error if nothing arrived.

        behind: the number of points that cannot be sent if these fail.
        """
        try:
            delivered = Delivered(*self.exporter.send(snapshot))
        except BaseException as error:  # noqa: BLE001 - no exporter may end the worker
            # Our own errors hold no secret; other errors may, so their text is not repeated.
            reason = str(error) if isinstance(error, ExportError) else type(error).__name__
            failed = snapshot.size + (0 if isinstance(error, ExportRefused) else behind)
            self._count_outcome(Delivered(0, 0, failed, 0, reason or type(error).__name__))
            return error if isinstance(error, ExportError) else ExportError()
        self._count_outcome(delivered)
        return delivered

    def _count_outcome(self, delivered: Delivered) -> None:
        """Count the points by outcome, and log any that were not accepted."""
        for outcome in OUTCOMES:
            self.outcomes[outcome] += getattr(delivered, outcome)
        unanswered = delivered.possibly_lost + delivered.possibly_doubled
        closed = min(delivered.closed, unanswered)
        self.unanswered["closed"] += closed
        self.unanswered["timeout"] += unanswered - closed
        problems = _list_problems(delivered)
        if delivered.reason or problems:
            points, outcome = max(problems, default=(0, "possibly_doubled"))
            self._is_well, self._last_reason = False, delivered.reason or outcome
            self._failures.report(self._last_reason, points=points, outcome=outcome)
        else:
            self._is_well = True
            self._failures.reset()


def _list_problems(delivered: Delivered) -> list[tuple[int, str]]:
    """Return the number of points and the name of each unsuccessful outcome that occurred."""
    counts = ((getattr(delivered, outcome), outcome) for outcome in OUTCOMES[1:])
    return [(points, outcome) for points, outcome in counts if points]


def name_deliveries(exporters: list[Exporter]) -> list[Delivery]:
    """Make a delivery for each exporter; a number is added to names that occur twice."""
    used: dict[str, int] = {}
    deliveries = []
    for exporter in exporters:
        name = exporter.name
        used[name] = used.get(name, 0) + 1
        deliveries.append(Delivery(exporter, name if used[name] == 1 else f"{name}-{used[name]}"))
    return deliveries
