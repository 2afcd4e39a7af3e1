"""The page served from a script: in a thread, on the loopback address, until the monitor closes."""

import json
import socket
from http.client import HTTPConnection
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from mlmonitor import Monitor
from mlmonitor.errors import ConfigError


def fetch(url: str) -> tuple[int, bytes]:
    """Return the status and body of an answer."""
    with urlopen(url, timeout=60) as answer:  # noqa: S310 - our own server
        return answer.status, answer.read()


def test_a_script_serves_its_page_until_the_monitor_closes() -> None:
    """It is served at 127.0.0.1, and every request shows the newest rows."""
    with Monitor("nightly", exporters=[]) as monitor:
        server = monitor.serve(port=0)
        assert server.url.startswith("http://127.0.0.1:")
        status, body = fetch(server.url)
        assert status == 200
        assert b"nightly" in body
        assert json.loads(fetch(f"{server.url}snapshot.json")[1])["models"][0]["model"] == "nightly"
    with pytest.raises(URLError):
        fetch(server.url)


def test_a_page_server_can_be_closed_on_its_own() -> None:
    """The monitor continues, and closing the server again has no effect."""
    with Monitor("m", exporters=[]) as monitor:
        server = monitor.serve(port=0)
        server.close()
        server.close()
        with pytest.raises(URLError):
            fetch(server.url)
        assert monitor.status().state == "waiting"


def test_a_foreign_host_is_refused_by_a_loopback_server() -> None:
    """A site that rebinds its name to 127.0.0.1 must not be able to read the page."""
    with Monitor("m", exporters=[]) as monitor:
        port = int(monitor.serve(port=0).url.rpartition(":")[2].strip("/"))
        for host, expected in (("evil.example", 421), ("10.0.0.1", 421), ("localhost", 200)):
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/", headers={"Host": host})
            assert connection.getresponse().status == expected, host
            connection.close()


def test_a_port_in_use_is_refused_with_a_remedy() -> None:
    """The error is raised to the caller, not in the thread of the server."""
    with socket.create_server(("127.0.0.1", 0)) as other, Monitor("m", exporters=[]) as monitor:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: .* choose another, or 0"):
            monitor.serve(port=port)


@pytest.mark.parametrize("port", [-1, 65_536, True, "8808", 1.5, None])
def test_a_port_outside_0_to_65535_is_refused(port: object) -> None:
    """The error is raised before a server starts."""
    with Monitor("m", exporters=[]) as monitor, pytest.raises(ConfigError, match="port: expected"):
        monitor.serve(port=port)  # type: ignore[arg-type]


def test_two_pages_of_one_monitor_are_served_side_by_side() -> None:
    """Each has its own port."""
    with Monitor("m", exporters=[]) as monitor:
        urls = {monitor.serve(port=0).url for _ in range(2)}
        assert len(urls) == 2
        assert all(fetch(url)[0] == 200 for url in urls)
