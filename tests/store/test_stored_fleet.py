"""Rows of many processes, merged from stored sums, give the evidence of one service."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psycopg
import pytest

from mlmonitor import Monitor, Profile, Reference, Status
from mlmonitor.cli.main import main
from mlmonitor.formats.events import encode_copy
from mlmonitor.store.load.copy import merge
from mlmonitor.testing import ManualClock
from support.event_recorder import EventRecorder
from support.references import fit_reference
from support.store_events import START

Connection = psycopg.Connection[tuple[Any, ...]]
Columns = dict[str, Any]

PROCESSES, HOURS, ROWS, HOUR = 32, 2, 40, 3_600.0
BEGAN_AT = START.replace(minute=0).timestamp()


def draw_rows(rows: int, seed: int, shift: float = 0.0) -> Columns:
    """Draw a number with gaps, a category and a boolean."""
    draw = np.random.default_rng(seed)
    amount = draw.normal(shift, 1, rows)
    amount[draw.random(rows) < 0.1] = np.nan
    lines = draw.choice(["motor", "home"], rows)
    return {"amount": amount, "line": lines, "is_new": draw.random(rows) < 0.3}


def predict(columns: Columns) -> Any:
    """Predict from the category alone."""
    return np.where(columns["line"] == "home", 1.0, 2.0) + columns["is_new"]


def part(process: int, hour: int) -> Columns:
    """Return the rows of one process in an hour; in the last hour the number shifts."""
    return draw_rows(ROWS, 1_000 * hour + process, shift=0.5 * (hour == HOURS - 1))


def serve(reference: Reference, processes: int = PROCESSES) -> list[list[dict[str, Any]]]:
    """Return the events of all processes, built by one monitor."""
    recorder, clock = EventRecorder(), ManualClock(BEGAN_AT)
    sent: list[list[dict[str, Any]]] = [[] for _ in range(processes)]
    segments = reference.segments
    with Monitor(
        "claims",
        version="7",
        reference=reference,
        exporters=[],
        events=recorder,
        segments=segments,
        clock=clock,
    ) as monitor:
        for hour, process in product(range(HOURS), range(processes)):
            columns = part(process, hour)
            at = [BEGAN_AT + hour * HOUR] * ROWS
            monitor.record(columns, predict(columns), at=at)
            assert monitor.flush(timeout_seconds=60)
            events = map(orjson.loads, recorder.messages)
            sent[process] += [event | {"instance": f"process-{process}"} for event in events]
            recorder.messages.clear()
    return sent


def store_events(store: Connection, events: Sequence[dict[str, Any]], loader: int) -> None:
    """Store events as one of several loaders."""
    for schema in ("reference", "prediction"):
        own = [event for event in events if event["schema"] == schema]
        with store.transaction():
            store.execute("select mlmonitor.begin_staging()")
            merge(store, schema, encode_copy(schema, own), loader)


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of all columns, with segments."""
    columns = draw_rows(4_000, seed=99)
    return fit_reference(columns, predictions=predict(columns), segments=["line"])


@pytest.fixture
def command(
    store: Connection, reference: Reference, database_url: str, tmp_path: Path
) -> list[str]:
    """The arguments that show the fleet of the store."""
    del store
    reference.save(tmp_path / "reference.json")
    own = ["--from-store", "--database", database_url, "--model", "claims", "--version", "7"]
    return ["fleet", *own, "--reference", str(tmp_path / "reference.json")]


def count_rows(reference: Reference, processes: Sequence[int], hour: int) -> Profile:
    """Count the rows of some processes in an hour, as one process would."""
    parts = [part(process, hour) for process in processes]
    columns = {name: np.concatenate([own[name] for own in parts]) for name in parts[0]}
    return Profile.of(
        columns,
        predict(columns),
        reference=reference,
        segments=["line"],
        at=BEGAN_AT + hour * HOUR,
    )


def judge(reference: Reference, processes: Sequence[int]) -> Status:
    """Return the status that one process with the rows of these processes would report."""
    *earlier, newest = [count_rows(reference, processes, hour) for hour in range(HOURS)]
    return newest.status(reference, earlier=earlier)


def pick_fields(status: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the stored facts about each field of the whole and of each segment."""
    populations = {"all": status["fields"]}
    populations |= {name: own["fields"] for name, own in status["segments"].items()}
    return {
        name: [
            (
                field["name"],
                field["log10_e_value"],
                field["window_quality"],
                [field["scores"].get(measure) for measure in ("psi", "js", "chi2")],
                [field["min"], field["max"], field["mean"] and round(field["mean"], 9)],
            )
            for field in fields
        ]
        for name, fields in populations.items()
    }


@pytest.mark.slow
def test_the_status_from_the_store_equals_that_of_one_process_with_all_rows(
    store: Connection,
    reference: Reference,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its evidence is the same, overall and by segment; single processes raise no alert."""
    assert not any(judge(reference, [process]).alerts for process in range(4))
    sent = serve(reference)
    for loader in range(3):
        store_events(store, [event for own in sent[loader::3] for event in own], loader)
    assert main([*command, "--json", "--fail-on", "alert"]) == 1
    fleet = json.loads(capsys.readouterr().out)
    assert {alert["field"] for alert in fleet["alerts"]} == {"amount"}
    assert fleet["predictions"] == PROCESSES * HOURS * ROWS
    assert fleet["window_rows"] == PROCESSES * ROWS
    assert pick_fields(fleet) == pick_fields(judge(reference, range(PROCESSES)).to_dict())


def test_a_reference_without_stored_rollups_over_its_bins_is_refused(
    store: Connection, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its counts could not be compared with the stored ones."""
    columns = draw_rows(500, seed=3)
    other = fit_reference(columns, predictions=predict(columns))
    store_events(store, serve(other, processes=1)[0], loader=0)
    assert main(command) == 2
    assert "reference: expected that of the stored predictions" in capsys.readouterr().err


@pytest.mark.parametrize("given", [[], ["--from-store", "a.profile"]])
def test_a_fleet_is_shown_either_from_profiles_or_from_the_store(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Giving neither or both is an error."""
    assert main(["fleet", *given, "--reference", "r.json"]) == 2
    assert "--from-store alone" in capsys.readouterr().err
