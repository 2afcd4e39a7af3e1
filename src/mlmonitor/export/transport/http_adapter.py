"""An adapter of `requests` that keeps a deadline and records whether a request was sent."""

import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlmonitor.gil import yield_gil

if TYPE_CHECKING:
    from http.client import HTTPResponse


class Progress:
    """The progress of one request, and its deadline by the monotonic clock.

    was_sent: whether any byte of the request was sent, after the connection, the proxy's tunnel and
    the TLS handshake were complete.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = 0.0
        self.was_sent: bool = False

    def begin(self, seconds: float) -> None:
        """Begin a request that must end within this many seconds."""
        self._ends_at = self._clock() + seconds
        self.was_sent = False

    @property
    def left(self) -> float:
        """Seconds left, at least 0.001: a socket treats 0 as non-blocking."""
        return max(self._ends_at - self._clock(), 0.001)

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self._clock() >= self._ends_at


def make_adapter(progress: Progress) -> Any:
    """Make an adapter whose requests report to `progress` and are never retried."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def send(self, *args: Any, **options: Any) -> Any:
            yield_gil()  # `requests` has just prepared the request for 0.3 ms
            response = super().send(*args, **options)
            yield_gil()
            return response

        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            _observe(self.poolmanager, progress)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            is_new = proxy not in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **options)
            if is_new:
                _observe(manager, progress)
            return manager

    return Adapter(max_retries=0)


def _observe(manager: Any, progress: Progress) -> None:
    """Make the connections of a manager's pools report to `progress`, even through SOCKS."""
    manager.pool_classes_by_scheme = {
        scheme: type(
            "Pool", (pool,), {"ConnectionCls": _make_connection_class(pool.ConnectionCls, progress)}
        )
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _make_connection_class(base: Any, progress: Progress) -> type:
    class ObservedConnection(base):  # type: ignore[misc]  # one of urllib3's
        """Reports when bytes of the request are sent; requests for a tunnel do not count."""

        response_class = _make_response_class(progress)
        _is_connecting = False

        def connect(self) -> None:
            self._is_connecting = True
            try:
                super().connect()
            finally:
                self._is_connecting = False

        def send(self, data: Any) -> None:
            yield_gil()
            if not self._is_connecting:  # bytes sent while connecting ask a proxy for a tunnel
                if self.sock is None:
                    self.connect()
                progress.was_sent = True
            super().send(data)

    return ObservedConnection


def _make_response_class(progress: Progress) -> "type[HTTPResponse]":
    from http.client import HTTPResponse

    class Response(HTTPResponse):
        """Limits all reads by one deadline; otherwise each read could take the whole timeout."""

        def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp: Any = io.BufferedReader(_TimedFile(self.fp.detach(), sock, progress))

    return Response


class _TimedFile(io.RawIOBase):
    """A socket's file whose reads raise TimeoutError at the deadline."""

    def __init__(self, raw: Any, sock: Any, progress: Progress) -> None:
        self._raw, self._sock, self._progress = raw, sock, progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._progress.is_over:
            raise TimeoutError("no answer in time")
        self._sock.settimeout(self._progress.left)
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()
