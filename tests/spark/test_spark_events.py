"""Event files read by Spark: performance, and alerts of a past period."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, ConfigError, Monitor
from support.claim_files import CLAIMS, ERRORS, LABELLED, REFERENCE, ROWS, START, write_claims

pytest.importorskip("pyspark", reason="Spark is not installed here: `make spark` tests with it")

from mlmonitor.integrations.spark_events import (
    EventFiles,
    backtest_events,
    evaluate_events,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),  # a busy machine starts Spark in minutes
    pytest.mark.filterwarnings("default"),  # of Spark's own
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three days of predictions, two of them labelled and some labels sent twice."""
    path: Path = tmp_path_factory.mktemp("events")
    write_claims(path)
    return path


def test_spark_performance_is_that_of_the_labelled_predictions(spark: Any, folder: Path) -> None:
    """The first label counts, and predictions without a label stay in their cohorts."""
    events = EventFiles.find(spark, str(folder), "claims", "7")
    assert events.since == START
    with Monitor("claims", version="7", reference=REFERENCE, exporters=[]) as monitor:
        status = evaluate_events(spark, events, monitor)
    assert status.performance is not None
    assert status.performance.count == LABELLED
    mae = float(np.abs(ERRORS[:LABELLED]).mean())
    assert status.performance["mae"].value == pytest.approx(mae)
    predicted = {f"{cohort.start:%d}": cohort.predicted for cohort in status.cohorts}
    assert sum(predicted.values()) == ROWS


def test_only_events_of_the_period_are_read(spark: Any, folder: Path) -> None:
    """The end of the period is excluded, and events are read in order of time."""
    days = {"since": START + timedelta(days=1), "until": START + timedelta(days=2)}
    events = EventFiles.find(spark, str(folder), "claims", "7", **days)
    rows = [row for chunk in events.read(spark, chunk_rows=300) for row in chunk]
    assert [row["features"]["limit"] for row in rows] == CLAIMS["limit"][1_000:2_000].tolist()


def test_a_backtest_finds_the_change_that_the_events_hold(spark: Any, folder: Path) -> None:
    """The limit grew in the middle, and the alerts of two settings are compared."""
    events = EventFiles.find(spark, str(folder), "claims", "7")
    settings = {"strict": Config(alpha=0.01), "before": Config(alpha=0.01)}
    results = backtest_events(spark, events, REFERENCE, settings)
    assert results["strict"].rows == ROWS
    assert "limit" in {alert.field for alert in results["strict"].fired}
    half = EventFiles.find(
        spark, str(folder), "claims", "7", until=START + timedelta(seconds=86.4 * 1_500)
    )
    calm = backtest_events(spark, half, REFERENCE, settings)["before"]
    assert (calm.rows, calm.fired) == (1_500, [])


@pytest.mark.parametrize("model", ["claims", "other"])
def test_a_model_or_version_that_is_not_in_the_folder_is_refused(
    spark: Any, folder: Path, model: str
) -> None:
    """The error distinguishes another version, another model and another folder."""
    for place in (folder, folder / "none"):
        with pytest.raises(ConfigError, match="there are no predictions"):
            EventFiles.find(spark, str(place), model, "8")
