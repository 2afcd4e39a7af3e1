"""Alerts on harmful drift, from pairs whose task is not certain at first."""

import numpy as np
import pytest

from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.risk.losses_since import ENOUGH_LABELS
from mlmonitor.compare.risk.risk_alerts import RiskAlerts, RiskOptions
from mlmonitor.compare.risk.risk_baseline import certain_baseline

DAY = 86_400.0
BASELINE = certain_baseline(LossBins("accuracy", 1.0, is_floor=True), 0.1, "training_metrics")


def block_of(rows: int) -> OutcomeBlock:
    """Pairs of which all are right."""
    nothing, codes = np.full(rows, np.nan), np.zeros(rows, np.int64)
    return OutcomeBlock(nothing, nothing, codes, codes, np.empty((0, rows)), {})


@pytest.mark.parametrize(("further", "harm"), [(-1, "unknown"), (0, "benign")])
def test_first_pairs_that_are_ingested_again_count_once_in_the_harm_of_a_drift(
    further: int, harm: str
) -> None:
    """They are, once a third class shows that there are more than two; the time stays watched."""
    alerts = RiskAlerts(
        {"accuracy": BASELINE},
        Significance(0.01, 1, 0.1),
        CohortTable(DAY),
        RiskOptions(),
        row_clock=RowClock(),
        now=0.0,
    )
    alerts.watch_since([0.0])
    alerts.begin(OutcomePlan("binary", ("a", "b")))
    alerts.ingest(block_of(100), np.ones(100))
    alerts.begin(OutcomePlan("multiclass", ("a", "b", "c")))
    rows = ENOUGH_LABELS + further
    alerts.ingest(block_of(rows), np.ones(rows))
    assert alerts.judge_since(0.0).harm == harm
