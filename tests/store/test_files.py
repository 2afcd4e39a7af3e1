"""Event files are loaded into the store without a broker."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psycopg
import pytest

from mlmonitor import Files, Monitor
from mlmonitor.cli.main import main
from support.references import fit_reference

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_files_of_a_service_are_loaded_once(
    store: Connection,
    database_url: str,
    tmp_path: Path,
    form: Literal["jsonl", "parquet"],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both formats are read, and a second run adds nothing."""
    rng = np.random.default_rng(1)
    rows = {"age": rng.normal(40, 10, 300), "is_new": rng.random(300) < 0.3}
    reference = fit_reference(rows, predictions=rows["age"] * 2)
    events = Files(tmp_path, format=form)
    with Monitor("claims", reference=reference, exporters=[], events=events) as monitor:
        ids = [f"claim-{place}" for place in range(300)]
        monitor.record(rows, rows["age"] * 2, ids=ids)
        monitor.label(ids[:50], rows["age"][:50] * 2 + 1)
        status = monitor.status()
    command = ["load", "--files", str(tmp_path), "--database", database_url]
    assert main(command) == 0
    assert "0 dead letters" in capsys.readouterr().out
    drift = dict(
        store.execute("select field, psi from mlmonitor.data_drift where span = 'day'").fetchall()
    )
    for field in ("age", "is_new"):
        assert drift[field] == pytest.approx(status.field(field).psi, abs=1e-9)
    cohort = store.execute("select predictions, labelled, mae from mlmonitor.cohort").fetchone()
    assert cohort == (300, 50, pytest.approx(1.0))
    assert main(command) == 0
    assert "loaded   0 events, 0 dead letters" in capsys.readouterr().out


def test_a_line_that_is_not_an_event_becomes_a_dead_letter(
    store: Connection, database_url: str, tmp_path: Path
) -> None:
    """Its reason names the file and the line."""
    (tmp_path / "odd.jsonl").write_text(json.dumps({"schema": "gossip"}) + "\n", encoding="utf-8")
    (tmp_path / "half.jsonl.part").write_text("{", encoding="utf-8")
    assert main(["load", "--files", str(tmp_path), "--database", database_url]) == 0
    letters = store.execute("select topic, kafka_offset from mlmonitor.dead_letter").fetchall()
    assert letters == [("odd.jsonl", 0)]


def test_a_folder_of_events_that_does_not_exist_is_refused(database_url: str) -> None:
    """A loader with neither brokers nor files is refused as well."""
    assert main(["load", "--files", "/nowhere/at/all", "--database", database_url]) == 2
    with pytest.raises(SystemExit):
        main(["load", "--database", database_url])
