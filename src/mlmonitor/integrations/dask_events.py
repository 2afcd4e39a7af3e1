"""Event files of Parquet, read by Dask: joined by its workers, and replayed in this process."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from mlmonitor.config import Config
from mlmonitor.errors import import_extra
from mlmonitor.integrations.event_reports import report_outcomes
from mlmonitor.monitor.monitor import Monitor
from mlmonitor.reference.reference import Reference
from mlmonitor.status.status import Status
from mlmonitor.store.backtest import BacktestResult, backtest
from mlmonitor.store.stored_event_files import (
    LABEL_COLUMNS,
    PREDICTION_COLUMNS,
    ModelFiles,
    convert_event,
)
from mlmonitor.store.stored_rows import CHUNK_ROWS, StoredRow, list_days

if TYPE_CHECKING:
    from dask.dataframe import DataFrame

__all__ = ["EventFolder", "backtest_events", "evaluate_events"]

_Filter = tuple[str, str, object]
_LABEL = ("prediction_id", "actual", "actual_class")


class EventFolder(ModelFiles):
    """The predictions of a model's version in a folder of `Files(format="parquet")`.

    until: exclusive. Any folder that Dask can read will do, such as one in an object store.
    """

    @classmethod
    def find(
        cls,
        folder: str,
        model: str,
        version: str = "",
        *,
        since: date | datetime | None = None,
        until: date | datetime | None = None,
    ) -> Self:
        """Return a model of a folder, by default with all its predictions.

        Raises:
            ConfigError: the folder has no such model, or the period is empty.
            MissingExtra: Dask is not installed.
        """
        events = _read_files(folder, "prediction", ["time"], _select_model(model, version))
        first = last = None
        if events is not None:
            import dask

            times = dask.compute(events["time"].min(), events["time"].max())
            first, last = (time.timestamp() if time == time else None for time in times)  # noqa: PLR0124 - NaT
        return cls.choose(folder, model, version, (first, last), since=since, until=until)

    def read(
        self, connection: object = None, *, chunk_rows: int = CHUNK_ROWS
    ) -> Iterator[list[StoredRow]]:
        """Yield the predictions with the first label of each, the oldest first.

        connection: not needed; the scheduler in use computes.
        Memory in this process: the predictions of a day. The labels are read once a day.
        """
        del connection
        arrow = import_extra("pyarrow", extra="parquet")
        for first, last in list_days(self.since, self.until):
            table = arrow.Table.from_pandas(self._join(first, last), preserve_index=False)
            for batch in table.to_batches(chunk_rows):
                yield [convert_event(row) for row in batch.to_pylist()]

    def withheld(self, connection: object = None) -> list[str]:
        """Return the features whose values were never sent, for privacy."""
        del connection
        entries = self._read("reference", ["field", "role", "withheld"])
        if entries is None:
            return []
        rows = entries[(entries["role"] == "feature") & entries["withheld"]]
        return sorted(rows["field"].unique().compute())

    def _read(self, schema: str, columns: list[str], *filters: _Filter) -> "DataFrame | None":
        selected = [*_select_model(self.model, self.version), *filters]
        return _read_files(self.folder, schema, columns, selected)

    def _join(self, first: datetime, last: datetime) -> Any:
        """Return the predictions of a day with their labels, as a sorted frame of pandas."""
        import pandas as pd

        period: list[_Filter] = [("time", ">=", first), ("time", "<", last)]
        predictions = self._read("prediction", list(PREDICTION_COLUMNS), *period)
        labels = self._read("label", list(LABEL_COLUMNS))
        if predictions is None:
            return pd.DataFrame(columns=["at"])
        if labels is None:
            frame = predictions.compute().assign(actual=None, actual_class=None)
        else:
            labels = labels.dropna(subset=["prediction_id"]).shuffle("prediction_id")
            own = labels.map_partitions(_keep_first)
            frame = predictions.merge(own, on="prediction_id", how="left").compute()
        frame = frame.drop_duplicates("event_id").sort_values(["time", "event_id"])
        since_epoch = frame["time"] - pd.Timestamp(0, tz="UTC")
        return frame.assign(at=since_epoch.dt.total_seconds())


def evaluate_events(events: EventFolder, monitor: Monitor) -> Status:
    """Report the predictions of a period with their labels to a monitor; return its status.

    Dask joins them; this process computes performance, cohorts and the verdict, in the order of
    their times, and exports what the monitor exports, under the names of a service.
    """
    return report_outcomes(None, events, monitor)


def backtest_events(
    events: EventFolder, reference: Reference, settings: Mapping[str, Config]
) -> dict[str, BacktestResult]:
    """Compare the predictions of a period with a reference, once for each setting, in one pass.

    Evidence depends on the order of rows, so this process replays them.

    Raises:
        ConfigError: there is no setting, or the reference has no field that the events hold.
    """
    return backtest(None, events, reference, settings)


def _read_files(
    folder: str, schema: str, columns: list[str], filters: list[_Filter]
) -> "DataFrame | None":
    """Read the complete files of one schema; None if there are none."""
    frames: Any = import_extra("dask.dataframe", extra="dask")
    files: Any = import_extra("fsspec.core", extra="dask")
    system, path = files.url_to_fs(folder)
    names = sorted(system.glob(f"{path}/{schema}-*.parquet"))
    if not names:
        return None
    paths = [system.unstrip_protocol(name) for name in names]
    return frames.read_parquet(paths, columns=columns, filters=filters)


def _select_model(model: str, version: str) -> list[_Filter]:
    return [("model", "==", model), ("model_version", "==", version)]


def _keep_first(labels: Any) -> Any:
    """Keep the first label by time of each prediction; a partition holds all labels of its ids."""
    ordered = labels.sort_values(["time", "event_id"])
    return ordered.drop_duplicates("prediction_id")[list(_LABEL)]
