"""The anomaly band is the mean plus or minus k standard deviations of the reference."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

ROWS = 2_003
START = datetime(2024, 1, 1)  # noqa: DTZ001 - naive, as frames hold them


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """A reference with a feature of each numeric kind, and a prediction."""
    days = [START + timedelta(days=at % 100) for at in range(ROWS)]
    return fit_reference(
        {"x": rng.normal(10, 2, ROWS), "one": np.full(ROWS, 1 / 3), "when": days},
        predictions=rng.normal(-5, 1, ROWS),
    )


def exported(reference: Reference, deviations: float) -> InMemoryExporter:
    """Export once rows below, inside and above every band were recorded."""
    exporter = InMemoryExporter()
    config = Config(outlier_deviations=deviations)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        monitor.record(
            {
                "x": [-90.0, 10.0, 10.5, 110.0, 120.0],
                "one": [0.0, 1 / 3, 1 / 3, 1.0, 2.0],
                "when": [START - timedelta(days=9_999), *[START + timedelta(days=50)] * 2]
                + [START + timedelta(days=9_999)] * 2,
            },
            [-50.0, -5.0, -5.5, 0.0, 1.0],
        )
        assert monitor.flush(timeout_seconds=60)
    return exporter


@pytest.mark.parametrize("deviations", [2.0, 3.0])
@pytest.mark.parametrize("name", ["x", "when", "one", "prediction"])
def test_a_band_is_the_mean_plus_and_minus_the_configured_deviations(
    reference: Reference, name: str, deviations: float
) -> None:
    """Datetimes are in seconds, and the band of a constant has no width."""
    exporter = exported(reference, deviations)
    role = "prediction" if name == "prediction" else "feature"
    band = {
        figure: exporter.value(f"mlmonitor.reference.{figure}", {"field": name, "role": role})
        for figure in ("mean", "stddev", "lower", "upper")
    }
    mean, stddev = float(band["mean"]), float(band["stddev"])  # type: ignore[arg-type]  # a gauge
    assert band["lower"] == mean - deviations * stddev
    assert band["upper"] == mean + deviations * stddev
    assert (stddev == 0) == (name == "one")


@pytest.mark.parametrize("name", ["x", "when", "one", "prediction"])
def test_values_outside_the_band_are_counted_by_side(reference: Reference, name: str) -> None:
    """One value is too low and two are too high; a constant's own value counts on neither side."""
    exporter = exported(reference, 3.0)
    for side, count in (("low", 1), ("high", 2)):
        attributes = {"field": name, "side": side}
        assert exporter.value("mlmonitor.field.outliers", attributes) == count
