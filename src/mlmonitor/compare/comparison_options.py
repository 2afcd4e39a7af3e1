"""Options shared by all comparisons of a model."""

from dataclasses import dataclass, replace

from mlmonitor.aggregate.window import Span
from mlmonitor.compare.alerts.significance import Significance


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How the populations of a model are compared.

    span: span of their windows. hitters: number of new category names kept. deviations: half the
    width of a band, in standard deviations.
    """

    span: Span
    significance: Significance
    hitters: int
    deviations: float = 3.0

    def shared(self, fields: int) -> "ComparisonOptions":
        """Return these options for a model in which `fields` fields share `alpha`."""
        return replace(self, significance=self.significance._replace(fields=fields))
