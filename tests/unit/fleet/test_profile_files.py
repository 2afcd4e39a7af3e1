"""`mlmonitor profile` and `mlmonitor fleet`: files in, one status out."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from mlmonitor import ConfigError, FormatError, Profile
from mlmonitor.cli.main import main
from mlmonitor.fleet import data_file
from support.memory_held import peak_bytes
from support.profiled_rows import COLUMNS, FRAME
from support.references import fit_reference
from support.shown_models import claims_reference

REFERENCE = claims_reference()


@pytest.fixture
def reference(tmp_path: Path) -> str:
    """The path of a saved reference."""
    REFERENCE.save(tmp_path / "r.json")
    return str(tmp_path / "r.json")


def test_files_of_many_processes_become_one_status(
    tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parquet and CSV files are counted separately and merged; counts are those of the frame."""
    table = pa.table(COLUMNS)
    pq.write_table(table[:700], tmp_path / "a.parquet", row_group_size=300)
    pa_csv.write_csv(table[700:].cast(table.schema), tmp_path / "b.csv")
    profiles = []
    for name in ("a.parquet", "b.csv"):
        out = str(tmp_path / f"{name}.profile")
        data = str(tmp_path / name)
        assert main(["profile", data, "--reference", reference, "-o", out]) == 0
        profiles.append(out)
    capsys.readouterr()
    assert main(["fleet", *profiles, "--reference", reference, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    expected = Profile.of(FRAME, reference=REFERENCE).status(REFERENCE)
    assert status["window_rows"] == 2_000
    shown = {field["name"]: field["quality"] for field in status["fields"]}
    assert shown == {field.name: dict(field.quality) for field in expected.fields}
    assert main(["fleet", *profiles, "--reference", reference, "--fail-on", "alert"]) == 1
    assert "alerts firing" in capsys.readouterr().out


def test_a_file_that_is_not_a_profile_is_named_in_the_error(
    tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reference and a missing file are no profiles."""
    assert main(["fleet", reference, "--reference", reference]) == 2
    assert reference in capsys.readouterr().err
    assert main(["fleet", str(tmp_path / "none"), "--reference", reference]) == 2
    assert "No such file" in capsys.readouterr().err


def test_files_that_do_not_fit_the_model_are_refused(tmp_path: Path) -> None:
    """The ending, the content, the columns or the requested column is wrong."""
    (tmp_path / "rows.parquet").write_bytes(b"not parquet")
    with pytest.raises(FormatError, match="data: not a Parquet file"):
        Profile.read(tmp_path / "rows.parquet", reference=REFERENCE)
    with pytest.raises(ConfigError, match="data: expected a file"):
        Profile.read(tmp_path / "rows.xlsx", reference=REFERENCE)
    (tmp_path / "rows.csv").write_text("other\n1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no column of the reference"):
        Profile.read(tmp_path / "rows.csv", reference=REFERENCE)
    with pytest.raises(ConfigError, match="'score'"):
        Profile.read(tmp_path / "rows.csv", reference=REFERENCE, prediction="score")


def test_a_parquet_file_is_counted_like_its_columns_in_memory(tmp_path: Path) -> None:
    """It has nulls in texts, integers, booleans and times, dictionaries, and small row groups."""
    rng = np.random.default_rng(2)
    start = np.datetime64("2025-01-01", "us")
    columns = {
        "amount": rng.integers(0, 900, 600),
        "line": rng.choice(["home", "motor", "travel"], 600),
        "is_new": rng.random(600) < 0.5,
        "opened": start + rng.integers(0, 10**12, 600),
    }
    reference = fit_reference(columns)
    is_null = rng.random(600) < 0.1
    table = pa.table({name: pa.array(v, mask=is_null) for name, v in columns.items()})
    table = table.append_column("plan", table["line"].dictionary_encode())
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=70)
    read = Profile.read(tmp_path / "rows.parquet", reference=reference).status(reference)
    frame = Profile.of(table.to_pandas(), reference=reference).status(reference)
    nulls = int(is_null.sum())
    for field in read.fields:
        assert field.quality["missing"] == nulls, field.name
        assert field.quality["valid"] + field.quality["new_category"] == 600 - nulls, field.name
    assert [f.psi for f in read.fields] == [f.psi for f in frame.fields]
    assert read.unknown_fields == frame.unknown_fields == {"plan": 600}


@pytest.mark.slow
def test_profiling_a_larger_file_needs_no_more_memory(tmp_path: Path) -> None:
    """Five times the rows have the same peak of Python and numpy."""
    peaks = []
    for repeats in (20, 100):
        path = tmp_path / f"{repeats}.parquet"
        table = pa.table(COLUMNS)
        with pq.ParquetWriter(path, table.schema) as writer:
            for _ in range(repeats):
                writer.write_table(table)
        assert Profile.read(path, reference=REFERENCE).rows == 2_000 * repeats
        peaks.append(peak_bytes(partial(Profile.read, path, reference=REFERENCE)))
    assert peaks[1] < 1.2 * peaks[0]


def test_a_file_that_is_damaged_in_the_middle_is_refused(
    tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its end is intact, so that it opens; no profile is written."""
    path, out = tmp_path / "rows.parquet", tmp_path / "out.profile"
    pq.write_table(pa.table(COLUMNS), path)
    data = bytearray(path.read_bytes())
    data[4:4_000] = bytes(3_996)
    path.write_bytes(data)
    assert main(["profile", str(path), "--reference", reference, "-o", str(out)]) == 2
    assert "damaged Parquet file" in capsys.readouterr().err
    assert not out.exists()


def test_a_csv_file_counts_the_same_in_parts_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a byte-order mark, quoted line ends, stray quotes, empty lines and mixed line ends."""
    lines = ["home", '"a\nb"', '"a\r\n\r\nb"', 'in"ch', "motor", '"say ""hi"""', "\u00e9t\u00e9"]
    rows = [f"{n},{lines[n % 7]}" for n in range(50)]
    ends = ["\n", "\r\n", "\r", "\n\n"]
    text = "limit,line\n" + "".join(row + ends[n % 4] for n, row in enumerate(rows))
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    whole = [chunk for _, chunk in read_in_parts(path)]
    monkeypatch.setattr(data_file, "PART_ROWS", 3)
    parts = list(read_in_parts(path))
    assert [rows for rows, _ in parts] == [3] * 16 + [2]
    for name in ("limit", "line"):
        values = [value for _, chunk in parts for value in chunk[name]]
        assert len(values) == 50
        assert values == whole[0][name]


def read_in_parts(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the declared and the actual rows of each part."""
    file = data_file.split_data_file(str(path))
    return [
        (part.rows, chunk)
        for part in file.parts
        for chunk in data_file.read_part(str(path), part, file.names, {})
    ]


@pytest.mark.parametrize(("name", "value"), [("frozen", True), ("executable", "")])
def test_a_frozen_program_counts_in_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """Its executable is the program itself and not Python."""
    monkeypatch.setattr(data_file, "PART_ROWS", 500)
    monkeypatch.setattr(sys, name, value, raising=False)
    monkeypatch.setattr(subprocess, "Popen", None)
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(COLUMNS), path, row_group_size=500)
    assert Profile.read(path, reference=REFERENCE, workers=2).rows == 2_000


@pytest.mark.parametrize("workers", [0, -1, 1.5])
def test_fewer_than_one_worker_is_refused(tmp_path: Path, workers: Any) -> None:
    """The error is raised before a row is read."""
    pq.write_table(pa.table(COLUMNS), tmp_path / "rows.parquet")
    with pytest.raises(ConfigError, match="workers: expected 1 or more"):
        Profile.read(tmp_path / "rows.parquet", reference=REFERENCE, workers=workers)
