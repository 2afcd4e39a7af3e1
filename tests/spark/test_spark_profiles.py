"""Profiles and references of Spark frames count all rows, whatever the partitioning."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlmonitor import ConfigError, Profile, Reference, SchemaError
from mlmonitor.integrations.spark import profile
from support.profiled_rows import AT, COLUMNS, FRAME, REFERENCE, ROWS, counts

pytest.importorskip("pyspark", reason="Spark is not installed here: `make spark` tests with it")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),  # a busy machine starts Spark in minutes
    pytest.mark.filterwarnings("default"),  # of Spark's own
]

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "spark_and_dask.md"
WHOLE = Profile.of(FRAME, reference=REFERENCE, segments=["line"], at=AT)
DAYS = [date(2025, 1, 1 + day) for day in np.arange(ROWS) % 3 // 2]


def place(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Assign a partition to each row: most to one, one row to another, none to several."""
    return np.where(rows == 7, 5, 0)


@pytest.fixture(scope="module")
def claims(spark: Any) -> Any:
    """The claims with their days, in one partition."""
    table = pa.table({**COLUMNS, "day": DAYS, "place": place(np.arange(ROWS))})
    return spark.createDataFrame(table).coalesce(1).cache()


@pytest.mark.parametrize("partitions", [1, 4, 20])
def test_every_partitioning_gives_the_counts_of_all_rows(claims: Any, partitions: int) -> None:
    """Distances are also identical bit for bit."""
    rows = claims.drop("day", "place").repartition(partitions)
    merged = profile(rows, REFERENCE, segments=["line"], at=AT)
    assert counts(merged) == counts(WHOLE)


def test_skewed_and_empty_partitions_count_the_same(claims: Any) -> None:
    """Nearly all rows are in one of eight partitions, and most partitions are empty."""
    rows = claims.repartition(8, "place").drop("day", "place")
    merged = profile(rows, REFERENCE, segments=["line"], at=AT)
    assert counts(merged) == counts(WHOLE)


def test_profiles_by_day_and_line_hold_the_rows_of_each_group(claims: Any) -> None:
    """They are computed in one pass; the day is not a feature, and the line is one."""
    frame = claims.drop("place").repartition(5)
    by_key = profile(frame, REFERENCE, by=["day", "line"], at=AT)
    lines = ["home", "marine", "motor", "travel"]
    assert list(by_key) == [(date(2025, 1, day), line) for day in (1, 2) for line in lines]
    pandas = FRAME.assign(day=DAYS)
    for (day, line), own in by_key.items():
        rows = pandas[(pandas["day"] == day) & (pandas["line"] == line)].drop(columns="day")
        assert counts(own) == counts(Profile.of(rows, reference=REFERENCE, at=AT))


def test_profiles_by_one_column_are_keyed_by_its_values(spark: Any) -> None:
    """Keys may be 32-bit integers, and rows without a key have a profile too."""
    frame = spark.createDataFrame(
        pa.table({**COLUMNS, "shop": pa.array([None, 1, 2, 2] * (ROWS // 4), pa.int32())})
    )
    by_shop = profile(frame.repartition(3), REFERENCE, by="shop", at=AT)
    assert {key: own.rows for key, own in by_shop.items()} == {1: 500, 2: 1_000, None: 500}
    assert list(by_shop) == [1, 2, None]


def test_a_frame_without_rows_has_an_empty_profile(claims: Any) -> None:
    """It has no groups either."""
    empty = claims.where("limit < -1")
    assert profile(empty, REFERENCE).rows == 0
    assert profile(empty, REFERENCE, by="day") == {}


def test_an_error_in_a_spark_executor_is_raised_as_an_error_of_mlmonitor(claims: Any) -> None:
    """The user does not get a Java stack trace."""
    with pytest.raises(SchemaError, match="at most 1,000 groups"):
        profile(claims, REFERENCE, by=["limit"])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"by": "shop"}, "by: there is no column"), ({"prediction": "score"}, "no column 'score'")],
)
def test_invalid_arguments_are_refused_before_spark_starts_to_work(
    claims: Any, options: dict[str, Any], message: str
) -> None:
    """The error says what is wrong."""
    with pytest.raises(ConfigError, match=message):
        profile(claims, REFERENCE, **options)


def test_a_fit_of_partitions_equals_a_fit_of_all_rows(claims: Any) -> None:
    """Rows are read in the order of partitions, and columns keep the names of the frame."""
    frame = claims.drop("day", "place")
    fitted = Reference.fit(frame, predictions="prediction", thresholds="asymptotic")
    features = pd.DataFrame(COLUMNS).drop(columns="prediction")
    expected = Reference.fit(features, predictions=FRAME["prediction"], thresholds="asymptotic")
    assert fitted == expected


def test_a_fit_of_many_partitions_sees_every_row(
    claims: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It samples as many rows as a fit keeps; the test lowers that limit."""
    monkeypatch.setattr("mlmonitor.reference.fitting.fit_reference.SAMPLE_ROWS", 200)
    frame = claims.repartition(8, "place").drop("day", "place")
    fitted = Reference.fit(frame, predictions="prediction", thresholds="asymptotic")
    assert (fitted.rows, fitted.content.rows_seen) == (200, ROWS)


def test_the_spark_example_of_the_guide_runs(
    spark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs in the session of the tests."""
    text = GUIDE.read_text(encoding="utf-8")
    block = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    exec(compile(block, "spark_and_dask", "exec"), {})  # noqa: S102 - our own page
    assert "2026-01-02 10000" in capsys.readouterr().out
