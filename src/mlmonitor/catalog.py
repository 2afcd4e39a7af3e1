"""All exported metrics, each defined once: exporters, tests and documentation read this list.

Naming follows the OpenTelemetry guidelines: own prefix, lower case, no unit and no `total` in a
name, UCUM units, singular annotations for counts, unit `1` for fractions only (Prometheus turns
such gauges into `..._ratio`).
"""

from typing import Literal, NamedTuple

MetricKind = Literal["counter", "gauge", "histogram"]


class MetricSpec(NamedTuple):
    """One metric: its OpenTelemetry name, kind, UCUM unit, attributes and meaning."""

    name: str
    kind: MetricKind
    unit: str
    attributes: tuple[str, ...]
    meaning: str

    @property
    def prometheus(self) -> str:
        """The name a PromQL query must use where the translator adds unit and type suffixes."""
        units = {"s": "_seconds", "By": "_bytes"}
        if self.kind == "gauge":
            units["1"] = "_ratio"
        total = "_total" if self.kind == "counter" else ""
        return self.name.replace(".", "_") + units.get(self.unit, "") + total


IDENTITY = ("model.name", "model.version")
"""On every point, because backends drop resource attributes or hide them from queries."""

SEGMENT = "segment"
"""Also on every point if segments are declared; `all` stands for the whole."""

_FIELD = ("field", "role")

PREDICTIONS = MetricSpec(
    "mlmonitor.predictions", "counter", "{prediction}", ("status", "error.type"), "Predictions made"
)
DURATION = MetricSpec(
    "mlmonitor.prediction.duration", "histogram", "s", (), "Time in the wrapped call, per call"
)
DURATION_BUCKET = MetricSpec(
    "mlmonitor.prediction.duration.bucket",
    "counter",
    "{prediction}",
    ("le",),
    "Calls of at most `le` seconds; for OpenTelemetry providers, which have no such histogram",
)
DURATION_SUM = MetricSpec(
    "mlmonitor.prediction.duration.sum",
    "counter",
    "s",
    (),
    "Time in the wrapped call, all calls together; for an OpenTelemetry provider",
)
DISTRIBUTION = MetricSpec(
    "mlmonitor.field.distribution",
    "histogram",
    "{value}",
    _FIELD,
    "Values of a numeric field over the reference's bins",
)
BIN = MetricSpec(
    "mlmonitor.field.bin",
    "counter",
    "{value}",
    (*_FIELD, "bin"),
    "Values of a field in each of the reference's bins",
)
SUM = MetricSpec(
    "mlmonitor.field.sum",
    "counter",
    "{value}",
    _FIELD,
    "Sum of a numeric field's values, as long as none was negative; for Dynatrace and "
    "OpenTelemetry providers, which get bins instead of distributions",
)
VALUES = MetricSpec(
    "mlmonitor.field.values", "counter", "{value}", (*_FIELD, "quality"), "Values by quality"
)
OUTLIERS = MetricSpec(
    "mlmonitor.field.outliers",
    "counter",
    "{value}",
    (*_FIELD, "side"),
    "Values beyond the reference's mean plus or minus k standard deviations",
)
MEAN = MetricSpec("mlmonitor.field.mean", "gauge", "{value}", _FIELD, "Mean over the window")
STDDEV = MetricSpec(
    "mlmonitor.field.stddev", "gauge", "{value}", _FIELD, "Standard deviation over the window"
)
MIN = MetricSpec("mlmonitor.field.min", "gauge", "{value}", _FIELD, "Smallest value in the window")
MAX = MetricSpec("mlmonitor.field.max", "gauge", "{value}", _FIELD, "Largest value in the window")
QUANTILE = MetricSpec(
    "mlmonitor.field.quantile",
    "gauge",
    "{value}",
    (*_FIELD, "quantile"),
    "Quantile over the window, from the t-digest",
)
DISTINCT = MetricSpec(
    "mlmonitor.field.distinct", "gauge", "{value}", _FIELD, "Distinct categories, approximately"
)
REFERENCE_MEAN = MetricSpec("mlmonitor.reference.mean", "gauge", "{value}", _FIELD, "Trained mean")
REFERENCE_STDDEV = MetricSpec(
    "mlmonitor.reference.stddev", "gauge", "{value}", _FIELD, "Standard deviation of the reference"
)
REFERENCE_LOWER = MetricSpec(
    "mlmonitor.reference.lower", "gauge", "{value}", _FIELD, "Lower end of the anomaly band"
)
REFERENCE_UPPER = MetricSpec(
    "mlmonitor.reference.upper", "gauge", "{value}", _FIELD, "Upper end of the anomaly band"
)
REFERENCE_BIN = MetricSpec(
    "mlmonitor.reference.bin",
    "gauge",
    "1",
    (*_FIELD, "bin", "gt", "le"),
    "Share of the reference in each bin, which for numbers is (gt, le]",
)
REFERENCE_VALUES = MetricSpec(
    "mlmonitor.reference.values", "gauge", "{value}", _FIELD, "Values behind the reference's shares"
)
DRIFT_SCORE = MetricSpec(
    "mlmonitor.drift.score", "gauge", "{score}", (*_FIELD, "measure"), "Distance to the reference"
)
DRIFT_THRESHOLD = MetricSpec(
    "mlmonitor.drift.threshold",
    "gauge",
    "{score}",
    (*_FIELD, "measure"),
    "The 99 % no-drift quantile of the score for a window of this size",
)
DRIFT_EVIDENCE = MetricSpec(
    "mlmonitor.drift.evidence",
    "gauge",
    "{score}",
    _FIELD,
    "Logarithm to base 10 of the e-value: how strongly all rows so far indicate a change",
)
DRIFT_ALERT = MetricSpec(
    "mlmonitor.drift.alert", "gauge", "{alert}", _FIELD, "1 where evidence and effect size agree"
)
DRIFT_CONTRIBUTION = MetricSpec(
    "mlmonitor.drift.contribution",
    "gauge",
    "{value}",
    (*_FIELD, "prediction"),
    "Part of the shift of the mean prediction that this field's changed mix makes alone",
)
DRIFT_CONTRIBUTION_THRESHOLD = MetricSpec(
    "mlmonitor.drift.contribution.threshold",
    "gauge",
    "{value}",
    (*_FIELD, "prediction"),
    "The 99 % no-drift quantile of the absolute contribution for a window of this size",
)
QUALITY_SHARE = MetricSpec(
    "mlmonitor.quality.share",
    "gauge",
    "1",
    (*_FIELD, "reason"),
    "Share of the window's values that are invalid for this reason",
)
QUALITY_THRESHOLD = MetricSpec(
    "mlmonitor.quality.threshold",
    "gauge",
    "1",
    (*_FIELD, "reason"),
    "The 99 % no-change quantile of the share for a window of this size",
)
QUALITY_ALERT = MetricSpec(
    "mlmonitor.quality.alert",
    "gauge",
    "{alert}",
    (*_FIELD, "reason"),
    "1 where this is beyond its threshold, or a declared rule is broken",
)
SERVICE_ALERT = MetricSpec(
    "mlmonitor.service.alert", "gauge", "{alert}", ("measure",), "1 where failures or latency grew"
)
INCIDENTS = MetricSpec(
    "mlmonitor.incidents", "gauge", "{incident}", ("cause",), "Incidents that are open now"
)
VIOLATIONS = MetricSpec(
    "mlmonitor.field.violations",
    "counter",
    "{value}",
    (*_FIELD, "constraint"),
    "Values against a rule",
)
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
    "Each measure of the task over all labelled predictions of this process since its start",
)
ACTUAL = MetricSpec(
    "mlmonitor.actual",
    "gauge",
    "{value}",
    ("field", "bucket"),
    "Sum of the actuals of labelled predictions; may fall, so a gauge",
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
    "mlmonitor.cohort.labelled", "counter", "{prediction}", ("cohort",), "Those that have a label"
)
MATURITY = MetricSpec(
    "mlmonitor.labels.maturity",
    "gauge",
    "1",
    (),
    "Labelled share of the predictions in cohorts that have almost all labels they will get",
)
MODEL_AGE = MetricSpec("mlmonitor.model.age", "gauge", "s", (), "Time since the model was trained")
DROPPED = MetricSpec(
    "mlmonitor.rows.dropped", "counter", "{row}", (), "Rows refused because the buffer was full"
)
FAULTS = MetricSpec(
    "mlmonitor.faults", "counter", "{fault}", (), "Internal errors of the monitoring itself"
)
EXPORT_POINTS = MetricSpec(
    "mlmonitor.export.points",
    "counter",
    "{point}",
    ("destination", "outcome"),
    "Outcomes of the points sent before this export",
)
SERIES = MetricSpec(
    "mlmonitor.export.series",
    "gauge",
    "{series}",
    ("state",),
    "Series of this process: sent, or left out because Config.max_series was reached",
)
HEARTBEAT = MetricSpec(
    "mlmonitor.export.heartbeat", "gauge", "{heartbeat}", ("destination",), "1 with every export"
)
MEMORY = MetricSpec("mlmonitor.memory", "gauge", "By", (), "Upper bound of the aggregates' memory")

CATALOG: tuple[MetricSpec, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, MetricSpec)
)
