"""The bytes are those that OpenTelemetry's own encoder writes for the same points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from mlmonitor import Config, Monitor, Otlp, catalog
from mlmonitor.export.base import Family, Point, Series, Snapshot
from mlmonitor.export.otlp.backends import COLLECTOR, Limits
from mlmonitor.export.otlp.encoder import Sender
from mlmonitor.export.otlp.point_templates import encode_points
from mlmonitor.export.otlp.protobuf import tag, varint
from mlmonitor.export.otlp.requests import Frame, split_batches, split_part
from mlmonitor.export.series.grouping import SnapshotCache, group_points
from mlmonitor.testing import ManualClock, OtlpReceiver
from support.export_strategies import by_the_sdk, flat, names, points

START, TIME = 1_700_000_000_000_000_000, 1_700_000_060_000_000_000
LIMITS = Limits(1 << 30, 1 << 30)


def snapshot(points: list[Point], book: SnapshotCache, *, time_ns: int = TIME) -> Snapshot:
    """Return a snapshot of some points."""
    return Snapshot("i", "s", START, time_ns, group_points(points, book))


def sent(sender: Sender, snapshot_to_send: Snapshot, limits: Limits = LIMITS) -> list[bytes]:
    """Return the requests that a sender makes of a snapshot."""
    outgoing = sender.prepare(snapshot_to_send)
    return [outgoing.body(part) for part in outgoing.parts(limits)]


def merged(bodies: list[bytes]) -> ExportMetricsServiceRequest:
    """Merge several requests into one."""
    message = ExportMetricsServiceRequest()
    for body in bodies:
        message.MergeFromString(body)
    return message


@given(points, points, names)
def test_any_points_are_encoded_exactly_as_the_sdk_encodes_them(
    first: list[Point], second: list[Point], resource: tuple[tuple[str, str], ...]
) -> None:
    """Snapshots are repeated, so that templates are reused."""
    book, resource_attributes = SnapshotCache(), dict(resource)
    sender = Sender(COLLECTOR, resource_attributes, Snapshot("i", "s", START, TIME, ()), "1.2")
    named = {"service.name": "s", "service.instance.id": "i"}
    of_process = tuple({**named, **resource_attributes, **_own(resource_attributes)}.items())
    for drawn_points in (first, second, first):
        book.begin_snapshot()
        expected = by_the_sdk(
            drawn_points, start_ns=START, time_ns=TIME, resource=of_process, version="1.2"
        )
        ours = merged(sent(sender, snapshot(drawn_points, book)))
        if drawn_points:
            assert flat(ours) == flat(expected)
        else:
            assert not ours.resource_metrics


def _own(attributes: dict[str, str]) -> dict[str, str]:
    """Return the attributes that no variable can replace."""
    return {"service.name": attributes.get("service.name", "s"), "service.instance.id": "i"}


@given(points, st.integers(1, 5), st.integers(200, 2_000))
def test_parts_of_a_request_hold_every_point_once_within_the_limits(
    drawn: list[Point], most: int, size: int
) -> None:
    """A single point may exceed the size limit, and halves hold what the whole held."""
    sender = Sender(COLLECTOR, {}, Snapshot("i", "s", START, TIME, ()), "1")
    content = snapshot(drawn, SnapshotCache())
    whole = flat(merged(sent(sender, content)))
    outgoing = sender.prepare(content)
    cut = list(outgoing.parts(Limits(most, size)))
    for part in cut:
        assert 1 <= outgoing.count(part) <= most
        assert outgoing.count(part) == 1 or len(outgoing.body(part)) <= size
    assert flat(merged([outgoing.body(part) for part in cut])) == whole
    halved = [
        half for part in cut for half in (split_part(part) if outgoing.count(part) > 1 else (part,))
    ]
    assert all(halved)
    assert flat(merged([outgoing.body(part) for part in halved])) == whole


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_a_gauge_without_a_number_has_no_point(are_there: list[bool]) -> None:
    """NaN and infinity mean that there is no value; other points are sent."""
    values = np.where(are_there, np.arange(len(are_there)), np.inf).astype(np.float64)
    series = Series((("field", str(at)),) for at in range(len(values)))
    one_snapshot = Snapshot("i", "s", START, TIME, [Family(catalog.MEAN, series, values)])
    sender = Sender(COLLECTOR, {}, one_snapshot, "1")
    request = merged(sent(sender, one_snapshot))
    numbers = [
        point.as_double
        for resource in request.resource_metrics
        for point in resource.scope_metrics[0].metrics[0].gauge.data_points
    ]
    assert numbers == [at for at, is_there in enumerate(are_there) if is_there]
    assert len(one_snapshot.points) == one_snapshot.size == len(numbers)


def test_encoding_no_series_gives_no_bytes() -> None:
    """Empty families count as none."""
    empty = Family(catalog.MEAN, Series(()), np.empty(0))
    assert len(encode_points(empty, 0, TIME)) == 0
    assert not list(split_batches([], LIMITS, Frame(b"", b"", is_delta=False)))


@given(st.integers(0, 2**63))
def test_varints_are_encoded_exactly_as_protobuf_encodes_them(number: int) -> None:
    """The expected bytes are those of a message with this number."""
    from opentelemetry.proto.metrics.v1.metrics_pb2 import SummaryDataPoint

    serialized = SummaryDataPoint(flags=number % 2**32).SerializeToString()
    if number % 2**32:
        assert serialized.endswith(varint(number % 2**32))
    assert int.from_bytes(varint(number)[-1:], "big") < 128


def test_tags_are_derived_from_the_protobuf_descriptors() -> None:
    """Packed numbers have the wire type of bytes."""
    from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics

    assert tag(metrics.NumberDataPoint, "time_unix_nano") == b"\x19"
    assert tag(metrics.HistogramDataPoint, "bucket_counts") == b"\x32"
    with pytest.raises(KeyError):
        tag(metrics.Gauge, "no_such_field")


def test_exponential_histograms_are_sent_to_destinations_that_want_them(clock: ManualClock) -> None:
    """Latencies become a native histogram, and their zero has the same form."""
    with OtlpReceiver("prometheus", clock=clock) as fine, OtlpReceiver("mimir", clock=clock) as old:
        exporters = [Otlp.prometheus(fine.url, durations="exponential"), Otlp.mimir(old.url)]
        config = Config(export_interval_seconds=3_600)
        with Monitor("m", exporters=exporters, config=config, clock=clock) as monitor:
            for _ in range(2):
                for _ in range(50):
                    with monitor.observe({"x": 1.0}):
                        pass
                clock.advance(60)
                assert monitor.flush(timeout_seconds=60)
        name = catalog.DURATION.name
        (series,) = fine.ledger.series(name)
        assert series.kind == "exponential_histogram"
        assert fine.ledger.histogram(name).count == old.ledger.histogram(name).count == 100
        assert fine.ledger.histogram(name).sum == pytest.approx(old.ledger.histogram(name).sum)
        assert not fine.ledger.refused
        assert not fine.ledger.warnings
