"""What the standard OpenTelemetry variables say of OTLP and of the host."""

import pytest

from mlmonitor import ConfigError
from mlmonitor.environment import (
    OtlpSettings,
    otlp_from_environment,
    resource_from_environment,
    token_from_environment,
)

URL = "http://collector:4318"
O = "OTEL_EXPORTER_OTLP_"  # noqa: E741 - a prefix, eight times below

SETTINGS: list[tuple[dict[str, str], OtlpSettings | None]] = [
    ({}, None),
    ({f"{O}ENDPOINT": ""}, None),
    ({f"{O}ENDPOINT": URL}, OtlpSettings(f"{URL}/v1/metrics", "http/protobuf", None)),
    ({f"{O}ENDPOINT": f"{URL}/"}, OtlpSettings(f"{URL}/v1/metrics", "http/protobuf", None)),
    ({f"{O}METRICS_ENDPOINT": f"{URL}/x"}, OtlpSettings(f"{URL}/x", "http/protobuf", None)),
    (
        {f"{O}ENDPOINT": "http://a", f"{O}METRICS_ENDPOINT": "http://b"},
        OtlpSettings("http://b", "http/protobuf", None),
    ),
    (
        {f"{O}ENDPOINT": URL, f"{O}PROTOCOL": "grpc", f"{O}TIMEOUT": "3"},
        OtlpSettings(URL, "grpc", 3.0),
    ),
    (
        {f"{O}ENDPOINT": "collector:4317", f"{O}METRICS_PROTOCOL": "grpc"},
        OtlpSettings("collector:4317", "grpc", None),
    ),
    (
        {f"{O}ENDPOINT": URL, f"{O}METRICS_TIMEOUT": "1.5", f"{O}TIMEOUT": "9"},
        OtlpSettings(f"{URL}/v1/metrics", "http/protobuf", 1.5),
    ),
    ({f"{O}ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "none"}, None),
    ({f"{O}ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "prometheus"}, None),
    (
        {f"{O}ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "console, otlp"},
        OtlpSettings(f"{URL}/v1/metrics", "http/protobuf", None),
    ),
]


@pytest.mark.parametrize(("environ", "expected"), SETTINGS, ids=map(str, range(len(SETTINGS))))
def test_the_standard_variables_say_where_metrics_go(
    environ: dict[str, str], expected: OtlpSettings | None
) -> None:
    """As the OpenTelemetry protocol specification has it; the signal's own variables come first."""
    assert otlp_from_environment(environ) == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ENDPOINT", "collector:4318", "OTLP_ENDPOINT: expected a URL"),
        ("ENDPOINT", "http://", "OTLP_ENDPOINT: expected a URL"),
        ("METRICS_ENDPOINT", "ftp://u:hunter2@host", "METRICS_ENDPOINT: expected a URL"),
        ("PROTOCOL", "http/json", "PROTOCOL: expected http/protobuf or grpc"),
        ("TIMEOUT", "hunter2", "TIMEOUT: expected seconds"),
        ("TIMEOUT", "nan", "TIMEOUT: expected seconds"),
        ("TIMEOUT", "inf", "TIMEOUT: expected seconds"),
        ("METRICS_TIMEOUT", "-1", "TIMEOUT: expected seconds"),
        ("COMPRESSION", "hunter2", "COMPRESSION: expected gzip or none"),
        ("HEADERS", "hunter2", "HEADERS: expected key=value"),
        ("METRICS_HEADERS", "a b=hunter2", "HEADERS: expected key=value"),
    ],
)
def test_a_standard_variable_that_is_wrong_is_named(name: str, value: str, said: str) -> None:
    """An endpoint may hold a password: no value is repeated."""
    with pytest.raises(ConfigError, match=said) as caught:
        otlp_from_environment({f"{O}ENDPOINT": URL, f"{O}{name}": value})
    assert "hunter2" not in str(caught.value)


def test_everything_about_a_connection_can_be_said_by_variables() -> None:
    """Headers are percent-encoded or not; the variables for metrics come first."""
    found = otlp_from_environment(
        {
            f"{O}ENDPOINT": URL,
            f"{O}HEADERS": "Authorization=Basic%20abc==, x-a = b",
            f"{O}COMPRESSION": "GZIP",
            f"{O}METRICS_COMPRESSION": "none",
            f"{O}CERTIFICATE": "/ca.pem",
            f"{O}CLIENT_CERTIFICATE": "/client.pem",
            f"{O}CLIENT_KEY": "/client.key",
            f"{O}INSECURE": "true",
        }
    )
    assert found is not None
    assert found.headers == {"Authorization": "Basic abc==", "x-a": "b"}
    assert "abc" not in repr(found)
    assert found[4:] == ("none", "/ca.pem", "/client.pem", "/client.key", True)


def test_the_host_is_told_of_by_resource_variables() -> None:
    """The service's own variable outranks the list; what is no pair is passed over."""
    said = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,k8s.pod=p%2C1,nonsense,=x, b = c "}
    assert resource_from_environment({}, service="m") == {"service.name": "m"}
    assert resource_from_environment(said, service="m") == {
        "service.name": "a",
        "k8s.pod": "p,1",
        "b": "c",
    }
    named = {**said, "OTEL_SERVICE_NAME": "s"}
    assert resource_from_environment(named, service="m")["service.name"] == "s"


def test_a_token_in_a_variable_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not shown."""
    monkeypatch.setenv("SOME_TOKEN", " s3cret ")
    found = token_from_environment("SOME_TOKEN")
    assert found == "s3cret"
    assert "s3cret" not in f"{found!r} {found}"
    assert token_from_environment("ANOTHER_TOKEN") is None
