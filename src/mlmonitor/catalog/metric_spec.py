"""A metric of the catalogue, and the attributes that many metrics share."""

from typing import Literal, NamedTuple

MetricKind = Literal["counter", "gauge", "histogram"]


class MetricSpec(NamedTuple):
    """One metric: its OpenTelemetry name, kind, UCUM unit, attributes and meaning."""

    name: str
    kind: MetricKind
    unit: str
    attributes: tuple[str, ...]
    meaning: str

    @property
    def prometheus(self) -> str:
        """The metric's name in PromQL, if the translator adds suffixes for unit and type."""
        units = {"s": "_seconds", "By": "_bytes"}
        if self.kind == "gauge":
            units["1"] = "_ratio"
        total = "_total" if self.kind == "counter" else ""
        return self.name.replace(".", "_") + units.get(self.unit, "") + total


IDENTITY = ("model.name", "model.version")
"""Attributes of every point; backends drop resource attributes or hide them from queries."""

SEGMENT = "segment"
"""An attribute of every point if segments are declared; `all` stands for all rows."""

FIELD = ("field", "role")
"""Attributes of every point about one field."""
