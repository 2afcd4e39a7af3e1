"""A mean loss that has grown beyond its limit, and the alert on it."""

from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.row_losses import to_measure
from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.records import Role


class GrownLoss(NamedTuple):
    """A mean loss beyond its limit.

    loss: its value over `rows` rows.
    before: its value at training.
    limit: the largest loss that is tolerated.
    log_e: the natural logarithm of the evidence.
    """

    measure: str
    loss: float
    before: float
    limit: float
    log_e: float
    rows: int

    @property
    def value(self) -> float:
        """The measure now."""
        return to_measure(self.measure, self.loss)

    @property
    def value_before(self) -> float:
        """The measure at training."""
        return to_measure(self.measure, self.before)

    def build_alert(self, field: str, *, started_at: float, reason: str) -> Alert:
        """Return the firing alert."""
        return Alert(
            field=field,
            role=Role.PERFORMANCE,
            segment=ALL,
            measure=self.measure,
            value=self.value,
            current=self.value,
            threshold=to_measure(self.measure, self.limit),
            log10_e_value=self.log_e / float(np.log(10)),
            state="firing",
            rows=self.rows,
            started_at=started_at,
            reason=reason,
        )
