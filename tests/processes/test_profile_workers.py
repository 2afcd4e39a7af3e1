"""Files counted in several processes give the same bytes as in one."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from mlmonitor import FormatError, Profile
from mlmonitor.cli.main import main
from mlmonitor.fleet import data_file
from support.profiled_rows import AT, COLUMNS, FRAME, REFERENCE, counts

WHOLE = Profile.of(FRAME, reference=REFERENCE, segments=["line"], at=AT)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 300 rows, so that 2,000 rows are seven parts."""
    monkeypatch.setattr(data_file, "PART_ROWS", 300)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_the_bytes_of_a_profile_do_not_depend_on_the_number_of_workers(
    tmp_path: Path, ending: str
) -> None:
    """Digests are included, and the counts are those of all rows at once."""
    path = tmp_path / f"rows.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table(COLUMNS), path, row_group_size=100)
    else:
        pa_csv.write_csv(pa.table(COLUMNS), path)
    profiles = [
        Profile.read(path, reference=REFERENCE, segments=["line"], at=AT, workers=workers)
        for workers in (1, 2)
    ]
    assert counts(profiles[0]) == counts(WHOLE)
    assert profiles[0].to_bytes() == profiles[1].to_bytes()


def test_a_worker_refuses_an_unreadable_file_with_the_same_error_as_one_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part is damaged, and the command names its file."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(COLUMNS), path, row_group_size=300)
    data = bytearray(path.read_bytes())
    data[4_000:8_000] = bytes(4_000)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="data: a damaged Parquet file"):
        Profile.read(path, reference=REFERENCE, workers=2)
    REFERENCE.save(tmp_path / "r.json")
    command = ["profile", str(path), "--reference", str(tmp_path / "r.json"), "--workers", "2"]
    assert main([*command, "-o", str(tmp_path / "out.profile")]) == 2
    assert "damaged Parquet file" in capsys.readouterr().err
