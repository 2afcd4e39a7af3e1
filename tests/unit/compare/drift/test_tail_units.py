"""A unit error in a few rows of a heavy-tailed field, which its range does not show."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.support.references import fit_reference

from mlmonitor import Role
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.drift.drift import Drift

FIELDS, STEP, ROWS = 8, 1_000, 10_000
LEVEL = Significance(alpha=0.01, fields=20, tolerance=0.005, min_rows=30)
LAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "lognormal, sigma 2": lambda rng, rows: rng.lognormal(0, 2, rows),
    "Cauchy": lambda rng, rows: rng.standard_cauchy(rows),
}


def count_alerts(draw: Callable[[int], np.ndarray], change: Callable[[np.ndarray], None]) -> int:
    """Count the fields, of eight, that alert within 10,000 rows; the reference has 20,000."""

    def columns(rows: int) -> dict[str, np.ndarray]:
        return {f"x{at}": draw(rows) for at in range(FIELDS)}

    reference = fit_reference(columns(20_000))
    plan = reference.plan([Role.FEATURE], deviations=3.0)
    drift = Drift(plan, reference.entries([Role.FEATURE]), LEVEL)
    total, reader = FieldProfile(plan), Reader(plan.schema)
    for _ in range(ROWS // STEP):
        served = columns(STEP)
        for values in served.values():
            change(values)
        total.update(reader.read_block(Rows(STEP, ColumnTable(served, STEP), {}, [], [], None)))
        drift.evaluate(total, now=1.0)
    return int(drift.is_firing.sum())


@pytest.mark.parametrize(
    ("law", "factor"),
    [("lognormal, sigma 2", 100.0), ("lognormal, sigma 2", 0.01), ("Cauchy", 100.0)],
)
def test_a_unit_error_in_two_percent_of_a_heavy_tailed_field_is_detected(
    law: str, factor: float, rng: np.random.Generator
) -> None:
    """Values are in cents or in hundreds, and at least seven of eight fields alert."""

    def change(values: np.ndarray) -> None:
        values[rng.random(values.size) < 0.02] *= factor

    assert count_alerts(lambda rows: LAWS[law](rng, rows), change) >= FIELDS - 1


def _keep(values: np.ndarray) -> None:
    """Change nothing."""


@pytest.mark.parametrize("law", LAWS)
def test_a_heavy_tailed_field_without_a_change_fires_no_alert(
    law: str, rng: np.random.Generator
) -> None:
    """Its largest values may be very far out."""
    assert count_alerts(lambda rows: LAWS[law](rng, rows), _keep) == 0
