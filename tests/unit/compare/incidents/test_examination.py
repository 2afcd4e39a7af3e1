"""Titles of incidents become more exact with the rows since an incident opened."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Config, Files, Incident, Monitor, Reference

ROWS, BLOCK = 4_000, 50
Columns = dict[str, np.ndarray]
CONFIG = Config(
    export_interval_seconds=3_600,
    check_interval_seconds=0.001,
    check_rows=BLOCK,
    window_seconds=3_600,
)


def draw(seed: int, rows: int = ROWS) -> Columns:
    """Draw claims without a defect."""
    rng = np.random.default_rng(seed)
    return {
        "amount": rng.gamma(4.0, 100.0, rows),
        "age": rng.normal(45, 12, rows),
        "line": rng.choice(["fire", "water", "theft"], rows, p=[0.5, 0.3, 0.2]).astype(object),
    }


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference of claims without a defect."""
    return Reference.fit(draw(0), predictions=np.ones(ROWS), thresholds="asymptotic")


def in_cents(columns: Columns) -> Columns:
    """Convert amounts to another unit."""
    return {**columns, "amount": 100 * columns["amount"]}


def renamed(columns: Columns) -> Columns:
    """Rename a category."""
    line = np.where(columns["line"] == "water", "H2O", columns["line"])
    return {**columns, "line": line}


def repeat(columns: Columns) -> Columns:
    """Repeat each row five times in succession."""
    return {name: np.repeat(values, 5) for name, values in columns.items()}


def blocks(columns: Columns) -> Iterator[Columns]:
    """Return the rows in small blocks."""
    for start in range(0, len(columns["age"]), BLOCK):
        yield {name: values[start : start + BLOCK] for name, values in columns.items()}


def record(monitor: Monitor, columns: Columns) -> None:
    """Record rows as a service receives them."""
    for part in blocks(columns):
        monitor.record(part, np.ones(len(part["age"])))
        monitor.flush()


@pytest.mark.parametrize(
    ("plant", "title"),
    [
        (in_cents, "all values of amount multiplied by about 100"),
        (renamed, "a category of line renamed: 31% of rows"),
    ],
)
def test_an_incident_that_begins_midway_gets_the_same_title_as_one_from_the_start(
    reference: Reference, plant: Callable[[Columns], Columns], title: str
) -> None:
    """Most rows of the window are older; those since the alert show the cause."""
    calls: list[Incident] = []
    with Monitor(
        "m", reference=reference, exporters=[], on_incident=calls.append, config=CONFIG
    ) as monitor:
        record(monitor, draw(1, 800))
        record(monitor, plant(draw(2, 700)))
        (incident,) = monitor.status().incidents
    assert incident.title == title
    assert [call.state for call in calls] == ["open"]


def resend(columns: Columns) -> Columns:
    """Repeat the first three hundred rows ten times, so that copies are far apart."""
    return {name: np.tile(values[:300], 10) for name, values in columns.items()}


def resend_beyond_range(columns: Columns) -> Columns:
    """Repeat rows ten times, a few of which have an age outside the reference's range."""
    columns = {name: np.tile(values[:300], 10) for name, values in columns.items()}
    return {**columns, "age": np.where(columns["age"] > 70, columns["age"] + 200, columns["age"])}


@pytest.mark.parametrize(
    ("copy", "copied"), [(repeat, 80), (resend, 41), (resend_beyond_range, 41)]
)
def test_repeatedly_sent_rows_are_one_incident(
    reference: Reference, copy: Callable[[Columns], Columns], copied: int
) -> None:
    """Fields fire at different times, and copies too far from their originals are not counted."""
    with Monitor("m", reference=reference, exporters=[], config=CONFIG) as monitor:
        record(monitor, copy(draw(4, 600)))
        (incident,) = monitor.status().incidents
    assert incident.cause == "repeated"
    assert incident.title == f"rows repeated: at least {copied}% of them are copies of earlier ones"


def test_a_more_exact_title_is_in_the_event_log_under_the_first_alert_id(
    reference: Reference, tmp_path: Path
) -> None:
    """The incident's event is sent again with its new title."""
    with Monitor(
        "m", reference=reference, exporters=[], config=CONFIG, events=Files(tmp_path)
    ) as monitor:
        record(monitor, draw(1, 800))
        record(monitor, in_cents(draw(2, 700)))
    lines = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
    events = [line for line in lines if '"role":"incident"' in line.replace(" ", "")]
    assert len(events) > 1
    ids = {line.split('"alert_id":')[1].split(",")[0] for line in events}
    assert len(ids) == 1
    assert any("all values of amount multiplied by about 100;" in event for event in events)


def test_limits_of_five_sizes_are_named_with_their_exact_factor() -> None:
    """A third of the rows have one new value, which is still not a stuck field."""
    rng = np.random.default_rng(5)
    sizes, shares = np.array([8.0, 15.0, 20.0, 200.0, 300.0]), [0.14, 0.19, 0.34, 0.12, 0.21]
    before = {**draw(0), "limit": rng.choice(sizes, ROWS, p=shares)}
    fitted = Reference.fit(before, predictions=np.ones(ROWS), thresholds="asymptotic")
    with Monitor("m", reference=fitted, exporters=[], config=CONFIG) as monitor:
        record(monitor, {**draw(1, 600), "limit": rng.choice(sizes, 600, p=shares)})
        record(monitor, {**draw(2, 700), "limit": 1.25 * rng.choice(sizes, 700, p=shares)})
        (incident,) = monitor.status().incidents
    assert (incident.cause, incident.title) == ("scaled", "all values of limit multiplied by 1.25")


def test_a_title_explains_the_prediction_by_inputs_that_changed_themselves() -> None:
    """The mix effect of `age` exceeds its threshold too, but its distribution is unchanged."""
    evenly = (np.arange(ROWS) + 0.5) / ROWS
    rng = np.random.default_rng(6)
    age, kind = rng.permutation(evenly), rng.permutation(np.floor(4 * evenly))
    fitted = Reference.fit(
        {"age": age, "kind": kind}, predictions=age + kind, thresholds="asymptotic"
    )
    share = rng.permutation((np.arange(1_000) + 0.5) / 1_000)
    nudged, fewer = share**0.85, np.floor(4 * rng.permutation(share) ** 1.5)
    with Monitor("m", reference=fitted, exporters=[], config=CONFIG) as monitor:
        monitor.record({"age": nudged, "kind": fewer}, nudged + fewer)
        monitor.flush()
        status = monitor.status()
    shift = status.why
    assert shift is not None
    assert {part.field for part in shift.contributions if part.is_beyond_chance} == {"age", "kind"}
    (incident,) = status.incidents
    assert "kind" in {alert.field for alert in incident.members}
    assert incident.cause == "inputs"
    assert incident.title.endswith("; explained by kind")
