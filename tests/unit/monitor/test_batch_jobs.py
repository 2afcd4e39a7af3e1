"""A job that records a table and exits loses no row, or says so."""

import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlmonitor import Config, Monitor, Otlp, Reference
from mlmonitor.export.base import Delivered, Snapshot
from mlmonitor.testing import InMemoryExporter, OtlpReceiver
from support.references import fit_reference

ROWS = 200_000
OK = {"status": "ok"}


def table(rows: int, rng: np.random.Generator) -> dict[str, Any]:
    """Draw the features of a nightly job."""
    return {"age": rng.normal(45, 12, rows), "limit": rng.lognormal(10, 1, rows)}


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """A reference of such a table."""
    held_out = table(5_000, rng)
    return fit_reference(held_out, predictions=held_out["age"], thresholds="asymptotic")


@pytest.mark.parametrize("chunk_rows", [ROWS, 10_000, 997], ids=["at once", "chunks", "odd chunks"])
def test_every_row_of_a_job_that_exits_is_counted(
    chunk_rows: int, reference: Reference, rng: np.random.Generator
) -> None:
    """It records 200,000 rows through a buffer of 4,096 in a `with` block."""
    exporter, columns = InMemoryExporter(), table(ROWS, rng)
    config = Config(buffer_rows=4_096)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        for start in range(0, ROWS, chunk_rows):
            chunk = {name: values[start : start + chunk_rows] for name, values in columns.items()}
            monitor.record(chunk, chunk["age"])
    assert exporter.value("mlmonitor.predictions", OK) == ROWS
    status = monitor.status()
    assert (status.predictions, status.dropped, status.internal_errors) == (ROWS, 0, 0)
    assert (
        status.field("age").quality["valid"] + status.field("age").quality["out_of_range"] == ROWS
    )


def test_a_frame_recorded_in_slices_is_counted_like_the_whole(
    reference: Reference, rng: np.random.Generator
) -> None:
    """The same rows in one slice and in many have the same statistics."""
    frame = pd.DataFrame(table(20_000, rng))
    statuses = []
    for buffer_rows in (1 << 20, 1_000):
        with Monitor("m", reference=reference, config=Config(buffer_rows=buffer_rows)) as monitor:
            monitor.record(frame, frame["age"], ids=range(len(frame)))
            statuses.append(monitor.status())
    whole, sliced = (status.field("limit") for status in statuses)
    assert (whole.count, whole.psi) == (sliced.count, sliced.psi)
    assert whole.mean == pytest.approx(sliced.mean, rel=1e-12)


@pytest.mark.slow
def test_a_script_that_records_and_ends_delivers_every_row(tmp_path: Path) -> None:
    """It calls `record` once and does not call `close`."""
    script = tmp_path / "job.py"
    script.write_text(
        "import sys, numpy as np\n"
        "from mlmonitor import Config, Monitor, Otlp\n"
        "monitor = Monitor('m', exporters=[Otlp.collector(sys.argv[1])], "
        "config=Config(export_interval_seconds=3600))\n"
        "rows = np.random.default_rng(0).normal(size=(200_000, 40))\n"
        "monitor.record(rows, rows[:, 0])\n",
        encoding="utf-8",
    )
    with OtlpReceiver("collector") as receiver:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(script), receiver.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert receiver.ledger.total("mlmonitor.predictions", status="ok") == ROWS


class Broken:
    """A destination that refuses everything permanently."""

    name = "broken"

    def send(self, snapshot: Snapshot) -> Delivered:
        """Refuse everything."""
        return Delivered(0, snapshot.size, 0, 0, "quota exceeded")

    def close(self, *, timeout_seconds: float) -> None:
        """Do nothing."""


def test_a_job_that_could_not_deliver_reports_it(
    reference: Reference, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    """`close` returns False each time; one log line has the destination and the reason."""
    monitor = Monitor("m", reference=reference, exporters=[Broken()])
    monitor.record(table(1_000, rng), np.zeros(1_000))
    with caplog.at_level(logging.WARNING, logger="mlmonitor"):
        assert not monitor.close()
        assert not monitor.close()
    (line,) = [message for message in caplog.messages if "closed with losses" in message]
    assert "broken: quota exceeded" in line


def test_rows_that_are_not_read_in_time_are_dropped_and_counted(
    reference: Reference, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker hangs in an unreachable destination and leaves the rows behind."""
    monitor = Monitor("m", reference=reference)
    monitor._worker._thread = object()  # type: ignore[assignment]  # one that never answers
    monitor.record(table(1_000, rng), np.zeros(1_000))
    monitor._worker._thread = None
    monitor._worker._final = 1  # a flush that nobody answers
    assert not monitor.close(timeout_seconds=0.01)
    assert monitor.status().dropped == 1_000
    assert "1,000 rows were not read in time" in caplog.text


def test_a_monitor_without_destinations_that_is_closed_too_early_logs_uncounted_rows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message does not mention an export."""
    monitor = Monitor("m", exporters=[])
    monitor._worker.pipeline.log_losses(0, is_delivered=False)
    monitor.close()
    (line,) = [message for message in caplog.messages if "closed with losses" in message]
    assert line.endswith("rows and labels were still being counted when the time was up")


def test_a_full_buffer_in_an_event_loop_drops_rows_instead_of_blocking(
    reference: Reference, rng: np.random.Generator
) -> None:
    """A handler that records must not stop the other requests of its loop."""
    config = Config(buffer_rows=1_000, record_wait_seconds=3_600, poll_interval_seconds=3_600)
    columns = table(50_000, rng)

    async def handle(monitor: Monitor) -> None:
        monitor.record(columns, columns["age"])

    with Monitor("m", reference=reference, config=config) as monitor:
        asyncio.run(handle(monitor))
        status = monitor.status()
    assert status.predictions + status.dropped == 50_000
    assert status.dropped > 0


def test_close_returns_true_for_a_job_without_a_destination(
    reference: Reference, rng: np.random.Generator
) -> None:
    """There is nothing to deliver, so nothing is lost."""
    monitor = Monitor("m", reference=reference)
    monitor.record(table(1_000, rng), np.zeros(1_000))
    assert monitor.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9"])
def test_a_service_still_exits_within_two_seconds(url: str) -> None:
    """Only a call of `record` makes a process a batch job."""
    monitor = Monitor("m", exporters=[Otlp.collector(url)])
    monitor.watch(lambda _features: 1.0)({"a": 1.0})
    assert monitor._worker.exit_seconds == 2.0
    monitor.record({"a": [1.0]}, [1.0])
    assert monitor._worker.exit_seconds == monitor.config.exit_wait_seconds
    monitor.close(timeout_seconds=0.1)
