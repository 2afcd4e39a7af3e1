"""Event files in Parquet: Spark joins and sorts them, and the driver replays them."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.integrations.event_reports import report_outcomes
from mlmonitor.monitor.monitor import Monitor
from mlmonitor.reference.reference import Reference
from mlmonitor.status.status import Status
from mlmonitor.store.backtest import BacktestResult, backtest
from mlmonitor.store.stored_event_files import ModelFiles, convert_event
from mlmonitor.store.stored_rows import CHUNK_ROWS, StoredRow

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["EventFiles", "backtest_events", "evaluate_events"]


class EventFiles(ModelFiles):
    """The predictions of one model version in a folder written by `Files(format="parquet")`.

    since, until: the period, from `since` until just before `until`. The folder may be any that
    Spark can read, such as one in an object store.
    """

    @classmethod
    def find(
        cls,
        spark: "SparkSession",
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
        """
        events = _read_files(spark, folder, "prediction")
        first = last = None
        if events is not None:
            events = _select_model(events, model, version)
            first, last = events.selectExpr(_seconds("min"), _seconds("max")).collect()[0]
        return cls.choose(folder, model, version, (first, last), since=since, until=until)

    def read(
        self, connection: "SparkSession", *, chunk_rows: int = CHUNK_ROWS
    ) -> Iterator[list[StoredRow]]:
        """Yield predictions, the oldest first, each with its first label, in chunks.

        Memory on the driver: two partitions of the sorted predictions.
        """
        joined = self._join(connection).orderBy("at", "event_id")
        chunk: list[StoredRow] = []
        for row in joined.toLocalIterator(prefetchPartitions=True):
            chunk.append(convert_event(row.asDict()))
            if len(chunk) == chunk_rows:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def withheld(self, connection: "SparkSession") -> list[str]:
        """Return the features whose values were never sent as events, for privacy."""
        entries = self._read(connection, "reference")
        if entries is None:
            return []
        rows = entries.where("role = 'feature' and withheld").select("field").distinct()
        return [row["field"] for row in rows.collect()]

    def _join(self, spark: "SparkSession") -> "DataFrame":
        predictions = self._read(spark, "prediction")
        if predictions is None:
            raise ConfigError("folder: there are no predictions")
        predictions = (
            predictions.dropDuplicates(["event_id"])
            .withColumn("at", _cast_seconds(predictions["time"]))
            .where(f"at >= {self.since.timestamp()!r} and at < {self.until.timestamp()!r}")
        )
        labels = self._read(spark, "label")
        if labels is None:
            return predictions.selectExpr("*", "null as actual", "null as actual_class")
        first = (  # the first label by time counts
            labels.where("prediction_id is not null")
            .groupBy("prediction_id")
            .agg(_first_by_time())
            .selectExpr("prediction_id", "label.actual", "label.actual_class")
        )
        return predictions.join(first, "prediction_id", "left")

    def _read(self, spark: "SparkSession", schema: str) -> "DataFrame | None":
        events = _read_files(spark, self.folder, schema)
        return None if events is None else _select_model(events, self.model, self.version)


def evaluate_events(spark: "SparkSession", events: EventFiles, monitor: Monitor) -> Status:
    """Record the labelled predictions of a period in a monitor; return its status.

    Spark joins and sorts predictions and labels. The driver computes performance, cohorts and the
    verdict in the order of prediction times, and the monitor exports them like those of a service.
    """
    return report_outcomes(spark, events, monitor)


def backtest_events(
    spark: "SparkSession",
    events: EventFiles,
    reference: Reference,
    settings: Mapping[str, Config],
) -> dict[str, BacktestResult]:
    """Compare the predictions of a period with a reference under each setting, in one pass.

    Evidence depends on the order of rows, so Spark sorts them and the driver replays them.

    Raises:
        ConfigError: `settings` is empty, or events and reference have no field in common.
    """
    return backtest(spark, events, reference, settings)


def _read_files(spark: "SparkSession", folder: str, schema: str) -> "DataFrame | None":
    """Read the completely written files of one event schema; None if there are none."""
    from pyspark.errors import AnalysisException

    try:
        return spark.read.option("pathGlobFilter", f"{schema}-*.parquet").parquet(folder)
    except AnalysisException:  # no folder, or no file to read the columns from
        return None


def _select_model(events: "DataFrame", model: str, version: str) -> "DataFrame":
    return events.where((events["model"] == model) & (events["model_version"] == version))


def _seconds(function: str) -> str:
    return f"cast({function}(time) as double)"


def _cast_seconds(column: Any) -> Any:
    return column.cast("double")


def _first_by_time() -> Any:
    from pyspark.sql import functions

    value = functions.struct("actual", "actual_class")
    return functions.min_by(value, functions.struct("time", "event_id")).alias("label")
