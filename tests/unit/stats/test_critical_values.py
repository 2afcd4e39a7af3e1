"""Critical values of distances: simulated tables, and asymptotic values where there are none."""

import numpy as np
import pytest
from scipy.stats import binomtest

from mlmonitor import Config, Monitor, Reference
from mlmonitor.compare.count_table import entry_counts
from mlmonitor.formats.reference import CRITICAL_ROWS, dump, load
from mlmonitor.records import Field, Role
from mlmonitor.reference.thresholds import Thresholds
from mlmonitor.stats.critical_values import CriticalValues
from mlmonitor.stats.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    wasserstein,
)
from mlmonitor.stats.simulated_values import simulate_distances, simulate_wasserstein
from mlmonitor.testing import ManualClock
from support.cases import short_form

COUNTS = np.array([500, 300, 150, 50, 0])


def critical(counts: np.ndarray, *, is_simulated: bool = True) -> CriticalValues:
    """Return the critical values of one field."""
    return CriticalValues(
        [simulate_distances(counts, is_ordered=True) if is_simulated else {}], counts[None]
    )


def window(rows: int) -> np.ndarray:
    """Return a window of so many rows."""
    return np.array([[rows, 0, 0, 0, 0]])


def test_a_window_of_a_simulated_size_has_the_simulated_critical_value() -> None:
    """The interpolation passes through the entries of the table."""
    table, values = simulate_distances(COUNTS, is_ordered=True), critical(COUNTS)
    for place, rows in enumerate(CRITICAL_ROWS):
        for name, value in values.at(window(rows)).items():
            if name in table:
                assert value[0] == pytest.approx(table[name][place], rel=1e-12)


@pytest.mark.parametrize("is_simulated", [True, False])
@pytest.mark.parametrize("name", [name for name in MEASURES if name != "chi2"])
def test_critical_values_decrease_with_the_number_of_rows(name: str, is_simulated: bool) -> None:  # noqa: FBT001 - parametrized
    """Sampling error shrinks as the window grows, down to that of the reference."""
    thresholds = critical(COUNTS, is_simulated=is_simulated)
    sizes = [20, 35, 50, 120, 1_000, 5_000, 10_000, 1 << 40]
    values = [thresholds.at(window(rows))[name][0] for rows in sizes]
    assert values == sorted(values, reverse=True)
    assert values[-1] > 0


def test_simulated_and_asymptotic_values_agree_for_many_rows() -> None:
    """At 1,000 rows in full bins they differ by less than a tenth; Kolmogorov's is a bound."""
    counts = np.append(np.full(10, 5_000), 0)
    by_table = CriticalValues([simulate_distances(counts, is_ordered=True)], counts[None])
    by_law = CriticalValues([{}], counts[None])
    rows = np.append(np.full(10, 100), 0)[None]
    for name in MEASURES:
        law, table = by_law.at(rows)[name][0], by_table.at(rows)[name][0]
        if name in ORDERED:
            assert table <= law
        else:
            assert table == pytest.approx(law, rel=0.1)


def quantile_distances(
    ordered: np.ndarray, values: int, windows: int, rng: np.random.Generator
) -> np.ndarray:
    """Return Wasserstein distances of windows of a standard normal field."""
    drawn = np.sort(rng.normal(size=(windows, values)), axis=1)
    ranks = np.minimum((WASSERSTEIN_RANKS * values).astype(int), values - 1)
    then = ordered[(WASSERSTEIN_RANKS * ordered.size).astype(int)]
    return wasserstein(
        np.broadcast_to(then, (windows, 99)), drawn[:, ranks], np.full(windows, ordered.std())
    )


@pytest.mark.parametrize("missing", [0.3, 0.8, 0.95])
@pytest.mark.parametrize("digested", [1.0, 0.5])
def test_wasserstein_exceeds_its_threshold_in_one_window_of_a_hundred(
    missing: float, digested: float, rng: np.random.Generator
) -> None:
    """Missing values and values dropped by the digest do not count towards the window."""
    ordered = np.sort(rng.normal(size=20_000))
    counts = np.array([[10_000, 10_000, round(20_000 * missing / (1 - missing))]])
    table = simulate_wasserstein(ordered, float(ordered.std()))
    rows, windows = 2_000, 1_500
    values = round(rows * (1 - missing))
    window = np.array([[values, 0, rows - values]])
    kept = round(values * digested)
    limit = CriticalValues([table], counts).at(window, digested=np.array([kept]))[WASSERSTEIN][0]
    passed = int((quantile_distances(ordered, kept, windows, rng) > limit).sum())
    assert binomtest(passed, windows, 0.003, "less").pvalue > 1e-3
    assert binomtest(passed, windows, 0.02, "greater").pvalue > 1e-3


@pytest.mark.parametrize("thresholds", short_form(["simulated", "asymptotic"], "asymptotic"))
def test_few_windows_of_many_categories_exceed_their_thresholds(
    thresholds: Thresholds, rng: np.random.Generator
) -> None:
    """There are five frequent and 1,000 rare ones; half of those listed have no held-out row."""
    shares = np.append(np.full(5, 0.1), np.full(1_000, 0.0005))
    names = np.array([f"c{at:04}" for at in range(shares.size)])
    exceeding: dict[str, list[float]] = {}
    for _ in range(12):
        sample = {"x": rng.choice(names, 3_000, p=shares)}
        reference = Reference.fit(sample, fields=[Field("x", public=True)], thresholds=thresholds)
        (entry,) = reference.content.fields
        plan = reference.plan([Role.FEATURE], deviations=3)
        counts = entry_counts([entry], plan)
        by_name = dict(zip(names, shares, strict=True))
        listed = np.array([by_name.get(name, 0.0) for name in plan.dictionaries[0].names])
        others = [by_name[name] for name in plan.dictionaries[0].other]
        listed[len(plan.dictionaries[0].top)] = sum(others)
        law = np.zeros(counts.shape[1])
        law[: listed.size] = listed
        law[listed.size - 1] += max(1 - law.sum(), 0.0)
        windows = rng.multinomial(500, law / law.sum(), 200)
        limits = CriticalValues([entry.critical], counts).at(windows[:1])
        for name in ("psi", "js", "hellinger", "tv", "chi2"):
            distances = MEASURES[name](np.broadcast_to(counts, windows.shape), windows)
            exceeding.setdefault(name, []).append(float((distances > limits[name][0]).mean()))
    assert max(np.mean(rates) for rates in exceeding.values()) <= 0.05


def test_the_same_counts_have_the_same_table() -> None:
    """The seed depends only on the counts, so that two fits agree to the last digit."""
    values = np.random.default_rng(3).lognormal(size=2_000)
    first, second = (Reference.fit({"x": values}).content.fields[0].critical for _ in range(2))
    assert first == second
    assert set(first) == {*MEASURES, WASSERSTEIN}


def test_a_window_without_rows_has_no_critical_values() -> None:
    """The value is NaN without a warning, also if the reference has no rows."""
    assert all(np.isnan(values).all() for values in critical(COUNTS).at(window(0)).values())
    empty = CriticalValues([{}], np.zeros((1, 5), np.int64))
    assert all(np.isnan(values).all() for values in empty.at(window(9)).values())


@pytest.mark.parametrize(
    "column",
    [
        np.full(100, 3.0),
        np.full(100, np.nan),
        np.array(["only"] * 100),
        np.array([1.0]),
        np.array([True] * 50),
    ],
    ids=["constant", "all missing", "one category", "one row", "always true"],
)
def test_a_constant_field_has_critical_values_of_zero(column: np.ndarray) -> None:
    """Its tables hold finite zeros; it has no Wasserstein distance."""
    reference = Reference.fit(
        {"x": column}, schema={"x": "boolean"} if column.dtype == bool else {}
    )
    (entry,) = reference.content.fields
    assert WASSERSTEIN not in entry.critical
    plan = reference.plan([Role.FEATURE], deviations=3)
    critical_values = CriticalValues([entry.critical], entry_counts([entry], plan))
    counts = np.full((1, entry_counts([entry], plan).shape[1]), 1 << 40)
    for name, values in critical_values.at(counts).items():
        assert name == WASSERSTEIN or np.isfinite(values).all()


def test_the_wasserstein_threshold_is_in_units_of_the_reference_deviation() -> None:
    """A field in cents has the same distance as one in euros."""
    ordered = np.sort(np.random.default_rng(1).normal(size=5_000))
    euros = simulate_wasserstein(ordered, float(ordered.std()))
    cents = simulate_wasserstein(ordered * 100, float(ordered.std() * 100))
    np.testing.assert_allclose(euros[WASSERSTEIN], cents[WASSERSTEIN], rtol=2e-3)


def test_critical_values_are_saved_with_the_reference() -> None:
    """A loaded reference has the same tables; a table of a wrong length is refused."""
    content = Reference.fit({"x": np.arange(50.0)}).content
    assert load(dump(content)).fields[0].critical == content.fields[0].critical
    broken = dump(content).replace(b'"psi": [', b'"psi": [1.0,')
    with pytest.raises(ValueError, match="critical"):
        load(broken)


def test_the_tables_of_a_learned_reference_are_simulated_in_small_steps() -> None:
    """Each drain simulates one size; the finished tables agree with those of a fit."""
    rng = np.random.default_rng(2)
    columns = {"x": rng.lognormal(size=1_000), "line": rng.choice(["a", "b", "c"], 1_000)}
    fitted = Reference.fit(columns)
    entries = [entry.model_copy(update={"critical": {}}) for entry in fitted.content.fields]
    counts = entry_counts(entries, fitted.plan([Role.FEATURE], deviations=3))
    learned = CriticalValues([{}, {}], counts, entries)
    from_tables = CriticalValues([entry.critical for entry in fitted.content.fields], counts)
    assert learned.is_simulating
    steps = 0
    while learned.simulate_next():
        steps += 1
    assert steps == 3 * len(CRITICAL_ROWS)  # two fields' counts, and one's quantiles
    assert learned.nbytes == from_tables.nbytes
    window = np.zeros_like(counts)
    window[:, 0] = 80
    for name, values in from_tables.at(window).items():
        tolerance = 0.15 if name == WASSERSTEIN else 1e-12
        assert learned.at(window)[name][0] == pytest.approx(values[0], rel=tolerance)


def test_a_service_simulates_critical_values_between_drains() -> None:
    """The thresholds of a learned reference become those of a fit to the same rows."""
    values = np.random.default_rng(4).normal(size=600)
    config = Config(baseline_rows=500, export_interval_seconds=3_600, poll_interval_seconds=3_600)
    with Monitor("m", exporters=[], config=config, clock=ManualClock()) as monitor:
        monitor.record({"x": values}, np.zeros(600))
        psi_thresholds = [monitor.status().field("x").psi_threshold for _ in range(50)]
    fitted = Reference.fit({"x": values[:500]})
    plan, (entry,) = fitted.plan([Role.FEATURE], deviations=3), fitted.content.fields
    counts = entry_counts([entry], plan)
    expected = CriticalValues([entry.critical], counts).at(
        np.full((1, 1), 100) * (counts > 0) // 10
    )
    assert psi_thresholds[-1] == pytest.approx(expected["psi"][0], rel=1e-9)
    assert psi_thresholds[0] != psi_thresholds[-1]
