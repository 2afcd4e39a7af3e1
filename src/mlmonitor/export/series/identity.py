"""The model and process that report a series."""

from dataclasses import dataclass, field

from mlmonitor.aggregate.segments import ALL
from mlmonitor.catalog import SEGMENT
from mlmonitor.export.base import Attributes
from mlmonitor.records import Declared


@dataclass(frozen=True)
class Identity:
    """The model that reports, its declared options, and this process with its start time."""

    model: str
    version: str
    instance: str = ""
    started_at: float = 0.0
    declared: Declared = field(default_factory=Declared)

    @property
    def attributes(self) -> Attributes:
        """The attributes that every point carries."""
        model = ("model.name", self.model), ("model.version", self.version)
        return (*model, (SEGMENT, ALL)) if self.declared.segments else model
