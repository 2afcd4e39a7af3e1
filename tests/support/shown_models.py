"""Models for tests of pages and reports, in all states that look different."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlmonitor import Challenger, Config, Monitor, Reference
from mlmonitor.testing import ManualClock
from support.references import fit_reference

START = 1_764_000_000.0
LINES = ("home", "motor", "travel")
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202egnp.exe",
    "x" * 300,
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "</title></style><b>",
    "a\x00b\nc",
)

Columns = dict[str, Any]


def draw_claims(rng: np.random.Generator, rows: int, *, is_shifted: bool = False) -> Columns:
    """Draw claims; shifted claims have higher limits, and another line is the most frequent."""
    shares = (0.25, 0.25, 0.5) if is_shifted else (0.5, 0.3, 0.2)
    return {
        "limit": rng.lognormal(8, 0.6, rows) * (1.4 if is_shifted else 1.0),
        "customer_age": rng.normal(45, 12, rows),
        "line": rng.choice(LINES, rows, p=shares),
        "is_weekend": rng.random(rows) < 2 / 7,
        "calm": rng.normal(0, 1, rows),
    }


def predict(claims: Mapping[str, Any]) -> Any:
    """Return the model's predictions for these claims."""
    return 0.4 * claims["limit"] + 20 * claims["customer_age"]


def claims_reference(**options: Any) -> Reference:
    """Fit the reference of the model on claims without a shift."""
    rng = np.random.default_rng(0)
    claims = draw_claims(rng, 4_000)
    actuals = predict(claims) + rng.normal(0, 200, 4_000)
    return fit_reference(
        claims,
        predictions=predict(claims),
        actuals=actuals,
        training_metrics={"mae": 160.0},
        importances={"limit": 0.7, "customer_age": 0.3},
        **options,
    )


def shifted_monitor(*, minutes: int = 60, rows: int = 60, **options: Any) -> Monitor:
    """Return a monitor after an hour of labelled claims; the last third of them is shifted."""
    rng, clock = np.random.default_rng(1), ManualClock(START)
    options.setdefault("reference", claims_reference())
    monitor = Monitor(
        "claims-severity",
        version="7",
        exporters=[],
        clock=clock,
        buckets={"limit": [2_000, 4_000]},
        config=Config(cohort_seconds=600),
        **options,
    )
    numbers = itertools.count()
    for minute in range(minutes):
        claims = draw_claims(rng, rows, is_shifted=minute >= minutes * 2 / 3)
        ids = [f"claim-{next(numbers)}" for _ in range(rows)]
        monitor.record(claims, predict(claims), ids=ids)
        monitor.kpi("savings", float(minute))
        monitor.status()
        actuals = predict(claims) + rng.normal(0, 200, rows)
        monitor.label(ids[: rows // 2], actuals[: rows // 2].tolist())
        clock.advance(60)
    return monitor


def hostile_monitor() -> Monitor:
    """Return a monitor whose names all contain markup or code, and whose fields have drifted."""
    rng = np.random.default_rng(2)

    def draw(rows: int, shift: float) -> Columns:
        numeric = {name: rng.normal(shift, 1, rows) for name in HOSTILE}
        names = rng.choice([f"{name}!" for name in HOSTILE[:4]], rows)
        return {**numeric, f"categories {HOSTILE[0]}": names}

    reference = fit_reference(draw(1_000, 0.0), predictions=rng.normal(0, 1, 1_000))
    monitor = Monitor(
        HOSTILE[0],
        version=HOSTILE[1],
        reference=reference,
        exporters=[],
        challengers=[Challenger(HOSTILE[2])],
    )
    live = draw(600, 2.0)
    live[HOSTILE[4] + " unknown"] = rng.normal(0, 1, 600)
    monitor.record(live, rng.normal(2, 1, 600))
    monitor.kpi(HOSTILE[0], 1.0)
    return monitor


def wide_monitor(fields: int, *, rows: int = 400) -> Monitor:
    """Return a monitor of many features; a tenth of them has drifted."""
    rng = np.random.default_rng(3)

    def draw(count: int, shift: float) -> Columns:
        return {
            f"feature_{place:03}": rng.normal(shift if place % 10 == 0 else 0.0, 1, count)
            for place in range(fields)
        }

    reference = fit_reference(draw(2_000, 0.0), predictions=rng.normal(0, 1, 2_000))
    monitor = Monitor(
        "wide",
        reference=reference,
        exporters=[],
        config=Config(window_rows=rows, window_seconds=None),
    )
    for _ in range(8):
        monitor.record(draw(rows // 8, 1.0), rng.normal(0, 1, rows // 8))
        monitor.status()
    return monitor
