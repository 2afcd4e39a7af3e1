"""How strongly rows depend on each other, measured on blocks and on groups of them."""

import numpy as np
import pytest

from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.dependence.overdispersion import EffectCurve, block_effects, group_effect

ROWS = 20_000
BINS = 10


def binned(values: np.ndarray) -> np.ndarray:
    """Return for each value the number of its decile."""
    edges = np.quantile(values, np.arange(1, BINS) / BINS)
    return np.searchsorted(edges, values)


def curve(values: np.ndarray) -> EffectCurve:
    """Return the design effects of blocks of these rows, without missing values."""
    return block_effects(binned(values), BINS + 1, is_ordered=True)


def autoregressive(rng: np.random.Generator, rows: int, correlation: float) -> np.ndarray:
    """Draw a stationary autoregressive series of order 1."""
    noise = rng.normal(size=rows) * np.sqrt(1 - correlation**2)
    noise[0] = rng.normal()
    values = np.empty(rows)
    last = 0.0
    for row, step in enumerate(noise.tolist()):
        last = correlation * last + step
        values[row] = last
    return values


def test_models_of_independent_rows_rarely_show_dependence(
    rng: np.random.Generator,
) -> None:
    """The rate is at most one model in twenty; six of 20 would occur once in 3,000 runs."""
    fields, models = 12, 20
    dependent = 0
    for _ in range(models):
        curves = [
            block_effects(binned(values), BINS + 1, is_ordered=True, fields=fields)
            for values in rng.normal(size=(fields, 3_000))
        ]
        dependent += any(measured.effects[-1] > 1 for measured in curves)
    assert dependent <= 5


def test_a_weak_dependence_counts_only_if_another_field_gives_evidence_of_it(
    rng: np.random.Generator,
) -> None:
    """One of forty fields may look dependent by chance, unless others show it, too."""
    cells = binned(autoregressive(rng, 3_000, 0.08))
    alone, beside = (
        block_effects(cells, BINS + 1, is_ordered=True, fields=40, is_evident=is_evident)
        for is_evident in (False, True)
    )
    assert max(alone.effects) == 1
    assert 1 < max(beside.effects) < 2


@pytest.mark.parametrize("correlation", [0.0, 0.05])
def test_only_groups_of_correlated_rows_show_a_group_correlation(
    rng: np.random.Generator, correlation: float
) -> None:
    """Customers with weakly correlated rows show one if there are many of them."""
    groups = np.repeat(np.arange(1_000), 10)
    customers, own = rng.normal(size=(20, 1_000)), rng.normal(size=(20, 10_000))
    values = np.sqrt(correlation) * customers[:, groups] + np.sqrt(1 - correlation) * own
    measured = [
        group_effect(binned(field), BINS + 1, groups, is_ordered=True, fields=20)[0]
        for field in values
    ]
    assert np.count_nonzero(measured) == (20 if correlation else 0)


def test_repeated_rows_count_once(rng: np.random.Generator) -> None:
    """Each row is sent five times, so five rows are worth one."""
    effects = curve(np.repeat(rng.normal(size=ROWS // 5), 5)).effects
    assert effects[1] == pytest.approx(1.8, rel=0.1)
    assert effects[5:8] == pytest.approx(5, rel=0.25)


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_the_design_effect_of_a_series_follows_from_its_autocorrelation(
    rng: np.random.Generator, correlation: float
) -> None:
    """For the mean it is `(1 + r) / (1 - r)`; for its bins it is slightly less."""
    effects = curve(autoregressive(rng, ROWS, correlation))
    assert effects.is_resolved
    assert 0.7 < effects.effects[8] * (1 - correlation) / (1 + correlation) < 1.3


def test_differences_between_days_are_detected_in_long_blocks_alone(
    rng: np.random.Generator,
) -> None:
    """The means of forty days of 500 rows differ by a fifth of a standard deviation."""
    values = rng.normal(size=ROWS) + 0.2 * np.repeat(rng.normal(size=40), 500)
    days = np.repeat(np.arange(40), 500)
    effects = block_effects(binned(values), BINS + 1, is_ordered=True, days=days)
    assert effects.effects[2] < 1.5
    assert 10 < effects.effects[-1] < 60


def test_sorted_rows_show_no_dependence(rng: np.random.Generator) -> None:
    """Sorting hides the order of arrival, so the dependence is reported as unresolved."""
    for values in (np.sort(rng.normal(size=ROWS)), np.repeat([0.0, 1.0], ROWS // 2)):
        effects = block_effects(
            np.searchsorted([0.5], values) if values.max() == 1 else binned(values),
            BINS + 1,
            is_ordered=True,
        )
        assert not effects.is_resolved
        assert (effects.effects == 1).all()


def test_declared_seasons_do_not_count_as_dependence(rng: np.random.Generator) -> None:
    """A daily cycle makes long blocks differ, unless each hour has its own expectation."""
    hours = np.arange(ROWS) // 100 % 24
    cells = binned(rng.normal(size=ROWS) + np.sin(hours / 24 * 2 * np.pi))
    shares = np.array([np.bincount(cells[hours == h], minlength=BINS + 1) for h in range(24)])
    expected = (shares / shares.sum(axis=1, keepdims=True))[hours]
    undeclared = block_effects(cells, BINS + 1, is_ordered=True)
    declared = block_effects(cells, BINS + 1, is_ordered=True, expected=expected)
    assert undeclared.effects[-1] > 50
    assert declared.effects[-1] < 3


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_the_correlation_of_groups_is_measured_in_any_order(
    rng: np.random.Generator, correlation: float
) -> None:
    """A thousand customers have twenty rows each, in random order."""
    groups = rng.permutation(np.repeat(np.arange(1_000), 20))
    customers = rng.normal(size=1_000)[groups]
    own = rng.normal(size=ROWS)
    cells = binned(np.sqrt(correlation) * customers + np.sqrt(1 - correlation) * own)
    effect, size = group_effect(cells, BINS + 1, groups, is_ordered=True)
    assert size == 20
    assert effect == pytest.approx(correlation, abs=0.06)


def test_dependence_in_a_single_category_is_detected(rng: np.random.Generator) -> None:
    """Categories have no location, so the most frequent ones are tested one by one."""
    cells = np.repeat(rng.integers(0, 5, ROWS // 8), 8)
    effects = block_effects(cells, 7, is_ordered=False)
    assert effects.effects[6:9] == pytest.approx(8, rel=0.3)


@pytest.mark.parametrize("rows", [0, 1, 2, 19])
def test_too_few_rows_show_no_dependence(rows: int) -> None:
    """At least twenty rows are needed for blocks of two."""
    effects = block_effects(np.zeros(rows, np.int64), 2, is_ordered=True)
    assert effects.effects.tolist() == [1.0]
    assert not effects.is_resolved


def test_design_effects_are_interpolated_and_constant_beyond_the_last_length() -> None:
    """The interpolation is geometric; the effect of a group counts if it is larger."""
    effects = DesignEffects(
        np.array([1.0, 4.0, 16.0]),
        np.array([[1.0, 2.0, 8.0], [1.0, 1.0, 1.0]]),
        np.array([0.0, 0.5]),
        group_size=lambda rows: np.minimum(rows, 11.0),
        reference_group_size=3.0,
    )
    rows = np.array([[1, 1], [8, 8], [1_000, 1_000]])
    np.testing.assert_allclose(effects.at(rows), [[1, 1], [4, 4.5], [8, 6]])
    np.testing.assert_allclose(effects.at_reference(np.array([1_000, 1_000])), [8, 2])


def test_declared_groups_are_not_counted_again_as_dependence_of_blocks(
    rng: np.random.Generator,
) -> None:
    """Groups of four equal rows have an effect of four, and blocks add nothing to it."""
    values = rng.normal(size=(5, 1_250)).repeat(4, axis=1)
    measured = [
        block_effects(binned(field), BINS + 1, is_ordered=True, known_effect=4.0).effects.max()
        for field in values
    ]
    assert measured == [1] * 5


def test_dependence_beyond_declared_groups_is_measured(rng: np.random.Generator) -> None:
    """Groups have four rows each, and their values change slowly."""
    cells = binned(autoregressive(rng, 2_500, 0.95).repeat(4))
    measured = block_effects(cells, BINS + 1, is_ordered=True, known_effect=4.0)
    assert measured.effects[-1] > 20


@pytest.mark.parametrize("rows", [0, 1, 2, 37, 800, 5_000, 10_000_000])
def test_fields_with_equally_many_rows_have_the_effects_of_each_alone(rows: int) -> None:
    """They share a faster computation, since most fields have a value in each row."""
    lengths, curves = np.array([1.0, 10.0, 1_000.0]), np.array([[1.0, 2.0, 3.0], [1.0, 1.5, 9.0]])
    effects = DesignEffects(lengths, curves, np.zeros(2))
    alike = np.array([rows, rows])
    np.testing.assert_allclose(effects.at(alike), effects.at(alike[None])[0], rtol=1e-15)
