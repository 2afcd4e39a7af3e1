"""The receiver with the exporters of the official SDK over HTTP and gRPC, and its life cycle."""

import http.client
import logging
import socket
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource

from mlmonitor import Monitor, Otlp
from mlmonitor.errors import ConfigError, MissingExtra
from mlmonitor.testing import Drop, OtlpReceiver, PartialSuccess, Redirect, Refuse, Slow
from mlmonitor.testing.receiver import grpc_server as grpc_module
from support.otlp_requests import NOW, PROTOBUF, counter, gauge, number, post, request, send

SDK = tuple(int(part) for part in version("opentelemetry-sdk").split(".")[:2])
AS_OF_1_40 = pytest.mark.skipif(
    SDK < (1, 40), reason="the official exporter answers failures otherwise before 1.40"
)
DELTA = dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA)


def over_http(
    receiver: OtlpReceiver, temporality: dict[type, AggregationTemporality], **options: Any
) -> MetricExporter:
    """Return the official exporter over HTTP, with gzip."""
    return OTLPMetricExporter(
        endpoint=receiver.metrics_url,
        preferred_temporality=temporality,
        compression=Compression.Gzip,
        **options,
    )


def over_grpc(
    receiver: OtlpReceiver, temporality: dict[type, AggregationTemporality], **options: Any
) -> MetricExporter:
    """Return the official exporter over gRPC."""
    grpc = pytest.importorskip(
        "opentelemetry.exporter.otlp.proto.grpc.metric_exporter", reason="extra grpc"
    )
    exporter: MetricExporter = grpc.OTLPMetricExporter(
        endpoint=receiver.url, insecure=True, preferred_temporality=temporality, **options
    )
    return exporter


def serve(make: Callable[..., MetricExporter], *options: Any) -> None:
    """Measure two processes of a service with the SDK, with an export after each request."""
    for instance in ("a", "b"):
        reader = PeriodicExportingMetricReader(make(*options), export_interval_millis=1e9)
        resource = Resource({"service.name": "shop", "service.instance.id": instance})
        provider = MeterProvider([reader], resource=resource)
        meter = provider.get_meter("shop")
        orders = meter.create_counter("shop.orders", unit="{order}")
        latency = meter.create_histogram(
            "shop.latency", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1.0]
        )
        stock = meter.create_gauge("shop.stock")
        for at in range(3):
            orders.add(2, {"order.kind": "book"})
            latency.record(0.05)
            latency.record(0.5)
            stock.set(10 - at)
            reader.collect()
        provider.shutdown()


@pytest.fixture(params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Return each of the two transports."""
    return str(request.param)


@pytest.fixture
def receiver(protocol: str) -> Iterator[OtlpReceiver]:
    """Return a collector for the transport."""
    with OtlpReceiver(protocol=protocol) as receiver:  # type: ignore[arg-type]
        yield receiver


@pytest.fixture
def make(protocol: str) -> Callable[..., MetricExporter]:
    """Return the function that makes the official exporter for the transport."""
    return over_http if protocol == "http" else over_grpc


def check(receiver: OtlpReceiver) -> None:
    """Assert that the ledger has everything that both processes of `serve` did."""
    ledger = receiver.ledger
    assert ledger.total("shop.orders", {"order.kind": "book"}) == 12
    histogram = ledger.histogram("shop.latency")
    assert histogram.bounds == (0.1, 1.0)
    assert histogram.counts == (6, 6, 0)
    assert (histogram.count, histogram.min, histogram.max) == (12, 0.05, 0.5)
    assert histogram.sum == pytest.approx(3.3)
    assert ledger.gauge("shop.stock") == 8
    assert {series.instance for series in ledger.series("shop.stock")} == {"a", "b"}
    assert not ledger.refused


@pytest.mark.parametrize("temporality", [{}, DELTA], ids=["cumulative", "delta"])
def test_the_metrics_of_the_official_exporter_are_added_up(
    receiver: OtlpReceiver,
    make: Callable[..., MetricExporter],
    temporality: dict[type, AggregationTemporality],
) -> None:
    """Over HTTP and gRPC and in either temporality the totals are the same."""
    serve(make, receiver, temporality)
    check(receiver)
    assert not receiver.ledger.warnings


@pytest.mark.parametrize("profile", ["dynatrace", "prometheus", "mimir"])
def test_each_backend_accepts_the_temporality_that_suits_it(profile: str) -> None:
    """Dynatrace needs delta, and the others cumulative points."""
    with OtlpReceiver(profile) as receiver:  # type: ignore[arg-type]
        serve(over_http, receiver, DELTA if profile == "dynatrace" else {})
        ledger = receiver.ledger
        assert ledger.total("shop.orders") == 12
        assert ledger.histogram("shop.latency").count == 12
        assert not ledger.refused


@AS_OF_1_40
@pytest.mark.parametrize("profile", ["dynatrace", "prometheus", "mimir"])
def test_each_backend_refuses_the_wrong_temporality(
    profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Prometheus and Mimir answer with errors; Dynatrace answers 200, so nothing is logged."""
    with OtlpReceiver(profile) as receiver:  # type: ignore[arg-type]
        serve(over_http, receiver, {} if profile == "dynatrace" else DELTA)
        ledger = receiver.ledger
        assert ledger.total("shop.orders") == 0
        (status,) = {request.status for request in ledger.requests if request.points > 1}
        assert status == {"dynatrace": 200, "prometheus": 500, "mimir": 400}[profile]
        assert ("Failed to export" in caplog.text) == (profile != "dynatrace")
        # Prometheus has none of the gauges that came beside a delta: only those of the last export.
        assert ledger.accepted == {"dynatrace": 8, "prometheus": 2, "mimir": 8}[profile]


def test_exponential_histograms_of_the_sdk_are_added_up() -> None:
    """Two processes send them at different scales."""
    with OtlpReceiver() as receiver:
        for values in ([1.0, 2.0, 4.0], [1e-6, 1e6, 0.0]):
            exporter = over_http(receiver, {})
            exporter._preferred_aggregation = {Histogram: ExponentialBucketHistogramAggregation()}
            reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1e9)
            resource = Resource({"service.instance.id": str(len(values))})
            provider = MeterProvider([reader], resource=resource)
            recorded = provider.get_meter("m").create_histogram("h")
            for value in values:
                recorded.record(value)
            provider.shutdown()
        histogram = receiver.ledger.histogram("h")
        assert histogram.count == sum(histogram.counts) == 6
        assert (histogram.min, histogram.max) == (0.0, 1e6)


@pytest.mark.slow
def test_the_official_exporter_retries_after_a_lost_answer(
    receiver: OtlpReceiver, make: Callable[..., MetricExporter], protocol: str
) -> None:
    """Cumulative points are unaffected; delta points count twice, and the ledger warns."""
    for temporality, orders in (({}, 12), (DELTA, 12 + 12 + 2)):
        receiver.script([Drop("stored")])
        serve(make, receiver, temporality)
        assert receiver.ledger.total("shop.orders") == orders
    assert receiver.ledger.warnings["delta intervals overlap"] == 2
    lost = [request for request in receiver.ledger.requests if request.status is None]
    assert [request.fault for request in lost] == ["Drop", "Drop"]


@AS_OF_1_40
@pytest.mark.parametrize(("seconds", "tries"), [(0, 9), (3_600, 8)])
def test_the_official_exporter_waits_as_long_as_it_is_asked_to(
    receiver: OtlpReceiver,
    make: Callable[..., MetricExporter],
    protocol: str,
    seconds: float,
    tries: int,
) -> None:
    """It retries after `Retry-After` or gRPC `RetryInfo`, and gives up if that is too long."""
    receiver.next(Refuse(429 if protocol == "http" else "UNAVAILABLE", seconds))
    serve(make, receiver, {})
    check(receiver)
    assert len(receiver.ledger.requests) == tries


def test_a_partial_success_is_sent_over_grpc_as_well() -> None:
    """The test has its own client, because the official exporter ignores the message."""
    reply = call(PartialSuccess(1, "quota"))
    assert reply.partial_success.rejected_data_points == 1
    assert reply.partial_success.error_message == "quota"


@pytest.mark.parametrize(
    ("fault", "code", "taken"),
    [
        (Refuse("RESOURCE_EXHAUSTED", 2.0, "busy"), "RESOURCE_EXHAUSTED", 0),
        (Refuse(503), "UNAVAILABLE", 0),
        (Refuse(418), "UNKNOWN", 0),
        (Drop("unread"), "UNAVAILABLE", 0),
        (Drop("stored"), "UNAVAILABLE", 1),
        (Slow(30.0), "DEADLINE_EXCEEDED", 1),
    ],
    ids=str,
)
def test_faults_over_grpc_have_the_scripted_codes(fault: Any, code: str, taken: int) -> None:
    """The ledger shows whether the points were stored, which the client cannot know."""
    grpc = pytest.importorskip("grpc", reason="extra grpc")
    with OtlpReceiver(protocol="grpc", clock=lambda: NOW, faults=[fault]) as receiver:
        with pytest.raises(grpc.RpcError) as caught:
            unary(receiver)
        assert caught.value.code().name == code
        assert receiver.ledger.total("n") == taken
        if fault == Refuse("RESOURCE_EXHAUSTED", 2.0, "busy"):
            assert caught.value.details() == "busy"
            trailing = {key for key, _ in caught.value.trailing_metadata()}
            assert trailing >= {"grpc-status-details-bin", "google.rpc.retryinfo-bin"}


def call(fault: Any) -> Any:
    """Return the answer of a gRPC receiver with this fault."""
    pytest.importorskip("grpc", reason="extra grpc")
    with OtlpReceiver(protocol="grpc", clock=lambda: NOW, faults=[fault]) as receiver:
        return unary(receiver)


def unary(receiver: OtlpReceiver, body: bytes | None = None) -> Any:
    """Send one increment over gRPC with a deadline of half a second."""
    import grpc
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceResponse,
    )

    sent = request(counter("n", number(1, at=1, since=0))).SerializeToString()
    with grpc.insecure_channel(receiver.url.removeprefix("http://")) as channel:
        export = channel.unary_unary(
            f"/{grpc_module.SERVICE}/Export",
            response_deserializer=ExportMetricsServiceResponse.FromString,
        )
        return export(sent if body is None else body, timeout=0.5)


def test_bytes_that_are_not_otlp_are_an_invalid_argument_over_grpc() -> None:
    """The status code tells the client not to retry."""
    grpc = pytest.importorskip("grpc", reason="extra grpc")
    with OtlpReceiver(protocol="grpc") as receiver:
        with pytest.raises(grpc.RpcError) as caught:
            unary(receiver, b"\xff\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert receiver.ledger.refused == {"not OTLP": 1}
        assert receiver.ledger.requests[0].status == "INVALID_ARGUMENT"


def test_a_grpc_receiver_goes_down_and_up_on_the_same_port() -> None:
    """Connections are refused in between."""
    grpc = pytest.importorskip("grpc", reason="extra grpc")
    with OtlpReceiver(protocol="grpc", clock=lambda: NOW) as receiver:
        url = receiver.url
        with receiver.down():
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", receiver.port)) != 0
            with pytest.raises(grpc.RpcError):
                unary(receiver)
        unary(receiver)
        assert receiver.url == url
        assert receiver.ledger.total("n") == 1


def test_a_grpc_receiver_without_the_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error is raised when the receiver is constructed."""
    error = MissingExtra("grpc is not installed: pip install 'mlmonitor-sdk[grpc]'")

    def missing(_module: str, *, extra: str) -> None:
        raise error

    monkeypatch.setattr(grpc_module, "import_extra", missing)
    with pytest.raises(MissingExtra, match=r"mlmonitor-sdk\[grpc\]"):
        OtlpReceiver(protocol="grpc")


def test_a_client_can_follow_a_redirect_to_another_receiver() -> None:
    """Status 307 keeps method and body."""
    with OtlpReceiver(clock=lambda: NOW) as here, OtlpReceiver(clock=lambda: NOW) as there:
        here.next(Redirect(there.metrics_url))
        sent = request(gauge("g", number(5))).SerializeToString()
        assert (
            requests.post(here.metrics_url, sent, headers=PROTOBUF, timeout=60).status_code == 200
        )
        assert there.ledger.gauge("g") == 5
        assert here.ledger.accepted == 0
        assert [one.status for one in here.ledger.requests] == [307]


@pytest.mark.parametrize("profile", ["collector", "dynatrace", "mimir", "prometheus"])
def test_other_paths_and_methods_are_refused(profile: str) -> None:
    """A base URL with a missing or doubled path is a frequent mistake; the ledger shows it."""
    with OtlpReceiver(profile, clock=lambda: NOW) as receiver:  # type: ignore[arg-type]
        own = receiver.metrics_url.removeprefix(receiver.url)
        paths = {
            "/v1/metrics",
            "/api/v1/otlp/v1/metrics",
            "/otlp/v1/metrics",
            "/api/v2/otlp/v1/metrics",
        }
        assert own in paths
        sent = request(gauge("gg", number(1)))
        for path in {*(paths - {own}), "/", f"{own}/v1/metrics"}:
            assert post(receiver, sent, path=path).status == 404
        assert post(receiver, b"", method="GET").status == 405
        assert post(receiver, b"", method="GET", path="/").status == 404
        assert post(receiver, sent, path=f"{own}?a=b").status == 200
        assert receiver.ledger.refused == {"nothing at this path": 6, "wrong method": 1}


def test_a_body_may_arrive_in_chunks() -> None:
    """HTTP clients in Go send a body of unknown length in this way."""
    with OtlpReceiver(clock=lambda: NOW) as receiver:
        data = request(gauge("g", number(5))).SerializeToString()
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        pieces = iter([data[:7], data[7:]])
        connection.request("POST", "/v1/metrics", pieces, PROTOBUF, encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()
        assert receiver.ledger.gauge("g") == 5


def test_one_connection_carries_many_requests() -> None:
    """Clients keep their connections open."""
    with OtlpReceiver(clock=lambda: NOW) as receiver:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=60)
        connection.connect()
        own_port = connection.sock.getsockname()[1]
        for at in range(3):
            body = request(gauge("g", number(at, at=at))).SerializeToString()
            connection.request("POST", "/v1/metrics", body, PROTOBUF)
            assert connection.getresponse().read() == b""
            assert connection.sock.getsockname()[1] == own_port
        connection.close()
        assert receiver.ledger.gauge("g") == 2


def test_the_ledger_can_be_read_after_the_receiver_and_survives_a_restart() -> None:
    """Assertions may follow the `with` block; requests are refused then."""
    receiver = OtlpReceiver(clock=lambda: NOW)
    with pytest.raises(ConfigError, match="start the receiver"):
        _ = receiver.url
    with receiver:
        send(receiver, gauge("g", number(1)))
    assert receiver.ledger.gauge("g") == 1
    with pytest.raises(ConnectionRefusedError):
        send(receiver, gauge("g", number(2)))
    with receiver.start():
        assert send(receiver, gauge("g", number(2, at=1))).status == 200
    assert receiver.ledger.gauge("g") == 2
    assert repr(receiver).startswith("OtlpReceiver('collector', port=")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"profile": "datadog"}, "profile"),
        ({"protocol": "thrift"}, "protocol"),
        ({"profile": "dynatrace", "protocol": "grpc"}, "protocol"),
        ({"profile": "prometheus", "protocol": "grpc"}, "protocol"),
        ({"token": "s3cret"}, "token"),
        ({"profile": "dynatrace", "tenant": "t"}, "tenant"),
    ],
    ids=str,
)
def test_invalid_options_of_a_receiver_are_refused(options: dict[str, Any], field: str) -> None:
    """The error names the option, but never its value."""
    with pytest.raises(ConfigError, match=f"^{field}: ") as caught:
        OtlpReceiver(**options)
    assert "s3cret" not in str(caught.value)


def test_a_monitor_can_be_tested_with_the_receiver() -> None:
    """The ledger of the collector has the totals of all predictions."""
    with OtlpReceiver() as receiver:
        with Monitor("credit", exporters=[Otlp.collector(receiver.url)]) as monitor:
            monitor.record({"income": [1.0, None, 3.0]}, [0.2, 0.3, 0.4])
            assert monitor.flush(timeout_seconds=60)
        assert receiver.ledger.total("mlmonitor.predictions", status="ok") == 3
        assert not receiver.ledger.refused
        assert not receiver.ledger.warnings


def test_nothing_is_written_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither dropped connections nor refused requests may clutter the output of a test."""
    with OtlpReceiver(clock=lambda: NOW, faults=[Slow(0.05), Drop("unread")]) as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)) as client:
            body = request(gauge("g", number(1))).SerializeToString()
            head = f"POST /v1/metrics HTTP/1.1\r\nContent-Length: {len(body)}\r\n"
            client.sendall(f"{head}Content-Type: application/x-protobuf\r\n\r\n".encode() + body)
        assert receiver.ledger.wait_until(lambda ledger: len(ledger.requests) == 1)
        with pytest.raises((OSError, http.client.HTTPException)):
            send(receiver, gauge("g", number(1)))
        post(receiver, b"\xff", path="/")
    logging.getLogger(__name__).debug("all closed")
    assert capfd.readouterr().err == ""
