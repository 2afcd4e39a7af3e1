"""Serve the page from a thread of its own, for scripts and notebooks."""

import os
import socket
import threading
from collections.abc import Collection, Sequence
from typing import Any

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.present.page.page_source import PageSource

_STOP_SECONDS = 2.0
_MOST_PORT = 65_535


class PageServer:
    """Serves the page at `url` until `close`; created by `Monitor.serve`."""

    def __init__(self, app: Any, listener: socket.socket, host: str) -> None:
        uvicorn: Any = import_extra("uvicorn", extra="page")
        port = listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url: str = f"http://{shown}:{port}/"
        self._pid = os.getpid()
        self._listener = listener
        config = uvicorn.Config(
            app, access_log=False, log_config=None, lifespan="off", server_header=False, ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [listener]},
            name="mlmonitor-page",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving; a second call has no effect."""
        self._server.should_exit = True
        if self._pid == os.getpid() and self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)
        self._listener.close()

    def __repr__(self) -> str:
        return f"PageServer({self.url!r})"


def start_server(
    sources: Sequence[PageSource],
    *,
    host: str,
    port: int,
    allowed_hosts: Collection[str],
) -> PageServer:
    """Bind the port, then serve the page in a daemon thread.

    Raises:
        ConfigError: the port is out of range or in use, or the host is not an address of this
            machine.
        MissingExtra: the extra `page` is not installed.
    """
    if type(port) is not int or not 0 <= port <= _MOST_PORT:
        raise ConfigError("port: expected a number from 0 to 65535; 0 takes a free one")
    for module in ("starlette", "uvicorn"):  # before the port is taken
        import_extra(module, extra="page")
    from mlmonitor.present.page.host_check import LOOPBACK
    from mlmonitor.present.page.page_app import build_app

    app = build_app(sources, allowed_hosts=allowed_hosts, loopback_only=host in LOOPBACK)
    return PageServer(app, _listen(host, port), host)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            f"port {port}: cannot be served at this host ({reason}); choose another, or 0 for a "
            "free one"
        ) from None
