"""Changes of every sort in one field of a live monitor are detected in that field alone."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.stats.distance import MEASURES, WASSERSTEIN
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.cases import slow_case

REFERENCE_ROWS = 20_000
CALM_ROWS = 10_000
CHANGED_ROWS = 10_000
STEP_ROWS = 250
CATEGORIES = ("motor", "home", "liability", "marine")
SHARES = (0.5, 0.3, 0.15, 0.05)
FIELDS = ("amount", "age", "line")

Columns = dict[str, np.ndarray]


def rows(rng: np.random.Generator, count: int) -> Columns:
    """Draw claims as the model was trained on; one age in a hundred is missing."""
    age = rng.normal(45, 12, count)
    age[rng.random(count) < 0.01] = np.nan
    return {
        "amount": rng.lognormal(7, 1, count),
        "age": age,
        "line": rng.choice(CATEGORIES, count, p=SHARES),
    }


class Told(NamedTuple):
    """The rows until an alert in each field, and the measures above their critical values."""

    rows_until: dict[str, int]
    beyond_chance: set[tuple[str, str]]


def watched(change: Callable[[Columns, np.random.Generator, float], None]) -> Told:
    """Serve rows without a change, then changed ones; the argument of `change` goes from 0 to 1."""
    rng = np.random.default_rng(11)
    reference = Reference.fit(rows(rng, REFERENCE_ROWS), predictions=np.zeros(REFERENCE_ROWS))
    alerts: list[Alert] = []
    exporter, clock = InMemoryExporter(), ManualClock()
    config = Config(
        check_rows=STEP_ROWS,
        check_interval_seconds=0,
        export_interval_seconds=86_400.0,
        window_seconds=None,
        window_rows=5_000,
    )
    rows_until: dict[str, int] = {}
    with Monitor(
        "m",
        reference=reference,
        exporters=[exporter],
        config=config,
        clock=clock,
        on_alert=alerts.append,
    ) as monitor:
        for start in range(0, CALM_ROWS + CHANGED_ROWS, STEP_ROWS):
            columns = rows(rng, STEP_ROWS)
            if start >= CALM_ROWS:
                change(columns, rng, (start - CALM_ROWS) / CHANGED_ROWS)
            monitor.record(columns, np.zeros(STEP_ROWS))
            clock.advance(1.0)
            assert monitor.flush(timeout_seconds=60)
            for alert in alerts:
                rows_until.setdefault(alert.field, start + STEP_ROWS - CALM_ROWS)
    beyond = {
        (name, measure)
        for name in FIELDS
        for measure in (*MEASURES, WASSERSTEIN)
        if (name, measure) != ("line", "ks") and (name, measure) != ("line", WASSERSTEIN)
        if score(exporter, "score", name, measure) > score(exporter, "threshold", name, measure)
    }
    return Told(rows_until, beyond)


def score(exporter: InMemoryExporter, what: str, name: str, measure: str) -> float:
    """Return a score of the last window, or its critical value."""
    exported = exporter.value(f"mlmonitor.drift.{what}", {"field": name, "measure": measure})
    assert isinstance(exported, float)
    return exported


def by_degrees(columns: Columns, _rng: np.random.Generator, part: float) -> None:
    """Increase amounts gradually, by two thirds in all."""
    columns["amount"] *= np.exp(0.5 * part)


def wider(columns: Columns, _rng: np.random.Generator, _part: float) -> None:
    """Spread ages by a third more around the same mean."""
    columns["age"] = 45 + (columns["age"] - 45) * 1.33


def vanished(columns: Columns, rng: np.random.Generator, _part: float) -> None:
    """Remove marine claims, which were one in twenty."""
    gone = columns["line"] == "marine"
    columns["line"][gone] = rng.choice(CATEGORIES[:3], np.count_nonzero(gone))


def new(columns: Columns, rng: np.random.Generator, _part: float) -> None:
    """Give one claim in fifty a line of business that is not in the reference."""
    columns["line"] = np.where(rng.random(STEP_ROWS) < 0.02, "cyber", columns["line"])


def missing(columns: Columns, rng: np.random.Generator, _part: float) -> None:
    """Make three ages in a hundred missing, instead of one."""
    columns["age"][rng.random(STEP_ROWS) < 0.02] = np.nan


@pytest.mark.parametrize(
    ("change", "name", "within_rows", "seen_by"),
    [
        (vanished, "line", 2_000, "psi"),
        *map(
            slow_case,
            [
                (by_degrees, "amount", 5_000, "wasserstein"),
                (wider, "age", 3_000, "ks"),
                (new, "line", 2_000, "chi2"),
                (missing, "age", 5_000, "psi"),
            ],
        ),
    ],
)
def test_a_change_is_detected_in_its_own_field_and_no_other(
    change: Callable[[Columns, np.random.Generator, float], None],
    name: str,
    within_rows: int,
    seen_by: str,
) -> None:
    """Rows without a change raise no alert; later the field's window exceeds its critical value."""
    outcome = watched(change)
    assert set(outcome.rows_until) == {name}
    assert 0 < outcome.rows_until[name] <= within_rows
    assert (name, seen_by) in outcome.beyond_chance
