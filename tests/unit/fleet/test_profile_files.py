"""`mlmonitor profile` and `mlmonitor fleet`: files in, one status out."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from mlmonitor import ConfigError, FormatError, Profile
from mlmonitor.cli.main import main
from support.shown_models import claims_reference
from unit.fleet.test_profile_merging import COLUMNS, FRAME

REFERENCE = claims_reference()


@pytest.fixture
def reference(tmp_path: Path) -> str:
    """A saved reference."""
    REFERENCE.save(tmp_path / "r.json")
    return str(tmp_path / "r.json")


def test_files_of_many_processes_become_one_status(
    tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parquet and CSV, counted apart and merged, count as the frame does."""
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
    assert main(["fleet", *profiles, "--reference", reference, "--fail-on-alert"]) == 1
    assert "alerts firing" in capsys.readouterr().out


def test_a_file_that_is_no_profile_is_named(
    tmp_path: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a reference nor a missing file is a profile."""
    assert main(["fleet", reference, "--reference", reference]) == 2
    assert reference in capsys.readouterr().err
    assert main(["fleet", str(tmp_path / "none"), "--reference", reference]) == 2
    assert "No such file" in capsys.readouterr().err


def test_files_that_are_not_of_this_model_are_refused(tmp_path: Path) -> None:
    """By their ending, their content, their columns, and the column that was asked for."""
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
