"""Verdicts on the claims of the demo, labelled on the days on which they were closed."""

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Verdict

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_app"
MONTH = timedelta(days=30)
END = date(2017, 3, 1)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def example() -> Iterator[Any]:
    """The modules of the demo, and its model."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        import claims
        import replay
        import train

        yield claims, replay, train.train()
    finally:
        sys.path.remove(str(EXAMPLE))
        for name in ("claims", "replay", "train"):
            sys.modules.pop(name, None)


def seconds_of(day: date) -> float:
    """Seconds since 1970 at the start of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def replay_months(example: Any, rows: list[Any]) -> Verdict:
    """Score the claims month by month, label those that were closed; the last verdict."""
    claims, _, (model, reference) = example
    now = seconds_of(claims.LIVE[0])
    monitor = Monitor(
        "claims",
        reference=reference,
        exporters=[],
        ignore=[claims.SEASONAL],
        clock=lambda: now,
        config=Config(cohort_seconds=MONTH.total_seconds(), window_seconds=365 * 86_400.0),
    )
    columns = {name: [row.features[name] for row in rows] for name in claims.FEATURES}
    predicted = model.predict(columns)
    reported = np.array([seconds_of(max(row.reported, claims.LIVE[0])) for row in rows])
    closed = np.array([seconds_of(row.closed) for row in rows])
    paid = np.array([row.severity for row in rows])
    day = claims.LIVE[0]
    while day < END:
        start, stop = seconds_of(day), seconds_of(day + MONTH)
        own = np.flatnonzero((reported >= start) & (reported < stop))
        now = (start + stop) / 2
        if own.size:
            part = {name: [column[row] for row in own] for name, column in columns.items()}
            monitor.record(part, predicted[own], ids=[f"claim-{row}" for row in own])
        now = stop - 1
        monitor.status()
        due = np.flatnonzero((closed >= start) & (closed < stop) & (reported < stop))
        monitor.label([f"claim-{row}" for row in due], paid[due])
        monitor.status()
        day += MONTH
    return close(monitor)


def close(monitor: Monitor) -> Verdict:
    """Close the monitor; its last verdict."""
    verdict = monitor.status().verdict
    monitor.close()
    assert verdict is not None
    return verdict


def unchanged(example: Any, rows: list[Any]) -> list[Any]:
    """The claims as they were."""
    return rows


def inflated(example: Any, rows: list[Any]) -> list[Any]:
    """Losses three quarters higher from a day on, as in the demo."""
    claims, replay, _ = example
    shifted: list[Any] = replay.shifted(rows, claims.Inflation())
    return shifted


def fewer_homes(example: Any, rows: list[Any]) -> list[Any]:
    """Another mix of lines from the same day on: a third of the home claims is left."""
    claims, _, _ = example
    rng = np.random.default_rng(0)
    return [
        row
        for row in rows
        if row.reported < claims.SHIFT_DATE or row.features["line"] != "Home" or rng.random() < 0.3
    ]


@pytest.mark.parametrize(
    ("change", "action"),
    [(unchanged, "keep"), (inflated, "retrain"), (fewer_homes, "keep")],
    ids=["unchanged", "inflated", "fewer homes"],
)
def test_inflation_leads_to_retraining_and_a_benign_mix_to_keeping(
    example: Any, change: Callable[[Any, list[Any]], list[Any]], action: str
) -> None:
    """Although claims take more than a year to close, so that few cohorts are ever mature."""
    claims = example[0]
    rows = claims.live(claims.load(claims.prism_path()))
    verdict = replay_months(example, change(example, rows))
    assert verdict.action == action, str(verdict)
