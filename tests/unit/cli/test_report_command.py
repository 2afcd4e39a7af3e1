"""`mlmonitor report`: reads files, writes a report, and sets the exit status."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlmonitor.cli.main import main
from mlmonitor.fleet.data_file import open_data_file
from mlmonitor.records import Kind
from support.references import fit_reference
from support.shown_models import Columns, claims_reference, draw_claims, predict


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a saved reference."""
    path = tmp_path_factory.mktemp("reference") / "claims.reference.json"
    claims_reference().save(path)
    return path


def draw(rows: int, *, is_shifted: bool) -> Columns:
    """Draw claims with predictions and actuals."""
    rng = np.random.default_rng(9)
    claims = draw_claims(rng, rows, is_shifted=is_shifted)
    predictions = predict(claims)
    return {**claims, "prediction": predictions, "actual": predictions + rng.normal(0, 200, rows)}


def write(path: Path, columns: Columns) -> Path:
    """Write columns in the format that the path's ending names."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path, row_group_size=700)
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*[np.asarray(c).tolist() for c in columns.values()], strict=True))
    return path


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_the_report_of_a_shifted_file_fails_and_that_of_an_unshifted_one_passes(
    reference: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both kinds of reports count every row."""
    out = tmp_path / "report.json"
    for is_shifted, expected in ((False, 0), (True, 1)):
        data = write(tmp_path / f"current.{ending}", draw(3_000, is_shifted=is_shifted))
        arguments = ["report", str(reference), str(data), "-o", str(out), "--fail-on", "alert"]
        assert main([*arguments, "-o", str(tmp_path / "report.html")]) == expected
        status = json.loads(out.read_text(encoding="utf-8"))["status"]
        assert status["predictions"] == status["window_rows"] == 3_000
        assert status["labels"]["matched"] == 3_000
        assert status["dropped"] == 0
    assert "limit" in capsys.readouterr().out
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_csv_and_a_parquet_file_give_the_same_report(reference: Path, tmp_path: Path) -> None:
    """Both are written from the same columns."""
    reports = []
    for ending in ("parquet", "csv"):
        data = write(tmp_path / f"current.{ending}", draw(500, is_shifted=True))
        out = tmp_path / "report.json"
        main(["report", str(reference), str(data), "-o", str(out), "--quiet"])
        fields = json.loads(out.read_text(encoding="utf-8"))["status"]["fields"]
        reports.append({f["name"]: (f["count"], f["mean"], f["psi"]) for f in fields})
    assert reports[0].keys() == reports[1].keys()
    for name, (count, mean, psi) in reports[0].items():
        other = reports[1][name]
        assert count == other[0]
        assert mean == (None if mean is None else pytest.approx(other[1]))
        assert psi == pytest.approx(other[2])


def test_without_a_condition_a_shift_does_not_fail_the_command(
    reference: Path, tmp_path: Path
) -> None:
    """The report shows the shift, and the exit status is 0."""
    data = write(tmp_path / "current.csv", draw(2_000, is_shifted=True))
    assert main(["report", str(reference), str(data), "--quiet"]) == 0
    assert main(["report", str(reference), str(data), "--quiet", "--fail-on", "moved"]) == 1
    assert main(["report", str(reference), str(data), "--quiet", "--fail-on", "alert"]) == 1


def test_columns_with_other_names_can_be_mapped(reference: Path, tmp_path: Path) -> None:
    """The options name the predictions and actuals of the file."""
    columns = draw(400, is_shifted=False)
    columns["score"], columns["cost"] = columns.pop("prediction"), columns.pop("actual")
    data, out = write(tmp_path / "current.parquet", columns), tmp_path / "r.json"
    arguments = ["report", str(reference), str(data), "-o", str(out), "--quiet"]
    assert main([*arguments, "--prediction", "score", "--actual", "cost"]) == 0
    status = json.loads(out.read_text(encoding="utf-8"))["status"]
    assert status["labels"]["matched"] == 400
    prediction = next(f for f in status["fields"] if f["role"] == "prediction")
    assert (prediction["name"], prediction["count"]) == ("prediction", 400)
    assert status["unknown_fields"] == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.csv"], "No such file"),
        (["rows.xlsx"], r".parquet or .csv"),
        (["rows.csv", "-o", "report.pdf"], ".html or .json"),
        (["rows.csv", "--prediction", "other"], "no column 'other'"),
        (["strange.csv"], "no column of the reference"),
        (["twice.csv"], "expected each column name once, got 'limit' twice"),
        (["binary.csv"], "not a CSV file in UTF-8"),
        (["text.parquet"], "not a Parquet file"),
    ],
)
def test_a_wrong_argument_of_report_is_named_in_the_error(
    reference: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    """The message is on standard error, and the exit status is 2."""
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("limit,line\n1,home\n", encoding="utf-8")
    Path("strange.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    Path("twice.csv").write_text("limit,limit\n1,2\n", encoding="utf-8")
    Path("binary.csv").write_bytes(b"limit\n\xff\xfe\n")
    Path("text.parquet").write_text("limit\n", encoding="utf-8")
    assert main(["report", str(reference), *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_values_of_a_csv_file_are_read_as_the_reference_declares_them(tmp_path: Path) -> None:
    """They are numbers, booleans, times, codes with leading zeros, missing values and texts."""
    path = tmp_path / "rows.csv"
    path.write_text(
        "n,b,t,c\n1.5,True,2026-01-02T03:04:05,007\n,no,2026-01-02,\nlots,maybe,soon,x\n2,,,\n\n",
        encoding="utf-8-sig",
    )
    kinds = {"n": Kind.NUMERIC, "b": Kind.BOOLEAN, "t": Kind.DATETIME, "c": Kind.CATEGORICAL}
    data = open_data_file(str(path), kinds)
    (columns,) = data.chunks
    assert data.rows == 4
    assert columns["n"] == [1.5, None, "lots", 2.0]
    assert columns["b"] == [True, False, "maybe", None]
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert columns["t"] == [moment, datetime(2026, 1, 2, tzinfo=UTC), "soon", None]
    assert columns["c"] == ["007", None, "x", None]


def test_the_columns_of_a_parquet_file_keep_their_kinds(tmp_path: Path) -> None:
    """Dictionaries, times, nulls and booleans are read as such."""
    rng = np.random.default_rng(4)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    columns: dict[str, Any] = {
        "n": [None if i % 10 == 0 else float(i % 7) for i in range(300)],
        "c": pa.array(rng.choice(["a", "b"], 300)).dictionary_encode(),
        "t": [start + timedelta(hours=i % 50) for i in range(300)],
        "b": [i % 3 == 0 for i in range(300)],
        "k": pa.array([i % 5 for i in range(300)], pa.int32()),
    }
    table = pa.table(columns)
    path, out = tmp_path / "rows.parquet", tmp_path / "r.json"
    pq.write_table(table, path)
    reference = tmp_path / "ref.json"
    fit_reference(table, predictions=rng.normal(0, 1, 300)).save(reference)
    assert main(["report", str(reference), str(path), "-o", str(out), "--quiet"]) == 0
    fields = json.loads(out.read_text(encoding="utf-8"))["status"]["fields"]
    missing = {f["name"]: f["window_quality"]["missing"] for f in fields if f["role"] == "feature"}
    assert missing == {"n": 30, "c": 0, "t": 0, "b": 0, "k": 0}
    assert all(f["psi"] < 0.01 for f in fields if f["role"] == "feature" and f["psi"] is not None)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_the_report_of_a_file_without_rows_fails(
    reference: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty export is no evidence that nothing has changed."""
    columns = {name: values[:0] for name, values in draw(10, is_shifted=False).items()}
    data, out = write(tmp_path / f"current.{ending}", columns), tmp_path / "report.json"
    arguments = ["report", str(reference), str(data), "-o", str(out), "--fail-on", "alert"]
    assert main(arguments) == 2
    assert "current: has no rows" in capsys.readouterr().err
    assert not out.exists()
