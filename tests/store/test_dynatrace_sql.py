"""Dynatrace runs single SELECTs without comments, which the read-only role may run."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from mlmonitor.cli.main import main
from mlmonitor.errors import ConfigError
from mlmonitor.formats.events import encode_copy
from mlmonitor.store.dynatrace_sql import (
    QUERIES_PER_ENDPOINT,
    SqlQuery,
    endpoints,
    field_queries,
    kpi_queries,
    model_queries,
    quote,
    read_extension,
)
from mlmonitor.store.load.copy import merge
from support.store_events import MODEL, VERSION, EventSource

Connection = psycopg.Connection[tuple[Any, ...]]
ODD_NAMES = ("a'b", "-- x", "/* x */", "a;b", "ü 🦄", "a--b", "\\", "", "it''s", "$$")


def fill(store: Connection, model: str = MODEL) -> EventSource:
    """Store today's events of one model with the database's own functions."""
    from datetime import UTC, datetime

    source = EventSource(model=model)
    now = datetime.now(UTC)
    predictions = [source.prediction(now) for _ in range(50)]
    rows = {
        "reference": source.reference(),
        "prediction": predictions,
        "label": [source.label(event, now) for event in predictions[:10]],
        "kpi": [source.kpi(now, 5.0), source.kpi(now, 7.0)],
    }
    with store.transaction():
        store.execute("select mlmonitor.begin_staging()")
        for schema, events in rows.items():
            merge(store, schema, encode_copy(schema, events), 0)  # type: ignore[arg-type]  # a name
    return source


def run_as_reader(store: Connection, query: str) -> list[tuple[Any, ...]]:
    """Run one statement as the extension does: read-only and rolled back."""
    assert query.upper().startswith("SELECT ")
    assert ";" not in query
    assert "--" not in query
    assert "/*" not in query
    with store.transaction(force_rollback=True):
        store.execute("set local role mlmonitor_reader")
        store.execute("set transaction read only")
        return store.execute(query.replace("%", "%%")).fetchall()


def test_each_query_for_dynatrace_gives_one_number(store: Connection) -> None:
    """Queries of the model, a feature and business figures all find the rows of today."""
    fill(store)
    queries = [
        *model_queries(MODEL, VERSION),
        *field_queries(MODEL, VERSION, "feature_0"),
        *kpi_queries(MODEL, VERSION, ["total_savings"]),
    ]
    values = {}
    for query in queries:
        rows = run_as_reader(store, query.sql)
        assert len(rows) == 1, query.name
        assert len(rows[0]) == 1, query.name
        values[query.name] = rows[0][0]
        assert isinstance(rows[0][0], int | float | Decimal), query.name
    assert values["predictions"] == 50
    assert values["total_savings"] == 12.0
    assert float(values["labelled_share"]) == pytest.approx(0.2)
    assert values["total_by_history"] == 0.0
    assert 0 <= values["data_age_seconds"] <= 3_600


def test_a_dynatrace_endpoint_has_at_most_ten_queries() -> None:
    """The old extension has this limit; more queries become another endpoint."""
    queries = [SqlQuery(f"q{n}", "*/5 * * * *", "SELECT 1") for n in range(23)]
    configured = list(endpoints("claims", queries))
    sizes = [len(one["properties"]) // 3 for one in configured]  # type: ignore[arg-type]  # a dict
    assert sizes == [10, 10, 3]
    assert len(model_queries("m", "1")) <= QUERIES_PER_ENDPOINT
    assert len(field_queries("m", "1", "f")) <= QUERIES_PER_ENDPOINT
    with pytest.raises(ConfigError, match="different names"):
        list(endpoints("claims", queries[:1] * 2))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_with_quotes_and_comments_stay_values_in_a_query(
    store: Connection, name: str
) -> None:
    """They are returned unchanged, without ending the text or the statement."""
    assert run_as_reader(store, f"SELECT {quote(name)}") == [(name,)]
    for query in (*model_queries(name, name), *field_queries(name, name, name)):
        run_as_reader(store, query.sql)


def test_the_extension_follows_the_documented_limits_and_its_queries_run(store: Connection) -> None:
    """A group has at most 25 dimensions and 100 metrics, and each named column exists."""
    fill(store)
    extension = yaml.safe_load(read_extension())
    assert extension["name"].startswith("custom:")
    keys = []
    for group in extension["sqlPostgres"]:
        assert len(group["dimensions"]) <= 25
        assert len(group["metrics"]) <= 100
        cursor = store.execute(group["query"].replace("%", "%%"))
        columns = [column.name for column in cursor.description or ()]
        rows = run_as_reader(store, group["query"])
        assert rows, group["group"]
        for part in (*group["dimensions"], *group["metrics"]):
            name = part["value"].removeprefix("col:")
            assert name in columns
            assert part["key"] == part["key"].lower()
        for metric in group["metrics"]:
            place = columns.index(metric["value"].removeprefix("col:"))
            assert all(isinstance(row[place], int | float | Decimal) for row in rows), metric
            keys.append(metric["key"])
    assert len(keys) == len(set(keys))
    assert {metric["key"] for metric in extension["metrics"]} <= set(keys)


def test_the_command_writes_both_dynatrace_configurations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files contain no address and no password."""
    command = [
        "store",
        "dynatrace",
        str(tmp_path / "out"),
        "--model",
        "claims",
        "--field",
        "amount",
    ]
    assert main([*command, "--model-version", "7", "--kpi", "total_savings"]) == 0
    written = json.loads((tmp_path / "out" / "endpoints.json").read_text(encoding="utf-8"))
    assert [one["endpointName"] for one in written] == [
        "claims 7",
        "claims amount",
        "claims figures",
    ]
    assert "sqlPostgres" in (tmp_path / "out" / "extension.yaml").read_text(encoding="utf-8")
    assert "written" in capsys.readouterr().out
