"""Every exported metric, written once: exporters, tests and documentation read it from here.

Naming follows the OpenTelemetry guidelines: own prefix, lower case, no unit and no `total` in a
name, UCUM units, singular annotations for counts, unit `1` for fractions only (Prometheus turns
such gauges into `..._ratio`).
"""

from typing import Literal, NamedTuple

MetricKind = Literal["counter", "gauge", "histogram"]


class MetricDefinition(NamedTuple):
    """One metric: its OpenTelemetry name, kind, UCUM unit, attributes and meaning.

    A unit of `field` stands for the unit of the field's values, which nobody declared: it is
    sent as the dimensionless annotation `{value}`.
    """

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
"""On every point: backends drop resource attributes, or keep them away from queries."""

SEGMENT = "segment"
"""On every point as well where segments are declared: `all` stands for the whole."""

_FIELD = ("field", "role")

PREDICTIONS = MetricDefinition(
    "mlmonitor.predictions", "counter", "{prediction}", ("status", "error.type"), "Predictions made"
)
DURATION = MetricDefinition(
    "mlmonitor.prediction.duration", "histogram", "s", (), "Time in the wrapped call, per call"
)
DURATION_BUCKET = MetricDefinition(
    "mlmonitor.prediction.duration.bucket",
    "counter",
    "{prediction}",
    ("le",),
    "Calls of at most `le` seconds; for OpenTelemetry providers, which have no such histogram",
)
DURATION_SUM = MetricDefinition(
    "mlmonitor.prediction.duration.sum",
    "counter",
    "s",
    (),
    "Time in the wrapped call, all calls together; for an OpenTelemetry provider",
)
DISTRIBUTION = MetricDefinition(
    "mlmonitor.field.distribution",
    "histogram",
    "{value}",
    _FIELD,
    "Values of a numeric field over the reference's bins",
)
BIN = MetricDefinition(
    "mlmonitor.field.bin",
    "counter",
    "{value}",
    (*_FIELD, "bin"),
    "Values of a field in each of the reference's bins",
)
SUM = MetricDefinition(
    "mlmonitor.field.sum",
    "counter",
    "{value}",
    _FIELD,
    "Sum of a numeric field's values, as long as none was negative; for Dynatrace and "
    "OpenTelemetry providers, which get bins instead of distributions",
)
VALUES = MetricDefinition(
    "mlmonitor.field.values",
    "counter",
    "{value}",
    (*_FIELD, "quality"),
    "Values by quality",
)
OUTLIERS = MetricDefinition(
    "mlmonitor.field.outliers",
    "counter",
    "{value}",
    (*_FIELD, "side"),
    "Values beyond the reference's mean plus or minus k standard deviations",
)
MEAN = MetricDefinition("mlmonitor.field.mean", "gauge", "{value}", _FIELD, "Mean over the window")
STDDEV = MetricDefinition(
    "mlmonitor.field.stddev", "gauge", "{value}", _FIELD, "Standard deviation over the window"
)
MIN = MetricDefinition(
    "mlmonitor.field.min", "gauge", "{value}", _FIELD, "Smallest value in the window"
)
MAX = MetricDefinition(
    "mlmonitor.field.max", "gauge", "{value}", _FIELD, "Largest value in the window"
)
QUANTILE = MetricDefinition(
    "mlmonitor.field.quantile",
    "gauge",
    "{value}",
    (*_FIELD, "quantile"),
    "Quantile over the window, from the t-digest",
)
DISTINCT = MetricDefinition(
    "mlmonitor.field.distinct",
    "gauge",
    "{value}",
    _FIELD,
    "Distinct categories over the window, approximately",
)
REFERENCE_MEAN = MetricDefinition(
    "mlmonitor.reference.mean", "gauge", "{value}", _FIELD, "Mean of the reference"
)
REFERENCE_STDDEV = MetricDefinition(
    "mlmonitor.reference.stddev", "gauge", "{value}", _FIELD, "Standard deviation of the reference"
)
REFERENCE_LOWER = MetricDefinition(
    "mlmonitor.reference.lower", "gauge", "{value}", _FIELD, "Lower end of the anomaly band"
)
REFERENCE_UPPER = MetricDefinition(
    "mlmonitor.reference.upper", "gauge", "{value}", _FIELD, "Upper end of the anomaly band"
)
REFERENCE_BIN = MetricDefinition(
    "mlmonitor.reference.bin",
    "gauge",
    "1",
    (*_FIELD, "bin", "gt", "le"),
    "Share of the reference in each bin, which for numbers is (gt, le]",
)
REFERENCE_VALUES = MetricDefinition(
    "mlmonitor.reference.values",
    "gauge",
    "{value}",
    _FIELD,
    "Values behind the shares of the reference",
)
DRIFT_SCORE = MetricDefinition(
    "mlmonitor.drift.score",
    "gauge",
    "{score}",
    (*_FIELD, "measure"),
    "Distance of the window from the reference",
)
DRIFT_THRESHOLD = MetricDefinition(
    "mlmonitor.drift.threshold",
    "gauge",
    "{score}",
    (*_FIELD, "measure"),
    "The 99 % no-drift quantile of the score for a window of this size",
)
DRIFT_EVIDENCE = MetricDefinition(
    "mlmonitor.drift.evidence",
    "gauge",
    "{score}",
    _FIELD,
    "Logarithm to base 10 of the e-value: how strongly all rows so far indicate a change",
)
DRIFT_ALERT = MetricDefinition(
    "mlmonitor.drift.alert", "gauge", "{alert}", _FIELD, "1 where evidence and effect size agree"
)
DRIFT_CONTRIBUTION = MetricDefinition(
    "mlmonitor.drift.contribution",
    "gauge",
    "{value}",
    (*_FIELD, "prediction"),
    "Part of the shift of the mean prediction that this field's changed mix makes alone",
)
DRIFT_CONTRIBUTION_THRESHOLD = MetricDefinition(
    "mlmonitor.drift.contribution.threshold",
    "gauge",
    "{value}",
    (*_FIELD, "prediction"),
    "The 99 % no-drift quantile of the absolute contribution for a window of this size",
)
QUALITY_SHARE = MetricDefinition(
    "mlmonitor.quality.share",
    "gauge",
    "1",
    (*_FIELD, "reason"),
    "Share of the window's values that are invalid for this reason",
)
QUALITY_THRESHOLD = MetricDefinition(
    "mlmonitor.quality.threshold",
    "gauge",
    "1",
    (*_FIELD, "reason"),
    "The 99 % no-change quantile of the share for a window of this size",
)
QUALITY_ALERT = MetricDefinition(
    "mlmonitor.quality.alert",
    "gauge",
    "{alert}",
    (*_FIELD, "reason"),
    "1 where this is beyond its threshold, or a declared rule is broken",
)
VIOLATIONS = MetricDefinition(
    "mlmonitor.field.violations",
    "counter",
    "{value}",
    (*_FIELD, "constraint"),
    "Values that break a declared rule",
)
LABELS = MetricDefinition(
    "mlmonitor.labels", "counter", "{label}", ("status",), "Ground truth received"
)
ERROR_ABSOLUTE = MetricDefinition(
    "mlmonitor.error.absolute",
    "counter",
    "{value}",
    ("bucket",),
    "Sum of absolute errors of labelled predictions, by bin of the prediction",
)
ERROR_SQUARED = MetricDefinition(
    "mlmonitor.error.squared",
    "counter",
    "{value}",
    ("bucket",),
    "Sum of squared errors of labelled predictions, by bin of the prediction",
)
ERROR_SIGNED = MetricDefinition(
    "mlmonitor.error.signed",
    "gauge",
    "{value}",
    ("bucket",),
    "Sum of predicted minus actual, by bin of the prediction; may fall, so a gauge",
)
LABELLED = MetricDefinition(
    "mlmonitor.error.count",
    "counter",
    "{prediction}",
    ("bucket",),
    "Labelled predictions behind the error sums, by bin of the prediction",
)
PERFORMANCE = MetricDefinition(
    "mlmonitor.performance",
    "gauge",
    "{score}",
    ("measure", "basis"),
    "Mean absolute error, root mean squared error and bias, realised and as trained",
)
MODEL_AGE = MetricDefinition(
    "mlmonitor.model.age", "gauge", "s", (), "Time since the model was trained"
)
DROPPED = MetricDefinition(
    "mlmonitor.rows.dropped", "counter", "{row}", (), "Rows refused because the buffer was full"
)
FAULTS = MetricDefinition(
    "mlmonitor.faults", "counter", "{fault}", (), "Internal errors of the monitoring itself"
)
EXPORT_POINTS = MetricDefinition(
    "mlmonitor.export.points",
    "counter",
    "{point}",
    ("destination", "outcome"),
    "Outcomes of the points sent before this export",
)
SERIES = MetricDefinition(
    "mlmonitor.export.series",
    "gauge",
    "{series}",
    ("state",),
    "Series of this process: sent, or left out because Config.max_series was reached",
)
HEARTBEAT = MetricDefinition(
    "mlmonitor.export.heartbeat", "gauge", "{heartbeat}", ("destination",), "1 with every export"
)
MEMORY = MetricDefinition(
    "mlmonitor.memory", "gauge", "By", (), "Upper bound of the aggregates' memory"
)

CATALOG: tuple[MetricDefinition, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, MetricDefinition)
)
