"""Metrics of one field: its values, its distribution, and its reference."""

from mlmonitor.catalog.metric_spec import FIELD, MetricSpec

DISTRIBUTION = MetricSpec(
    "mlmonitor.field.distribution",
    "histogram",
    "{value}",
    FIELD,
    "Values of a numeric field over the reference's bins",
)
KPI_UNIT = MetricSpec(
    "mlmonitor.kpi.unit",
    "gauge",
    "{figure}",
    ("field", "unit"),
    "1 for each business figure that was declared with a unit",
)
ATTRIBUTION = MetricSpec(
    "mlmonitor.attribution",
    "gauge",
    "{value}",
    ("field", "basis"),
    "Mean absolute attribution of a feature over the window (`live`), or at training (`reference`)",
)
ATTRIBUTION_NDCG = MetricSpec(
    "mlmonitor.attribution.ndcg",
    "gauge",
    "{score}",
    (),
    "Agreement of the features' ranking by attribution with that at training; 1 if they are equal",
)
BIN = MetricSpec(
    "mlmonitor.field.bin",
    "counter",
    "{value}",
    (*FIELD, "bin"),
    "Values of a field in each of the reference's bins",
)
SUM = MetricSpec(
    "mlmonitor.field.sum",
    "counter",
    "{value}",
    FIELD,
    "Sum of a numeric field's values, as long as none was negative; for Dynatrace and "
    "OpenTelemetry providers, which get bins instead of distributions",
)
VALUES = MetricSpec(
    "mlmonitor.field.values", "counter", "{value}", (*FIELD, "quality"), "Values by quality"
)
OUTLIERS = MetricSpec(
    "mlmonitor.field.outliers",
    "counter",
    "{value}",
    (*FIELD, "side"),
    "Values beyond the reference's mean plus or minus k standard deviations",
)
MEAN = MetricSpec("mlmonitor.field.mean", "gauge", "{value}", FIELD, "Mean over the window")
STDDEV = MetricSpec(
    "mlmonitor.field.stddev", "gauge", "{value}", FIELD, "Standard deviation over the window"
)
MIN = MetricSpec("mlmonitor.field.min", "gauge", "{value}", FIELD, "Smallest value in the window")
MAX = MetricSpec("mlmonitor.field.max", "gauge", "{value}", FIELD, "Largest value in the window")
QUANTILE = MetricSpec(
    "mlmonitor.field.quantile",
    "gauge",
    "{value}",
    (*FIELD, "quantile"),
    "Quantile over the window, from the t-digest",
)
DISTINCT = MetricSpec(
    "mlmonitor.field.distinct", "gauge", "{value}", FIELD, "Distinct categories, approximately"
)
REFERENCE_MEAN = MetricSpec(
    "mlmonitor.reference.mean", "gauge", "{value}", FIELD, "Mean of the reference"
)
REFERENCE_STDDEV = MetricSpec(
    "mlmonitor.reference.stddev", "gauge", "{value}", FIELD, "Standard deviation of the reference"
)
REFERENCE_LOWER = MetricSpec(
    "mlmonitor.reference.lower", "gauge", "{value}", FIELD, "Lower end of the anomaly band"
)
REFERENCE_UPPER = MetricSpec(
    "mlmonitor.reference.upper", "gauge", "{value}", FIELD, "Upper end of the anomaly band"
)
REFERENCE_BIN = MetricSpec(
    "mlmonitor.reference.bin",
    "gauge",
    "1",
    (*FIELD, "bin", "gt", "le"),
    "Share of the reference in each bin, which for numbers is (gt, le]",
)
REFERENCE_VALUES = MetricSpec(
    "mlmonitor.reference.values",
    "gauge",
    "{value}",
    FIELD,
    "Number of values from which the reference's shares are computed",
)
