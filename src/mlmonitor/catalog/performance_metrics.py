"""Metrics of labels and performance."""

from mlmonitor.catalog.metric_spec import MetricSpec

LABELS = MetricSpec("mlmonitor.labels", "counter", "{label}", ("status",), "Ground truth received")
ERROR_ABSOLUTE = MetricSpec(
    "mlmonitor.error.absolute",
    "counter",
    "{value}",
    ("field", "bucket"),
    "Sum of absolute errors of labelled predictions, by bin of the prediction or declared bucket",
)
ERROR_SQUARED = MetricSpec(
    "mlmonitor.error.squared",
    "counter",
    "{value}",
    ("field", "bucket"),
    "Sum of squared errors of labelled predictions, by bin of the prediction or declared bucket",
)
ERROR_SIGNED = MetricSpec(
    "mlmonitor.error.signed",
    "gauge",
    "{value}",
    ("field", "bucket"),
    "Sum of predicted minus actual, by bin of the prediction or declared bucket; may fall, so a "
    "gauge",
)
LABELLED = MetricSpec(
    "mlmonitor.error.count",
    "counter",
    "{prediction}",
    ("field", "bucket"),
    "Labelled predictions behind the error sums, by bin of the prediction or declared bucket",
)
PERFORMANCE = MetricSpec(
    "mlmonitor.performance",
    "gauge",
    "{score}",
    ("measure", "basis"),
    "Each measure of the task: `realised` over the labelled predictions of this process since its "
    "start, `estimated` over the predictions of the window without labels, `reference` at training",
)
PERFORMANCE_RISK = MetricSpec(
    "mlmonitor.performance.risk",
    "gauge",
    "{score}",
    ("measure", "statistic"),
    "A measure over the newest labels: its current value, the low and high end of its confidence "
    "sequence, the reference's value, and the limit that alerts",
)
PERFORMANCE_ALERT = MetricSpec(
    "mlmonitor.performance.alert",
    "gauge",
    "{alert}",
    ("measure",),
    "1 while a measure is worse than at training by more than the tolerance",
)
OBJECTIVE = MetricSpec(
    "mlmonitor.objective.value",
    "gauge",
    "{score}",
    ("measure", "statistic"),
    "The measure of a declared objective over the newest rows: its current value, the low and high "
    "end of its confidence sequence, and the declared minimum and maximum",
)
OBJECTIVE_ALERT = MetricSpec(
    "mlmonitor.objective.alert",
    "gauge",
    "{alert}",
    ("measure",),
    "1 while a declared objective is not met",
)
ACTUAL = MetricSpec(
    "mlmonitor.actual",
    "gauge",
    "{value}",
    ("field", "bucket"),
    "Sum of the actuals of labelled predictions; may fall, so a gauge",
)
VERDICT = MetricSpec(
    "mlmonitor.verdict",
    "gauge",
    "{verdict}",
    ("action", "reason"),
    "1 while this action is advised for this reason: keep, recalibrate or retrain; 0 for all other "
    "pairs",
)
CONFUSION = MetricSpec(
    "mlmonitor.confusion",
    "counter",
    "{prediction}",
    ("actual", "predicted"),
    "Labelled predictions by actual and predicted class",
)
SCORE_BIN = MetricSpec(
    "mlmonitor.score.bin",
    "counter",
    "{prediction}",
    ("class", "bin", "le", "actual"),
    "Labelled predictions by the score of a class, in twenty bins, and whether it was the class",
)
COHORT_PREDICTIONS = MetricSpec(
    "mlmonitor.cohort.predictions",
    "counter",
    "{prediction}",
    ("cohort",),
    "Predictions that may get a label, by the start of the period they were made in",
)
COHORT_LABELLED = MetricSpec(
    "mlmonitor.cohort.labelled",
    "counter",
    "{prediction}",
    ("cohort",),
    "Predictions of a cohort that have a label",
)
MATURITY = MetricSpec(
    "mlmonitor.labels.maturity",
    "gauge",
    "1",
    (),
    "Labelled share of the predictions in cohorts that have almost all labels they will get",
)
