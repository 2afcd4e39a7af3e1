"""Evaluate, fit and backtest run the service's own computations on stored events."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from mlmonitor import Reference
from mlmonitor.cli.main import main
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.formats.events import encode_copy
from mlmonitor.store.backtest import backtest
from mlmonitor.store.load.copy import merge
from mlmonitor.store.stored_reference import fit_stored
from mlmonitor.store.stored_rows import StoredModel
from mlmonitor.testing import OtlpReceiver
from support.store_events import EventSource, write_time

Connection = psycopg.Connection[tuple[Any, ...]]
FIRST = datetime(2026, 11, 20, tzinfo=UTC)
DAYS, A_DAY = 6, 400


def add(store: Connection, schema: Any, events: Sequence[dict[str, Any]]) -> None:
    """Store events as the service's own sink does."""
    with store.transaction():
        store.execute("select mlmonitor.begin_staging()")
        merge(store, schema, encode_copy(schema, events), 0)


@pytest.fixture
def history(store: Connection) -> list[dict[str, Any]]:
    """Store six days of predictions; one feature shifts by two deviations in the last two days."""
    source = EventSource(3)
    predictions = []
    for place in range(DAYS * A_DAY):
        event = source.prediction(FIRST + timedelta(days=place / A_DAY))
        if place >= 4 * A_DAY:
            event["features"]["feature_1"] += 200.0
        predictions.append(event)
    predictions[7] |= {"status": "error", "prediction": None, "error": "ValueError"}
    labels = [
        source.label(event, FIRST + timedelta(days=9), actual=event["prediction"] + 5.0)
        for event in predictions[8:1_008]
    ]
    add(store, "prediction", predictions)
    add(store, "label", labels)
    return predictions


def test_a_reference_of_a_stored_period_equals_one_fitted_to_its_rows(
    store: Connection, history: list[dict[str, Any]]
) -> None:
    """Counts and moments are those of passing the rows to `fit`."""
    stored = StoredModel.find(store, "claims", "7", until=FIRST + timedelta(days=3))
    reference = fit_stored(store, stored)
    rows = [e for e in history[: 3 * A_DAY] if e["status"] == "ok"]
    direct = Reference.fit(
        {name: [e["features"][name] for e in rows] for name in rows[0]["features"]},
        predictions=[e["prediction"] for e in rows],
        thresholds="asymptotic",
    )
    assert reference.rows == direct.rows == 3 * A_DAY - 1
    by_name = {field.name: field for field in direct.content.fields}
    assert len(reference.content.fields) == len(by_name)
    for stored_field in reference.content.fields:
        field = by_name[stored_field.name]
        assert (stored_field.name, stored_field.kind) == (field.name, field.kind)
        assert sum(stored_field.counts) == sum(field.counts)  # type: ignore[union-attr]  # counted
        if field.kind == "numeric":
            assert stored_field.mean == pytest.approx(field.mean)  # type: ignore[union-attr]
            assert stored_field.max == field.max  # type: ignore[union-attr]


def test_a_backtest_finds_the_drift_and_raises_no_alert_before_it(
    store: Connection, history: list[dict[str, Any]]
) -> None:
    """A stricter alpha needs more rows."""
    reference = fit_stored(
        store, StoredModel.find(store, "claims", "7", until=FIRST + timedelta(days=3))
    )
    later = StoredModel.find(store, "claims", "7", since=FIRST + timedelta(days=3))
    settings = {"usual": Config(), "strict": Config(alpha=1e-9)}
    results = backtest(store, later, reference, settings, check_rows=50)
    starts = {}
    for name, result in results.items():
        assert result.rows == 3 * A_DAY
        (alert,) = [a for a in result.fired if a.measure == "psi"]
        assert (alert.field, alert.role) == ("feature_1", "feature")
        assert alert in result.open
        starts[name] = alert.started_at
    change = (FIRST + timedelta(days=4)).timestamp()
    assert change < starts["usual"] <= starts["strict"] < change + 86_400


def test_a_backtest_without_rows_is_refused(
    store: Connection, history: list[dict[str, Any]]
) -> None:
    """An unknown model, an empty period and a missing setting are refused as well."""
    with pytest.raises(ConfigError, match="no predictions"):
        StoredModel.find(store, "claims", "8")
    with pytest.raises(ConfigError, match="not empty"):
        StoredModel.find(store, "claims", "7", since=FIRST, until=FIRST)
    stored = StoredModel.find(store, "claims", "7")
    with pytest.raises(ConfigError, match="at least one"):
        backtest(store, stored, fit_stored(store, stored), {})


def test_evaluate_computes_and_exports_realised_performance(
    history: list[dict[str, Any]],
    database_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All predictions are off by five, and the error is exported under the service's metric."""
    command = ["evaluate", "--database", database_url, "--model", "claims", "--model-version", "7"]
    with OtlpReceiver() as receiver:
        options = ["--otlp", receiver.url, "--bucket", "feature_0=0", "--json"]
        assert main([*command, *options]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["performance"]["mae"]["value"] == pytest.approx(5.0)
        assert document["performance"]["mae"]["count"] == 1_000
        names = receiver.ledger.names
        assert "mlmonitor.performance" in names
        assert "mlmonitor.error.count" in names
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "labelled 1,000 predictions, regression" in printed
    assert "cohort 2026-11-20: mae 5, 392 of 399 labelled" in printed


def test_evaluate_without_labels_reports_it_and_exits_with_status_1(
    store: Connection, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A nightly job can check the status."""
    source = EventSource(4)
    add(store, "prediction", [source.prediction(FIRST)])
    command = ["evaluate", "--database", database_url, "--model", "claims", "--model-version", "7"]
    assert main(command) == 1
    assert "no prediction" in capsys.readouterr().out
    assert main(["evaluate", "--database", database_url]) == 2


def test_the_commands_fit_and_backtest_read_a_store(
    history: list[dict[str, Any]],
    database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A reference is written to a file, and the backtest prints a table of alerts."""
    target = ["--database", database_url, "--model", "claims", "--model-version", "7"]
    file = str(tmp_path / "claims.reference.json")
    middle = write_time(FIRST + timedelta(days=3))
    fit = ["reference", "fit", file, "--from-store", *target, "--until", middle]
    assert main(fit) == 0
    assert np.isclose(Reference.load(file).rows, 3 * A_DAY - 1)
    run = ["backtest", *target, "--since", middle, "--reference", file]
    assert main([*run, "--alpha", "0.01", "--alpha", "0.001"]) == 0
    printed = capsys.readouterr().out
    assert "alpha=0.01 drift_tolerance=" in printed
    assert "feature feature_1: psi" in printed
    assert main([*run, "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out).values()
    assert result["rows"] == 3 * A_DAY
    with pytest.raises(SystemExit):
        main([*run, "--since", "yesterday"])
