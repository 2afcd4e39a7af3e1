"""Options shared by all comparisons of a model."""

from dataclasses import dataclass, replace

from mlmonitor.aggregate.window import Span
from mlmonitor.compare.alerts.significance import Significance


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How the populations of a model are looked at.

    span: of their windows. hitters: names kept of new categories. deviations: half a band's width.
    """

    span: Span
    level: Significance
    hitters: int
    deviations: float = 3.0

    def shared(self, fields: int) -> "ComparisonOptions":
        """The same where so many fields, in all populations, share the level."""
        return replace(self, level=self.level._replace(fields=fields))
