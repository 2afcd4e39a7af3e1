"""Zeros of new series are sent once and in time, and delay nothing."""

import numpy as np

from mlmonitor import catalog
from mlmonitor.errors import ExportError, ExportRefused
from mlmonitor.export.base import Delivered, Family, Histograms, Series, Snapshot
from mlmonitor.export.delivery.delivery import OLDEST_ZERO_NS, Delivery
from mlmonitor.export.delivery.zero_points import ZeroPoints
from mlmonitor.testing import InMemoryExporter

START = 1_000
HOUR_NS = 3_600 * 1_000_000_000


def counter(*names: str, values: list[float] | None = None) -> Family:
    """Return a counter of some series."""
    counts = np.arange(len(names)) + 1 if values is None else np.array(values)
    return Family(catalog.PREDICTIONS, Series((("status", name),) for name in names), counts)


def snapshot(*families: Family, time_ns: int = 2_000) -> Snapshot:
    """Return a snapshot of these families."""
    return Snapshot("i", "s", START, time_ns, families)


def test_only_new_series_are_sent_as_zero() -> None:
    """Series may be a new object each time, and only some of them may be new."""
    zeros, first = ZeroPoints(), counter("a", "b")
    (zero,) = zeros.collect([first])
    assert zero.series.attributes == first.series.attributes
    assert isinstance(zero.values, np.ndarray)
    assert zero.values.tolist() == [0, 0]
    zeros.mark_sent([first], [zero])
    assert zeros.collect([first]) == zeros.collect([counter("a", "b")]) == []
    (late,) = zeros.collect([counter("a", "b", "c")])
    assert late.series.attributes == ((("status", "c"),),)


def test_a_series_without_a_number_is_sent_as_zero_once_it_has_one() -> None:
    """A counter that is not finite has no point yet."""
    zeros, nan = ZeroPoints(), float("nan")
    family = counter("a", "b", values=[1.0, nan])
    (zero,) = zeros.collect([family])
    assert zero.series.attributes == ((("status", "a"),),)
    zeros.mark_sent([family], [zero])
    (late,) = zeros.collect([family._replace(values=np.array([1.0, 2.0]))])
    assert late.series.attributes == ((("status", "b"),),)


def test_the_zero_of_a_histogram_without_a_sum_has_no_sum() -> None:
    """Otherwise zero and first value would have different forms."""
    bounds = np.array([1.0, 2.0])
    block = Histograms(
        ((1.0,), ()), np.array([[1, 2], [3, 0]]), np.array([np.nan, 5.0]), bounds, bounds
    )
    family = Family(catalog.DISTRIBUTION, Series([(("field", "x"),), (("field", "y"),)]), block)
    (zero,) = ZeroPoints().collect([family])
    assert isinstance(zero.values, Histograms)
    assert not zero.values.counts.any()
    np.testing.assert_array_equal(zero.values.sum, [np.nan, 0.0])
    assert np.isnan(zero.values.min).all()


def test_a_zero_is_never_too_old_for_the_backend(exporter: InMemoryExporter) -> None:
    """After a long outage it gets a later time, because Prometheus accepts at most an hour."""
    delivery = Delivery(exporter, "memory")
    exporter.is_down = True
    assert not delivery.send(snapshot(counter("a"), time_ns=HOUR_NS))
    exporter.is_down = False
    assert delivery.send(snapshot(counter("a"), time_ns=5 * HOUR_NS))
    assert exporter.snapshots[0].time_unix_ns == 5 * HOUR_NS - OLDEST_ZERO_NS


class Refusing(InMemoryExporter):
    """Refuses zeros, permanently or for now."""

    def __init__(self, error: type[ExportError]) -> None:
        super().__init__()
        self._error = error
        self.tries = 0

    def send(self, snapshot: Snapshot) -> Delivered:
        """Accept all but zeros."""
        if all(point.value == 0 for point in snapshot.points):
            self.tries += 1
            raise self._error("no")
        return super().send(snapshot)


def test_permanently_refused_zeros_do_not_hold_up_later_exports() -> None:
    """A backend at its limit of series would otherwise receive nothing more."""
    exporter = Refusing(ExportRefused)
    delivery = Delivery(exporter, "memory")
    for _ in range(3):
        assert delivery.send(snapshot(counter("a")))
    assert exporter.tries == 1
    assert len(exporter.snapshots) == 3


def test_values_wait_until_their_zeros_have_arrived() -> None:
    """Otherwise the first increase would be lost."""
    exporter = Refusing(ExportError)
    delivery = Delivery(exporter, "memory")
    for _ in range(3):
        assert not delivery.send(snapshot(counter("a")))
    assert exporter.tries == 3
    assert not exporter.snapshots
    assert delivery.outcomes["failed"] == 6


def test_a_destination_of_deltas_gets_no_zeros(exporter: InMemoryExporter) -> None:
    """Deltas start at zero anyway."""
    exporter.sends_zero_points = False  # type: ignore[attr-defined]  # as an OTLP exporter of deltas says
    assert Delivery(exporter, "memory").send(snapshot(counter("a")))
    assert [len(sent.points) for sent in exporter.snapshots] == [1]
