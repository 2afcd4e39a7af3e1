"""Business figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.window import Span
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.figures.kpis import Kpis
from mlmonitor.records import Quality, Role
from mlmonitor.status.field_status import field_statuses

OPTIONS = ComparisonOptions(
    Span(3_600.0, None, 60), Significance(alpha=0.01, fields=1, tolerance=0.0), hitters=1
)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(-1e6, 1e6)), min_size=1, max_size=60))
def test_a_figure_has_the_moments_of_its_reported_values(figures: list[tuple[str, float]]) -> None:
    """Count, mean and deviation of each name equal numpy's, for any split into calls."""
    kpis = Kpis(OPTIONS)
    for figure in figures:
        kpis.ingest([figure], now=1.0)
    at_once = Kpis(OPTIONS)
    at_once.ingest(figures, now=1.0)
    for name, population in kpis.populations.items():
        expected = [value for key, value in figures if key == name]
        for counted in (population, at_once.populations[name]):
            (status,) = field_statuses(counted.snapshot(now=1.0))
            assert (status.name, status.role, status.count) == (name, Role.KPI, len(expected))
            assert status.mean == pytest.approx(np.mean(expected), abs=1e-6)
            assert status.stddev == pytest.approx(np.std(expected), abs=1e-5)
            assert status.psi is None


def test_the_number_of_names_of_figures_is_bounded() -> None:
    """Further names are counted together, and known ones keep their own count."""
    kpis = Kpis(OPTIONS)
    kpis.ingest([(f"k{at}", 1.0) for at in range(Kpis.NAMES + 50)], now=1.0)
    kpis.ingest([("k0", 1.0), ("new", 1.0)], now=1.0)
    assert len(kpis.populations) == Kpis.NAMES + 1
    assert kpis.populations[Kpis.OTHER].window.total().rows == 51
    assert kpis.populations["k0"].window.total().rows == 2


def test_a_long_figure_name_is_truncated_and_stays_distinct() -> None:
    """Two names that differ only after a megabyte are two figures of at most 200 characters."""
    kpis = Kpis(OPTIONS)
    kpis.ingest([("n" * 1_000_000 + end, 1.0) for end in "ab"], now=1.0)
    assert len(kpis.populations) == 2
    assert {len(name) for name in kpis.populations} <= {199, 200}


def test_a_figure_that_is_not_a_number_is_counted_by_reason() -> None:
    """It is refused, and other figures are kept."""
    kpis = Kpis(OPTIONS)
    kpis.ingest([("a", 1.0), ("a", "x"), ("a", None), ("a", float("inf")), ("a", 10**400)], now=1.0)
    (status,) = field_statuses(kpis.populations["a"].snapshot(now=1.0))
    assert (status.count, status.mean) == (1, 1.0)
    assert status.quality[Quality.WRONG_TYPE] == 1
    assert status.quality[Quality.MISSING] == 1
    assert status.quality[Quality.NONFINITE] == 2
