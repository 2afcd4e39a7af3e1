"""The text of a saved reference in a terminal."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Monitor, Reference
from mlmonitor.status.reference_text import shown
from support.references import fit_reference


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """Return numbers and dates of full width, and more metrics than fit on a line."""
    amounts = -4.5e12 * rng.random(200)
    columns = {
        "a_name_of_a_field_that_is_long_itself": amounts,
        "when": np.datetime64("2024-01-01") + rng.integers(0, 300, 200).astype("m8[D]"),
        "line": ["home", "motor"] * 100,
    }
    metrics = {f"metric {number}": 0.5 for number in range(20)}
    return fit_reference(columns, predictions=amounts, training_metrics=metrics)


def test_every_line_fits_a_terminal_and_names_are_kept(reference: Reference) -> None:
    """Quantiles are dropped before names are shortened."""
    lines = shown(reference).splitlines()
    assert max(map(len, lines)) <= 100
    (predicted,) = (line for line in lines if " prediction " in f" {line} ")
    assert predicted.split()[:3] == ["prediction", "prediction", "numeric"]


def test_a_reader_that_closes_the_pipe_early_ends_the_command_without_an_error(
    reference: Reference, tmp_path: Path
) -> None:
    """`head` does so; the command prints no message and does not fail."""
    path = tmp_path / "reference.json"
    reference.save(path)
    command = [sys.executable, "-m", "mlmonitor", "reference", "show", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


def test_a_status_prints_group_titles_in_full_and_one_name_in_the_singular(
    reference: Reference, rng: np.random.Generator
) -> None:
    """Titles stay whole however little room the numbers leave for names."""
    amounts = -4.5e12 * rng.random(200)
    when = np.datetime64("2024-01-01") + rng.integers(0, 300, 200).astype("m8[D]")
    rows = {"a_name_of_a_field_that_is_long_itself": amounts, "when": when, "line": ["home"] * 200}
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(rows, amounts)
        lines = str(monitor.status()).splitlines()
    assert "predictions" in lines
    assert any(" 1 name " in line and " 2 names " in line for line in lines)
