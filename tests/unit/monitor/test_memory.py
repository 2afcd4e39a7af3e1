"""The memory that a monitor holds is within the bound that it reports."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from mlmonitor.derived import text
from mlmonitor.testing import ManualClock
from support.memory_held import held_bytes
from support.references import fit_reference

FEW, MANY = 150, 600
"""Rows of a batch: few fill every part that may grow, and many show that it does not grow on."""

PANES = 5
BATCHES = 7
"""Batches of a phase: each fills a pane, and a window has fewer."""

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
    """Return a configuration of a few one-second panes and few waiting predictions."""
    return Config(
        **{"window_seconds": PANES, "window_slices": PANES, "pending_predictions": 2_000} | options
    )


CASES = {
    "mixed": Case(mixed, config()),
    "a single pane": Case(mixed, config(window_slices=1)),
    "many panes of rows": Case(
        wide,
        config(window_seconds=None, window_rows=4_000, window_slices=100, pending_predictions=0),
    ),
    "a hundred bins": Case(wide, config(pending_predictions=0), bins=100),
    "hostile": Case(hostile, config(heavy_hitters=50), long_ids=True),
    "hostile and learned": Case(
        hostile, config(baseline_rows=1_000, pending_predictions=0), is_learned=True
    ),
    "derived": Case(
        derived,
        config(pending_predictions=0),
        schema={"comment": "text", "vector": "embedding"},
    ),
    "no labels": Case(mixed, config(pending_predictions=0)),
}


def serve(
    monitor: Monitor, clock: ManualClock, rng: np.random.Generator, case: Case, *, rows: int
) -> None:
    """Record a batch for each pane, with ids, labels and figures."""
    for _ in range(BATCHES):
        suffix = f" {clock()}{WIDEST * 100 if case.long_ids else ''}"
        ids = [f"{row}{suffix}" for row in range(rows)]
        monitor.record(case.columns(rng, rows), rng.normal(size=rows), ids=ids)
        monitor.label(ids[::10], [1.0] * (rows // 10))
        monitor.kpi("saved", 1.0)
        monitor.status()
        clock.advance(1.0)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_memory_stays_within_the_reported_bound_and_does_not_grow(
    case: Case, rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each phase fills more panes than a window has; after the second, only a leak would grow."""
    monkeypatch.setattr(text, "_WORDS_REMEMBERED", 100)  # else this cache is full much later
    path, clock = tmp_path / "reference.json", ManualClock()
    fit_reference(
        case.columns(rng, MANY),
        predictions=rng.normal(size=MANY),
        bins=case.bins,
        schema=case.schema,
        anomaly_score=bool(case.schema),
    ).save(path)

    def new_monitor() -> Monitor:
        reference = None if case.is_learned else path
        return Monitor("m", reference=reference, exporters=[], config=case.config, clock=clock)

    few, many = (partial(serve, clock=clock, rng=rng, case=case, rows=n) for n in (FEW, MANY))
    held_bytes(new_monitor, few)  # imports and caches of libraries belong to no monitor
    measured = held_bytes(new_monitor, few, many, many)
    assert all(used <= reported for used, reported in measured)
    assert measured[2][0] <= measured[1][0] * 1.03


def test_each_option_that_needs_more_memory_is_in_the_reported_bound() -> None:
    """They are panes, bins, names, fields and waiting predictions."""

    def report_bytes(columns: Columns = mixed, *, bins: int = 10, **options: object) -> int:
        rng = np.random.default_rng(0)
        reference = fit_reference(columns(rng, FEW), predictions=rng.normal(size=FEW), bins=bins)
        with Monitor("m", reference=reference, exporters=[], config=config(**options)) as monitor:
            return monitor.memory_bytes

    least = report_bytes()
    assert report_bytes(window_slices=20) > least
    assert report_bytes(bins=50) > least
    assert report_bytes(heavy_hitters=32) > least
    assert 2_000 * 40 < report_bytes(pending_predictions=4_000) - least < 2_000 * 100
    assert report_bytes(wide) > least
