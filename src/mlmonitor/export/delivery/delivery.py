"""One destination: counters are born at zero, outcomes are counted, faults are held back."""

import logging
from dataclasses import replace

from mlmonitor.errors import ExportError, ExportRefused
from mlmonitor.export.base import Delivered, Exporter, Snapshot
from mlmonitor.export.delivery.failure_log import Reasons
from mlmonitor.export.delivery.zero_points import Births
from mlmonitor.status.status import ExportStatus

log: logging.Logger = logging.getLogger("mlmonitor")

OUTCOMES = ("accepted", "rejected", "failed", "possibly_lost")

OLDEST_BIRTH_NS = 30 * 60 * 1_000_000_000
"""Prometheus refuses what is an hour older than its newest sample, be it of another process."""


class Delivery:
    """Sends snapshots to one exporter.

    Promise: the first value a backend sees of any counter or histogram is 0, stamped with the time
        of the export before, when it was indeed 0: so `rate` and `increase` miss nothing. An
        exporter whose `sends_births` is False does without. `send` never raises. Price: a set
        entry per series.
    """

    def __init__(self, exporter: Exporter, name: str) -> None:
        self.exporter: Exporter = exporter
        self.name: str = name
        self.outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self._births = Births() if getattr(exporter, "sends_births", True) else None
        self._reasons = Reasons(name)
        self._is_well = True
        self._last_reason: str | None = None
        self._last_time_ns = 0
        self._last_success_ns: int | None = None

    @property
    def wants_fine_durations(self) -> bool:
        """Whether latencies are to be counted in exponential buckets as well."""
        return bool(getattr(self.exporter, "wants_fine_durations", False))

    @property
    def keeps_exemplars(self) -> bool:
        """Whether the destination wants to know in which traces values were made."""
        return bool(getattr(self.exporter, "keeps_exemplars", False))

    def send(self, snapshot: Snapshot) -> bool:
        """Deliver a snapshot; whether the destination took all of it."""
        if self._births is not None and not self._bear(snapshot, self._births):
            return False
        delivered = self._deliver(snapshot)
        if isinstance(delivered, Exception):
            return False
        self._last_time_ns = snapshot.time_unix_ns
        if delivered.accepted:
            self._last_success_ns = snapshot.time_unix_ns
        return not any(delivered[1:4])

    def status(self, now: float) -> ExportStatus:
        """What became of all points so far, and when and why it last went well and wrong."""
        since = None
        if self._last_success_ns is not None:
            since = max(now - self._last_success_ns / 1e9, 0.0)
        return ExportStatus(dict(self.outcomes), self._is_well, self._last_reason, since)

    def close(self, *, timeout_seconds: float) -> None:
        """Close the exporter; what it raises is logged."""
        try:
            self.exporter.close(timeout_seconds=timeout_seconds)
        except Exception as error:  # noqa: BLE001 - theirs, but the host must not meet it
            log.warning("closing %s failed: %s", self.name, type(error).__name__)

    def _bear(self, snapshot: Snapshot, births: Births) -> bool:
        """Send zeros for new series; whether their values may follow.

        They may not while nothing arrives. Zeros that were refused are not sent again: a backend
        that has reached its limit of series would else get nothing at all.
        """
        born = births.due(snapshot.families)
        if born:
            oldest = snapshot.time_unix_ns - OLDEST_BIRTH_NS
            before = max(self._last_time_ns, snapshot.start_unix_ns, oldest)
            made = snapshot.time_unix_ns
            zeros = replace(snapshot, families=born, time_unix_ns=before, made_unix_ns=made)
            outcome = self._deliver(zeros, behind=snapshot.size)
            if isinstance(outcome, Exception) and not isinstance(outcome, ExportRefused):
                return False
        births.note(snapshot.families, born)
        return True

    def _deliver(self, snapshot: Snapshot, *, behind: int = 0) -> Delivered | Exception:
        """What became of the points; what was raised where nothing arrived.

        behind: points that fail with them, because they will not be sent if these do not arrive.
        """
        try:
            delivered = Delivered(*self.exporter.send(snapshot))
        except BaseException as error:  # noqa: BLE001 - whatever it raises must not end the worker
            # Our own errors hold no secret; the words of others are not repeated.
            told = str(error) if isinstance(error, ExportError) else type(error).__name__
            failed = snapshot.size + (0 if isinstance(error, ExportRefused) else behind)
            self._note(Delivered(0, 0, failed, 0, told or type(error).__name__))
            return error if isinstance(error, ExportError) else ExportError()
        self._note(delivered)
        return delivered

    def _note(self, delivered: Delivered) -> None:
        """Count the outcome, and tell of it if it is not all well."""
        counted = (delivered.rejected, delivered.failed, delivered.possibly_lost)
        for outcome, points in zip(OUTCOMES, (delivered.accepted, *counted), strict=True):
            self.outcomes[outcome] += points
        bad = list(zip(counted, OUTCOMES[1:], strict=True))
        if delivered.reason or any(points for points, _ in bad):
            points, outcome = max(bad)
            self._is_well, self._last_reason = False, delivered.reason or outcome
            self._reasons.tell(self._last_reason, points=points, outcome=outcome)
        else:
            self._is_well = True
            self._reasons.clear()


def named(exporters: list[Exporter]) -> list[Delivery]:
    """A delivery for each exporter; those of one name are told apart by a number."""
    seen: dict[str, int] = {}
    deliveries = []
    for exporter in exporters:
        name = exporter.name
        seen[name] = seen.get(name, 0) + 1
        deliveries.append(Delivery(exporter, name if seen[name] == 1 else f"{name}-{seen[name]}"))
    return deliveries
