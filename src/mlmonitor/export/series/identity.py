"""Who reports the series of a process."""

from dataclasses import dataclass, field

from mlmonitor.aggregate.segments import ALL
from mlmonitor.catalog import SEGMENT
from mlmonitor.export.base import Attributes
from mlmonitor.records import Declared


@dataclass(frozen=True)
class Identity:
    """Who reports: the model, its declared options, and this process since its start."""

    model: str
    version: str
    instance: str = ""
    started_at: float = 0.0
    declared: Declared = field(default_factory=Declared)

    @property
    def attributes(self) -> Attributes:
        """The attributes of every point."""
        model = ("model.name", self.model), ("model.version", self.version)
        return (*model, (SEGMENT, ALL)) if self.declared.segments else model
