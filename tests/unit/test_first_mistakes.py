"""Typical mistakes of a new user are reported first, once, and with their remedy."""

import logging
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Alert, Config, Monitor, Reference, SchemaError
from mlmonitor.cli.main import main
from mlmonitor.errors import ExportError
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.testing import InMemoryExporter, OtlpReceiver
from support.references import fit_reference

ROWS = 500


def reference(**more: object) -> Reference:
    """Return a reference of two numbers and a prediction."""
    columns = {"a": np.arange(float(ROWS)), "b": np.arange(float(ROWS))}
    return fit_reference(columns, predictions=np.arange(float(ROWS)), **more)  # type: ignore[arg-type]


def test_the_reference_of_another_model_is_reported_first_and_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If no field is known, the second line of the status and one line of the log say so."""
    with Monitor("m", reference=reference(), exporters=[InMemoryExporter()]) as monitor:
        for _ in range(3):
            monitor.record({"c": np.arange(100.0)}, np.arange(100.0))
            monitor.flush(timeout_seconds=20)
        status = monitor.status()
    text = (
        "none of the fields that arrive are in the reference (there: a, b; here: c): "
        "is it this model's reference?"
    )
    assert status.reference_warning == text
    assert " ".join(str(status).split()[6:]).startswith(text)
    assert status.alerts
    assert [r.getMessage() for r in caplog.records if "reference?" in r.getMessage()] == [
        f"m: {text}"
    ]


def test_classes_that_differ_from_those_of_the_reference_are_reported_first(
    rng: np.random.Generator,
) -> None:
    """The features are those of this model, but the names of its classes are not."""
    features = {"a": np.arange(float(ROWS))}
    reference = fit_reference(
        features,
        predictions=rng.dirichlet([1, 1], ROWS),
        output="probabilities",
        classes=["no", "yes"],
    )
    with Monitor("m", reference=reference) as monitor:

        @monitor.watch(output="probabilities", names=["good", "bad"])
        def predict(row: dict[str, float]) -> np.ndarray:
            return np.array([0.2, 0.8])

        for _ in range(5):
            predict({"a": 1.0})
        lines = " ".join(str(monitor.status()).splitlines()[1:3])
    assert lines.startswith("none of the predictions that arrive are in the reference")
    assert "prediction.no" in lines
    assert "prediction.good" in lines


def test_one_new_field_among_known_ones_is_not_reported_as_a_mismatch() -> None:
    """A new field only gets an alert of its own."""
    with Monitor("m", reference=reference()) as monitor:
        rows = {name: np.arange(100.0) for name in "abc"}
        monitor.record(rows, np.arange(100.0))
        assert monitor.status().reference_warning is None


def test_actuals_that_are_not_names_of_classes_are_refused(rng: np.random.Generator) -> None:
    """Given numbers for named classes, the error says how to convert them."""
    features, shares = {"a": np.arange(float(ROWS))}, rng.dirichlet([1, 1], ROWS)
    with pytest.raises(SchemaError, match=r"classes\[i\] for i in actuals"):
        fit_reference(
            features,
            predictions=shares,
            output="probabilities",
            classes=["no", "yes"],
            actuals=np.arange(ROWS) % 2,
        )


def test_a_missing_folder_is_named_as_it_was_given(tmp_path: Path) -> None:
    """The error does not name the file that would have been written in it."""
    path = f"{tmp_path}/nodir/r.json"
    with pytest.raises(FileNotFoundError) as caught:
        reference().save(path)
    assert caught.value.filename == path


def test_an_exception_of_on_alert_is_reported_as_such() -> None:
    """The status has its type and the name of the callback, but not its message."""

    def page(_alert: Alert) -> None:
        raise ZeroDivisionError("secret")

    with Monitor(
        "m",
        reference=reference(),
        on_alert=page,
        config=Config(check_rows=10, check_interval_seconds=0),
    ) as monitor:
        monitor.record({"a": np.zeros(200), "b": np.zeros(200)}, np.zeros(200))
        monitor.flush(timeout_seconds=20)
        last_error = monitor.status().last_error
    assert last_error is not None
    assert "on_alert raised ZeroDivisionError" in last_error
    assert "secret" not in last_error


class Unreachable(InMemoryExporter):
    """An exporter whose destination cannot be reached."""

    def send(self, _snapshot: Snapshot) -> Delivered:
        """Fail, as nobody listens."""
        raise ExportError("x" * 150 + " end")


def test_log_and_status_report_the_same_points_and_the_whole_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Points that wait behind others are counted once in both."""
    caplog.set_level(logging.WARNING, "mlmonitor")
    with Monitor("m", exporters=[Unreachable()]) as monitor:
        monitor.record({"a": [1.0]}, [1.0])
        monitor.flush(timeout_seconds=20)
        status = monitor.status()
        (line,) = [r.getMessage() for r in caplog.records if "export to" in r.getMessage()]
        (export,) = status.destinations.values()
        assert f"{export.outcomes['failed']} points failed" in line
        assert " end" in str(status)


@pytest.mark.parametrize("destination", ["collector", "prometheus", "mimir"])
def test_a_wrong_path_is_reported_once_with_a_hint_for_the_destination(
    destination: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All points fail for one reason; the hint depends on the kind of destination."""
    with OtlpReceiver(profile="collector") as receiver:
        url = f"{receiver.url}/nowhere"
        assert main(["doctor", "--destination", destination, "--url", url]) == 1
    output = capsys.readouterr().out
    assert output.count("failed ") == 1
    assert ("--web.enable-otlp-receiver" in output) == (destination == "prometheus")
    assert destination in output.split("->")[1].lower()


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://127.0.0.1:9", "start the server, or check the port"),
        ("http://no-such-host.invalid:4318", "check the spelling of the host"),
    ],
)
def test_a_wrong_host_and_a_closed_port_are_distinguished(
    url: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The remedies differ."""
    assert main(["doctor", "--destination", "collector", "--url", url]) == 1
    assert hint in capsys.readouterr().out


def test_https_to_a_plain_http_server_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """The message must not blame a certificate."""
    with OtlpReceiver(profile="collector") as receiver:
        url = receiver.url.replace("http://", "https://")
        assert main(["doctor", "--destination", "collector", "--url", url]) == 1
    assert "it speaks plain http" in capsys.readouterr().out


def test_a_status_shows_the_current_season_and_the_distance_of_embeddings(
    rng: np.random.Generator,
) -> None:
    """At noon on 1 January 1970 it is season 12 of the day; embeddings have their own line."""
    times = np.datetime64("2024-01-01") + np.arange(ROWS).astype("m8[h]")
    seasonal = fit_reference({"a": rng.normal(size=ROWS)}, times=times, season="hour_of_day")
    with Monitor("m", reference=seasonal, clock=lambda: 12.5 * 3_600) as monitor:
        first_line = str(monitor.status()).splitlines()[0]
    assert first_line.endswith("; compared by hour of day, 12 of 24 now (UTC)")
    vectors = {"v": list(rng.normal(size=(ROWS, 8)))}
    reference = fit_reference(vectors, schema={"v": "embedding"})
    with Monitor("m", reference=reference) as monitor:
        monitor.record({"v": list(rng.normal(size=(100, 8)))}, np.zeros(100))
        monitor.flush(timeout_seconds=20)
        status = monitor.status()
    assert status.field("v.kernel_similarity", role="derived").mmd is not None
    assert "\nmmd: v.kernel_similarity " in str(status)
