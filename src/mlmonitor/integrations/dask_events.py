"""Event files in Parquet: Dask joins predictions and labels, and this process replays them."""

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
    """The predictions of one model version in a folder written by `Files(format="parquet")`.

    since, until: the period, from `since` until just before `until`. The folder may be any that
    Dask can read, such as one in an object store.
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
        """Find a model in a folder; the period is by default that of all its predictions.

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
        """Yield predictions, the oldest first, each with its first label, in chunks.

        connection: ignored; Dask's current scheduler does the work.
        Memory in this process: the predictions of one day. All labels are read again for each day.
        """
        del connection
        arrow = import_extra("pyarrow", extra="parquet")
        for first, last in list_days(self.since, self.until):
            table = arrow.Table.from_pandas(self._join(first, last), preserve_index=False)
            for batch in table.to_batches(chunk_rows):
                yield [convert_event(row) for row in batch.to_pylist()]

    def withheld(self, connection: object = None) -> list[str]:
        """Return the features whose values were never sent as events, for privacy."""
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
        """Return the predictions of a day with their labels, as a pandas frame sorted by time."""
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
    """Record the labelled predictions of a period in a monitor; return its status.

    Dask joins predictions and labels. This process computes performance, cohorts and the verdict in
    the order of prediction times, and the monitor exports them like those of a service.
    """
    return report_outcomes(None, events, monitor)


def backtest_events(
    events: EventFolder, reference: Reference, settings: Mapping[str, Config]
) -> dict[str, BacktestResult]:
    """Compare the predictions of a period with a reference under each setting, in one pass.

    Evidence depends on the order of rows, so this process replays them in order.

    Raises:
        ConfigError: `settings` is empty, or events and reference have no field in common.
    """
    return backtest(None, events, reference, settings)


def _read_files(
    folder: str, schema: str, columns: list[str], filters: list[_Filter]
) -> "DataFrame | None":
    """Read the completely written files of one event schema; None if there are none."""
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
    """Keep the earliest label of each prediction; all labels of an id are in one partition."""
    ordered = labels.sort_values(["time", "event_id"])
    return ordered.drop_duplicates("prediction_id")[list(_LABEL)]
