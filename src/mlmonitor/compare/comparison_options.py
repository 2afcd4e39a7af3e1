"""Options shared by all comparisons of a model."""

from dataclasses import dataclass, replace

from mlmonitor.aggregate.window import Span
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.drift.row_dependence import Grouping


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How the populations of a model are compared.

    span: span of their windows. hitters: number of new category names kept. deviations: half the
    width of a band, in standard deviations. groups: the column that names the group of a row, if
    one was declared. grouping: what is known of the groups, once the reference is known.
    """

    span: Span
    significance: Significance
    hitters: int
    deviations: float = 3.0
    groups: str | None = None
    grouping: Grouping | None = None

    def shared(self, fields: int) -> "ComparisonOptions":
        """Return these options for a model in which `fields` fields share `alpha`."""
        return replace(self, significance=self.significance._replace(fields=fields))
