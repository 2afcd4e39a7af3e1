"""Critical values hold what they say: one window in a hundred passes them, whatever its size."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binomtest, poisson

from mlmonitor import Reference
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.tdigest import TDigest
from mlmonitor.compare.critical import Critical
from mlmonitor.compare.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    wasserstein,
)
from mlmonitor.compare.table import entry_counts
from mlmonitor.records import Counts, Floats, Role
from mlmonitor.reference_format import NumericReference

SIZES = (20, 50, 200, 1_000, 10_000)
REFERENCES = 8
WINDOWS = 500
ROWS = 50_000


class Law(NamedTuple):
    """Values to draw, and the share of them up to a bound, exactly."""

    draw: Callable[[np.random.Generator, int], Floats]
    cdf: Callable[[Floats], Floats]


def zero_inflated(rng: np.random.Generator, rows: int) -> Floats:
    """Six in ten are 0, the others uniform."""
    return np.maximum(rng.random(rows) - 0.6, 0.0) / 0.4


LAWS = {
    "continuous": Law(lambda rng, rows: rng.random(rows), lambda x: np.clip(x, 0, 1)),
    "discrete": Law(
        lambda rng, rows: rng.poisson(3, rows).astype(np.float64), lambda x: poisson(3).cdf(x)
    ),
    "zero-inflated": Law(
        zero_inflated, lambda x: np.where(x < 0, 0.0, 0.6 + 0.4 * np.clip(x, 0, 1))
    ),
}


def holds(passed: int, windows: int) -> bool:
    """Whether so many may pass, if each does with a chance of 0.3 to 2 %."""
    few = binomtest(passed, windows, 0.003, "less").pvalue
    many = binomtest(passed, windows, 0.02, "greater").pvalue
    return bool(min(few, many) > 1e-3)


def shares_and_counts(
    law: Law | None, rng: np.random.Generator
) -> tuple[Floats, Counts, Critical, Plan]:
    """The true shares of a fitted reference's bins, its counts and its critical values."""
    categories = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.03, 0.01])
    if law is None:
        names = [f"k{at}" for at in range(len(categories))]
        values: object = rng.choice(names, ROWS, p=categories)
    else:
        values = law.draw(rng, ROWS)
    reference = Reference.fit({"x": values})
    plan, entries = reference.plan([Role.FEATURE], deviations=3), reference.entries([Role.FEATURE])
    counts = entry_counts(entries, plan)
    if law is None:
        by_name = dict(zip(names, categories, strict=True))
        shares = [by_name.get(name, 0.0) for name in plan.dictionaries[0].names]
    else:
        upto = law.cdf(plan.numeric[0].edges)
        shares = np.diff(upto, prepend=0.0, append=1.0).tolist()
    full = np.zeros(counts.shape[1])
    full[: len(shares)] = shares
    return full, counts, Critical([entries[0].critical], counts), plan


@pytest.mark.slow
@pytest.mark.parametrize("law", [*LAWS, "categorical"])
@pytest.mark.parametrize("size", SIZES)
def test_one_window_in_a_hundred_passes(law: str, size: int, rng: np.random.Generator) -> None:
    """Without drift 0.3 to 2 % of windows pass, for every measure of counts."""
    passed = dict.fromkeys(MEASURES, 0)
    for _ in range(REFERENCES):
        shares, reference, critical, _ = shares_and_counts(LAWS.get(law), rng)
        windows = rng.multinomial(size, shares, WINDOWS)
        limits = critical.at(windows[:1])
        against = np.broadcast_to(reference, windows.shape)
        for name, measure in MEASURES.items():
            passed[name] += int(np.count_nonzero(measure(against, windows) > limits[name][0]))
    if law == "categorical":
        for name in ORDERED:
            del passed[name]
    wrong = {name: n for name, n in passed.items() if not holds(n, REFERENCES * WINDOWS)}
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("size", [20, 200, 5_000])
def test_so_does_the_wasserstein_distance(law: str, size: int, rng: np.random.Generator) -> None:
    """From digests, as the service keeps them."""
    passed, windows = 0, 2_000 if size <= 200 else 400
    for _ in range(4):
        reference = Reference.fit({"x": LAWS[law].draw(rng, ROWS)})
        entry = reference.entries([Role.FEATURE])[0]
        assert isinstance(entry, NumericReference)
        counts = entry_counts([entry], reference.plan([Role.FEATURE], deviations=3))
        limit = Critical([entry.critical], counts).at(np.array([[size]]))[WASSERSTEIN][0]
        digest = TDigest(windows // 4)
        digest.update(LAWS[law].draw(rng, size * windows // 4).reshape(-1, size))
        then = np.broadcast_to(np.array(entry.quantiles[1:-1]), (windows // 4, 99))
        moved = wasserstein(
            then, digest.quantile(WASSERSTEIN_RANKS), np.full(windows // 4, entry.stddev)
        )
        passed += int(np.count_nonzero(moved > limit))
    assert holds(passed, windows)
