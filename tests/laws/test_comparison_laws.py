"""Laws of every comparison: finite at every edge, and the same for a fleet as for its rows."""

import warnings
from typing import Any

import numpy as np
import pytest

from mlmonitor import Role
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.count_table import entry_counts, profile_counts
from mlmonitor.compare.population import Population
from mlmonitor.compare.quality.field_quality import QualitySnapshot
from mlmonitor.stats.distance import MEASURES, ORDERED
from mlmonitor.status.field_status import field_statuses
from support.references import fit_reference

BEYOND_32_BITS = 1 << 40
UNBOUNDED = ("chi2",)  # grows with the counts

EDGES: dict[str, list[Any]] = {
    "ordinary": [float(x) for x in range(50)],
    "constant": [1.0] * 50,
    "all missing": [None] * 50,
    "half missing": [None, 1.0] * 25,
    "one row": [1.0],
    "one category": ["a"] * 50,
    "two categories": ["a", "b"] * 25,
    "ever new categories": [f"c{at}" for at in range(50)],
    "truths": [True, False] * 25,
    "infinite": [float("inf")] * 50,
    "huge": [1.7e308, -1.7e308] * 25,
    "denormal": [5e-324, 1e-323] * 25,
}
NO_ROWS = "no rows"


def population_of(then: list[Any], now: list[Any]) -> Population:
    """Return a population whose field had the values `then` in the reference and has `now`."""
    reference = fit_reference({"x": then})
    plan, entries = (
        reference.plan([Role.FEATURE], deviations=3.0),
        reference.entries([Role.FEATURE]),
    )
    level = Significance(alpha=0.01, fields=1, tolerance=0.005)
    population = Population(
        plan, entries, ComparisonOptions(Span(60.0, None, 6), level, hitters=4), now=0.0
    )
    if now:
        rows = Rows(len(now), ColumnTable({"x": now}, len(now)), {}, [], [], None)
        population.update(Reader(plan.schema).read_block(rows), now=1.0)
    return population


def assert_sensible_quality(quality: QualitySnapshot | None) -> None:
    """Assert that shares are between 0 and 1 and that each known share has a threshold."""
    assert quality is not None
    shares = quality.shares[np.isfinite(quality.thresholds)]
    assert ((shares >= 0) & (shares <= 1)).all()
    assert len(shares) == np.count_nonzero(~np.isnan(quality.shares))


@pytest.mark.parametrize("now", [*EDGES, NO_ROWS])
@pytest.mark.parametrize("then", EDGES)
def test_every_edge_case_gives_finite_or_unknown_scores(then: str, now: str) -> None:
    """There is no warning; a score is unknown only if there are no rows or no order."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        subject = population_of(EDGES[then], EDGES.get(now, []))
        subject.evaluate(now=1.0)
        snapshot = subject.snapshot(now=2.0)
        (status,) = field_statuses(snapshot)
    assert_sensible_quality(snapshot.quality)
    has_order = snapshot.plan.schema.fields[0].is_numeric and status.count > 0
    has_order = has_order and sum(snapshot.entries[0].counts) > 0
    for name in MEASURES:
        score, limit = snapshot.scores[name][0], snapshot.thresholds[name][0]
        if now == NO_ROWS or (name in ORDERED and not has_order):
            assert np.isnan(score)
            continue
        assert np.isfinite(score)
        assert limit >= 0 or name == "psi_debiased"
        if then == now:
            assert score <= max(limit, 1e-12) or then == "ever new categories"
        if name in ("js", "hellinger", "tv", "ks"):
            assert 0 <= score <= 1
    assert status.psi is None or status.psi >= 0
    assert np.isfinite(snapshot.log10_e_value[0])


@pytest.mark.parametrize("measure", MEASURES)
def test_counts_beyond_32_bits_do_not_overflow(measure: str) -> None:
    """A thousand billion values a bin have the same distance as a hundred each."""
    small = np.array([[100, 200, 300, 400]]), np.array([[400, 300, 200, 100]])
    large = tuple(table * BEYOND_32_BITS for table in small)
    few, many = (float(MEASURES[measure](*pair)[0]) for pair in (small, large))
    assert np.isfinite(many)
    if measure not in UNBOUNDED:
        assert many == pytest.approx(few, rel=0.05)


def test_evaluations_of_counts_beyond_32_bits_stay_finite() -> None:
    """Evidence, critical values and shares are covered."""
    subject = population_of(EDGES["half missing"], EDGES["half missing"])
    total = subject.window.total()
    total.quality *= BEYOND_32_BITS
    total.bins *= BEYOND_32_BITS
    total.rows *= BEYOND_32_BITS
    assert subject.drift is not None
    assert subject.field_quality is not None
    subject.drift.evaluate(total, now=1.0)
    subject.field_quality.evaluate(total, subject.window.drain_extremes(), now=1.0)
    assert np.isfinite(subject.drift.log10_e_value).all()
    assert np.isfinite(subject.field_quality.snapshot(total).thresholds).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_counts_of_eight_workers_give_the_evidence_of_their_pooled_rows(
    measure: str, rng: np.random.Generator
) -> None:
    """Evidence from the summed counts equals that of all rows to twelve digits."""
    reference = fit_reference(
        {"x": rng.normal(size=2_000), "c": rng.choice(["a", "b", "c"], 2_000).tolist()}
    )
    plan, entries = (
        reference.plan([Role.FEATURE], deviations=3.0),
        reference.entries([Role.FEATURE]),
    )
    reader, then = Reader(plan.schema), entry_counts(entries, plan)
    x = rng.normal(0.3, 1.2, 8_000)
    x[rng.random(8_000) < 0.02] = np.nan
    c = rng.choice(["a", "b", "new"], 8_000)

    def profile(part: slice) -> FieldProfile:
        columns = {"x": x[part], "c": c[part].tolist()}
        rows = len(columns["x"])
        profile_of_rows = FieldProfile(plan)
        profile_of_rows.update(
            reader.read_block(Rows(rows, ColumnTable(columns, rows), {}, [], [], None))
        )
        return profile_of_rows

    cuts = np.sort(rng.integers(0, 8_000, 7)).tolist()
    workers = [
        profile(slice(a, b)) for a, b in zip([0, *cuts], [*cuts, 8_000], strict=True) if b > a
    ]
    added = sum(profile_counts(worker) for worker in workers)
    whole = profile_counts(profile(slice(None)))
    np.testing.assert_allclose(
        MEASURES[measure](then, np.asarray(added)),
        MEASURES[measure](then, whole),
        rtol=0,
        atol=1e-12,
    )
