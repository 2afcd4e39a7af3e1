"""Options shared by all comparisons of a model."""

from dataclasses import dataclass, field, replace

from mlmonitor.aggregate.window import Span
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.drift.row_dependence import Grouping
from mlmonitor.config import Config


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How the populations of a model are compared.

    span: the span of their windows.
    hitters: the number of new category names kept.
    deviations: half the width of a band, in standard deviations.
    groups: the column with the group of each row, if declared.
    grouping: the declared groups, once the reference is known.
    cohort_seconds: the length of a cohort of predictions.
    row_clock: the time of the newest rows.
    """

    span: Span
    significance: Significance
    hitters: int
    deviations: float = 3.0
    groups: str | None = None
    grouping: Grouping | None = None
    cohort_seconds: float = 86_400.0
    row_clock: RowClock = field(default_factory=RowClock, compare=False)

    @classmethod
    def from_config(cls, config: Config, *, groups: str | None = None) -> "ComparisonOptions":
        """Build the options from a configuration, as for a model with one field."""
        return cls(
            Span(config.window_seconds, config.window_rows, config.window_slices),
            Significance(
                config.alpha, 1, config.drift_tolerance, config.min_rows, config.quality_tolerance
            ),
            config.heavy_hitters,
            config.outlier_deviations,
            groups=groups,
            cohort_seconds=config.cohort_seconds,
        )

    def shared(self, fields: int) -> "ComparisonOptions":
        """Return these options for a model in which `fields` fields share `alpha`."""
        return replace(self, significance=self.significance._replace(fields=fields))
