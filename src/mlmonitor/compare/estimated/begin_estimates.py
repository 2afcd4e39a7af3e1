"""Start the alerts on estimated performance, if the reference has a calibration."""

from collections.abc import Mapping

import numpy as np

from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.compare.alerts.row_clock import RowClock
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.estimated.estimate_alerts import EstimateAlerts
from mlmonitor.compare.estimated.expected_losses import expected_baseline
from mlmonitor.compare.risk.risk_baseline import RiskBaseline
from mlmonitor.compare.traffic import Traffic
from mlmonitor.records import Role


def begin_estimate_alerts(
    traffic: Traffic,
    baselines: Mapping[str, RiskBaseline],
    significance: Significance,
    table: CohortTable,
    *,
    row_clock: RowClock,
    now: float,
) -> EstimateAlerts | None:
    """Return alerts on the estimated performance; None if the reference has no calibration."""
    estimator = traffic.estimator
    if estimator is None:
        return None
    baseline = expected_baseline(estimator.calibration, baselines.get("accuracy"))
    if baseline is None:
        return None

    def design_effect(rows: int) -> float:
        """Return the largest design effect of any prediction field, for this many rows."""
        population = traffic.population
        if population is None or population.dependence is None:
            return 1.0
        fields = population.plan.schema.fields
        effects = population.dependence.at(np.full(len(fields), rows, np.int64))
        own = [e for e, f in zip(effects, fields, strict=True) if f.role is Role.PREDICTION]
        return float(max(own, default=1.0))

    return EstimateAlerts(
        estimator,
        baseline,
        significance,
        table,
        design_effect=design_effect,
        row_clock=row_clock,
        now=now,
    )
