"""A batch job of ten million rows, counted behind a real collector."""

import numpy as np
import pytest

from mlmonitor import Monitor, Otlp, Reference
from support.collector_sink import Collector

ROWS, CHUNK = 10_000_000, 500_000


@pytest.mark.slow
@pytest.mark.parametrize("chunk_rows", [CHUNK, ROWS], ids=["in chunks", "at once"])
def test_ten_million_rows_are_counted_exactly_at_a_real_collector(
    collector: Collector, chunk_rows: int
) -> None:
    """Predictions and the values in a feature's bins are neither lost nor counted twice."""
    rng = np.random.default_rng(11)
    ages = rng.normal(45, 12, ROWS)
    reference = Reference.fit(
        {"age": ages[:5_000]}, predictions=ages[:5_000], thresholds="asymptotic"
    )
    exporters = [Otlp.collector(collector.http_url)]
    with Monitor("nightly", reference=reference, exporters=exporters) as monitor:
        for start in range(0, ROWS, chunk_rows):
            part = ages[start : start + chunk_rows]
            monitor.record({"age": part}, part)
    collector.sink.wait_for_total("mlmonitor.predictions", ROWS, status="ok")
    (histogram,) = collector.sink.newest("mlmonitor.field.distribution", field="age")
    assert histogram.count == sum(histogram.bucket_counts) == ROWS
    assert collector.sink.total("mlmonitor.rows.dropped") == 0
