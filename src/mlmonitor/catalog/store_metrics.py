"""Metrics of the loader, a separate process that serves all models."""

from mlmonitor.catalog.metric_spec import MetricSpec

LOADER_EVENTS = MetricSpec(
    "mlmonitor.loader.events",
    "counter",
    "{event}",
    ("schema", "outcome"),
    "Events read from the topic: loaded, replayed (already stored), or dead letters",
)
LOADER_BATCHES = MetricSpec(
    "mlmonitor.loader.batches", "counter", "{batch}", (), "Transactions that were committed"
)
LOADER_OUTAGES = MetricSpec(
    "mlmonitor.loader.outages", "counter", "{outage}", (), "Failed attempts to store a batch"
)
LOADER_LAG = MetricSpec(
    "mlmonitor.loader.lag", "gauge", "{event}", (), "Events of owned partitions not read yet"
)
LOADER_PARTITIONS = MetricSpec(
    "mlmonitor.loader.partitions", "gauge", "{partition}", (), "Partitions that are owned"
)
LOADER_COMMIT_AGE = MetricSpec(
    "mlmonitor.loader.commit.age", "gauge", "s", (), "Time since the last commit"
)
