"""Metrics of comparisons: drift, quality, alerts and incidents."""

from mlmonitor.catalog.metric_spec import FIELD, MetricSpec

DRIFT_SCORE = MetricSpec(
    "mlmonitor.drift.score", "gauge", "{score}", (*FIELD, "measure"), "Distance to the reference"
)
DRIFT_THRESHOLD = MetricSpec(
    "mlmonitor.drift.threshold",
    "gauge",
    "{score}",
    (*FIELD, "measure"),
    "The 99% no-drift quantile of the score for a window of this size",
)
DRIFT_EVIDENCE = MetricSpec(
    "mlmonitor.drift.evidence",
    "gauge",
    "{score}",
    FIELD,
    "Logarithm to base 10 of the e-value: how strongly all rows so far indicate a change",
)
EFFECTIVE_ROWS = MetricSpec(
    "mlmonitor.drift.effective_rows",
    "gauge",
    "{row}",
    FIELD,
    "How many independent rows the window's rows are worth as evidence",
)
DESIGN_EFFECT = MetricSpec(
    "mlmonitor.drift.design_effect",
    "gauge",
    "{row}",
    FIELD,
    "How many rows of a long stretch count as one independent row",
)
DRIFT_ALERT = MetricSpec(
    "mlmonitor.drift.alert", "gauge", "{alert}", FIELD, "1 while an alert about drift is firing"
)
DRIFT_CONTRIBUTION = MetricSpec(
    "mlmonitor.drift.contribution",
    "gauge",
    "{value}",
    (*FIELD, "prediction"),
    "Part of the shift of the mean prediction that this field's changed mix explains by itself",
)
DRIFT_CONTRIBUTION_THRESHOLD = MetricSpec(
    "mlmonitor.drift.contribution.threshold",
    "gauge",
    "{value}",
    (*FIELD, "prediction"),
    "The 99% no-drift quantile of the absolute contribution for a window of this size",
)
QUALITY_SHARE = MetricSpec(
    "mlmonitor.quality.share",
    "gauge",
    "1",
    (*FIELD, "reason"),
    "Share of the window's values that are invalid for this reason",
)
QUALITY_THRESHOLD = MetricSpec(
    "mlmonitor.quality.threshold",
    "gauge",
    "1",
    (*FIELD, "reason"),
    "The 99% no-change quantile of the share for a window of this size",
)
QUALITY_ALERT = MetricSpec(
    "mlmonitor.quality.alert",
    "gauge",
    "{alert}",
    (*FIELD, "reason"),
    "1 while an alert for this reason is firing, such as a broken rule",
)
SERVICE_ALERT = MetricSpec(
    "mlmonitor.service.alert",
    "gauge",
    "{alert}",
    ("measure",),
    "1 while failures or latency have grown, or traffic has changed",
)
INCIDENTS = MetricSpec(
    "mlmonitor.incidents", "gauge", "{incident}", ("cause",), "Incidents that are open now"
)
VIOLATIONS = MetricSpec(
    "mlmonitor.field.violations",
    "counter",
    "{value}",
    (*FIELD, "constraint"),
    "Values that break a declared rule",
)
