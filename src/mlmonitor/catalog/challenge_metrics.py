"""Metrics that compare challengers with the version in use."""

from mlmonitor.catalog.metric_spec import MetricSpec

CHALLENGE_DIFFERENCE = MetricSpec(
    "mlmonitor.challenge.difference",
    "gauge",
    "{score}",
    ("challenger", "statistic"),
    "The challenger's mean loss minus the champion's: its current value, the low and high end of "
    "its confidence sequence, and the limit below which the challenger wins",
)
CHALLENGE_LOSS = MetricSpec(
    "mlmonitor.challenge.loss",
    "gauge",
    "{score}",
    ("challenger", "side"),
    "Mean loss of each side, `champion` and `challenger`, over its labelled predictions",
)
CHALLENGE_EVIDENCE = MetricSpec(
    "mlmonitor.challenge.evidence",
    "gauge",
    "{score}",
    ("challenger",),
    "Logarithm to base 10 of the e-value: how strongly all labels so far indicate that the "
    "difference is not exactly the margin",
)
CHALLENGE_DECISION = MetricSpec(
    "mlmonitor.challenge.decision",
    "gauge",
    "{decision}",
    ("challenger", "decision"),
    "1 for the decision: `undecided`, `champion` or `challenger`; 0 for the other two",
)
CHALLENGE_SCORES = MetricSpec(
    "mlmonitor.challenge.scores",
    "gauge",
    "{score}",
    ("challenger", "statistic"),
    "How predictions differ, with or without labels: the mean difference, or the share of rows "
    "with another class, its low and high end, and the PSI of the distributions",
)
CHALLENGE_PREDICTIONS = MetricSpec(
    "mlmonitor.challenge.predictions",
    "counter",
    "{prediction}",
    ("challenger", "side"),
    "Predictions of the `champion`, of the `challenger`, and rows with `both`",
)
CHALLENGE_LABELS = MetricSpec(
    "mlmonitor.challenge.labels",
    "counter",
    "{label}",
    ("challenger", "status"),
    "Ground truth received for either side, and predictions evicted without a label",
)
