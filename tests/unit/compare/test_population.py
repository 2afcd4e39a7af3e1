"""The statistics of a population's fields beside those of the reference."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Quality, Reference, Role
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.stats.distance import jensen_shannon, psi
from mlmonitor.status.field_status import FieldStatus, field_statuses
from support.references import fit_reference

SPAN = Span(3_600.0, None, 60)
LENS = ComparisonOptions(SPAN, Significance(alpha=0.01, fields=1, tolerance=0.005), hitters=8)


def seen(reference: Reference, *batches: dict[str, list[Any]]) -> tuple[Population, Reader]:
    """Return a population of the reference's features after some batches of columns."""
    plan = reference.plan([Role.FEATURE], deviations=3.0)
    entries = reference.entries([Role.FEATURE])
    population = Population(plan, entries, LENS, now=0.0)
    reader = Reader(plan.schema)
    for columns in batches:
        rows = len(next(iter(columns.values())))
        rows_read = Rows(rows, ColumnTable(columns, rows), {}, [], [], None)
        population.update(reader.read_block(rows_read), now=1.0)
    return population, reader


def statuses(reference: Reference, *batches: dict[str, list[Any]]) -> dict[str, FieldStatus]:
    """Return the status of each feature after these batches."""
    population, _ = seen(reference, *batches)
    return {status.name: status for status in field_statuses(population.snapshot(now=2.0))}


numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


@given(numbers, numbers)
def test_scores_of_a_field_are_the_distances_of_its_counts(
    then: list[float], now: list[float]
) -> None:
    """PSI and Jensen-Shannon are those of histograms over the reference's edges."""
    reference = fit_reference({"x": then})
    (entry,) = reference.content.fields
    edges = entry.edges if entry.kind == "numeric" else []
    counts = np.bincount(np.searchsorted(edges, now, side="left"), minlength=len(edges) + 1)
    status = statuses(reference, {"x": now})["x"]
    pair = np.array([entry.counts]), counts[None, :]
    assert status.psi == pytest.approx(psi(*pair)[0], abs=1e-12)
    assert status.jensen_shannon == pytest.approx(jensen_shannon(*pair)[0], abs=1e-12)


@given(numbers)
def test_the_window_has_the_moments_of_its_rows(now: list[float]) -> None:
    """Count, mean, deviation, range and extreme quantiles agree with numpy."""
    status = statuses(fit_reference({"x": [0.0, 1.0]}), {"x": now})["x"]
    assert (status.count, status.min, status.max) == (len(now), min(now), max(now))
    assert status.mean == pytest.approx(np.mean(now), abs=1e-6)
    assert status.stddev == pytest.approx(np.std(now), abs=1e-5)
    assert list(status.quantiles) == sorted(status.quantiles)
    assert list(status.quantiles.values()) == sorted(status.quantiles.values())


def test_the_training_rows_have_distance_zero_from_their_reference() -> None:
    """They are recorded once more."""
    data = {"x": [1.0, 2.0, 3.0, 4.0] * 25, "line": ["motor", "home", "boat", "boat"] * 25}
    for status in statuses(fit_reference(data), data).values():
        assert (status.psi, status.jensen_shannon, status.has_moved) == (0.0, 0.0, False)
        assert status.count == 100


@pytest.mark.parametrize("values", [[7.0] * 20, [None] * 20, ["a"] * 20, [True] * 20])
def test_a_constant_or_empty_field_has_a_status(values: list[Any]) -> None:
    """There is no warning, and unknown statistics are None."""
    data = {"x": values, "y": [float(at) for at in range(20)]}
    status = statuses(fit_reference(data), data)["x"]
    is_empty = values[0] is None
    assert status.count == (0 if is_empty else 20)
    assert status.psi == 0.0  # where there never was a value, none is missing that was there
    assert status.missing == (20 if is_empty else 0)
    assert all(x is None or np.isfinite(x) for x in (status.mean, status.stddev, status.min))


def test_before_the_first_row_scores_and_statistics_are_unknown() -> None:
    """All of them are None, and there is no warning."""
    for status in statuses(fit_reference({"x": [1.0, 2.0], "line": ["a", "b"]})).values():
        assert (status.count, status.psi, status.jensen_shannon, status.mean) == (
            0,
            None,
            None,
            None,
        )
        assert (status.quantiles, status.psi_threshold, status.has_moved) == ({}, None, False)


def test_new_categories_are_named_from_their_fifth_row_on() -> None:
    """A value that occurs four times might be a person's name."""
    data = {"line": ["motor", "home"] * 10, "x": [1.0] * 20}
    now = {"line": ["caravan"] * 5 + ["Ada Lovelace"] * 4 + ["home"], "x": [1.0] * 10}
    status = statuses(fit_reference(data), now)["line"]
    assert [(hit.name, hit.count) for hit in status.new_categories] == [("caravan", 5)]
    assert status.quality[Quality.NEW_CATEGORY] == 9


def test_known_rare_categories_do_not_count_as_new() -> None:
    """Categories beyond the most frequent ones are `other`."""
    data = {"c": [f"c{at}" for at in range(100)] * 20, "x": [1.0] * 2_000}
    status = statuses(fit_reference(data), data)["c"]
    assert status.quality[Quality.NEW_CATEGORY] == 0
    assert status.psi is not None
    assert status.psi_threshold is not None
    assert status.psi < status.psi_threshold


def test_every_category_of_the_training_data_is_known_in_service() -> None:
    """Unusual values keep their names too."""
    odd = ["\ud800", "n" * 500, "", "__new__", b"bytes", 7, 7.0, True, "7"]
    data = {"c": odd, "x": [1.0] * len(odd)}
    status = statuses(fit_reference(data, schema={"c": "categorical"}), data)["c"]
    assert (status.quality[Quality.NEW_CATEGORY], status.count, status.psi) == (0, len(odd), 0.0)


def test_no_category_counts_as_new_for_an_open_vocabulary() -> None:
    """The reference had more categories than it could store, so any value may be known."""
    data = {"c": [f"c{at}" for at in range(10_000)], "x": [1.0] * 10_000}
    status = statuses(fit_reference(data), {"c": ["unheard of"] * 10, "x": [1.0] * 10})["c"]
    assert (status.quality[Quality.NEW_CATEGORY], status.new_categories) == (0, ())


def test_the_number_of_distinct_categories_is_estimated() -> None:
    """The number is exact for categories of the dictionary; others need the extra."""
    reference = fit_reference({"c": ["a", "b", "c"], "x": [1.0] * 3})
    population, _ = seen(reference, {"c": ["a", "a", "b", "new"], "x": [1.0] * 4})
    compared = population.snapshot(now=2.0)
    assert compared.count_categories(0) == 3
    compared.view.shapes.distinct.clear()  # as where the extra is not installed
    assert compared.count_categories(0) is None


def test_rows_that_leave_the_window_still_count_in_the_total_quality() -> None:
    """Moments and scores cover the window, and quality covers all rows."""
    population, _ = seen(fit_reference({"x": [1.0, 2.0]}), {"x": [1.0, None, float("inf")]})
    (status,) = field_statuses(population.snapshot(now=100_000.0))
    assert (status.count, status.psi, status.mean) == (0, None, None)
    assert status.missing == 1
    assert status.quality[Quality.NONFINITE] == 1
    assert sum(status.window_quality.values()) == 0


def test_the_quality_of_the_window_covers_its_rows() -> None:
    """Before any row has left the window, it is that of all rows."""
    population, _ = seen(fit_reference({"x": [1.0, 2.0]}), {"x": [1.0, None, float("inf")]})
    (status,) = field_statuses(population.snapshot(now=2.0))
    assert status.window_quality == status.quality
    assert status.window_quality[Quality.MISSING] == 1


def test_a_shift_is_distinguished_from_chance() -> None:
    """Fifty rows of the same distribution have not moved, and a thousand shifted ones have."""
    rng = np.random.default_rng(7)
    reference = fit_reference({"x": rng.normal(size=10_000)})
    same = statuses(reference, {"x": rng.normal(size=50).tolist()})["x"]
    shifted = statuses(reference, {"x": rng.normal(0.8, size=1_000).tolist()})["x"]
    assert same.psi is not None
    assert same.psi > 0.1, "a rule of thumb would have cried wolf"
    assert not same.has_moved
    assert shifted.has_moved
