"""Metrics of the calls, and of the monitoring itself."""

from mlmonitor.catalog.metric_spec import MetricSpec

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
TRAINING_DURATION = MetricSpec(
    "mlmonitor.training.duration", "gauge", "s", (), "How long the training of the model took"
)
TRAINING_ROWS = MetricSpec(
    "mlmonitor.training.rows", "gauge", "{row}", (), "Rows that the model was fitted on"
)
TRAINING_PARENT = MetricSpec(
    "mlmonitor.training.parent",
    "gauge",
    "{version}",
    ("parent.version",),
    "1 for the version that this model replaced",
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
EVENTS = MetricSpec(
    "mlmonitor.events",
    "counter",
    "{event}",
    ("sink", "outcome"),
    "Events of the event log: delivered, dropped for lack of room or time, or refused",
)
HEARTBEAT = MetricSpec(
    "mlmonitor.export.heartbeat", "gauge", "{heartbeat}", ("destination",), "1 with every export"
)
MEMORY = MetricSpec("mlmonitor.memory", "gauge", "By", (), "Upper bound of the aggregates' memory")
