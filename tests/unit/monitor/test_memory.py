"""The memory that a monitor holds is within the bound that it reports."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.testing import ManualClock
from support.cases import short_form
from support.memory_held import held_bytes
from support.references import fit_reference

FEW, MANY = 150, 600
"""Rows of a batch: few fill every part that may grow, and many show that it does not grow on."""

Measure = Callable[["Case", int, int], tuple[int, int]]
WIDEST = "\U0001f600"  # a character of four bytes

Columns = Callable[[np.random.Generator, int], dict[str, object]]


def mixed(rng: np.random.Generator, rows: int) -> dict[str, object]:
    """Draw numbers with gaps, a category with new names, and a boolean."""
    amount = rng.normal(size=rows)
    amount[rng.random(rows) < 0.05] = np.nan
    names = rng.integers(0, 1 << 40, rows).astype(str)
    return {
        "amount": amount,
        "age": rng.uniform(18, 90, rows),
        "shop": np.where(rng.random(rows) < 0.3, names, "known").tolist(),
        "flag": rng.random(rows) < 0.5,
    }


def hostile(rng: np.random.Generator, rows: int) -> dict[str, object]:
    """Draw new names of four-byte characters, short and long, and a new field each time."""
    short, long = (
        [f"{at}" + WIDEST * length for at in rng.integers(0, 1 << 40, rows).tolist()]
        for length in (50, 400)
    )
    return {"short": short, "long": long, f"made up {rng.integers(1 << 40)}": short}


def wide(rng: np.random.Generator, rows: int) -> dict[str, object]:
    """Draw thirty numbers."""
    return {f"x{at}": rng.normal(size=rows) for at in range(30)}


def derived(rng: np.random.Generator, rows: int) -> dict[str, object]:
    """Draw new words of the greatest length, vectors, and correlated numbers."""
    letters = [chr(0x10428 + at) for at in range(40)]
    words = ["".join(rng.choice(letters, 64)) for _ in range(rows)]
    matrix = rng.normal(size=(rows, 24))
    return {"comment": words, "vector": matrix, "x": matrix[:, 0], "y": matrix[:, 1]}


@dataclass(frozen=True)
class Case:
    """A configuration, and the rows recorded with it."""

    columns: Columns
    config: Config
    is_learned: bool = False
    long_ids: bool = False
    bins: int = field(default=10)
    schema: dict[str, str] = field(default_factory=dict)


def config(**options: object) -> Config:
    """Return a configuration of ten one-second panes and few waiting predictions."""
    return Config(
        **{"window_seconds": 10, "window_slices": 10, "pending_predictions": 2_000} | options
    )


CASES = {
    "mixed": Case(mixed, config()),
    "a single pane": Case(mixed, config(window_slices=1)),
    "many panes of rows": Case(
        wide,
        config(window_seconds=None, window_rows=10_000, window_slices=100, pending_predictions=0),
    ),
    "a hundred bins": Case(wide, config(pending_predictions=0), bins=100),
    "hostile": Case(hostile, config(heavy_hitters=50), long_ids=True),
    "hostile and learned": Case(
        hostile, config(baseline_rows=2_000, pending_predictions=0), is_learned=True
    ),
    "derived": Case(
        derived,
        config(pending_predictions=0),
        schema={"comment": "text", "vector": "embedding"},
    ),
    "no labels": Case(mixed, config(pending_predictions=0)),
}


def serve(
    monitor: Monitor,
    clock: ManualClock,
    rng: np.random.Generator,
    case: Case,
    *,
    rows: int,
    panes: int,
) -> None:
    """Record a batch for each pane, with ids, labels and figures."""
    for at in range(panes):
        suffix = WIDEST * 100 if case.long_ids else ""
        ids = [f"{at}-{row}{suffix}" for row in range(rows)]
        monitor.record(case.columns(rng, rows), rng.normal(size=rows), ids=ids)
        monitor.label(ids[::10], [1.0] * (rows // 10))
        monitor.kpi("saved", float(at))
        monitor.status()
        clock.advance(1.0)


@pytest.fixture
def measure(rng: np.random.Generator, tmp_path: Path) -> Measure:
    """Return a function that serves a case and returns the allocated and the reported bytes."""

    def held(case: Case, rows: int, panes: int) -> tuple[int, int]:
        path, clock = tmp_path / "reference.json", ManualClock()
        if not case.is_learned and not path.exists():
            fit_reference(
                case.columns(rng, rows),
                predictions=rng.normal(size=rows),
                bins=case.bins,
                schema=case.schema,
                anomaly_score=bool(case.schema),
            ).save(path)

        def new_monitor() -> Monitor:
            return Monitor(
                "m",
                reference=None if case.is_learned else path,
                exporters=[],
                config=case.config,
                clock=clock,
            )

        return held_bytes(
            new_monitor,
            lambda monitor: serve(monitor, clock, rng, case, rows=rows, panes=panes),
        )

    return held


@pytest.mark.slow
@pytest.mark.parametrize("name", short_form(CASES, "mixed", "hostile"))
def test_memory_stays_within_the_reported_bound(name: str, measure: Measure) -> None:
    """Rows are recorded for more panes than a window has."""
    measure(CASES[name], FEW, 1)  # imports and caches of libraries are nobody's rows
    held_bytes, losses = measure(CASES[name], FEW, 14)
    assert held_bytes <= losses


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_memory_does_not_grow_with_any_input(case: Case, measure: Measure) -> None:
    """Twice as many rows need neither more memory than before nor than reported."""
    measure(case, MANY, 2)
    short, reported = measure(case, MANY, 14)
    long, reported_later = measure(case, MANY, 28)
    assert short <= reported
    assert long <= reported_later
    assert long <= short * 1.1


def test_each_option_that_needs_more_memory_is_in_the_reported_bound() -> None:
    """They are panes, bins, names, fields and waiting predictions."""

    def told(columns: Columns = mixed, *, bins: int = 10, **options: object) -> int:
        rng = np.random.default_rng(0)
        reference = fit_reference(columns(rng, FEW), predictions=rng.normal(size=FEW), bins=bins)
        with Monitor("m", reference=reference, exporters=[], config=config(**options)) as monitor:
            return monitor.memory_bytes

    least = told()
    assert told(window_slices=20) > least
    assert told(bins=50) > least
    assert told(heavy_hitters=32) > least
    assert 2_000 * 40 < told(pending_predictions=4_000) - least < 2_000 * 100
    assert told(wide) > least
