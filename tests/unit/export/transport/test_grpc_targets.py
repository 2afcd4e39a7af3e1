"""The address to which gRPC connects, by the scheme of an endpoint."""

from pathlib import Path
from typing import Any

import pytest

from mlmonitor import ConfigError, Otlp, catalog
from mlmonitor.export.base import Point, Snapshot
from mlmonitor.export.series.grouping import group_points
from mlmonitor.export.transport.grpc_targets import GrpcTarget, parse_target
from mlmonitor.testing import ManualClock, OtlpReceiver

grpc: Any = pytest.importorskip("grpc", reason="extra grpc")
NOW_NS = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("endpoint", "is_insecure", "address", "is_plain"),
    [
        ("http://c:4317", None, "c:4317", True),
        ("HTTP://c:4317", None, "c:4317", True),
        ("http://c:4317/v1/metrics", False, "c:4317", True),
        ("https://c:4317", True, "c:4317", False),
        ("HTTPS://c:4317", None, "c:4317", False),
        ("c:4317", None, "c:4317", False),
        ("c:4317", True, "c:4317", True),
        ("localhost:4317", None, "localhost:4317", True),
        ("localhost:4317", False, "localhost:4317", False),
        ("dns:///c:4317", None, "dns:///c:4317", False),
        ("dns:///127.0.0.1:4317", None, "dns:///127.0.0.1:4317", True),
        ("DNS:///c:4317", True, "dns:///c:4317", True),
        ("unix:///p", None, "unix:///p", True),
        ("unix:/p", None, "unix:/p", True),
        ("ipv6:[::1]:4317", None, "ipv6:[::1]:4317", True),
    ],
)
def test_the_scheme_of_an_endpoint_determines_the_address_and_tls(
    endpoint: str,
    is_insecure: bool | None,  # noqa: FBT001 - a case
    address: str,
    is_plain: bool,  # noqa: FBT001 - a case
) -> None:
    """Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter"."""
    assert parse_target(endpoint, is_insecure=is_insecure) == GrpcTarget(address, is_plain)


def snapshot() -> Snapshot:
    """Return a snapshot of one counter."""
    point = Point(catalog.FAULTS, (("model.name", "m"),), 3)
    return Snapshot("i", "s", NOW_NS - 10**9, NOW_NS, group_points([point]))


@pytest.mark.parametrize("scheme", ["http://", "HTTP://", "dns:///", "", "ipv4:"])
def test_a_collector_is_reached_over_grpc_by_any_scheme(clock: ManualClock, scheme: str) -> None:
    """It is given as an argument and in variables."""
    with OtlpReceiver(protocol="grpc", clock=clock) as receiver:
        endpoint = f"{scheme}{receiver.url.partition('://')[2]}"
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
        }
        by_variables = Otlp.from_environment(environ)
        for exporter in (Otlp.collector(endpoint, protocol="grpc"), by_variables):
            assert exporter is not None
            assert exporter.send(snapshot()).accepted == 1
            exporter.close(timeout_seconds=0)
        assert receiver.ledger.total("mlmonitor.faults") == 3


def test_a_collector_is_reached_over_a_unix_socket(tmp_path: Path) -> None:
    """There is no TLS, because the connection stays on this machine."""
    from concurrent.futures import ThreadPoolExecutor

    received: list[bytes] = []
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        handler = grpc.unary_unary_rpc_method_handler(
            lambda request, _context: received.append(request) or b""
        )
        service = "opentelemetry.proto.collector.metrics.v1.MetricsService"
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
        )
        assert server.add_insecure_port(f"unix:{tmp_path}/s")
        server.start()
        exporter = Otlp.collector(f"unix://{tmp_path}/s", protocol="grpc")
        assert exporter.send(snapshot()).accepted == 1
        exporter.close(timeout_seconds=0)
        server.stop(grace=None).wait(60)
    assert received


@pytest.mark.parametrize("endpoint", ["", "ftp://c:4317", "collector", "http://u:p@c:4317"])
def test_an_invalid_grpc_target_is_refused(endpoint: str) -> None:
    """The error names the option."""
    with pytest.raises(ConfigError, match=r"Otlp.collector: "):
        Otlp.collector(endpoint, protocol="grpc")
