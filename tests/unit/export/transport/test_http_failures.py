"""Requests that were never sent: the reason names the proxy or the file."""

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mlmonitor import ExportError, Otlp, catalog
from mlmonitor.errors import ExportClosed, ExportTimeout
from mlmonitor.export.base import Point, Snapshot
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.export.series.grouping import group_points

TOKEN = "dt0c01.PUBLIC.SECRET"  # noqa: S105 - of a test's own server
SNAPSHOT = Snapshot(
    "i", "s", 1, 2, group_points([Point(catalog.FAULTS, (("model.name", "m"),), 1)])
)


@contextmanager
def serving(behave: Callable[[socket.socket], object]) -> Iterator[int]:
    """Run a server that does this with each connection and then closes it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    behave(connection)
                except OSError:  # the client has gone
                    continue

    threading.Thread(target=serve, daemon=True).start()
    with closing(listener):
        yield listener.getsockname()[1]


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def wait_for_the_end(connection: socket.socket) -> None:
    """Read until the other side gives up, without an answer."""
    while connection.recv(65_536):
        pass


def refuse_tunnel(connection: socket.socket) -> None:
    """Answer like a proxy that refuses the tunnel."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def close_after_request(connection: socket.socket) -> None:
    """Read the request, and close without an answer."""
    connection.recv(65_536)


def fail(exporter: OtlpExporter) -> ExportError:
    """Return the error of a failing export."""
    try:
        with pytest.raises(ExportError) as caught:
            exporter.send(SNAPSHOT)
    finally:
        exporter.close(timeout_seconds=0)
    return caught.value


def deltas(url: str, proxy: str | None = None) -> OtlpExporter:
    """Return an exporter of deltas: unsent ones are sent again, uncertain ones may count twice."""
    return Otlp.dynatrace(url, token=TOKEN, proxy=proxy, timeout_seconds=0.7)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (wait_for_the_end, "the TLS handshake did not end in time; nothing was sent"),
        (reset, "the TLS handshake was aborted"),
        (lambda connection: connection.recv(1), "the TLS handshake was aborted"),
        (refuse_tunnel, "it speaks plain http at this port"),
    ],
    ids=["hangs", "resets", "closes", "plain"],
)
def test_after_a_failed_tls_handshake_nothing_was_sent(
    behave: Callable[[socket.socket], object], reason: str
) -> None:
    """The next export has all of the deltas, and none counts as possibly lost."""
    with serving(behave) as port:
        error = fail(deltas(f"https://127.0.0.1:{port}"))
    assert reason in str(error)
    assert "nothing was sent" in str(error)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (refuse_tunnel, "refused a connection to the destination (status 403)"),
        (wait_for_the_end, "gave no connection to the destination in time"),
        (reset, "cannot be reached or refuses the connection"),
    ],
    ids=["refuses", "hangs", "resets"],
)
@pytest.mark.parametrize("by", ["argument", "variable"])
def test_a_proxy_that_refuses_the_tunnel_is_named_in_the_error(
    by: str,
    behave: Callable[[socket.socket], object],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason has its source and its address but not its password."""
    with serving(behave) as port:
        proxy = f"http://user:s3cretpart@127.0.0.1:{port}"
        if by == "variable":
            monkeypatch.setenv("HTTPS_PROXY", proxy)
        error = str(fail(deltas("https://abc.example", proxy if by == "argument" else None)))
    source = "given as proxy=" if by == "argument" else "of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"
    assert f"the proxy http://127.0.0.1:{port} ({source}) {reason}; nothing was sent" in error
    assert "s3cretpart" not in error


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:port", "http://[::1", "nonsense://h:1"])
def test_a_malformed_proxy_in_the_environment_is_named_in_the_error(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export fails, and the start of the service does not."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    error = str(fail(deltas("https://abc.example")))
    assert "the proxy " in error
    assert "of HTTP_PROXY, HTTPS_PROXY or ALL_PROXY" in error
    assert "nothing was sent" in error


def test_a_socks_proxy_without_pysocks_is_named_in_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reason says what to install."""
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.delitem(sys.modules, "urllib3.contrib.socks", raising=False)
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", _missing_socks)
    error = str(fail(deltas("https://abc.example", "socks5://127.0.0.1:1080")))
    assert "socks5://127.0.0.1:1080 (given as proxy=) needs PySocks" in error
    assert "pip install 'requests[socks]'; nothing was sent" in error


def _missing_socks(*_arguments: object, **_options: object) -> None:
    from requests.exceptions import InvalidSchema

    raise InvalidSchema("Missing dependencies for SOCKS support.")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_missing_bundle_of_certificates_is_named_in_the_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason has its path and the variable that names it."""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "/no/such/bundle.pem")
    error = str(fail(deltas("https://127.0.0.1:9")))
    assert name in error
    assert "there is no file /no/such/bundle.pem; nothing was sent" in error


def test_a_bundle_without_certificates_is_reported_as_the_reason_of_the_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not cause a traceback."""
    path = tmp_path / "ca.pem"
    path.write_text("hunter2")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with serving(wait_for_the_end) as port:
        error = str(fail(deltas(f"https://127.0.0.1:{port}")))
    assert "nothing was sent" in error
    assert "hunter2" not in error


def test_a_closed_connection_and_a_timeout_raise_different_errors() -> None:
    """Both are followed by sending the totals again."""
    with serving(close_after_request) as port:
        error = fail(Otlp.collector(f"http://127.0.0.1:{port}", timeout_seconds=2))
    assert isinstance(error, ExportClosed)
    assert "the connection was closed without an answer" in str(error)
    with serving(wait_for_the_end) as port:
        error = fail(Otlp.collector(f"http://127.0.0.1:{port}", timeout_seconds=0.5))
    assert isinstance(error, ExportTimeout)
    assert "no answer in time" in str(error)


def test_deltas_without_an_answer_are_counted_by_kind() -> None:
    """They are sent again and may count twice."""
    with serving(close_after_request) as port:
        delivered = deltas(f"http://127.0.0.1:{port}").send(SNAPSHOT)
    assert (delivered.possibly_doubled, delivered.closed, delivered.failed) == (1, 1, 0)
    with serving(wait_for_the_end) as port:
        delivered = deltas(f"http://127.0.0.1:{port}").send(SNAPSHOT)
    assert (delivered.possibly_doubled, delivered.closed, delivered.failed) == (1, 0, 0)
