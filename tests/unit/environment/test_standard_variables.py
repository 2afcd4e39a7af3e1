"""The standard OpenTelemetry variables for OTLP and the process."""

import logging

import pytest

from mlmonitor import Monitor, Otlp
from mlmonitor.environment.standard_variables import (
    OtlpSettings,
    otlp_from_environment,
    resource_from_environment,
    token_from_environment,
)

URL = "http://collector:4318"
O = "OTEL_EXPORTER_OTLP_"  # noqa: E741 - a prefix of most names below

ENDPOINTS: list[tuple[dict[str, str], tuple[str, str] | None]] = [
    ({}, None),
    ({f"{O}ENDPOINT": ""}, None),
    ({f"{O}ENDPOINT": URL}, (f"{URL}/v1/metrics", "http/protobuf")),
    ({f"{O}ENDPOINT": f"{URL}/"}, (f"{URL}/v1/metrics", "http/protobuf")),
    (
        {f"{O}ENDPOINT": "HTTP://collector:4318"},
        ("HTTP://collector:4318/v1/metrics", "http/protobuf"),
    ),
    ({f"{O}METRICS_ENDPOINT": f"{URL}/x"}, (f"{URL}/x", "http/protobuf")),
    (
        {f"{O}ENDPOINT": "http://a", f"{O}METRICS_ENDPOINT": "http://b"},
        ("http://b", "http/protobuf"),
    ),
    ({f"{O}ENDPOINT": URL, f"{O}PROTOCOL": "grpc"}, (URL, "grpc")),
    (
        {f"{O}ENDPOINT": "collector:4317", f"{O}METRICS_PROTOCOL": "grpc"},
        ("collector:4317", "grpc"),
    ),
    ({f"{O}ENDPOINT": "unix:///p", f"{O}PROTOCOL": "grpc"}, ("unix:///p", "grpc")),
    ({f"{O}ENDPOINT": "dns:///h:4317", f"{O}PROTOCOL": "GRPC"}, ("dns:///h:4317", "grpc")),
    ({f"{O}ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "none"}, None),
    ({f"{O}ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "prometheus"}, None),
    (
        {f"{O}ENDPOINT": URL, "OTEL_METRICS_EXPORTER": "console, otlp"},
        (f"{URL}/v1/metrics", "http/protobuf"),
    ),
]


@pytest.mark.parametrize(("environ", "expected"), ENDPOINTS, ids=map(str, range(len(ENDPOINTS))))
def test_the_standard_variables_determine_the_destination_of_metrics(
    environ: dict[str, str], expected: tuple[str, str] | None
) -> None:
    """They follow the OTLP specification; variables for metrics take precedence."""
    warnings: list[str] = []
    settings = otlp_from_environment(environ, warnings.append)
    assert expected == (None if settings is None else settings[:2])
    assert not warnings


@pytest.mark.parametrize(
    ("name", "value", "warning"),
    [
        ("METRICS_ENDPOINT", "collector:4318", "METRICS_ENDPOINT is ignored: expected a URL"),
        ("METRICS_ENDPOINT", "http://", "METRICS_ENDPOINT is ignored: expected a URL"),
        ("METRICS_ENDPOINT", "ftp://hunter2", "METRICS_ENDPOINT is ignored: expected a URL"),
        ("METRICS_ENDPOINT", "http://u:hunter2@h", "METRICS_ENDPOINT is ignored: pass credentials"),
        ("METRICS_ENDPOINT", "http://h?key=hunter2", "METRICS_ENDPOINT is ignored: pass credenti"),
        ("METRICS_ENDPOINT", "http://h:hunter2", "METRICS_ENDPOINT is ignored: expected a URL"),
        ("PROTOCOL", "http/json", "PROTOCOL is ignored: expected http/protobuf or grpc"),
        ("TIMEOUT", "60s", "TIMEOUT is ignored: expected whole milliseconds"),
        ("TIMEOUT", "1.5", "TIMEOUT is ignored: expected whole milliseconds"),
        ("TIMEOUT", "nan", "TIMEOUT is ignored: expected whole milliseconds"),
        ("METRICS_TIMEOUT", "-1", "TIMEOUT is ignored: expected whole milliseconds"),
        ("COMPRESSION", "zstd", "COMPRESSION is ignored: expected gzip or none"),
        ("HEADERS", "hunter2", "HEADERS: an item is ignored: expected key=value"),
        ("METRICS_HEADERS", "a b=hunter2", "HEADERS: an item is ignored: expected key=value"),
        ("INSECURE", "1", "INSECURE counts as false: expected true or false"),
    ],
)
def test_an_invalid_standard_variable_is_ignored(name: str, value: str, warning: str) -> None:
    """The service starts as if it were unset, and the warning does not repeat the value."""
    warnings: list[str] = []
    settings = otlp_from_environment({f"{O}ENDPOINT": URL, f"{O}{name}": value}, warnings.append)
    assert settings is not None
    expected = OtlpSettings(f"{URL}/v1/metrics", "http/protobuf")
    if name == "INSECURE":
        expected = expected._replace(is_insecure=False)
    assert settings == expected
    (message,) = warnings
    assert warning in message
    assert "hunter2" not in message


def test_an_invalid_variable_for_metrics_falls_back_to_the_general_one() -> None:
    """An invalid value counts as unset."""
    settings = otlp_from_environment(
        {f"{O}ENDPOINT": URL, f"{O}METRICS_TIMEOUT": "soon", f"{O}TIMEOUT": "3000"}, lambda _: None
    )
    assert settings is not None
    assert settings.timeout_seconds == 3


@pytest.mark.parametrize(
    ("text", "seconds", "is_odd"),
    [("10000", 10, False), ("250", 0.25, False), ("0", 3_600, False), ("10", 0.01, True)],
)
def test_the_timeout_variable_is_in_milliseconds(text: str, seconds: float, is_odd: bool) -> None:  # noqa: FBT001 - a case
    """Source: the specification, section "Timeout".

    0 is indefinite; small values are suspected to be seconds.
    """
    warnings: list[str] = []
    environ = {f"{O}ENDPOINT": URL, f"{O}TIMEOUT": text}
    settings = otlp_from_environment(environ, warnings.append)
    assert settings is not None
    assert settings.timeout_seconds == seconds
    assert bool(warnings) is is_odd


def test_a_service_starts_with_any_value_of_the_standard_variables(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each invalid variable is named in one warning for all monitors of the process."""
    wrong = {
        f"{O}ENDPOINT": "not a url",
        f"{O}METRICS_ENDPOINT": "http://127.0.0.1:9",
        f"{O}PROTOCOL": "http/xml",
        f"{O}TIMEOUT": "a minute",
        f"{O}COMPRESSION": "brotli",
        f"{O}HEADERS": "x-tags=a,b",
        "OTEL_METRIC_EXPORT_INTERVAL": "60s",
        "OTEL_METRICS_EXEMPLAR_FILTER": "some",
        "OTEL_SDK_DISABLED": "maybe",
        "OTEL_METRICS_EXPORTER": "otlpp",
        "OTEL_RESOURCE_ATTRIBUTES": "nonsense",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.WARNING, "mlmonitor"):
        for _ in range(2):
            with Monitor("m") as monitor:
                monitor.record({"x": [1.0]}, [0.5])
                assert not monitor.flush(timeout_seconds=5)
                reason = monitor.status().destinations["collector"].last_reason or ""
    ignored = [r.getMessage() for r in caplog.records if "OTEL_" in r.getMessage()]
    assert len(ignored) == len(set(ignored))
    assert all(len(line) < 160 for line in ignored)
    for name in set(wrong) - {f"{O}ENDPOINT"}:
        assert sum(name in line for line in ignored) <= 1, name
    assert "cannot be reached" in reason


def test_a_missing_certificate_file_is_named_in_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file may be mounted later, so only the export fails."""
    monkeypatch.setenv(f"{O}ENDPOINT", "https://127.0.0.1:9")
    monkeypatch.setenv(f"{O}CERTIFICATE", "/no/such/ca.pem")
    with Monitor("m") as monitor:
        monitor.record({"x": [1.0]}, [0.5])
        assert not monitor.flush(timeout_seconds=5)
        reason = monitor.status().destinations["collector"].last_reason or ""
    assert "there is no file /no/such/ca.pem; nothing was sent" in reason


def test_a_header_that_cannot_be_sent_is_named_in_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The header contains a zero-width space, as tokens copied from web pages do."""
    monkeypatch.setenv(f"{O}ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv(f"{O}HEADERS", "api-token=hunter2\u200bhunter2")
    with Monitor("m") as monitor:
        monitor.record({"x": [1.0]}, [0.5])
        assert not monitor.flush(timeout_seconds=5)
        reason = monitor.status().destinations["collector"].last_reason or ""
    assert "OTEL_EXPORTER_OTLP_HEADERS, api-token" in reason
    assert "U+200B (zero width space) at position 8" in reason
    assert "hunter2" not in reason


def test_the_port_of_grpc_used_over_http_is_named_in_a_warning() -> None:
    """A collector can listen on any port, so the export is tried."""
    warnings: list[str] = []
    exporter = Otlp.from_environment({f"{O}ENDPOINT": "http://h:4317"}, warn=warnings.append)
    assert exporter is not None
    (warning,) = warnings
    assert f"{O}ENDPOINT: 4317 is the port of gRPC" in warning
    assert f"{O}PROTOCOL=grpc" in warning


def test_variables_can_set_everything_about_a_connection() -> None:
    """Headers may be percent-encoded, and the variables for metrics take precedence."""
    settings = otlp_from_environment(
        {
            f"{O}ENDPOINT": URL,
            f"{O}HEADERS": "Authorization=Basic%20abc==, x-a = b",
            f"{O}COMPRESSION": "GZIP",
            f"{O}METRICS_COMPRESSION": "none",
            f"{O}CERTIFICATE": "/ca.pem",
            f"{O}CLIENT_CERTIFICATE": "/client.pem",
            f"{O}CLIENT_KEY": "/client.key",
            f"{O}INSECURE": "True",
        }
    )
    assert settings is not None
    assert settings.headers == {"Authorization": "Basic abc==", "x-a": "b"}
    assert "abc" not in repr(settings)
    assert settings[5:] == ("none", "/ca.pem", "/client.pem", "/client.key", True)


def test_resource_variables_describe_the_process() -> None:
    """The service name's own variable takes precedence, and invalid pairs are ignored."""
    given = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,k8s.pod=p%2C1,nonsense,=x, b = c "}
    assert resource_from_environment({}, service="m") == {"service.name": "m"}
    assert resource_from_environment(given, service="m") == {
        "service.name": "a",
        "k8s.pod": "p,1",
        "b": "c",
    }
    named = {**given, "OTEL_SERVICE_NAME": "s"}
    assert resource_from_environment(named, service="m")["service.name"] == "s"


def test_a_token_in_a_variable_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stored as a secret."""
    monkeypatch.setenv("SOME_TOKEN", " s3cret ")
    secret = token_from_environment("SOME_TOKEN")
    assert secret == "s3cret"  # noqa: S105 - a test's own
    assert "s3cret" not in f"{secret!r} {secret}"
    assert token_from_environment("ANOTHER_TOKEN") is None
