"""Thresholds are exceeded by one window in a hundred, whatever its size.

Windows compared with the same reference depend on each other, most of all if it is small. For small
references, the test therefore counts references and not windows.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binomtest, poisson

from mlmonitor import Reference
from mlmonitor.aggregate.sketches.tdigest import TDigest
from mlmonitor.compare.count_table import entry_counts
from mlmonitor.formats.reference import CRITICAL_ROWS, CountedEntry, NumericReference
from mlmonitor.records import Counts, Floats, Role
from mlmonitor.stats.critical_values import CriticalValues
from mlmonitor.stats.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    psi_low,
    wasserstein,
)
from support.cases import short_form

SIZES = (20, 50, 120, 200, 1_000, 3_000, 10_000)
SMALL_SIZES = (20, 30, 120, 1_000, 3_000)
REFERENCES = 8
WINDOWS = 500
ROWS = 50_000


class Law(NamedTuple):
    """A distribution: a function that draws values, and its exact distribution function."""

    draw: Callable[[np.random.Generator, int], Floats]
    cdf: Callable[[Floats], Floats]


def zero_inflated(rng: np.random.Generator, rows: int) -> Floats:
    """Return the distribution that is 0 with probability 0.6 and uniform otherwise."""
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
    """Return whether the count is consistent with a probability of 0.3 to 2%."""
    few = binomtest(passed, windows, 0.003, "less").pvalue
    many = binomtest(passed, windows, 0.02, "greater").pvalue
    return bool(min(few, many) > 1e-3)


def holds_by_reference(rates: Floats) -> bool:
    """Return the same for the rates of independent references, judged by their spread."""
    error = 3.3 * rates.std(ddof=1) / np.sqrt(rates.size)
    return bool(rates.mean() + error >= 0.003 and rates.mean() - error <= 0.02)


class Fitted(NamedTuple):
    """The true shares of a reference's bins, its counts, its entry and its critical values."""

    shares: Floats
    counts: Counts
    entry: CountedEntry
    critical: CriticalValues


def fitted(law: str, rows: int, rng: np.random.Generator) -> Fitted:
    """Fit a reference; its tables are saved with it."""
    categories = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.03, 0.01])
    names = [f"k{at}" for at in range(len(categories))]
    drawn = LAWS[law].draw(rng, rows) if law in LAWS else rng.choice(names, rows, p=categories)
    reference = Reference.fit({"x": drawn})
    plan, entries = reference.plan([Role.FEATURE], deviations=3), reference.entries([Role.FEATURE])
    counts = entry_counts(entries, plan)
    if law in LAWS:
        shares = np.diff(LAWS[law].cdf(plan.numeric[0].edges), prepend=0.0, append=1.0).tolist()
    else:
        by_name = dict(zip(names, categories, strict=True))
        shares = [by_name.get(name, 0.0) for name in plan.dictionaries[0].names]
    full = np.zeros(counts.shape[1])
    full[: len(shares)] = shares
    return Fitted(full, counts, entries[0], CriticalValues([entries[0].critical], counts))


def passing(reference: Fitted, windows: Counts, *, is_ordered: bool) -> dict[str, float]:
    """Return the share of windows that exceed their threshold, by measure."""
    limits = reference.critical.at(windows[:1])
    against = np.broadcast_to(reference.counts, windows.shape)
    return {
        name: float(np.mean(measure(against, windows) > limits[name][0]))
        for name, measure in MEASURES.items()
        if is_ordered or name not in ORDERED
    }


@pytest.mark.parametrize("law", short_form([*LAWS, "categorical"], "continuous"))
def test_one_window_in_a_hundred_exceeds_its_threshold(law: str, rng: np.random.Generator) -> None:
    """Without drift, 0.3 to 2% exceed it, for every measure of counts and every size."""
    passed: Counter[tuple[int, str]] = Counter()
    for _ in range(REFERENCES):
        reference = fitted(law, ROWS, rng)
        for size in SIZES:
            windows = rng.multinomial(size, reference.shares, WINDOWS)
            rates = passing(reference, windows, is_ordered=law in LAWS)
            passed.update({(size, name): round(rate * WINDOWS) for name, rate in rates.items()})
    assert len(passed) == len(SIZES) * (len(MEASURES) - (law not in LAWS))
    wrong = {measure: n for measure, n in passed.items() if not holds(n, REFERENCES * WINDOWS)}
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("law", [*LAWS, "categorical"])
@pytest.mark.parametrize(("rows", "references"), [(1_000, 40), (5_000, 30)])
def test_thresholds_also_hold_over_small_references(
    law: str, rows: int, references: int, rng: np.random.Generator
) -> None:
    """Many small references are fitted."""
    rates: dict[tuple[int, str], list[float]] = {}
    for _ in range(references):
        reference = fitted(law, rows, rng)
        for size in (size for size in SMALL_SIZES if size <= rows):
            windows = rng.multinomial(size, reference.shares, 100)
            for name, rate in passing(reference, windows, is_ordered=law in LAWS).items():
                rates.setdefault((size, name), []).append(rate)
    assert len(rates) >= 4 * (len(MEASURES) - (law not in LAWS))
    wrong = {
        measure: np.mean(of)
        for measure, of in rates.items()
        if not holds_by_reference(np.array(of))
    }
    assert not wrong


@pytest.mark.parametrize("law", [*LAWS, "categorical"])
def test_a_service_simulates_the_thresholds_that_training_would_have_saved(
    law: str, rng: np.random.Generator
) -> None:
    """The rates measured over small references therefore apply to learned references, too."""
    reference = fitted(law, 1_000, rng)
    learned = CriticalValues([{}], reference.counts, [reference.entry])
    for _ in CRITICAL_ROWS:  # each step is of one size; further ones are of Wasserstein distances
        assert learned.simulate_next()
    for size in SIZES:
        window = rng.multinomial(size, reference.shares, 1)
        saved, simulated = reference.critical.at(window), learned.at(window)
        for name in MEASURES.keys() - (ORDERED if law not in LAWS else set()):
            np.testing.assert_array_equal(simulated[name], saved[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_wasserstein_from_digests_exceeds_its_threshold_in_one_window_of_a_hundred(
    law: str, rng: np.random.Generator
) -> None:
    """Window quantiles come from digests; the threshold is saved, or simulated from quantiles."""
    windows_by_size = {20: 2_000, 200: 2_000, 5_000: 400}
    passed = {size: np.zeros(2, np.int64) for size in windows_by_size}
    for _ in range(4):
        reference = Reference.fit({"x": LAWS[law].draw(rng, ROWS)})
        entry = reference.entries([Role.FEATURE])[0]
        assert isinstance(entry, NumericReference)
        counts = entry_counts([entry], reference.plan([Role.FEATURE], deviations=3))
        learned = CriticalValues([{}], counts, [entry])
        while learned.simulate_next():
            pass
        both = CriticalValues([entry.critical], counts), learned
        then = np.array([entry.quantiles[1:-1]])
        for size, windows in windows_by_size.items():
            window = np.zeros_like(counts)
            window[0, 0] = size
            limits = [table.at(window)[WASSERSTEIN] for table in both]
            digest = TDigest(windows // 4)
            digest.update(LAWS[law].draw(rng, size * windows // 4).reshape(-1, size))
            moved = wasserstein(
                np.broadcast_to(then, (windows // 4, 99)),
                digest.quantile(WASSERSTEIN_RANKS),
                np.full(windows // 4, entry.stddev),
            )
            passed[size] += np.count_nonzero(moved > limits, axis=1)
    for size, counted in passed.items():
        assert all(holds(int(count), windows_by_size[size]) for count in counted), size


@pytest.mark.parametrize("change", [0.0, 0.02, 0.1, 0.3])
@pytest.mark.parametrize(("rows", "window"), [(1_000, 500), (5_000, 1_000), (50_000, 10_000)])
def test_the_lower_bound_of_psi_is_below_the_true_psi_nine_times_in_ten(
    rows: int, window: int, change: float, rng: np.random.Generator
) -> None:
    """Two samples are drawn 4,000 times; for small changes the bound holds more often."""
    then = np.array([0.4, 0.25, 0.15, 0.1, 0.06, 0.04])
    now = then * np.exp(np.sqrt(change) * np.linspace(-1, 1, then.size))
    now /= now.sum()
    true = ((now - then) * np.log(now / then)).sum()
    low = psi_low(rng.multinomial(rows, then, 4_000), rng.multinomial(window, now, 4_000))
    covered = int(np.count_nonzero(low <= true))
    assert binomtest(covered, 4_000, 0.88, "less").pvalue > 1e-3
    if change >= 0.1:  # below, the bound is often 0, and so holds more often
        assert binomtest(covered, 4_000, 0.95, "greater").pvalue > 1e-3
