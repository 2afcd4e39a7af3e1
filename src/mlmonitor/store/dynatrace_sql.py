# ruff: noqa: S608 - `quote` escapes every value; the queries are written to a configuration
"""SQL queries for Dynatrace, which reads single numbers from a database on a schedule.

The old extension (`custom.remote.python.dbquery`) accepts ten queries per endpoint. It reports the
first column of the first row as the metric `custom.db.query` with the dimension `query_name`. The
new extension (Extensions 2.0) reads whole rows; its `extension.yaml` ships with this package.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mlmonitor.errors import ConfigError
from mlmonitor.store.schema import read_sql

QUERIES_PER_ENDPOINT = 10
FREQUENT, HOURLY = "*/5 * * * *", "0 * * * *"
_PLAIN = re.compile(r"[A-Za-z0-9_.: ]*(?:-[A-Za-z0-9_.: ]+)*")  # no quotes and no comment marks


class SqlQuery(NamedTuple):
    """A query that returns one number, with its schedule in cron format."""

    name: str
    schedule: str
    sql: str


def quote(text: str) -> str:
    """Return a text as an SQL expression in which quotes and comment marks cannot take effect."""
    if _PLAIN.fullmatch(text):
        return f"'{text}'"
    return f"convert_from(decode('{text.encode().hex()}', 'hex'), 'UTF8')"


def model_queries(model: str, version: str) -> list[SqlQuery]:
    """Return the queries of one model: traffic, averages, drift, performance."""
    where = f"model = {quote(model)} AND model_version = {quote(version)}"
    day = f"{where} AND span = 'day' AND segment = 'all'"
    drift = f"SELECT {{}} FROM mlmonitor.prediction_drift WHERE {day} AND field = 'prediction'"
    drift += " ORDER BY time DESC LIMIT 1"
    traffic = f"SELECT {{}} FROM mlmonitor.traffic WHERE {day} ORDER BY time DESC LIMIT 1"
    cohort = f"SELECT {{}} FROM mlmonitor.cohort WHERE {where} AND labelled > 0"
    firing = (
        "SELECT count(*) FROM (SELECT DISTINCT ON (alert_id) state FROM mlmonitor.alert "
        f"WHERE {where} ORDER BY alert_id, time DESC) AS latest WHERE state = 'firing'"
    )
    age = f"extract(epoch FROM now() - max(time)) FROM mlmonitor.traffic WHERE {where}"
    return [
        SqlQuery("predictions", FREQUENT, traffic.format("predictions")),
        SqlQuery("error_rate", FREQUENT, traffic.format("coalesce(error_rate, 0)")),
        SqlQuery("training_average", HOURLY, drift.format("training_average")),
        SqlQuery("prediction_average", FREQUENT, drift.format("prediction_average")),
        SqlQuery("prediction_drift", FREQUENT, drift.format("prediction_drift")),
        SqlQuery("feature_drift", FREQUENT, drift.format("feature_drift")),
        SqlQuery("mae", HOURLY, cohort.format("sum(mae * labelled) / sum(labelled)")),
        SqlQuery(
            "labelled_share", HOURLY, cohort.format("sum(labelled) / sum(predictions)::float8")
        ),
        SqlQuery("alerts_firing", FREQUENT, firing),
        SqlQuery("data_age_seconds", FREQUENT, f"SELECT {age} AND span = 'hour'"),
    ]


def field_queries(model: str, version: str, field: str) -> list[SqlQuery]:
    """Return the queries of one numeric feature, such as the claimed amount."""
    where = f"model = {quote(model)} AND model_version = {quote(version)} AND segment = 'all'"
    where += f" AND field = {quote(field)} AND role = 'feature'"
    live = f"FROM mlmonitor.anomaly_band WHERE {where} AND span = 'day' ORDER BY time DESC LIMIT 1"
    drift = f"FROM mlmonitor.data_drift WHERE {where} AND span = 'day' ORDER BY time DESC LIMIT 1"
    trained = f"FROM mlmonitor.reference_statistics WHERE {where}"
    return [
        SqlQuery("total_amount", FREQUENT, f"SELECT mean * count {live}"),
        SqlQuery("average_amount", FREQUENT, f"SELECT mean {live}"),
        SqlQuery("deviation", FREQUENT, f"SELECT stddev {live}"),
        SqlQuery("minimum", FREQUENT, f"SELECT minimum {live}"),
        SqlQuery("maximum", FREQUENT, f"SELECT maximum {live}"),
        SqlQuery("outlier_share", FREQUENT, f"SELECT outlier_share {live}"),
        SqlQuery("psi", FREQUENT, f"SELECT psi {drift}"),
        SqlQuery("total_by_history", HOURLY, f"SELECT total {trained}"),
        SqlQuery("training_average", HOURLY, f"SELECT mean {trained}"),
        SqlQuery("training_deviation", HOURLY, f"SELECT stddev {trained}"),
    ]


def kpi_queries(model: str, version: str, names: list[str]) -> list[SqlQuery]:
    """Return one query for each business figure: its total on the newest day."""
    where = f"model = {quote(model)} AND model_version = {quote(version)} AND segment = 'all'"
    return [
        SqlQuery(
            name,
            FREQUENT,
            f"SELECT total FROM mlmonitor.kpi_daily WHERE {where} AND name = {quote(name)} "
            "ORDER BY time DESC LIMIT 1",
        )
        for name in names
    ]


def endpoints(name: str, queries: list[SqlQuery]) -> Iterator[Mapping[str, object]]:
    """Yield configurations of endpoints of the old extension, with ten queries each.

    Address, user and password of the database are entered in Dynatrace; they are not included.

    Raises:
        ConfigError: two queries have the same name, by which Dynatrace distinguishes them.
    """
    if len({query.name for query in queries}) < len(queries):
        raise ConfigError("queries: expected different names")
    for start in range(0, len(queries), QUERIES_PER_ENDPOINT):
        properties = {}
        for place, query in enumerate(queries[start : start + QUERIES_PER_ENDPOINT], start=1):
            properties[f"query_{place}_name"] = query.name
            properties[f"query_{place}_schedule"] = query.schedule
            properties[f"query_{place}_value"] = query.sql
        number = start // QUERIES_PER_ENDPOINT + 1
        yield {
            "extensionId": "custom.remote.python.dbquery",
            "enabled": True,
            "endpointName": name if number == 1 else f"{name} {number}",
            "properties": properties,
        }


def read_extension() -> str:
    """Return the `extension.yaml` for Extensions 2.0, which the user signs and uploads."""
    return read_sql("dynatrace", "extension.yaml")
