"""For tests of services that use mlmonitor: an exporter that keeps all, a clock set by hand."""

from collections.abc import Mapping

from mlmonitor.errors import ExportError
from mlmonitor.export.base import Delivered, HistogramValue, Snapshot

__all__ = ["InMemoryExporter", "ManualClock"]


class ManualClock:
    """Seconds since 1970 that pass when told to; hand it to `Monitor(clock=...)`.

    Raises ValueError if it is asked to go back: the real one never does.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """The time it is."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("seconds: wanted 0 or more")
        self._now += seconds


class InMemoryExporter:
    """Keeps every snapshot it is sent. `is_down` makes it refuse, as a dead collector would."""

    def __init__(self, name: str = "memory") -> None:
        self._name = name
        self.snapshots: list[Snapshot] = []
        self.is_down: bool = False
        self.is_closed: bool = False

    @property
    def name(self) -> str:
        """What the destination is called."""
        return self._name

    def send(self, snapshot: Snapshot) -> Delivered:
        """Keep the snapshot; raise ExportError while down."""
        if self.is_down:
            raise ExportError(f"{self._name} is down")
        self.snapshots.append(snapshot)
        return Delivered(len(snapshot.points), 0)

    def close(self, *, timeout_seconds: float) -> None:
        """Remember that it was closed."""
        del timeout_seconds
        self.is_closed = True

    def value(
        self, name: str, attributes: Mapping[str, str] | None = None
    ) -> int | float | HistogramValue:
        """The newest value of the one series of that name which has these attributes among its own.

        Raises:
            KeyError: there is no such series, or more than one.
        """
        wanted = (attributes or {}).items()
        for snapshot in reversed(self.snapshots):
            found = [
                point.value
                for point in snapshot.points
                if point.metric.name == name and wanted <= dict(point.attributes).items()
            ]
            if len(found) > 1:
                raise KeyError(f"{name}: {len(found)} series match: name more attributes")
            if found:
                return found[0]
        raise KeyError(f"{name}: no series matches")
