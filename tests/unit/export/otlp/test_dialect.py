"""The same metrics in the form that a backend needs."""

import numpy as np

from mlmonitor import catalog
from mlmonitor.export.base import Family, Histograms, Series
from mlmonitor.export.otlp.backends import DYNATRACE, PROMETHEUS
from mlmonitor.export.otlp.dialect import build_resource, convert_to_bins, translate

NAN = np.full(2, np.nan)
BLOCK = Histograms(
    ((1.0, 2.0), ()), np.array([[1, 2, 3], [4, 0, 0]]), np.array([9.0, np.nan]), NAN, NAN
)
FAMILY = Family(catalog.DISTRIBUTION, Series([(("field", "x"),), (("field", "y"),)]), BLOCK)


def test_a_distribution_becomes_a_counter_for_each_bin_and_a_sum() -> None:
    """Fields may have different numbers of bins, and series are built once."""
    bins, sums = convert_to_bins(FAMILY)
    assert bins.metric is catalog.BIN
    assert isinstance(bins.values, np.ndarray)
    pairs = zip(bins.series.attributes, bins.values.tolist(), strict=True)
    assert list(pairs) == [
        ((("field", "x"), ("bin", "0")), 1),
        ((("field", "x"), ("bin", "1")), 2),
        ((("field", "x"), ("bin", "2")), 3),
        ((("field", "y"), ("bin", "0")), 4),
    ]
    assert sums.metric is catalog.SUM
    np.testing.assert_array_equal(sums.values, BLOCK.sum)  # type: ignore[arg-type]  # an array
    assert next(convert_to_bins(FAMILY)).series is bins.series
    other = FAMILY._replace(values=BLOCK._replace(bounds=((1.0,), ())))
    assert len(next(convert_to_bins(other)).series) == 3


def test_only_destinations_that_need_bin_counters_get_them() -> None:
    """Durations stay a histogram for all, because they have twelve buckets."""
    duration = FAMILY._replace(metric=catalog.DURATION)
    assert list(translate([FAMILY, duration], PROMETHEUS)) == [FAMILY, duration]
    names = [family.metric.name for family in translate([FAMILY, duration], DYNATRACE)]
    assert names == [catalog.BIN.name, catalog.SUM.name, catalog.DURATION.name]


def test_an_instance_id_from_the_environment_is_a_prefix_of_the_process_id() -> None:
    """Attributes of the environment follow, up to the backend's limit."""
    attributes = [("service.instance.id", "theirs"), *((f"k{at}", "v") for at in range(80))]
    whole = build_resource(attributes, PROMETHEUS, service="s", instance="i")
    assert whole[:2] == (("service.name", "s"), ("service.instance.id", "theirs-i"))
    assert len(whole) == 82
    assert len(build_resource(attributes, DYNATRACE, service="s", instance="i")) == 34
