"""The doctor tries a destination, and says how to mend what it refuses."""

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
    """What a command printed, and what it said on the side."""

    def read() -> tuple[str, str]:
        output = capsys.readouterr()
        return output.out, output.err

    return read


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A reference's file: two numeric fields, one with a name too long, and a category."""
    path = tmp_path / "claims.reference.json"
    columns = {"age": np.arange(100.0), "x" * 300: np.arange(100.0), "line": ["a", "b"] * 50}
    fit_reference(columns).save(path)
    return path


@pytest.mark.parametrize("kind", ["collector", "prometheus", "mimir"])
def test_each_kind_of_point_is_tried(kind: str, read_output: ReadOutput) -> None:
    """A destination that takes everything is well, kind by kind; the points are ours to find."""
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
    """Deltas, and a counter a bin; the token comes from its variable and stays hidden."""
    monkeypatch.setenv("DYNATRACE_API_TOKEN", TOKEN)
    with OtlpReceiver(profile="dynatrace", token=TOKEN) as receiver:
        assert main(["doctor", "--destination", "dynatrace", "--url", receiver.url]) == 0
    out, err = read_output()
    assert TOKEN not in out + err
    assert out.count("ok ") == len(KINDS) + 1


def test_a_refusal_is_reported_with_its_remedy(
    read_output: ReadOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Totals sent to Dynatrace by the standard variables: gauges pass, the rest does not."""
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
    """Nothing listens: one failure, and no others that say the same."""
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
def test_a_wrong_configuration_has_another_status_than_a_refusal(
    arguments: list[str], expected: str, read_output: ReadOutput
) -> None:
    """Exit status 2, and one line that holds the fix."""
    assert main(["doctor", *arguments]) == 2
    assert expected in read_output()[1]


def test_the_environments_mistakes_are_listed_before_the_trial(
    read_output: ReadOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was ignored, and the port of gRPC; the reason and its remedy name it again."""
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
def test_a_variable_that_cannot_be_used_fails_the_trial_and_is_named(
    variable: str,
    value: str,
    finding: str,
    read_output: ReadOutput,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit status 1, one line with what and where, and no value of a secret."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:9")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", value)
    assert main(["doctor", "--destination", "environment"]) == 1
    out = read_output()[0]
    assert finding in out
    assert "hunter2" not in out


def test_a_reference_shows_how_many_series_it_makes(saved: Path, read_output: ReadOutput) -> None:
    """More segments, more series; a name that backends would cut is warned of."""
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
    """Its rows and its fields, one a line; no value of any row."""
    assert main(["reference", "show", str(saved)]) == 0
    out = read_output()[0]
    assert "reference of 100 rows" in out
    assert "categorical" in out
    assert "49" in out


def test_a_damaged_reference_is_refused_in_one_line(
    tmp_path: Path, read_output: ReadOutput
) -> None:
    """Exit status 2, and where the fault is."""
    path = tmp_path / "damaged.json"
    path.write_text("{")
    assert main(["reference", "show", str(path)]) == 2
    assert read_output()[1].count("\n") == 1
