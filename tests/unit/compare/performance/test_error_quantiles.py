"""Quantiles of the absolute errors of a regression."""

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch


@pytest.mark.parametrize("rank", [0.1, 0.5, 0.9, 0.99])
def test_a_quantile_of_errors_is_close_to_that_of_the_rows(rank: float) -> None:
    """It is within 5%, with errors reported in two parts."""
    rng = np.random.default_rng(1)
    actual = rng.normal(100, 20, 4_000)
    predicted = actual + rng.standard_t(4, 4_000) * 5
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", exporters=[], config=config) as monitor:
        monitor.record_outcomes(predicted[:1_000], actual[:1_000])
        monitor.record_outcomes(predicted[1_000:], actual[1_000:])
        performance = monitor.status().performance
    assert performance is not None
    expected = np.quantile(np.abs(predicted - actual), rank)
    assert performance.error_quantile(rank) == pytest.approx(expected, rel=0.06)


def test_a_classifier_has_no_error_quantiles() -> None:
    """The error says what they need."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
    with Monitor("m", exporters=[], config=config) as monitor:
        monitor.record_outcomes(["a", "b"] * 50, ["a", "a"] * 50)
        performance = monitor.status().performance
    assert performance is not None
    with pytest.raises(LookupError, match="labelled numbers"):
        performance.error_quantile(0.5)


def test_quantiles_of_an_exponential_sketch_include_zeros() -> None:
    """An empty sketch has NaN."""
    sketch = ExponentialSketch.from_values(np.array([0.0, 0.0, 0.0, 8.0]))
    assert sketch.quantile(np.array([0.5, 1.0])) == pytest.approx([0.0, 8.0], rel=0.01)
    assert np.isnan(ExponentialSketch().quantile(np.array([0.5]))).all()
