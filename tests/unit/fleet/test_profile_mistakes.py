"""Profiles of rows that do not fit the model are refused or logged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlmonitor import ConfigError, FormatError, MonitorError, Profile, SchemaError
from support.references import fit_reference

ROWS = 40
COLUMNS: dict[str, Any] = {"age": np.arange(float(ROWS)), "line": ["home", "motor"] * (ROWS // 2)}
PREDICTIONS = np.arange(float(ROWS))
REFERENCE = fit_reference(COLUMNS, predictions=PREDICTIONS)


def count(rows: Any, predictions: Any = None) -> Callable[[Path], object]:
    """Count rows in memory."""
    return lambda _folder: Profile.of(rows, predictions, reference=REFERENCE)


def read(text: str, name: str = "rows.csv") -> Callable[[Path], object]:
    """Count a file with this content."""

    def write_and_read(folder: Path) -> Profile:
        (folder / name).write_text(text, encoding="utf-8")
        return Profile.read(folder / name, reference=REFERENCE)

    return write_and_read


MISTAKES: dict[str, tuple[Callable[[Path], object], type[MonitorError], str]] = {
    "a frame without a column": (
        count(pd.DataFrame(COLUMNS).rename(columns={"age": "Age"})),
        ConfigError,
        r"features: has no column 'age' \(there is 'Age'\), which the reference has: .* ignore=",
    ),
    "columns without one": (count({"age": [1.0]}), ConfigError, "features: has no column 'line'"),
    "rows without a value": (count([{"age": 1.0}]), ConfigError, "has no column 'line'"),
    "a second chunk without a column": (
        count(iter([pd.DataFrame(COLUMNS), pd.DataFrame({"age": [1.0]})])),
        ConfigError,
        "has no column 'line'",
    ),
    "a narrow array": (
        count(np.ones((3, 1))),
        SchemaError,
        r"features: expected 2 values by position \(age, line\), got 1",
    ),
    "two columns of one name": (
        count(pd.DataFrame(np.ones((3, 3)), columns=["age", "age", "line"])),
        SchemaError,
        "features: expected each column name once, got 'age' twice",
    ),
    "a file without a column": (
        read("age,prediction\n1,2\n"),
        ConfigError,
        "data: has no column 'line'",
    ),
    "a row too long": (
        read("age,line,prediction\n1,home,2\n1,home,2,3\n"),
        FormatError,
        "data: line 3: expected 3 values, as there are names in the first line, got 4",
    ),
    "a row too short": (read("age,line\n1\n"), FormatError, "data: line 2: expected 2 values"),
    "an empty file": (read(""), FormatError, "names of the columns, got none: is the file empty"),
    "semicolons": (
        read("age;line\n1;home\n"),
        FormatError,
        "data: expected commas between the values, got semicolons",
    ),
    "a name twice": (
        read("age,age,line\n1,1,home\n"),
        FormatError,
        "data: expected each column name once, got 'age' twice",
    ),
    "merged with nothing": (
        lambda _: Profile().merge(None),  # type: ignore[arg-type]  # wrong on purpose
        ConfigError,
        "profile: expected a Profile, .* got NoneType",
    ),
    "merged with a class": (
        lambda _: Profile().merge(Profile),  # type: ignore[arg-type]  # wrong on purpose
        ConfigError,
        "got the class Profile, not an instance",
    ),
    "one earlier profile": (
        lambda _: Profile().status(REFERENCE, earlier=Profile()),  # type: ignore[arg-type]  # wrong on purpose
        ConfigError,
        "earlier: expected a list of profiles, got one Profile",
    ),
    "a frame for a path": (
        lambda _: Profile.read(pd.DataFrame(COLUMNS), reference=REFERENCE),  # type: ignore[arg-type]  # wrong on purpose
        ConfigError,
        "data: expected the path of a file, got DataFrame",
    ),
    "too few predictions": (
        count(COLUMNS, PREDICTIONS[:3]),
        SchemaError,
        f"the rows cannot be read: predictions: expected one for each of the {ROWS} rows, got 3",
    ),
    "a time that is a word": (
        lambda _: Profile.of(COLUMNS, reference=REFERENCE, at="now"),  # type: ignore[arg-type]  # wrong on purpose
        ConfigError,
        "at: expected seconds since 1970 or a datetime, got str",
    ),
    "text for bytes": (
        lambda _: Profile.from_bytes("x"),  # type: ignore[arg-type]  # wrong on purpose
        FormatError,
        "fleet profile: expected bytes, got str",
    ),
}


@pytest.mark.parametrize(("mistake", "kind", "answer"), MISTAKES.values(), ids=MISTAKES)
def test_rows_that_do_not_fit_the_model_are_refused_with_the_remedy(
    mistake: Callable[[Path], object], kind: type[MonitorError], answer: str, tmp_path: Path
) -> None:
    """Their profile would fire alerts about vanished columns hours later."""
    with pytest.raises(kind, match=answer):
        mistake(tmp_path)


def test_additional_columns_are_counted_and_shown_in_the_status() -> None:
    """A table often has more columns than the model reads."""
    rows = pd.DataFrame(COLUMNS).assign(prediction=PREDICTIONS, branch="a")
    assert Profile.of(rows, reference=REFERENCE).status(REFERENCE).unknown_fields == {
        "branch": ROWS
    }


def test_a_missing_column_can_be_ignored() -> None:
    """The error suggests it."""
    rows = {"age": COLUMNS["age"], "prediction": PREDICTIONS}
    assert Profile.of(rows, reference=REFERENCE, ignore=["line"]).rows == ROWS


def test_a_file_without_rows_is_counted_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An hour may have no traffic, or its export may have failed."""
    pq.write_table(pa.table({**COLUMNS, "prediction": PREDICTIONS}).slice(0, 0), tmp_path / "r.pq")
    assert Profile.read(tmp_path / "r.pq", reference=REFERENCE).rows == 0
    assert "profile: there are no rows to count" in caplog.text


def test_rows_without_predictions_are_counted_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reference has predictions, so they count as missing."""
    assert Profile.of(COLUMNS, reference=REFERENCE).rows == ROWS
    assert "the reference has predictions (prediction), but no row has one" in caplog.text
