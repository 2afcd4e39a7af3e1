"""Addresses are checked at construction; errors say what to do and show no secret."""

import pytest

from mlmonitor import ConfigError, Otlp


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/metrics"),
        ("http://localhost:4318/", "http://localhost:4318/v1/metrics"),
        ("https://host/otlp", "https://host/otlp/v1/metrics"),
        ("https://host/otlp/v1/metrics", "https://host/otlp/v1/metrics"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/metrics"),
    ],
)
def test_the_metrics_path_is_added_if_it_is_missing(given: str, used: str) -> None:
    """A base address is enough, and a full one stays unchanged."""
    assert used in repr(Otlp.collector(given))


@pytest.mark.parametrize("endpoint", ["localhost:4318", "", "ftp://host", "http://", "//host"])
def test_an_invalid_endpoint_is_refused_with_an_example(endpoint: str) -> None:
    """The message shows what an endpoint looks like."""
    with pytest.raises(ConfigError, match="http://localhost:4318"):
        Otlp.collector(endpoint)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    """They would appear in logs, while headers do not."""
    with pytest.raises(ConfigError, match="headers") as caught:
        Otlp.collector("http://user:s3cret@host:4318")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://u:s3cret@c:4318", "http://c:4318/?token=s3cret"])
def test_an_endpoint_that_may_contain_a_secret_is_refused(address: str) -> None:
    """Arguments and variables are checked, because addresses are shown and logged."""
    with pytest.raises(ConfigError, match="headers") as caught:
        Otlp.collector(address)
    warnings = [str(caught.value)]
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": address}
    assert Otlp.from_environment(environ, warn=warnings.append) is None
    assert len(warnings) == 2
    assert "s3cret" not in "".join(warnings)


def test_invalid_options_of_otlp_are_refused() -> None:
    """The protocol is unknown, or the timeout is zero."""
    with pytest.raises(ConfigError, match="protocol"):
        Otlp.collector(protocol="udp")  # type: ignore[arg-type]  # a mistake, to be refused
    with pytest.raises(ConfigError, match="timeout_seconds"):
        Otlp.collector(timeout_seconds=0)


def test_a_grpc_endpoint_gets_no_path() -> None:
    """There are no paths in gRPC."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="extra grpc")
    assert "4317'" in repr(Otlp.collector("http://localhost:4317", protocol="grpc"))


@pytest.mark.parametrize(
    ("environ", "used"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/metrics"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/metrics"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/own"}, "http://c/own'"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://d/m",
            },
            "http://d/m'",
        ),
    ],
)
def test_only_the_general_endpoint_variable_gets_the_metrics_path(
    environ: dict[str, str], used: str
) -> None:
    """The variable for metrics is used verbatim, as the OTLP specification says."""
    assert used in repr(Otlp.from_environment(environ))


@pytest.mark.parametrize(
    "environ",
    [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"}],
)
def test_unset_or_empty_variables_give_no_exporter(environ: dict[str, str]) -> None:
    """Nothing is sent to an address that nobody configured."""
    assert Otlp.from_environment(environ) is None


def test_the_port_of_grpc_is_refused_over_http() -> None:
    """A gRPC server answers there; the error names both remedies."""
    with pytest.raises(ConfigError, match=r'4318.*or protocol="grpc"'):
        Otlp.collector("http://localhost:4317")
    Otlp.collector("http://localhost:14317")
