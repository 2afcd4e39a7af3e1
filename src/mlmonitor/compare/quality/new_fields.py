"""Names that come with rows though the reference does not know them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mlmonitor.aggregate.segments import ALL
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.significance import NAMES
from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts
from mlmonitor.records import Counts, Role
from mlmonitor.stats.eprocess import PRIOR

NEW_FIELD = "new_field"


class NewFieldDetector:
    """Evidence that rows have a field that no row of the reference had.

    unknown: how many rows had each name that is not known, kept up to date by whoever reads rows;
    None stands for names too many to be kept. has_predictions: whether the reference knows any:
    where it does not, predictions are nothing new. Price: nothing until the first such name.
    """

    def __init__(
        self,
        unknown: Mapping[str | None, int],
        *,
        reference_rows: int,
        has_predictions: bool,
        threshold: float,
        tolerance: float,
        min_rows: int = 0,
    ) -> None:
        self._unknown = unknown
        self._reference_rows, self._has_predictions = reference_rows, has_predictions
        self._threshold, self._tolerance, self._min_rows = threshold, tolerance, min_rows
        self._alarms: ProportionAlerts | None = None
        self._places: dict[str, int] = {}
        self._seen: Counts = np.zeros(NAMES, np.int64)
        self._rows = 0
        self.alerts: dict[int, Alert] = {}

    def look(self, rows: int, *, now: float) -> list[Alert]:
        """Take in what is new; rows: since the start."""
        came, self._rows = rows - self._rows, rows
        if not self._unknown:
            return []
        if self._alarms is None:
            belief = np.array([[PRIOR, self._reference_rows + PRIOR]] * NAMES)
            self._alarms = ProportionAlerts(
                belief,
                threshold=self._threshold,
                tolerance=self._tolerance,
                min_rows=self._min_rows,
            )
        looked = self._alarms.look(self._new(came), now=now)
        names = list(self._places)
        raised: list[int] = np.flatnonzero(looked.turn.raised).tolist()
        critical = self._alarms.critical(looked.rows) if raised else looked.share
        for at in raised:
            share = float(looked.share[at])
            self.alerts[at] = Alert(
                field=names[at],
                role=Role.PREDICTION if is_prediction(names[at]) else Role.FEATURE,
                segment=ALL,
                measure=NEW_FIELD,
                value=share,
                threshold=float(critical[at]),
                log10_e_value=float(looked.log10_e[at]),
                state="firing",
                rows=int(looked.rows[at]),
                started_at=now,
                reason=f"no row of the reference has it, {share:.1%} of rows have it now",
            )
        cleared: list[int] = np.flatnonzero(looked.turn.cleared).tolist()
        return [self.alerts[at] for at in raised] + [
            replace(self.alerts.pop(at), state="resolved") for at in cleared
        ]

    def _new(self, came: int) -> Counts:
        """`[names, 2]`: of the rows that came, how many had each name and how many had not."""
        counts = np.zeros(NAMES, np.int64)
        for name, count in self._unknown.items():
            if name is None or (is_prediction(name) and not self._has_predictions):
                continue
            if name in self._places or len(self._places) < NAMES:
                counts[self._places.setdefault(name, len(self._places))] = count
        with_name = np.minimum(counts - self._seen, came)
        self._seen = counts
        return np.stack([with_name, came - with_name], axis=1)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return 0 if self._alarms is None else self._alarms.nbytes


def is_prediction(name: str) -> bool:
    """Whether it is an output's name, as those that are watched are called."""
    return name == PREDICTION or name.startswith(f"{PREDICTION}.")
