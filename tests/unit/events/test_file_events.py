"""The event log in files: whole lines, whole files, exact counts."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlmonitor import ConfigError, Files, Monitor, Reference
from mlmonitor.events.content.event_source import EventSource
from mlmonitor.events.sinks.file_sink import PART, FileLimits, LineSink
from mlmonitor.formats.events import STAGING_COLUMNS, decode_events
from support.references import fit_reference


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of a number and a category."""
    rng = np.random.default_rng(0)
    columns = {"amount": rng.normal(size=300), "line": rng.choice(["motor", "home"], 300).tolist()}
    return fit_reference(columns, predictions=rng.normal(size=300))


def rows(count: int) -> dict[str, Any]:
    """Return columns of random values."""
    rng = np.random.default_rng(1)
    return {"amount": rng.normal(size=count), "line": rng.choice(["motor", "home"], count).tolist()}


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """Read all events of the completed files with the usual reader."""
    lines = [
        line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]
    events = decode_events(lines)
    assert all(isinstance(event, dict) for event in events)
    return [json.loads(line) for line in lines]


def make_monitor(reference: Reference, events: Files) -> Monitor:
    """Make a monitor with an event log and no exporters."""
    return Monitor("claims/eu", version="7", reference=reference, exporters=[], events=events)


def test_each_event_is_a_line_of_a_complete_file(tmp_path: Path, reference: Reference) -> None:
    """Once the monitor is closed, no file is called `.part`."""
    with make_monitor(reference, Files(tmp_path / "new" / "events")) as monitor:
        monitor.record(rows(1_000), np.zeros(1_000))
        monitor.label("a", 1.0)
        monitor.flush(timeout_seconds=60)
        status = monitor.status().events
        monitor.record(rows(10), np.zeros(10))
    events = read_lines(tmp_path / "new" / "events")
    schemas = [event["schema"] for event in events]
    assert (schemas.count("prediction"), schemas.count("label")) == (1_010, 1)
    assert len({event["event_id"] for event in events}) == len(events)
    assert not list(tmp_path.rglob(f"*{PART}"))
    assert status is not None
    assert (status.sink, status.waiting, status.dropped) == ("files", 0, 0)


def test_events_are_counted_as_dropped_while_their_sink_cannot_be_opened(
    tmp_path: Path, reference: Reference
) -> None:
    """They count under the sink's name, and stay counted after it opens."""
    with pytest.MonkeyPatch.context() as patch, make_monitor(reference, Files(tmp_path)) as monitor:
        complete = "mlmonitor.events.sinks.file_sink.complete_abandoned"
        patch.setattr(complete, Mock(side_effect=PermissionError))
        monitor.record(rows(100), np.zeros(100))
        monitor.flush(timeout_seconds=60)
        unopened = monitor.status().events
        patch.undo()
        monitor.record(rows(10), np.zeros(10))
        monitor.flush(timeout_seconds=60)
        opened = monitor.status().events
    assert unopened is not None
    assert opened is not None
    assert (unopened.sink, unopened.delivered) == ("files", 0)
    assert unopened.by_schema["prediction"] == 100
    assert unopened.dropped == sum(unopened.by_schema.values())
    assert (opened.sink, opened.dropped, opened.delivered) == ("files", unopened.dropped, 10)
    assert unopened.last_error == opened.last_error == "PermissionError"


def test_files_are_rotated_by_size_and_named_in_order(tmp_path: Path, reference: Reference) -> None:
    """Each file is little larger than the limit."""
    with make_monitor(reference, Files(tmp_path, max_file_bytes=100_000)) as monitor:
        monitor.record(rows(2_000), np.arange(2_000.0))
    paths = sorted(tmp_path.glob("*.jsonl"))
    assert len(paths) > 5
    assert all(path.stat().st_size < 300_000 for path in paths)
    predictions = [e["prediction"] for e in read_lines(tmp_path) if e["schema"] == "prediction"]
    assert predictions == sorted(predictions)


def test_a_file_is_completed_after_its_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not need a flush."""
    moments = iter([0.0, 10.0, 31.0])
    monkeypatch.setattr("mlmonitor.events.sinks.file_sink.time.monotonic", lambda: next(moments))
    sink = LineSink(tmp_path, EventSource("m", "1", "i"), FileLimits(1 << 20, 30.0, 1 << 30))
    sink.put([{"schema": "kpi"}])
    sink.poll()
    assert not list(tmp_path.glob("*.jsonl"))
    sink.poll()
    assert [path.read_text() for path in tmp_path.glob("*.jsonl")] == ['{"schema":"kpi"}\n']


def test_events_beyond_the_size_limit_of_the_folder_are_dropped_and_counted(
    tmp_path: Path, reference: Reference
) -> None:
    """Existing files are not removed."""
    (tmp_path / "other.jsonl").write_bytes(b"\n" * 5_000)
    with make_monitor(reference, Files(tmp_path, max_total_bytes=5_000)) as monitor:
        monitor.record(rows(100), np.zeros(100))
        monitor.flush(timeout_seconds=60)
        status = monitor.status().events
    assert status is not None
    assert status.dropped >= 100 + len(reference.fields)
    assert status.delivered == 0
    assert status.last_error == "max_total_bytes is reached"
    assert [path.name for path in tmp_path.iterdir()] == ["other.jsonl"]


def test_a_full_disk_leaves_whole_lines_and_its_losses_are_counted(tmp_path: Path) -> None:
    """A partly written line is removed, and later events are written again."""
    sink = LineSink(tmp_path, EventSource("m", "1", "i"), FileLimits(1 << 30, 300.0, 1 << 30))
    event = {"schema": "kpi", "name": "x" * 500}
    sink.put([event])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
        sink.put([event] * 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    sink.put([event])
    sink.flush(1.0)
    status = sink.status()
    assert (status.delivered, status.dropped) == (2, 20)
    (path,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [event, event]


CRASH = """
import os, sys
from pathlib import Path
from mlmonitor.events.content.event_source import EventSource
from mlmonitor.events.sinks.file_sink import FileLimits, LineSink
sink = LineSink(Path(sys.argv[1]), EventSource("m", "1", "i"), FileLimits(1 << 30, 300.0, 1 << 30))
sink.put([{"schema": "kpi", "value": place} for place in range(10)])
os.write(sink._file, b'{"schema":"kp')
os.kill(os.getpid(), 9)
"""


def test_the_next_process_completes_the_file_of_a_crashed_one(tmp_path: Path) -> None:
    """An incomplete last line is dropped, and a running process keeps its file."""
    limits = FileLimits(1 << 30, 300.0, 1 << 30)
    living = LineSink(tmp_path, EventSource("m", "1", "other"), limits)
    living.put([{"schema": "kpi"}])
    source = str(Path(__file__).parents[3] / "src")
    subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path)],
        check=False,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert not list(tmp_path.glob("*.jsonl"))
    LineSink(tmp_path, EventSource("m", "1", "next"), limits)
    (path,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [*range(10)]
    assert len(list(tmp_path.glob(f"*{PART}"))) == 1
    living.close(1.0)


def test_a_forked_child_does_not_write_the_events_of_its_parent_again(
    tmp_path: Path, reference: Reference
) -> None:
    """Each process has its own files, in both formats."""
    for form in ("jsonl", "parquet"):
        folder = tmp_path / form
        monitor = make_monitor(reference, Files(folder, format=form))  # type: ignore[arg-type]  # both are
        predict = monitor.watch(lambda _: 1.0)
        for _ in range(5):
            predict({"amount": 1.0, "line": "motor"})
        monitor.status()
        child = os.fork()
        if child == 0:
            predict({"amount": 2.0, "line": "motor"})
            os._exit(0 if monitor.close(timeout_seconds=60) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert monitor.close(timeout_seconds=60)
        if form == "jsonl":
            results = [
                e["features"]["amount"] for e in read_lines(folder) if e["schema"] == "prediction"
            ]
        else:
            tables = [pq.read_table(path) for path in folder.glob("prediction-*.parquet")]
            results = [
                json.loads(text)["amount"]
                for table in tables
                for text in table.column("features").to_pylist()
            ]
        assert sorted(results) == [1.0] * 5 + [2.0]


def test_each_schema_has_a_parquet_file_with_the_columns_of_its_table(
    tmp_path: Path, reference: Reference
) -> None:
    """Numbers and times keep their types, and objects are JSON."""
    with make_monitor(reference, Files(tmp_path, format="parquet")) as monitor:
        monitor.record(rows(9_000), np.arange(9_000.0))
        monitor.label(["a", "b"], [1.0, None])
        monitor.flush(timeout_seconds=60)
        status = monitor.status().events
    assert status is not None
    assert status.delivered >= 9_002
    (path,) = tmp_path.glob("prediction-*.parquet")
    table = pq.read_table(path)
    assert table.column_names == [column.name for column in STAGING_COLUMNS["prediction"]]
    assert table.column("prediction").to_pylist() == [*map(float, range(9_000))]
    assert set(table.column("segment").to_pylist()) == {"all"}
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    features = json.loads(table.column("features")[0].as_py())
    assert features["amount"] == rows(9_000)["amount"][0]
    (labels,) = tmp_path.glob("label-*.parquet")
    assert pq.read_table(labels).column("actual").to_pylist() == [1.0, None]


@pytest.mark.parametrize(
    "options",
    [{"format": "csv"}, {"max_file_bytes": 0}, {"max_file_seconds": -1}, {"max_total_bytes": "x"}],
    ids=str,
)
def test_a_wrong_option_of_files_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    """The error names it."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        Files(tmp_path, **options)


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    """The error is raised at set-up and not in the worker."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="folder: cannot be created"):
        Files(tmp_path / "file" / "events")
