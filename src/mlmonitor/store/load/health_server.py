"""Serve the health of a loader over HTTP, on this machine only."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlmonitor.errors import ConfigError
from mlmonitor.store.load.loader import Loader

_HOST = "127.0.0.1"


def read_health(loader: Loader) -> dict[str, Any]:
    """Return figures for a probe. `ready`: the database is connected, or not needed so far."""
    committed_at = loader.committed_at
    counts = loader.counts
    return {
        "ready": loader.is_connected or committed_at is None,
        "partitions": loader.owned,
        "lag": loader.lag,
        "loaded": counts.loaded,
        "replayed": counts.replayed,
        "dead_letters": counts.dead,
        "outages": loader.outages,
        "commit_age_seconds": None if committed_at is None else time.time() - committed_at,
    }


class HealthServer:
    """Serves `/livez` (the process answers) and `/readyz` (200 or 503) with JSON.

    Raises:
        ConfigError: the port cannot be used.
    """

    def __init__(self, loader: Loader, port: int) -> None:
        handler = _make_handler(lambda: read_health(loader))
        try:
            self._server = ThreadingHTTPServer((_HOST, port), handler)
        except OSError as error:
            raise ConfigError(f"health port: {error.strerror}") from None
        self.port: int = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _make_handler(read: Callable[[], dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class HealthHandler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            if self.path not in ("/livez", "/readyz"):
                self.send_error(404)
                return
            health = read()
            body = json.dumps(health).encode()
            self.send_response(200 if health["ready"] or self.path == "/livez" else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Do nothing: probes are not logged."""

    return HealthHandler
