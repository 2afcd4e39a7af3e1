"""Alerts on harmful drift, from pairs whose task may change."""

import numpy as np
import pytest

from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.risk.losses_since import ENOUGH_LABELS
from mlmonitor.compare.risk.pairs.recent_pairs import cut_pairs
from mlmonitor.compare.risk.risk_alerts import RiskAlerts, RiskOptions
from mlmonitor.compare.risk.risk_baseline import certain_baseline

DAY = 86_400.0
BINARY = OutcomePlan("binary", ("a", "b"))
MULTICLASS = OutcomePlan("multiclass", ("a", "b", "c"))


def begin_binary(measure: str) -> RiskAlerts:
    """Return alerts on a measure that was 0.9 in training, for two assumed classes."""
    bins = LossBins(measure, 1.0, is_floor=True)
    alerts = RiskAlerts(
        {measure: certain_baseline(bins, 0.1, "training_metrics")},
        Significance(0.01, 1, 0.1),
        CohortTable(DAY),
        RiskOptions(),
        row_clock=RowClock(),
        now=0.0,
    )
    alerts.begin(BINARY)
    return alerts


def block_of(rows: int, *, predicted: int = 1) -> OutcomeBlock:
    """Return pairs of one predicted class with the actual class `b`."""
    nothing, ones = np.full(rows, np.nan), np.ones(rows, np.int64)
    return OutcomeBlock(nothing, nothing, predicted * ones, ones, np.empty((0, rows)), {})


@pytest.mark.parametrize(("further", "harm"), [(-1, "unknown"), (0, "benign")])
def test_pairs_that_are_ingested_again_count_once_in_the_harm_of_a_drift(
    further: int, harm: str
) -> None:
    """A third class shows that there are more than two, so the pairs are read again."""
    alerts = begin_binary("accuracy")
    alerts.watch_since([0.0])
    alerts.ingest(block_of(100), np.ones(100))
    alerts.begin(MULTICLASS)
    rows = ENOUGH_LABELS + further
    alerts.ingest(block_of(rows), np.ones(rows))
    assert alerts.judge_since(0.0).harm == harm


@pytest.mark.parametrize(("measure", "state"), [("recall", "resolved"), ("accuracy", "firing")])
def test_an_alert_resolves_if_its_measure_does_not_exist_for_the_task(
    measure: str, state: str
) -> None:
    """Several classes have no recall of one class, but they have an accuracy."""
    alerts = begin_binary(measure)
    alerts.ingest(block_of(90, predicted=0), np.ones(90))
    (fired,) = alerts.evaluate(now=0.0)
    assert (fired.measure, fired.state) == (measure, "firing")
    alerts.begin(MULTICLASS)
    alerts.ingest(block_of(90, predicted=0), np.ones(90))
    assert alerts.alerts == ()
    (changed,) = alerts.evaluate(now=1.0)
    assert (changed.measure, changed.state) == (measure, state)
    assert alerts.evaluate(now=2.0) == []


@pytest.mark.parametrize("tolerates", [True, False])
def test_losses_in_one_batch_give_the_same_evidence_as_in_small_batches(*, tolerates: bool) -> None:
    """One call with all labels equals calls with 500 labels each."""
    rng = np.random.default_rng(0)
    predicted = rng.integers(0, 2, 4_321)
    actual = np.where(rng.random(4_321) < (0.1 if tolerates else 0.2), 1 - predicted, predicted)
    nothing = np.full(4_321, np.nan)
    block = OutcomeBlock(nothing, nothing, predicted, actual, np.empty((0, 4_321)), {})
    risks = []
    for size in (4_321, 500):
        alerts = begin_binary("accuracy")
        for start in range(0, 4_321, size):
            alerts.ingest(cut_pairs(block, slice(start, start + size)), np.zeros(size))
        changed = alerts.evaluate(now=DAY)
        risks.append((alerts.risks, [(alert.rows, alert.log10_e_value) for alert in changed]))
    assert risks[0] == risks[1]
    assert bool(risks[0][1]) is not tolerates
