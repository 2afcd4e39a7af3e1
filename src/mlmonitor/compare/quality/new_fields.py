"""Fields of rows that the reference does not have."""

from collections.abc import Mapping

import numpy as np

from mlmonitor.aggregate.segments import ALL
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts
from mlmonitor.compare.alerts.significance import NAMES, Significance
from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts, ProportionEvaluation
from mlmonitor.formatting import percent
from mlmonitor.records import Counts, Role
from mlmonitor.stats.evidence.dirichlet import PRIOR

NEW_FIELD = "new_field"


class NewFieldDetector:
    """Evidence that rows have a field that no row of the reference had.

    unknown: the number of rows by unknown name, which the reader updates; None stands for all names
    beyond the reader's limit. has_predictions: whether the reference has predictions; without them,
    predictions are not new fields. Price: nothing until the first unknown name.
    """

    def __init__(
        self,
        unknown: Mapping[str | None, int],
        *,
        reference_rows: int,
        has_predictions: bool,
        significance: Significance,
    ) -> None:
        self._unknown = unknown
        self._reference_rows, self._has_predictions = reference_rows, has_predictions
        self._significance = significance
        self._proportions: ProportionAlerts | None = None
        self._places: dict[str, int] = {}
        self._seen: Counts = np.zeros(NAMES, np.int64)
        self._rows = 0
        self.alerts: OpenAlerts = OpenAlerts()

    def evaluate(self, rows: int, *, now: float) -> list[Alert]:
        """Evaluate new rows; return the alerts that fired or resolved.

        rows: the number of rows since the start.
        """
        new_rows, self._rows = rows - self._rows, rows
        if not self._unknown:
            return []
        if self._proportions is None:
            self._proportions = self._new_proportions()
        counts = self._count_new(new_rows)
        evaluation = self._proportions.evaluate(counts, now=now)
        if evaluation.transitions.fired.any():
            thresholds = self._proportions.thresholds(evaluation.rows)
        else:
            thresholds = evaluation.share  # unused: no alert is built
        names = list(self._places)
        changed = self.alerts.apply(
            evaluation.transitions,
            lambda place: _build_alert(
                names[place], place, evaluation, float(thresholds[place]), now
            ),
        )
        if new_rows:
            self.alerts.refresh(counts[:, 0] / new_rows)
        return changed

    def _new_proportions(self) -> ProportionAlerts:
        return ProportionAlerts(
            np.array([[PRIOR, self._reference_rows + PRIOR]] * NAMES),
            threshold=self._significance.quality_threshold,
            tolerance=self._significance.quality_tolerance,
            min_rows=self._significance.min_rows,
        )

    def _count_new(self, new_rows: int) -> Counts:
        """Number of new rows with and without each name, `[names, 2]`."""
        counts = np.zeros(NAMES, np.int64)
        for name, count in self._unknown.items():
            if name is None or (is_prediction(name) and not self._has_predictions):
                continue
            if name in self._places or len(self._places) < NAMES:
                counts[self._places.setdefault(name, len(self._places))] = count
        with_name = np.minimum(counts - self._seen, new_rows)
        self._seen = counts
        return np.stack([with_name, new_rows - with_name], axis=1)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return 0 if self._proportions is None else self._proportions.nbytes


def is_prediction(name: str) -> bool:
    """Whether `name` is that of the prediction or of one of its outputs."""
    return name == PREDICTION or name.startswith(f"{PREDICTION}.")


def _build_alert(
    name: str, place: int, evaluation: ProportionEvaluation, threshold: float, now: float
) -> Alert:
    share = float(evaluation.share[place])
    return Alert(
        field=name,
        role=Role.PREDICTION if is_prediction(name) else Role.FEATURE,
        segment=ALL,
        measure=NEW_FIELD,
        value=share,
        current=share,
        threshold=threshold,
        log10_e_value=float(evaluation.log10_e[place]),
        state="firing",
        rows=int(evaluation.rows[place]),
        started_at=now,
        reason=f"no row of the reference has it, {percent(share)} of rows have it now",
    )
