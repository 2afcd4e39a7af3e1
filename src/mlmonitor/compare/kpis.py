"""Business figures reported beside predictions: one field and one population per figure."""

from collections.abc import Iterable

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.sketches.categories import OTHER
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.records import Block, Field, Kind, Role

_NEVER_ALERTS = Significance(alpha=1.0, fields=1, tolerance=0.0)  # a figure has no reference


class Kpis:
    """Sums, counts, moments and quantiles of each figure, for at most `NAMES` figures by name.

    Names cannot fill the memory: further figures are counted under `OTHER`, and a name of more than
    200 characters is truncated and gets a hash.
    """

    NAMES = 100
    OTHER = OTHER

    def __init__(self, span: Span) -> None:
        self.populations: dict[str, Population] = {}
        self._options = ComparisonOptions(span, _NEVER_ALERTS, hitters=1)

    def ingest(self, figures: Iterable[tuple[str, object]], *, now: float) -> None:
        """Add figures, `(name, value)`."""
        values: dict[str, list[object]] = {}
        for name, value in figures:
            values.setdefault(self._population_name(name, now), []).append(value)
        for name, column in values.items():
            numbers, refused = parse_floats(column)
            block = Block(len(column), numbers[None, :], np.array(refused)[None, :], [])
            self.populations[name].update(block, now=now)

    def _population_name(self, name: str, now: float) -> str:
        """Return the name that a figure is kept under; create its population if it is new."""
        short = category_name(name) or self.OTHER
        if short not in self.populations and len(self.populations) >= self.NAMES:
            short = self.OTHER
        if short not in self.populations:
            plan = Plan.build([Field(short, Role.KPI, Kind.NUMERIC)], {}, {})
            self.populations[short] = Population(plan, [], self._options, now=now)
        return short
