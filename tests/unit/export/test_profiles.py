"""Wrong settings for a backend are refused at once, with the right ones in the message."""

from pathlib import Path
from typing import Any

import pytest

from mlmonitor import ConfigError, Otlp
from mlmonitor.export.otlp.exporter import OtlpExporter

ACCESS = "dt0c01.PUBLIC.SECRET"
PLATFORM = "dt0s16.PUBLIC.SECRET"
CLOUD = "https://otlp-gateway-prod-eu-west-2.grafana.net"
LIVE = "https://abc12345.live.dynatrace.com"


def prometheus(url: str) -> OtlpExporter:
    """Return an exporter to Prometheus."""
    return Otlp.prometheus(url)


def mimir(url: str) -> OtlpExporter:
    """Return an exporter to Mimir."""
    return Otlp.mimir(url, tenant="t")


def cloud(url: str) -> OtlpExporter:
    """Return an exporter to Grafana Cloud."""
    return Otlp.grafana_cloud(url, instance=1234, token="glc_x")  # noqa: S106 - of no account


def dynatrace(url: str) -> OtlpExporter:
    """Return an exporter to Dynatrace."""
    return Otlp.dynatrace(url, token=ACCESS)


@pytest.mark.parametrize(
    ("make", "given", "used"),
    [
        (prometheus, "http://p:9090", "http://p:9090/api/v1/otlp/v1/metrics"),
        (prometheus, "http://p:9090/", "http://p:9090/api/v1/otlp/v1/metrics"),
        (prometheus, "http://p/prom", "http://p/prom/api/v1/otlp/v1/metrics"),
        (prometheus, "http://p/api/v1/otlp", "http://p/api/v1/otlp/v1/metrics"),
        (prometheus, "http://p/api/v1/otlp/v1/metrics/", "http://p/api/v1/otlp/v1/metrics"),
        (mimir, "http://m:9009", "http://m:9009/otlp/v1/metrics"),
        (mimir, "http://m:9009/otlp", "http://m:9009/otlp/v1/metrics"),
        (cloud, f"{CLOUD}/otlp", f"{CLOUD}/otlp/v1/metrics"),
        (cloud, CLOUD, f"{CLOUD}/otlp/v1/metrics"),
        (dynatrace, LIVE, f"{LIVE}/api/v2/otlp/v1/metrics"),
        (dynatrace, f"{LIVE}/api/v2/otlp", f"{LIVE}/api/v2/otlp/v1/metrics"),
        (dynatrace, "https://ag:9999/e/abc", "https://ag:9999/e/abc/api/v2/otlp/v1/metrics"),
        (dynatrace, "http://127.0.0.1:1", "http://127.0.0.1:1/api/v2/otlp/v1/metrics"),
    ],
)
def test_the_base_url_of_a_backend_is_enough(make: Any, given: str, used: str) -> None:
    """The path of the OTLP receiver is added, and a full URL stays unchanged."""
    assert f"{used!r})" in repr(make(given))


@pytest.mark.parametrize(
    ("make", "given", "said"),
    [
        (dynatrace, "https://abc12345.apps.dynatrace.com", r"write \.live\. instead of \.apps\."),
        (dynatrace, f"{LIVE}:4317", "no gRPC"),
        (dynatrace, f"{LIVE}/api/v2/metrics/ingest", "line protocol"),
        (dynatrace, f"{LIVE}/api/v2/otlp/v1/traces", "another signal"),
        (dynatrace, f"{LIVE}/v1/metrics", "/api/v2/otlp/v1/metrics"),
        (dynatrace, "http://abc12345.live.dynatrace.com", "expected https"),
        (dynatrace, "abc12345.live.dynatrace.com", "https://abc12345.live.dynatrace.com"),
        (cloud, "http://otlp-gateway.grafana.net", "expected https"),
        (cloud, "https://prometheus-prod.grafana.net/api/prom/push", "OTLP endpoint"),
        (prometheus, "http://p:9090/api/v1/write", "base URL"),
        (prometheus, "http://p:4317", "9090"),
        (prometheus, "http://p:9090/v1/metrics", "/api/v1/otlp/v1/metrics"),
        (prometheus, "p:9090", "http://prometheus:9090"),
        (prometheus, "http://p:0", "http://prometheus:9090"),
        (prometheus, "http://p:99999999", "http://prometheus:9090"),
        (prometheus, "http://u:hunter2@p", "headers"),
        (mimir, "http://m:9009/api/v1/push", "remote write"),
        (mimir, "http://m:9009/prometheus", "queries"),
    ],
)
def test_a_wrong_url_is_refused_with_the_right_one(make: Any, given: str, said: str) -> None:
    """The message shows no secret."""
    with pytest.raises(ConfigError, match=said) as caught:
        make(given)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "token", ["", "hunter2", "dt0c01.hunter2", "dt0c01.a.hunter2 ", "Api-Token dt0c01.a.hunter2"]
)
def test_a_token_of_the_wrong_shape_is_refused_and_not_repeated(token: str) -> None:
    """Typical errors are the id alone, a token with its prefix, and one with a space."""
    with pytest.raises(ConfigError, match=r"dt0c01\.<id>\.<secret>") as caught:
        Otlp.dynatrace(LIVE, token=token)
    assert "hunter2" not in str(caught.value)


def test_a_token_is_read_from_a_variable_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one the error names all three ways."""
    with pytest.raises(ConfigError, match=r"token=, token_file= or the variable DYNATRACE_API_TOK"):
        Otlp.dynatrace(LIVE)
    with pytest.raises(ConfigError, match="GRAFANA_CLOUD_TOKEN"):
        Otlp.grafana_cloud(CLOUD, instance="1")
    monkeypatch.setenv("DYNATRACE_API_TOKEN", ACCESS)
    assert headers(Otlp.dynatrace(LIVE)) == {"Authorization": f"Api-Token {ACCESS}"}
    path = tmp_path / "token"
    path.write_text(PLATFORM)
    assert headers(Otlp.dynatrace(LIVE, token_file=path)) == {"Authorization": f"Bearer {PLATFORM}"}
    with pytest.raises(ConfigError, match="not both"):
        Otlp.dynatrace(LIVE, token=ACCESS, token_file=path)


def headers(exporter: OtlpExporter) -> dict[str, str]:
    """Return the headers sent with each request."""
    return dict(exporter._access.headers())


def test_each_backend_gets_its_own_headers() -> None:
    """Grafana Cloud gets basic authentication, Mimir a tenant, and others the given headers."""
    assert headers(cloud(CLOUD)) == {"Authorization": "Basic MTIzNDpnbGNfeA=="}
    assert headers(mimir("http://m")) == {"X-Scope-OrgID": "t"}
    assert headers(Otlp.mimir("http://m", headers={"a": "b"})) == {"a": "b"}
    assert headers(Otlp.prometheus(headers={"Authorization": "Bearer x"})) == {
        "Authorization": "Bearer x"
    }
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hunter2",
    }
    config = Otlp.from_environment(environ)
    assert config is not None
    assert headers(config) == {"api-key": "hunter2"}
    assert "hunter2" not in repr(headers(config)) + repr(config)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"compression": "deflate"}, "compression"),
        ({"durations": "summary"}, "durations"),
        ({"ca_file": "/no/such/file"}, "ca_file: there is no file"),
        ({"client_certificate": "/no/such/file"}, "client_certificate"),
        ({"client_key": __file__}, "together with client_certificate"),
        ({"proxy": "proxy:3128"}, "proxy"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"a": "b\r\nc: hunter2"}}, "headers"),
    ],
)
def test_an_invalid_option_of_a_destination_is_named_in_the_error(
    options: dict[str, Any], said: str
) -> None:
    """The error is raised at construction and not at the first export."""
    for make in (Otlp.collector, Otlp.prometheus):
        with pytest.raises(ConfigError, match=said) as caught:
            make(**options)
        assert "hunter2" not in str(caught.value)


def test_a_proxy_option_is_refused_over_grpc() -> None:
    """The proxy of gRPC comes from the environment alone."""
    with pytest.raises(ConfigError, match="https_proxy"):
        Otlp.collector("http://c:4317", protocol="grpc", proxy="http://p:3128")


@pytest.mark.parametrize("wrong", [{"ambiguous": "maybe"}, {"ambiguous": None}])
def test_an_unknown_choice_for_a_destination_is_refused(wrong: dict[str, Any]) -> None:
    """The errors name `ambiguous` and `instance`."""
    with pytest.raises(ConfigError, match="ambiguous"):
        Otlp.dynatrace(LIVE, token=ACCESS, **wrong)
    with pytest.raises(ConfigError, match="instance"):
        Otlp.grafana_cloud(CLOUD, instance="my-stack", token="x")  # noqa: S106 - of no account


def test_profiles_hold_the_settings_in_which_backends_differ() -> None:
    """Dynatrace alone gets deltas and bins; limits and spelling of names differ."""
    profiles = {
        exporter.name: exporter.profile for exporter in (prometheus("http://p"), dynatrace(LIVE))
    }
    assert profiles["dynatrace"].is_delta
    assert profiles["dynatrace"].distributions == "bins"
    assert profiles["dynatrace"].limits.points <= 5_000
    assert profiles["dynatrace"].limits.size < 4_000_000
    assert profiles["dynatrace"].names == "dots"
    assert not profiles["prometheus"].is_delta
    assert profiles["prometheus"].names == "underscores_and_units"
    assert mimir("http://m").profile.names == "underscores"
