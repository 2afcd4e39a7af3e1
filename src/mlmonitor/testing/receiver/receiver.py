"""`OtlpReceiver`: a test server that is as strict as the backend it imitates."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, Protocol, Self

from mlmonitor.errors import ConfigError
from mlmonitor.testing.receiver.backends.backend import Backend
from mlmonitor.testing.receiver.backends.collector import Collector
from mlmonitor.testing.receiver.backends.dynatrace import Dynatrace
from mlmonitor.testing.receiver.backends.mimir import MOST_SERIES, Mimir
from mlmonitor.testing.receiver.backends.prometheus_backend import Prometheus
from mlmonitor.testing.receiver.faults import Fault, Policy
from mlmonitor.testing.receiver.http_server import HOST, HttpServer
from mlmonitor.testing.receiver.ledger import Ledger
from mlmonitor.testing.receiver.request_handler import RequestHandler


class Server(Protocol):
    """A server for one transport, which can be taken down and brought up on the same port."""

    port: int

    def up(self) -> None:
        """Listen."""

    def down(self) -> None:
        """Refuse connections."""

    def close(self) -> None:
        """Release the port."""


Profile = Literal["collector", "dynatrace", "mimir", "prometheus"]


class OtlpReceiver:
    """Receives OTLP metrics as a backend would, on a free port of 127.0.0.1, and adds them up.

    Promise: a point that the backend documents as refused is refused, with the same status; every
        accepted point is in `ledger`.
    Price: a thread, and memory for every point.

    As a fixture:

        @pytest.fixture
        def receiver():
            with OtlpReceiver("dynatrace", token="secret") as receiver:
                yield receiver

    profile: the backend whose rules apply. `collector` accepts all valid OTLP.
    protocol: `grpc` is only for the collector and needs the extra `grpc`.
    token: the token that Dynatrace requires as `Authorization`; None requires none. It is never
        shown.
    tenant: the tenant that Mimir requires as `X-Scope-OrgID`; None requires none.
    clock: the backend's time in seconds since 1970, which decides how old points are.
    faults: the faults of the first requests; see `script`.
    is_managed: allow at most 12 buckets and no negative bounds, as Dynatrace Managed does.
    most_series: Mimir's limit on a tenant's series.

    Raises:
        ConfigError: an option is unknown, or means nothing for this profile.
        MissingExtra: gRPC was requested, and its extra `grpc` is not installed.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each setting of a backend
        self,
        profile: Profile = "collector",
        *,
        protocol: Literal["http", "grpc"] = "http",
        token: str | None = None,
        tenant: str | None = None,
        clock: Callable[[], float] = time.time,
        faults: "Iterable[Fault | None] | Policy" = (),
        is_managed: bool = True,
        most_series: int = MOST_SERIES,
    ) -> None:
        if protocol not in ("http", "grpc"):
            raise ConfigError("protocol: expected 'http' or 'grpc'")
        if protocol == "grpc" and profile != "collector":
            raise ConfigError("protocol: only a collector accepts 'grpc'; the others need 'http'")
        if token is not None and profile != "dynatrace":
            raise ConfigError("token: expected only with the profile 'dynatrace'")
        if tenant is not None and profile != "mimir":
            raise ConfigError("tenant: expected only with the profile 'mimir'")
        self._profile = profile
        self._protocol = protocol
        backend = _make_backend(
            profile, token, tenant, is_managed=is_managed, most_series=most_series
        )
        self._intake = RequestHandler(backend, clock, is_grpc=protocol == "grpc")
        self._intake.script(faults)
        self._server = _make_server(self._intake, is_grpc=protocol == "grpc")

    @property
    def ledger(self) -> Ledger:
        """The points accepted and refused so far, and warnings."""
        return self._intake.ledger

    @property
    def port(self) -> int:
        """The port it listens on, which never changes; 0 before the first start."""
        return self._server.port

    @property
    def url(self) -> str:
        """The base URL for an exporter of this profile, without OTLP's path."""
        if not self.port:
            raise ConfigError("url: start the receiver first, as in `with OtlpReceiver() as it`")
        return f"http://{HOST}:{self.port}"

    @property
    def metrics_url(self) -> str:
        """The full URL, for exporters that add no path: `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`."""
        return self.url if self._protocol == "grpc" else f"{self.url}{self._intake.backend.path}"

    def script(self, faults: "Iterable[Fault | None] | Policy") -> None:
        """Plan the faults of later requests, and replace any earlier plan.

        Each request uses one entry of a list, and None means no fault; after the list there are no
        faults. A function is called with the number of each later request, 0 for the first.

        Raises:
            ConfigError: a fault has no meaning over this protocol.
        """
        self._intake.script(faults)

    def next(self, fault: Fault, *, times: int = 1) -> None:
        """Apply a fault to each of the next `times` requests, before the planned faults."""
        for _ in range(times):
            self._intake.next(fault)

    def start(self) -> Self:
        """Start to listen; a `with` statement does the same."""
        self._server.up()
        return self

    def close(self) -> None:
        """Stop; the ledger keeps its contents. May be called twice."""
        self._server.close()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Refuse connections inside the block, on the same port."""
        self._server.down()
        try:
            yield
        finally:
            self._server.up()

    def up(self) -> None:
        """Listen again, after the fault `Down`."""
        self._server.up()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"OtlpReceiver({self._profile!r}, port={self.port})"


def _make_backend(
    profile: str, token: str | None, tenant: str | None, *, is_managed: bool, most_series: int
) -> Backend:
    match profile:
        case "collector":
            return Collector()
        case "dynatrace":
            return Dynatrace(token, is_managed=is_managed)
        case "mimir":
            return Mimir(tenant, most_series=most_series)
        case "prometheus":
            return Prometheus()
        case _:
            raise ConfigError("profile: expected 'collector', 'dynatrace', 'mimir' or 'prometheus'")


def _make_server(intake: RequestHandler, *, is_grpc: bool) -> Server:
    if not is_grpc:
        return HttpServer(intake)
    from mlmonitor.testing.receiver.grpc_server import GrpcServer

    return GrpcServer(intake)
