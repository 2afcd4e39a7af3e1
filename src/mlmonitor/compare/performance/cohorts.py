"""Performance by the time of prediction, with the maturity of each cohort."""

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import MOST_COHORTS, CohortTable
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.outcome_tables import OutcomeTables
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.records import Floats


class Cohort(NamedTuple):
    """Predictions made between `start` and `end`, which is not included.

    labelled: how many of the `predicted` have a label so far. maturity: the share of its labels
    that have arrived, estimated from earlier cohorts; None while none is old enough.
    `labelled / predicted` stays below it if some predictions never get a label.
    """

    start: datetime
    end: datetime
    predicted: int
    labelled: int
    maturity: float | None
    performance: Performance


class CohortTracker:
    """The labelled predictions of each cohort, and the counts of `CohortTable`.

    Price: one bucket of the task, without a histogram of scores, for each of 60 cohorts.
    """

    def __init__(self, table: CohortTable, plan: OutcomePlan) -> None:
        self.table = table
        self.outcomes: OutcomeTables = OutcomeTables(plan.without_histogram(), MOST_COHORTS)

    def update(self, block: OutcomeBlock, predicted_at: Floats, labelled_at: Floats) -> list[int]:
        """Add pairs by the time of prediction; return the places of cohorts that they begin."""
        places, begun = self.table.places(predicted_at)
        self.reset(begun)
        self.table.count_labels(places, labelled_at)
        self.outcomes.update(block, places)
        return begun

    def reset(self, places: list[int]) -> None:
        """Reset the sums of cohorts whose place a newer cohort uses."""
        for place in places:
            self.outcomes.reset(place)

    def cohorts(self, *, now: float) -> tuple[Cohort, ...]:
        """The newest cohorts that have predictions, the oldest first."""
        table, outcomes = self.table, self.outcomes.copy()
        shares = table.shares_by_age(now)
        found = []
        for place in table.order():
            period = int(table.periods[place])
            if not table.predicted[place] and not table.labelled[place]:
                continue
            start, end = (
                datetime.fromtimestamp(p * table.seconds, UTC) for p in (period, period + 1)
            )
            age = int(now // table.seconds) - period - 1
            share = shares[min(age, MOST_COHORTS - 1)] if age >= 0 else np.nan
            found.append(
                Cohort(
                    start,
                    end,
                    int(table.predicted[place]),
                    int(table.labelled[place]),
                    None if np.isnan(share) else float(share),
                    Performance(outcomes, place),
                )
            )
        return tuple(found)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.table.nbytes + self.outcomes.nbytes
