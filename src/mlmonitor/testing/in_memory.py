"""An exporter that keeps all snapshots in memory."""

from collections.abc import Mapping

from mlmonitor.errors import ExportError
from mlmonitor.export.base import Delivered, HistogramValue, Snapshot


class InMemoryExporter:
    """Keeps every snapshot. `is_down` makes it fail like an unreachable collector."""

    def __init__(self, name: str = "memory") -> None:
        self._name = name
        self.snapshots: list[Snapshot] = []
        self.is_down: bool = False
        self.is_closed: bool = False

    @property
    def name(self) -> str:
        """The name of the destination."""
        return self._name

    def send(self, snapshot: Snapshot) -> Delivered:
        """Keep the snapshot; raise ExportError while down."""
        if self.is_down:
            raise ExportError(f"{self._name} is down")
        self.snapshots.append(snapshot)
        return Delivered(len(snapshot.points), 0)

    def close(self, *, timeout_seconds: float) -> None:
        """Set `is_closed`."""
        del timeout_seconds
        self.is_closed = True

    def value(
        self, name: str, attributes: Mapping[str, str] | None = None
    ) -> int | float | HistogramValue:
        """Return the newest value of the only series with that name and at least these attributes.

        Raises:
            KeyError: no series matches, or more than one does.
        """
        expected = (attributes or {}).items()
        for snapshot in reversed(self.snapshots):
            values = [
                point.value
                for point in snapshot.points
                if point.metric.name == name and expected <= dict(point.attributes).items()
            ]
            if len(values) > 1:
                raise KeyError(f"{name}: {len(values)} series match: name more attributes")
            if values:
                return values[0]
        raise KeyError(f"{name}: no series matches")
