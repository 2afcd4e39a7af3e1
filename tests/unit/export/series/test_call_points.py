"""Exported points are finite Python numbers with the attributes of the catalogue."""

import math
import warnings

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.catalog import CATALOG
from mlmonitor.export.base import HistogramValue, Point
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

COLUMNS = {
    "ordinary": np.linspace(0, 1, 100),
    "constant": np.ones(100),
    "missing": np.full(100, np.nan),
    "infinite": np.full(100, np.inf),
    "huge": 1.7e308 * np.linspace(-1, 1, 100),
    "tiny": np.linspace(5e-324, 1e-322, 100),
    "large_counts": np.array([2**62] * 100, np.int64),
}


def points(exporter: InMemoryExporter) -> list[Point]:
    """Return all exported points."""
    return [point for snapshot in exporter.snapshots for point in snapshot.points]


@pytest.fixture
def exported(exporter: InMemoryExporter) -> InMemoryExporter:
    """An exporter that has received all kinds of columns twice."""
    features = {**COLUMNS, "word": ["a"] * 50 + [None] * 49 + ["b"]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reference = fit_reference(features, predictions=COLUMNS["huge"], actuals=COLUMNS["huge"])
        config = Config(export_interval_seconds=3_600)
        with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
            monitor.flush()
            ids = [str(at) for at in range(100)]
            monitor.record(features, -COLUMNS["huge"], ids=ids)
            monitor.kpi("k", float("nan"))
            monitor.status()
            monitor.label(ids, COLUMNS["huge"])
            assert monitor.flush(timeout_seconds=60)
            assert monitor.status().internal_errors == 0
    return exporter


def test_exported_numbers_are_finite_python_numbers(exported: InMemoryExporter) -> None:
    """There is no numpy scalar, NaN or infinity."""
    assert len(points(exported)) > 200
    for point in points(exported):
        numbers: list[object] = [point.value]
        if isinstance(point.value, HistogramValue):
            figures = (point.value.sum, point.value.min, point.value.max)
            numbers = [*point.value.bounds, *point.value.counts]
            numbers += [x for x in figures if x is not None]
        for number in numbers:
            assert type(number) in (int, float), point
            assert math.isfinite(number), point  # type: ignore[arg-type]  # see the line above


def test_attributes_are_strings_that_the_catalogue_lists(exported: InMemoryExporter) -> None:
    """The model's identity comes first, and there are no others."""
    catalogue = {metric.name: metric for metric in CATALOG}
    for point in points(exported):
        names = [name for name, _ in point.attributes]
        assert names[:2] == ["model.name", "model.version"]
        assert set(names[2:]) <= set(catalogue[point.metric.name].attributes)
        assert all(type(value) is str for _, value in point.attributes)


def test_a_snapshot_has_each_series_once(exported: InMemoryExporter) -> None:
    """A backend would refuse two points of one series and time."""
    for snapshot in exported.snapshots:
        series = [(point.metric.name, point.attributes) for point in snapshot.points]
        assert len(series) == len(set(series))


def test_the_reference_is_exported_beside_the_live_rows(
    exporter: InMemoryExporter,
) -> None:
    """Bin shares, the mean, and the band at the configured deviations are exported."""
    x = np.linspace(0, 1, 1_000)
    config = Config(export_interval_seconds=3_600, outlier_deviations=2.0)
    reference = fit_reference({"x": x, "c": ["a", "b", "b", "b"] * 250}, predictions=x)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        monitor.record({"x": [-9.0, 0.5, 9.0], "c": ["a", "b", "z"]}, [0.5] * 3)
        monitor.flush()
    field = {"field": "x", "role": "feature"}
    assert exporter.value("mlmonitor.reference.upper", field) == pytest.approx(
        x.mean() + 2 * x.std()
    )
    assert exporter.value("mlmonitor.field.outliers", {**field, "side": "low"}) == 1
    assert exporter.value("mlmonitor.field.outliers", {**field, "side": "high"}) == 1
    assert exporter.value("mlmonitor.reference.bin", {**field, "bin": "0"}) == pytest.approx(0.1)
    assert exporter.value("mlmonitor.reference.bin", {"field": "c", "bin": "b"}) == 0.75
    assert exporter.value("mlmonitor.field.bin", {"field": "c", "bin": "__new__"}) == 1
    histogram = exporter.value("mlmonitor.field.distribution", field)
    assert isinstance(histogram, HistogramValue)
    assert sum(histogram.counts) == 3
    assert histogram.sum is None  # with negative values it could fall
    assert (histogram.min, histogram.max) == (-9.0, 9.0)


def test_an_exported_sum_of_non_negative_values_never_decreases(
    exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """A backend would read a decrease as a restart and count the whole again."""
    reference = fit_reference({"x": np.array([0.0, 1.0])}, predictions=[0.0, 1.0])
    config = Config(export_interval_seconds=3_600)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        monitor.record({"x": rng.exponential(size=100) * 1e-3}, [0.5] * 100)
        for _ in range(100):
            monitor.record({"x": [0.0]}, [0.5])
            assert monitor.flush(timeout_seconds=60)
    sums = [
        point.value.sum
        for point in points(exporter)
        if isinstance(point.value, HistogramValue) and ("field", "x") in point.attributes
    ]
    assert len(sums) > 100
    assert sums == sorted(sums)
