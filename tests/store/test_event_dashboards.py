"""Every SQL panel of the shipped dashboards runs in a real PostgreSQL and shows its numbers."""

import json
import re
import runpy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from mlmonitor.present.dashboards.shipped_files import render_files
from mlmonitor.stats.distance import psi

STACK = Path(__file__).parents[2] / "examples" / "stack"
Connection = psycopg.Connection[tuple[Any, ...]]

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
HOURS = 3
REFERENCE = "r" * 32
TRAINED = [100, 200, 100]
LIVE = [40, 80, 120]
"""Of each hour, by bin."""

MODEL = {"model": "claims", "model_version": "7"}
CHOICES = {
    "model": ["claims"],
    "version": ["7"],
    "segment": ["all"],
    "span": ["hour"],
    "field": ["amount"],
    "dimension": ["amount"],
}


def insert(connection: Connection, table: str, **values: Any) -> None:
    """Insert a row; columns not given are 0, empty or now."""
    columns = connection.execute(
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'mlmonitor' and table_name = %s and column_default is null",
        (table,),
    ).fetchall()
    blank = {
        "bigint": 0,
        "integer": 0,
        "double precision": 0.0,
        "text": "",
        "uuid": uuid4(),
        "boolean": False,
        "jsonb": "[]",
        "timestamp with time zone": NOW,
        "ARRAY": [],
    }
    row = {name: blank[kind] for name, kind, nullable in columns if nullable == "NO"} | values
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(["%s"] * len(row))
    connection.execute(
        f"insert into mlmonitor.{table} ({names}) values ({places})",
        list(row.values()),
    )


def fill(connection: Connection) -> None:
    """Store a model with a feature and a prediction, for three hours in two shards each."""
    of_reference = {**MODEL, "reference_id": REFERENCE, "segment": "all"}
    insert(connection, "active_reference", **MODEL, reference_id=REFERENCE)
    for role, field in (("feature", "amount"), ("prediction", "prediction")):
        key = {**of_reference, "role": role, "field": field}
        insert(
            connection,
            "reference",
            **key,
            kind="numeric",
            rows=sum(TRAINED),
            mean=100.0,
            stddev=10.0,
            band_low=70.0,
            band_high=130.0,
            quantiles="[[0.25, 90], [0.5, 100], [0.75, 110]]",
        )
        for position, count in enumerate(TRAINED, 1):
            insert(connection, "reference_bin", **key, position=position, count=count)
        for hour in range(HOURS):
            for shard in range(2):
                insert(
                    connection,
                    "rollup_field",
                    **key,
                    span="hour",
                    time=NOW - timedelta(hours=hour),
                    shard=shard,
                    valid=120,
                    count=120,
                    mean=115.0,
                    m2=120.0 * 100.0,
                    min=80.0,
                    max=150.0,
                    above=6,
                    bins=[count // 2 for count in LIVE],
                )
    fill_traffic(connection)


def fill_traffic(connection: Connection) -> None:
    """Store traffic, outcomes, figures, an alert and a verdict."""
    day = NOW.replace(hour=0)
    for span, time in (("hour", NOW), ("day", day)):
        insert(
            connection,
            "rollup_traffic",
            **MODEL,
            segment="all",
            span=span,
            time=time,
            predictions=100,
            failed=2,
        )
    for dimension, position, bucket, labelled in (
        ("amount", 1, "up to 100", 30),
        ("amount", 2, "more", 20),
        ("all", 1, "all", 50),
    ):
        insert(
            connection,
            "rollup_outcome",
            **MODEL,
            dimension=dimension,
            position=position,
            bucket=bucket,
            span="day",
            time=day,
            labelled=labelled,
            numeric_pairs=labelled,
            predicted=labelled * 110.0,
            actual=labelled * 100.0,
            absolute=labelled * 10.0,
            squared=labelled * 100.0,
            signed=labelled * 10.0,
        )
    for shard in range(2):
        insert(
            connection,
            "rollup_kpi",
            **MODEL,
            segment="all",
            name="total_savings",
            unit="EUR",
            span="day",
            time=day,
            shard=shard,
            figures=5,
            total=-250.0,
            min=-60.0,
            max=-40.0,
        )
    insert(connection, "alert", **MODEL, field="amount", state="firing", reason="moved")
    insert(connection, "verdict", **MODEL, action="retrain")


@pytest.fixture
def reader(store: Connection) -> Connection:
    """A filled store as a dashboard reads it, with a role that sees no single prediction."""
    fill(store)
    store.execute("set role mlmonitor_reader")
    return store


def quoted(values: list[str]) -> str:
    """Write values as Grafana's format `sqlstring` does."""
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


def as_sent(sql: str, choices: dict[str, list[str]]) -> str:
    """Return a query with its macro and its variables replaced as Grafana replaces them."""
    window = f"'{NOW - timedelta(days=2)}' and '{NOW + timedelta(days=1)}'"
    sql = re.sub(r"\$__timeFilter\(([^)]+)\)", rf"\1 between {window}", sql)
    sql = re.sub(r"\$\{(\w+):sqlstring\}", lambda match: quoted(choices[match[1]]), sql)
    assert "$" not in sql, sql
    return sql


@cache
def queries() -> tuple[tuple[str, str], ...]:
    """Return every query of the event dashboards by its panel's title, variables included."""
    return tuple(find_queries())


def find_queries() -> Iterator[tuple[str, str]]:
    """Render the dashboards, and yield their queries."""
    for path, text in render_files("grafana", naming="prometheus"):
        if path.parent.name == "events":
            board = json.loads(text)
            for variable in board["templating"]["list"]:
                if variable["type"] == "query":
                    yield f"{path.stem}: ${variable['name']}", variable["query"]
            for panel in board["panels"]:
                for target in panel.get("targets", ()):
                    yield f"{path.stem}: {panel['title']}", target["rawSql"]


def rows(reader: Connection, title: str, **choices: list[str]) -> list[dict[str, Any]]:
    """Return the result of a panel's query, by column."""
    (sql,) = (text for name, text in queries() if name == title)
    cursor = reader.execute(as_sent(sql, CHOICES | choices))  # type: ignore[arg-type]
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.slow
def test_every_query_of_a_dashboard_finds_rows(reader: Connection) -> None:
    """The variables have typical values, and time series have numbers."""
    titles = [title for title, _ in queries()]
    assert len(titles) > 25
    for title in titles:
        shown = rows(reader, title)
        assert shown, title
        numbers = [row["value"] for row in shown if "metric" in row]
        assert not numbers or any(number is not None for number in numbers), title


def test_the_drift_on_a_dashboard_is_computed_over_all_rows_of_its_time_range(
    reader: Connection,
) -> None:
    """Counts of shards are summed before the distance is computed, as in the library."""
    expected = float(psi(np.array([TRAINED]), np.array([LIVE]))[0])
    shown = rows(reader, "drift: Data drift by field")
    assert [row["value"] for row in shown] == pytest.approx([expected] * HOURS, rel=1e-12)
    both = {
        row["metric"]: row["value"]
        for row in rows(reader, "drift: Prediction drift and feature drift")
    }
    assert both == pytest.approx(
        dict.fromkeys(
            (
                "claims 7 prediction prediction drift",
                "claims 7 prediction feature drift",
                "claims 7 prediction largest feature drift",
            ),
            expected,
        )
    )


def test_business_figures_on_dashboards_equal_the_stored_ones(reader: Connection) -> None:
    """They cover averages, bands, buckets and totals."""
    averages = rows(reader, "drift: Training average and prediction average")
    assert {row["value"] for row in averages} == {100.0, 115.0}
    band = rows(reader, "anomalies: Data in its band")
    assert {row["metric"]: row["value"] for row in band} == {
        "lower": 90.0,
        "upper": 110.0,
        "trained": 100.0,
        "actual": 115.0,
    }
    assert len(rows(reader, "anomalies: Spans outside the band")) == 2 * HOURS
    buckets = rows(reader, "performance: Predicted against actual, by bucket")
    assert [(row["bucket"], row["predicted"], row["actual"]) for row in buckets] == [
        ("up to 100", 110.0, 100.0),
        ("more", 110.0, 100.0),
    ]
    (total,) = rows(reader, "kpis: Totals by day")
    assert (total["metric"], total["value"]) == ("claims 7 total_savings EUR", -500.0)
    (mean,) = rows(reader, "kpis: Means by day")
    assert mean["value"] == -50.0


def test_each_model_has_its_own_line_on_a_dashboard(reader: Connection) -> None:
    """A model that does not exist has no line."""
    both = rows(reader, "drift: Data drift by field", model=["claims", "fraud"])
    assert len(both) == HOURS
    assert rows(reader, "drift: Data drift by field", model=["O'Hara's"]) == []


def test_no_dashboard_panel_reads_single_predictions() -> None:
    """Dashboards read only sums."""
    for title, sql in queries():
        tables = set(re.findall(r"mlmonitor\.(\w+)", sql))
        assert tables
        assert not tables & {"prediction", "label", "kpi", "outcome", "dead_letter"}, title


def test_the_database_user_of_the_example_reads_sums_and_no_prediction(
    store: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script of the stack can be run again, and it sets the password."""
    fill(store)
    monkeypatch.setenv("MLMONITOR_DATABASE", database_url)
    monkeypatch.setenv("GRAFANA_DATABASE_PASSWORD", "it's a secret")
    for _ in range(2):
        runpy.run_path(str(STACK / "grafana_user.py"), run_name="__main__")
    store.execute("set role grafana")
    assert rows(store, "kpis: Totals by day")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        store.execute("select * from mlmonitor.prediction")
