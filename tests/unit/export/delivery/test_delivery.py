"""What an exporter receives, and how outcomes are counted."""

import logging

import pytest

from mlmonitor import catalog
from mlmonitor.export.base import Delivered, HistogramValue, Point, Snapshot
from mlmonitor.export.delivery.delivery import Delivery, name_deliveries
from mlmonitor.export.series.grouping import group_points
from mlmonitor.testing import InMemoryExporter

START, LATER = 1_000, 2_000
WHO = (("model.name", "m"),)


def snapshot(*points: Point, time: int = LATER) -> Snapshot:
    """Return a snapshot of some points."""
    return Snapshot("i", "s", START, time, group_points(points))


def count(value: int, *more: tuple[str, str]) -> Point:
    """Return a point of a counter."""
    return Point(catalog.PREDICTIONS, (*WHO, *more), value)


def test_each_series_is_first_exported_as_zero_at_the_time_it_was_zero(
    exporter: InMemoryExporter,
) -> None:
    """The zero is at the start, or at the previous export for a later series."""
    delivery = Delivery(exporter, "memory")
    assert delivery.send(snapshot(count(5)))
    birth, first = exporter.snapshots
    assert (birth.time_unix_ns, birth.points[0].value) == (START, 0)
    assert (first.time_unix_ns, first.points[0].value) == (LATER, 5)
    late = count(2, ("error.type", "ValueError"))
    assert delivery.send(snapshot(count(7), late, time=3_000))
    birth, second = exporter.snapshots[2:]
    assert (birth.time_unix_ns, [p.value for p in birth.points]) == (LATER, [0])
    assert birth.points[0].attributes == late.attributes
    assert [point.value for point in second.points] == [7, 2]
    assert delivery.send(snapshot(count(8), time=4_000))
    assert len(exporter.snapshots) == 5


def test_histograms_start_empty_and_gauges_have_no_zero_point(exporter: InMemoryExporter) -> None:
    """A gauge does not count from zero."""
    histogram = HistogramValue((1.0,), (2, 3), 4.0, 0.5, 2.0)
    points = Point(catalog.DURATION, WHO, histogram), Point(catalog.MEAN, WHO, 3.5)
    Delivery(exporter, "memory").send(snapshot(*points))
    (birth,) = exporter.snapshots[0].points
    assert birth.value == HistogramValue((1.0,), (0, 0), 0.0, None, None)


def test_counts_that_a_destination_missed_are_in_the_next_export(
    exporter: InMemoryExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Totals and zeros are cumulative, so an outage only costs resolution."""
    delivery = Delivery(exporter, "memory")
    exporter.is_down = True
    with caplog.at_level(logging.WARNING, "mlmonitor"):
        for at in range(2, 12):
            assert not delivery.send(snapshot(count(at), time=at * 1_000))
    assert delivery.outcomes["accepted"] == 0
    assert delivery.outcomes["failed"] == 20
    assert [record.args[1] for record in caplog.records] == [1, 2, 4, 8]
    exporter.is_down = False
    assert delivery.send(snapshot(count(12), time=12_000))
    assert [s.points[0].value for s in exporter.snapshots] == [0, 12]
    assert exporter.snapshots[0].time_unix_ns == START


def test_a_partial_success_counts_as_rejected_points() -> None:
    """The export is not reported as a success."""

    class Picky(InMemoryExporter):
        def send(self, snapshot: Snapshot) -> Delivered:
            return Delivered(len(snapshot.points) - 1, 1)

    delivery = Delivery(Picky(), "picky")
    assert not delivery.send(snapshot(count(1), count(2, ("status", "ok"))))
    # One of the births, and one of the values: what was refused holds up nothing else.
    assert delivery.outcomes == {
        "accepted": 2,
        "rejected": 2,
        "failed": 0,
        "possibly_lost": 0,
        "possibly_doubled": 0,
    }
    assert not delivery.send(snapshot(count(2), count(3, ("status", "ok")), time=3_000))
    assert delivery.outcomes == {
        "accepted": 3,
        "rejected": 3,
        "failed": 0,
        "possibly_lost": 0,
        "possibly_doubled": 0,
    }


def test_no_exception_of_an_exporter_is_raised_by_a_delivery(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Even SystemExit is held, and its message, which may hold a secret, is not logged."""

    class Broken(InMemoryExporter):
        def send(self, snapshot: Snapshot) -> Delivered:
            raise SystemExit(f"token s3cret, {len(snapshot.points)} points")

        def close(self, *, timeout_seconds: float) -> None:
            raise RuntimeError(f"token s3cret, {timeout_seconds} s")

    delivery = Delivery(Broken(), "broken")
    with caplog.at_level(logging.WARNING, "mlmonitor"):
        assert not delivery.send(snapshot(count(1)))
        delivery.close(timeout_seconds=0)
    assert len(caplog.records) == 2
    assert "s3cret" not in caplog.text


def test_destinations_with_the_same_name_are_numbered() -> None:
    """Two collectors have separate series of outcomes."""
    exporters = [
        InMemoryExporter("collector"),
        InMemoryExporter("collector"),
        InMemoryExporter("x"),
    ]
    assert [d.name for d in name_deliveries(exporters)] == ["collector", "collector-2", "x"]
