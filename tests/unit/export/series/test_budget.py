"""The number of series follows from the configuration and is limited."""

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.catalog import CATALOG
from mlmonitor.export.base import HistogramValue, Snapshot
from mlmonitor.export.series.budget import DETAIL, series_count
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

FIELDS = 6


def exported(exporter: InMemoryExporter, rng: np.random.Generator, **options: int) -> Snapshot:
    """Return the second snapshot of a monitor that has seen every kind of value."""
    columns = {
        f"x{at}": rng.normal(size=1_000) if at % 2 else rng.choice(list("abc"), 1_000)
        for at in range(FIELDS)
    }
    reference = fit_reference(columns, predictions=rng.normal(size=1_000))
    config = Config(export_interval_seconds=3_600, **options)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        for _ in range(2):
            monitor.record({**columns, "x0": ["new"] * 1_000}, rng.normal(size=1_000))
            monitor.kpi("k", 1.0)
            monitor.flush(timeout_seconds=20)
    return exporter.snapshots[-1]


def priced(snapshot: Snapshot, *, field: bool) -> int:
    """Count series as Prometheus does, of fields or of everything else."""
    return sum(
        len(point.value.bounds) + 3 if isinstance(point.value, HistogramValue) else 1
        for point in snapshot.points
        if ("field" in dict(point.attributes)) is field
    )


def test_the_number_of_series_is_computed_from_the_configuration(
    exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """It is the number exported once every kind of value has been seen."""
    snapshot = exported(exporter, rng)
    foretold = series_count(numeric=4, categorical=3, kpis=1, bins=10, categories=3)
    assert priced(snapshot, field=True) == foretold - 2  # a prediction explains no shift
    assert priced(snapshot, field=False) < 115
    sent = exporter.value("mlmonitor.export.series", {"state": "sent"})
    size = priced(snapshot, field=True) + priced(snapshot, field=False)
    assert size <= sent <= 1.1 * size  # also those without a number, such as an order of categories
    assert exporter.value("mlmonitor.export.series", {"state": "left_out"}) == 0
    assert series_count(numeric=200) < Config().max_series


@pytest.mark.parametrize("max_segments", [2, 1])
def test_the_number_of_series_includes_rows_of_no_listed_segment(
    exporter: InMemoryExporter, rng: np.random.Generator, max_segments: int
) -> None:
    """They are only counted, or also compared if the reference has such rows."""
    columns = {"age": rng.normal(size=800), "line": rng.choice(["home", "motor"], 800)}
    reference = fit_reference(columns, segments=["line"], max_segments=max_segments)
    later = {**columns, "line": rng.choice(["home", "motor", "travel"], 800)}
    with Monitor("m", reference=reference, exporters=[exporter], segments=["line"]) as monitor:
        monitor.record(later, None)
        monitor.flush(timeout_seconds=20)
    foretold = series_count(
        numeric=1,
        categorical=1,
        categories=2,
        segments=max_segments,
        has_compared_rest=max_segments == 1,
    )
    assert 0.9 * foretold <= priced(exporter.snapshots[-1], field=True) <= foretold


@pytest.mark.parametrize("limit", range(120, 440, 40))
def test_details_are_dropped_before_whole_fields(
    exporter: InMemoryExporter, rng: np.random.Generator, limit: int
) -> None:
    """A field has all kept metrics or none, and metrics without a field stay."""
    snapshot = exported(exporter, rng, max_series=limit)
    size = priced(snapshot, field=True) + priced(snapshot, field=False)
    assert size <= limit + 2  # the two that tell of it
    assert exporter.value("mlmonitor.export.series", {"state": "left_out"}) != 0
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 2_000
    names = {point.metric.name for point in snapshot.points}
    gone = [any(metric.name in names for metric in step) for step in DETAIL]
    assert gone == sorted(gone)  # the first steps are the first to go
    by_field: dict[str, set[str]] = {}
    for point in snapshot.points:
        field = dict(point.attributes).get("field")
        if field is not None and field.startswith("x"):
            by_field.setdefault(field, set()).add(point.metric.name)
    kinds = {tuple(sorted(labels)) for labels in by_field.values()}
    assert len(kinds) <= 2  # numeric and categorical ones


def test_every_metric_that_can_be_dropped_is_in_the_catalogue() -> None:
    """No metric is listed twice."""
    listed = [metric for step in DETAIL for metric in step]
    assert set(listed) <= set(CATALOG)
    assert len(set(listed)) == len(listed)
