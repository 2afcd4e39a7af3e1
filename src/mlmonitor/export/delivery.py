"""One destination: counters are born at zero, outcomes are counted, faults are held back."""

import logging

from mlmonitor.errors import ExportError
from mlmonitor.export.base import Attributes, Exporter, HistogramValue, Point, Snapshot

log: logging.Logger = logging.getLogger("mlmonitor")

OUTCOMES = ("accepted", "rejected", "failed")


class Delivery:
    """Sends snapshots to one exporter.

    Promise: the first value a backend sees of any counter or histogram is 0, stamped with the time
        of the export before, when it was indeed 0: so `rate` and `increase` miss nothing. `send`
        never raises. Price: a set entry per series.
    """

    def __init__(self, exporter: Exporter, name: str) -> None:
        self.exporter: Exporter = exporter
        self.name: str = name
        self.outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self._born: set[tuple[str, Attributes]] = set()
        self._last_time_ns = 0
        self._failures = 0

    def send(self, snapshot: Snapshot) -> bool:
        """Deliver a snapshot; whether the destination took all of it."""
        born = [_zero(point) for point in snapshot.points if self._is_unborn(point)]
        if born:
            before = max(self._last_time_ns, snapshot.start_unix_ns)
            if self._deliver(snapshot._replace(points=born, time_unix_ns=before)) is None:
                self._count("failed", len(snapshot.points))
                return False
            # Also those that were refused: asking for them again would hold up all others.
            self._born.update((point.metric.name, point.attributes) for point in born)
        rejected = self._deliver(snapshot)
        if rejected is not None:
            self._last_time_ns = snapshot.time_unix_ns
        return rejected == 0

    def close(self, *, timeout_seconds: float) -> None:
        """Close the exporter; what it raises is logged."""
        try:
            self.exporter.close(timeout_seconds=timeout_seconds)
        except Exception as error:  # noqa: BLE001 - theirs, but the host must not meet it
            log.warning("closing %s failed: %s", self.name, type(error).__name__)

    def _is_unborn(self, point: Point) -> bool:
        if point.metric.kind == "gauge":
            return False
        return (point.metric.name, point.attributes) not in self._born

    def _deliver(self, snapshot: Snapshot) -> int | None:
        """How many points were refused for good; None where nothing arrived."""
        try:
            accepted, rejected = self.exporter.send(snapshot)
            self._count("accepted", accepted)
            self._count("rejected", rejected)
        except BaseException as error:  # noqa: BLE001 - whatever it raises must not end the worker
            self._count("failed", len(snapshot.points))
            self._log(error)
            return None
        self._failures = 0
        return rejected

    def _count(self, outcome: str, points: int) -> None:
        self.outcomes[outcome] += points

    def _log(self, error: BaseException) -> None:
        """The 1st, 2nd, 4th, 8th ... failure in a row; our own errors hold no secret."""
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            told = str(error) if isinstance(error, ExportError) else type(error).__name__
            log.warning("export %d in a row to %s failed: %s", self._failures, self.name, told)


def _zero(point: Point) -> Point:
    if isinstance(point.value, HistogramValue):
        counts = (0,) * len(point.value.counts)
        none_yet = None if point.value.sum is None else 0.0
        zero = HistogramValue(point.value.bounds, counts, none_yet, None, None)
        return point._replace(value=zero)
    return point._replace(value=type(point.value)(0))


def named(exporters: "list[Exporter]") -> list[Delivery]:
    """A delivery for each exporter; those of one name are told apart by a number."""
    seen: dict[str, int] = {}
    deliveries = []
    for exporter in exporters:
        name = exporter.name
        seen[name] = seen.get(name, 0) + 1
        deliveries.append(Delivery(exporter, name if seen[name] == 1 else f"{name}-{seen[name]}"))
    return deliveries
