"""The shift of a mean prediction that chance explains, also if most predictions are zero."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from tests.support.references import fit_reference

from mlmonitor.compare.drift.decomposition import _compute_deviations

LAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "99% zeros": lambda rng, rows: (rng.random(rows) < 0.01) * 1.0,
    "99% zeros, the others lognormal": lambda rng, rows: (
        (rng.random(rows) < 0.01) * rng.lognormal(0, 1, rows)
    ),
    "normal": lambda rng, rows: rng.normal(size=rows),
}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [100, 1_000])
@pytest.mark.parametrize("law", LAWS)
def test_few_windows_without_drift_exceed_the_threshold_of_the_shift(
    rng: np.random.Generator, law: str, rows: int
) -> None:
    """At most 3% of 300 windows do; a normal approximation allows up to 8%."""
    beyond = 0
    for _ in range(300):
        before, now = LAWS[law](rng, 10_000), LAWS[law](rng, rows)
        deviation = before.std()
        skewness = float((((before - before.mean()) / deviation) ** 3).mean())
        entry = type("Entry", (), {"skewness": skewness})()
        limit = _compute_deviations(entry, rows) * deviation * np.sqrt(1 / rows + 1e-4)
        beyond += abs(now.mean() - before.mean()) > limit
    assert stats.binomtest(beyond, 300, 0.02, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize(
    ("values", "skewness"),
    [
        ([0.0] * 99 + [1.0], 9.85),
        ([1.0, 2.0, 3.0], 0.0),
        ([5.0, 5.0], None),
        ([1e300, -1e300], None),
    ],
)
def test_a_reference_stores_the_skewness_of_a_field(
    values: list[float], skewness: float | None
) -> None:
    """It is stored only if it is a number."""
    reference = fit_reference({"x": values}, predictions=np.arange(float(len(values))))
    saved = getattr(reference.content.fields[0], "skewness", None)
    assert saved == (None if skewness is None else pytest.approx(skewness, abs=0.01))
