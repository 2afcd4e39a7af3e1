"""Certificates, proxies, and which of them are trusted."""

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from mlmonitor import ExportError, Otlp, catalog
from mlmonitor.export.base import Delivered, Point, Snapshot
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.export.series.grouping import group_points

SNAPSHOT = Snapshot(
    "i", "s", 1, 2, group_points([Point(catalog.FAULTS, (("model.name", "m"),), 1)])
)
SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Server(NamedTuple):
    """The port of a server, and the requests that it received."""

    port: int
    requests: list[bytes]


def read(connection: socket.socket) -> bytes:
    """Read a whole request, because closing on an unread one resets the connection."""
    with connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        match = re.search(rb"content-length: (\d+)", head.lower())
        return head + stream.read(int(match[1]) if match else 0)


def serve(listener: socket.socket, context: ssl.SSLContext | None, server: Server) -> None:
    """Answer 200 to everything until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
            connection.settimeout(2)
        except OSError:
            return
        try:
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            server.requests.append(read(connection))
            connection.sendall(ANSWER)
        except OSError:  # whoever does not trust it hangs up
            continue
        finally:
            connection.close()


def started(context: ssl.SSLContext | None) -> tuple[socket.socket, Server]:
    """Run a server on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1], [])
    threading.Thread(target=serve, args=(listener, context, server), daemon=True).start()
    return listener, server


@pytest.fixture
def grpcs(authority: trustme.CA) -> Iterator[Callable[..., str]]:
    """Start gRPC servers with a certificate of that authority, which accept everything."""
    grpc: Any = pytest.importorskip("grpc", reason="extra grpc")
    running, threads = [], ThreadPoolExecutor(2)
    issued = authority.issue_cert("127.0.0.1")
    pair = issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()
    export = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")

    def start(*, wants_clients: bool = False) -> str:
        server = grpc.server(
            threads,
            handlers=[grpc.method_handlers_generic_handler(SERVICE, {"Export": export})],
        )
        trusted = authority.cert_pem.bytes() if wants_clients else None
        secrets = grpc.ssl_server_credentials([pair], trusted, require_client_auth=wants_clients)
        port = server.add_secure_port("127.0.0.1:0", secrets)
        server.start()
        running.append(server)
        return f"https://127.0.0.1:{port}"

    yield start
    for server in running:
        server.stop(grace=None).wait(60)
    threads.shutdown()


class Files(NamedTuple):
    """Certificates as files."""

    ca: Path
    client: Path
    client_key: Path


@pytest.fixture
def authority() -> trustme.CA:
    """The authority that the clients of a test may trust."""
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Files:
    """The authority's certificate, and that of a client with its key."""
    paths = Files(tmp_path / "ca.pem", tmp_path / "client.pem", tmp_path / "client.key")
    authority.cert_pem.write_to_path(str(paths.ca))
    client = authority.issue_cert("client.example")
    client.cert_chain_pems[0].write_to_path(str(paths.client))
    client.private_key_pem.write_to_path(str(paths.client_key))
    return paths


@pytest.fixture
def https(authority: trustme.CA) -> Iterator[tuple[Server, ssl.SSLContext]]:
    """A server with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    listener, server = started(context)
    with closing(listener):
        yield server, context


def send(exporter: OtlpExporter) -> Delivered:
    """Send a snapshot of one point."""
    try:
        return exporter.send(SNAPSHOT)
    finally:
        exporter.close(timeout_seconds=0)


def test_the_certificate_of_a_server_is_verified(
    https: tuple[Server, ssl.SSLContext], files: Files
) -> None:
    """`ca_file` names an authority that the system does not trust."""
    url = f"https://127.0.0.1:{https[0].port}"
    with pytest.raises(ExportError, match="not trusted; pass ca_file"):
        send(Otlp.collector(url))
    assert not https[0].requests
    assert send(Otlp.collector(url, ca_file=files.ca)).accepted == 1


def test_authorities_in_the_environment_are_trusted_unless_ca_file_is_given(
    https: tuple[Server, ssl.SSLContext],
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`REQUESTS_CA_BUNDLE` is used without `ca_file` only."""
    url = f"https://127.0.0.1:{https[0].port}"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.ca))
    assert send(Otlp.collector(url)).accepted == 1
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    with pytest.raises(ExportError, match="not trusted"):
        send(Otlp.collector(url, ca_file=stranger))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stranger))
    assert send(Otlp.collector(url, ca_file=files.ca)).accepted == 1


def test_a_client_shows_its_certificate(
    https: tuple[Server, ssl.SSLContext], files: Files, authority: trustme.CA
) -> None:
    """The server requires one; arguments or variables name its files."""
    server, context = https
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    url = f"https://127.0.0.1:{server.port}"
    with pytest.raises(ExportError):
        send(Otlp.collector(url, ca_file=files.ca, timeout_seconds=2))
    shown = Otlp.collector(
        url, ca_file=files.ca, client_certificate=files.client, client_key=files.client_key
    )
    assert send(shown).accepted == 1
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(files.ca),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(files.client),
        "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY": str(files.client_key),
    }
    by_variables = Otlp.from_environment(environ)
    assert by_variables is not None
    assert send(by_variables).accepted == 1


def test_the_certificate_of_a_server_is_verified_over_grpc(
    grpcs: Callable[..., str], files: Files
) -> None:
    """The reason says what to do, and an address without TLS does not work either."""
    url = grpcs()
    with pytest.raises(ExportError, match="not trusted; pass ca_file"):
        send(Otlp.collector(url, protocol="grpc", timeout_seconds=5))
    plain = Otlp.collector(url.replace("https", "http"), protocol="grpc", timeout_seconds=5)
    with pytest.raises(ExportError):
        send(plain)
    trusted = Otlp.collector(url, protocol="grpc", ca_file=files.ca, timeout_seconds=5)
    assert send(trusted).accepted == 1


def test_a_client_shows_its_certificate_over_grpc(grpcs: Callable[..., str], files: Files) -> None:
    """Arguments or variables name its files; an address without a scheme uses TLS."""
    url = grpcs(wants_clients=True)
    with pytest.raises(ExportError):
        send(Otlp.collector(url, protocol="grpc", ca_file=files.ca, timeout_seconds=5))
    shown = Otlp.collector(
        url,
        protocol="grpc",
        ca_file=files.ca,
        client_certificate=files.client,
        client_key=files.client_key,
        timeout_seconds=5,
    )
    assert send(shown).accepted == 1
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url.removeprefix("https://"),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(files.ca),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(files.client),
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(files.client_key),
    }
    by_variables = Otlp.from_environment(environ)
    assert by_variables is not None
    assert send(by_variables).accepted == 1


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_requests_go_through_the_configured_proxy(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given as an argument or in the usual variables, and its password is not shown."""
    listener, proxy = started(None)
    url = f"http://user:s3cret@127.0.0.1:{proxy.port}"
    with closing(listener):
        if by == "argument":
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
            exporter = Otlp.collector("http://collector.example:4318", proxy=url)
        else:
            monkeypatch.setenv("HTTP_PROXY", url)
            exporter = Otlp.collector("http://collector.example:4318")
        assert send(exporter).accepted == 1
    (request,) = proxy.requests
    assert request.startswith(b"POST http://collector.example:4318/v1/metrics HTTP/1.1")
    assert b"Proxy-Authorization: Basic" in request
    assert "s3cret" not in repr(exporter) + repr(exporter._access)


def test_an_unreachable_proxy_has_another_reason_than_an_unreachable_destination() -> None:
    """The remedies differ."""
    exporter = Otlp.collector("http://collector.example:4318", proxy="http://127.0.0.1:9")
    with pytest.raises(
        ExportError, match=r"the proxy http://127.0.0.1:9 \(given as proxy=\) cannot be reached"
    ):
        send(exporter)
