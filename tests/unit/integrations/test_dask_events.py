"""Event files read by Dask: performance, and alerts of a past period."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Config, ConfigError, Monitor
from support.claim_files import CLAIMS, ERRORS, LABELLED, REFERENCE, ROWS, START, write_claims

dask = pytest.importorskip("dask")
pytest.importorskip("dask.dataframe", exc_type=ImportError)

from mlmonitor.integrations.dask_events import (  # noqa: E402 - needs dask
    EventFolder,
    backtest_events,
    evaluate_events,
)

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # of Dask's own


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Run Dask in the calling thread, so that a failure shows its traceback."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with three days of predictions, two of them labelled and some labels sent twice."""
    path: Path = tmp_path_factory.mktemp("events")
    write_claims(path)
    return str(path)


def test_dask_performance_is_that_of_the_labelled_predictions(folder: str) -> None:
    """The first label counts, and predictions without a label stay in their cohorts."""
    events = EventFolder.find(folder, "claims", "7")
    assert events.since == START
    with Monitor("claims", version="7", reference=REFERENCE, exporters=[]) as monitor:
        status = evaluate_events(events, monitor)
    assert status.performance is not None
    assert status.performance.count == LABELLED
    mae = float(np.abs(ERRORS[:LABELLED]).mean())
    assert status.performance["mae"].value == pytest.approx(mae)
    assert sum(cohort.predicted for cohort in status.cohorts) == ROWS


def test_only_event_files_of_the_period_are_read(folder: str) -> None:
    """Rows come in order of time, across midnight; the end of the period is excluded."""
    first, last = START + timedelta(days=0.5), START + timedelta(days=1.5)
    events = EventFolder.find(folder, "claims", "7", since=first, until=last)
    chunks = list(events.read(chunk_rows=300))
    assert [len(chunk) for chunk in chunks] == [300, 200, 300, 200]
    rows = [row for chunk in chunks for row in chunk]
    assert [row["features"]["limit"] for row in rows] == CLAIMS["limit"][500:1_500].tolist()


def test_a_backtest_by_dask_finds_the_change_that_the_events_hold(folder: str) -> None:
    """The limit grew in the middle."""
    events = EventFolder.find(folder, "claims", "7")
    result = backtest_events(events, REFERENCE, {"strict": Config(alpha=0.01)})["strict"]
    assert result.rows == ROWS
    assert "limit" in {alert.field for alert in result.fired}


def test_predictions_without_any_label_have_no_actuals(folder: str, tmp_path: Path) -> None:
    """A folder without files of labels can be read."""
    for file in Path(folder).glob("prediction-*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    events = EventFolder.find(str(tmp_path), "claims", "7")
    assert {row["actual"] for chunk in events.read() for row in chunk} == {None}
    assert events.withheld() == []


@pytest.mark.parametrize("model", ["claims", "other"])
def test_a_version_that_no_event_file_holds_is_refused(
    model: str, folder: str, tmp_path: Path
) -> None:
    """The error distinguishes another version, another model and another folder."""
    for place in (folder, str(tmp_path / "none")):
        with pytest.raises(ConfigError, match="there are no predictions"):
            EventFolder.find(place, model, "8")
