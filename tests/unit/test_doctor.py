"""The doctor tests a destination, and says how to fix what it refuses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlmonitor.cli.main import main
from mlmonitor.doctor import MODEL
from mlmonitor.testing import OtlpReceiver
from support.references import fit_reference

TOKEN = f"dt0c01.{'A' * 24}.{'B' * 64}"
KINDS = ("counter", "gauge", "durations", "distribution", "categories")

ReadOutput = Callable[[], tuple[str, str]]


@pytest.fixture
def read_output(capsys: pytest.CaptureFixture[str]) -> ReadOutput:
    """Return what a command printed to standard output and to standard error."""

    def read() -> tuple[str, str]:
        output = capsys.readouterr()
        return output.out, output.err

    return read


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Save a reference of two numeric fields, one with a name too long, and a category."""
    path = tmp_path / "claims.reference.json"
    columns = {"age": np.arange(100.0), "x" * 300: np.arange(100.0), "line": ["a", "b"] * 50}
    fit_reference(columns).save(path)
    return path


@pytest.mark.parametrize("kind", ["collector", "prometheus", "mimir"])
def test_the_doctor_sends_each_kind_of_point(kind: str, read_output: ReadOutput) -> None:
    """All pass at an accepting destination, where the test points can be recognised by name."""
    with OtlpReceiver(profile=kind) as receiver:  # type: ignore[arg-type]
        assert main(["doctor", "--destination", kind, "--url", receiver.url]) == 0
        attributes = {"model.name": MODEL, "status": "ok"}
        assert receiver.ledger.total("mlmonitor.predictions", attributes) == 1
    lines = read_output()[0].splitlines()
    assert [line.split(":")[0].split()[1] for line in lines] == ["configuration", *KINDS]
    assert all(line.startswith("ok") for line in lines)


def test_dynatrace_accepts_every_kind_of_point_and_no_token_is_shown(
    read_output: ReadOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counters are sent as deltas; the token is read from its variable."""
    monkeypatch.setenv("DYNATRACE_API_TOKEN", TOKEN)
    with OtlpReceiver(profile="dynatrace", token=TOKEN) as receiver:
        assert main(["doctor", "--destination", "dynatrace", "--url", receiver.url]) == 0
    out, err = read_output()
    assert TOKEN not in out + err
    assert out.count("ok ") == len(KINDS) + 1


def test_a_refusal_is_reported_with_its_remedy(
    read_output: ReadOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the standard variables totals are cumulative, so Dynatrace accepts only gauges."""
    with OtlpReceiver(profile="dynatrace", token=TOKEN) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{receiver.url}/api/v2/otlp")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Authorization=Api-Token {TOKEN}")
        assert main(["doctor", "--destination", "environment"]) == 1
    out, err = read_output()
    assert "UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM" in out
    assert "use --destination dynatrace" in out
    assert "ok       gauge" in out
    assert TOKEN not in out + err


def test_an_unreachable_destination_is_tried_once(read_output: ReadOutput) -> None:
    """If nothing listens there is one failure, and no further ones with the same cause."""
    status = main(["doctor", "--destination", "collector", "--url", "http://127.0.0.1:9"])
    assert status == 1
    assert read_output()[0].count("failed") == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--destination", "dynatrace"], "expected --url"),
        (["--destination", "dynatrace", "--url", "https://a.apps.dynatrace.com"], ".live."),
        (["--destination", "dynatrace", "--url", "https://a.b", "--protocol", "grpc"], "no gRPC"),
        (["--destination", "collector", "--url", "localhost:4318"], "scheme"),
        (["--destination", "collector", "--reference", "nowhere.json"], "found none"),
        (["--destination", "environment"], "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_an_invalid_configuration_and_a_refusal_have_different_exit_statuses(
    arguments: list[str], expected: str, read_output: ReadOutput
) -> None:
    """An invalid configuration has status 2, and its single line says how to fix it."""
    assert main(["doctor", *arguments]) == 2
    assert expected in read_output()[1]


def test_mistakes_in_the_environment_are_listed_before_the_results(
    read_output: ReadOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ignored variables are warnings and do not make the command fail."""
    with OtlpReceiver(profile="collector") as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60s")
        monkeypatch.setenv("OTEL_SDK_DISABLED", "no")
        assert main(["doctor", "--destination", "environment"]) == 0
    lines = read_output()[0].splitlines()
    assert lines[0].startswith("warning  environment: OTEL_SDK_DISABLED counts as false")
    assert lines[1].startswith("warning  environment: OTEL_EXPORTER_OTLP_TIMEOUT is ignored")
    assert lines[2].startswith("ok       configuration")


@pytest.mark.parametrize(
    ("variable", "value", "finding"),
    [
        ("HEADERS", "api-token=hunter2\u200b", "OTEL_EXPORTER_OTLP_HEADERS, api-token: expected"),
        ("CERTIFICATE", "/no/such.pem", "there is no file /no/such.pem"),
    ],
)
def test_a_variable_that_cannot_be_used_fails_the_check_and_is_named(
    variable: str,
    value: str,
    finding: str,
    read_output: ReadOutput,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The exit status is 1; one line says what is wrong and where, without any secret."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:9")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", value)
    assert main(["doctor", "--destination", "environment"]) == 1
    out = read_output()[0]
    assert finding in out
    assert "hunter2" not in out


def test_the_doctor_shows_how_many_series_a_reference_makes(
    saved: Path, read_output: ReadOutput
) -> None:
    """More segments make more series; names that backends would shorten get a warning."""
    counts = []
    with OtlpReceiver(profile="collector") as receiver:
        for segments in ("0", "4"):
            command = ["doctor", "--destination", "collector", "--url", receiver.url]
            command += ["--reference", str(saved), "--segments", segments]
            assert main(command) == 0
            out = read_output()[0]
            line = next(line for line in out.splitlines() if " series: " in line)
            counts.append(int(line.split("at most ")[1].split()[0].replace(",", "")))
            assert "1 field name sent in another spelling" in out
    assert 5 * counts[0] < counts[1] < 6 * counts[0]  # the rest of the rows is counted, too


def test_a_reference_is_shown_without_its_categories(saved: Path, read_output: ReadOutput) -> None:
    """Rows and fields have a line each; no value of a row is shown."""
    assert main(["reference", "show", str(saved)]) == 0
    out = read_output()[0]
    assert "reference of 100 rows" in out
    assert "categorical" in out
    assert "49" in out


def test_a_damaged_reference_is_refused_in_one_line(
    tmp_path: Path, read_output: ReadOutput
) -> None:
    """The exit status is 2, and the line says where the fault is."""
    path = tmp_path / "damaged.json"
    path.write_text("{")
    assert main(["reference", "show", str(path)]) == 2
    assert read_output()[1].count("\n") == 1
