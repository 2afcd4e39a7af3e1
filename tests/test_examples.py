"""Examples in the README run unchanged, and so does the demo."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from mlmonitor.testing import OtlpReceiver

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
ROWS = 20_000
BLOCKS = re.compile(r"```python\n(.*?)```", re.DOTALL)


def readme_blocks() -> list[str]:
    """Return the Python blocks of the README, in order."""
    matches = BLOCKS.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert matches
    return matches


@pytest.mark.parametrize("at", range(len(readme_blocks())))
def test_every_python_block_of_the_readme_runs(at: int, tmp_path: Path) -> None:
    """Each block is a complete script and runs without a warning."""
    script = tmp_path / "block.py"
    script.write_text(readme_blocks()[at], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr


def test_every_folder_of_examples_has_a_readme() -> None:
    """It says how to run the examples; `tests/components` runs those of collectors."""
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert folders == {
        "batch_job",
        "classifier",
        "collectors",
        "fastapi_app",
        "retraining",
        "stack",
    }
    assert {path.parent.name for path in EXAMPLES.glob("*/README.md")} == folders


def run_example(script: str, *arguments: str, folder: Path) -> str:
    """Run a script as its README says, with warnings as errors, and return its output."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / script), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # its threads would spin on a busy machine
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_classifier_alerts_after_the_shift_and_matches_all_labels(tmp_path: Path) -> None:
    """The first status has no alert, and the second has one for the enlarged measurement."""
    calm, _, shifted = run_example("classifier/run.py", folder=tmp_path).partition("\n\ntumours")
    assert "no alerts: 8 fields compared with training" in calm
    assert "labels: matched 1,000\n" in calm
    assert re.search(r"mean radius .* ALERT", shifted)
    assert "labels: matched 1,500\n" in shifted


@pytest.mark.slow
def test_the_batch_job_delivers_every_row(tmp_path: Path) -> None:
    """A collector receives as many predictions as rows were scored."""
    with OtlpReceiver() as receiver:
        arguments = ("--rows", str(ROWS), "--collector", receiver.url)
        run_example("batch_job/job.py", *arguments, folder=tmp_path)
    assert receiver.ledger.total("mlmonitor.predictions", {"status": "ok"}) == ROWS


@pytest.mark.slow
def test_a_retrained_model_replaces_the_one_in_the_running_service(tmp_path: Path) -> None:
    """The changed first version gets the verdict to retrain, and the second one is kept."""
    said = run_example("retraining/run.py", folder=tmp_path)
    assert re.findall(r"version (\d+): (\w+):", said) == [("1", "retrain")]
    assert "version 2 is in use" in said
    assert "verdict: keep" in said.partition("repairs 2: watching")[2]


@pytest.mark.demo
@pytest.mark.slow
def test_the_demo_prints_verdicts_and_equal_sums_and_keeps_its_page_open_on_request(
    tmp_path: Path,
) -> None:
    """The page shows the fields until Ctrl-C; the exit is 0 if the collector received all rows."""
    with subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "examples" / "fastapi_app" / "run.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "DEMO_SECONDS": "8", "DEMO_SERVE": "1", "OMP_NUM_THREADS": "1"},
    ) as demo:
        assert demo.stdout is not None
        begin = []
        for line in demo.stdout:
            begin.append(line)
            if line.startswith("page       still at "):
                break
        else:
            pytest.fail("".join(begin))
        url = line.split()[3].strip(":")
        with urlopen(url, timeout=20) as answer:  # noqa: S310 - our own service
            html = answer.read().decode()
        os.killpg(demo.pid, signal.SIGINT)
        printed = demo.stdout.read()
        assert demo.wait(timeout=60) == 0, printed
    assert "claims-severity" in html
    assert "limit" in html
    assert "psi" in printed.lower()
    assert "rows in the store" in printed or "rows of predictions" in printed
    assert "NOT EQUAL" not in printed
    verdicts = re.findall(r"^  (\S.*?) +(KEEP|RETRAIN)\b", printed, re.MULTILINE)
    assert [action for _, action in verdicts] == ["KEEP", "RETRAIN", "KEEP"]
    assert "Traceback" not in printed


@pytest.mark.demo
@pytest.mark.slow
def test_ctrl_c_ends_the_demo(tmp_path: Path) -> None:
    """SIGINT during the replay ends all of its processes without a traceback."""
    with subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "examples" / "fastapi_app" / "run.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("replay"):
                break
        os.killpg(demo.pid, signal.SIGINT)
        text = demo.stdout.read()  # ends when the last process that can write to it has ended
        assert demo.wait(timeout=20) == 130
    assert "interrupted" in text
    assert "Traceback" not in text
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)
