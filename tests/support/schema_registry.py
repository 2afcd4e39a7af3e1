"""A small schema registry over HTTP, with the part of Confluent's API that clients use."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SchemaRegistry(ThreadingHTTPServer):
    """Stores schemas by id; can require a user and a password.

    Source: Confluent Schema Registry, API reference: POST /subjects/(subject)/versions,
    GET /schemas/ids/(id).
    """

    daemon_threads = True

    def __init__(self, authorization: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _RegistryHandler)
        self.authorization = authorization
        self.schemas: list[str] = []
        self.subjects: dict[str, int] = {}
        self.refused = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def read_schema(self, number: int) -> dict[str, Any]:
        """Return the schema with this id."""
        content: dict[str, Any] = json.loads(self.schemas[number - 1])
        return content


class _RegistryHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        """Register a schema under a subject."""
        registry = self.server
        assert isinstance(registry, SchemaRegistry)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        expected = registry.authorization
        if expected is not None and self.headers.get("Authorization") != expected:
            registry.refused += 1
            return self._answer(401, {"error_code": 401, "message": "who are you?"})
        if body["schema"] not in registry.schemas:
            registry.schemas.append(body["schema"])
        number = registry.schemas.index(body["schema"]) + 1
        registry.subjects[self.path.split("/")[2].partition("?")[0]] = number
        return self._answer(200, {"id": number})

    def do_GET(self) -> None:
        """Return the schema with the id in the path."""
        registry = self.server
        assert isinstance(registry, SchemaRegistry)
        number = int(self.path.rpartition("/")[2])
        if not 0 < number <= len(registry.schemas):
            return self._answer(404, {"error_code": 40403, "message": "Schema not found"})
        return self._answer(200, {"schema": registry.schemas[number - 1]})

    def _answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serve_registry(authorization: str | None = None) -> Iterator[SchemaRegistry]:
    """Run a registry within the block."""
    registry = SchemaRegistry(authorization)
    thread = threading.Thread(target=registry.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield registry
    finally:
        registry.shutdown()
        thread.join()
        registry.server_close()
