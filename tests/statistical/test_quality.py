"""False alerts and delays of quality checks in simulated streams, by binomial intervals."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest

from mlmonitor import Alert, Field, Reference, Role
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.drift.decomposition import ShiftDecomposition
from mlmonitor.compare.population import Population
from mlmonitor.compare.quality.defects import list_defects
from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts
from mlmonitor.records import Floats, Quality
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.proportions import critical_share
from support.cases import short_form
from support.rates import highest_rate
from support.references import fit_reference, fit_without_thresholds

ALPHA = 0.01
STREAMS = 300
LOOKS, LOOK_ROWS = 200, 250

Truth = tuple[Reference, float]
"""A reference, and the chance that the next value is bad."""


def ever(belief: Floats, chances: Floats, rng: np.random.Generator) -> Floats:
    """Return the highest evidence of each stream in 50,000 rows without a change."""
    shape = belief.shape
    evidence = EProcess(np.zeros(shape, np.int64), np.ones(shape, np.bool_), prior=belief, kept=5)
    highest = np.full(len(belief), -np.inf)
    for _ in range(LOOKS):
        bad = rng.binomial(LOOK_ROWS, chances)
        evidence.update(np.stack([bad, LOOK_ROWS - bad], axis=1))
        highest = np.maximum(highest, evidence.log_e())
    return highest


def alerts(highest: Floats) -> int:
    """Count the streams whose evidence ever reached the level of `ALPHA`."""
    return int(np.count_nonzero(highest >= np.log(1 / ALPHA)))


def belief_of(reference: Reference, quality: Quality) -> tuple[float, float]:
    """Return the prior of a defect in the reference's only field."""
    defects = list_defects(reference.entries([Role.FEATURE]))
    return next(defect.belief for defect in defects if defect.quality is quality)


def continuous(rng: np.random.Generator, rows: int) -> Truth:
    """Fit uniform values, for which the probability outside their extremes is known exactly."""
    x = rng.random(rows)
    return fit_without_thresholds({"x": x}), 1 - (x.max() - x.min())


def categories(exponent: float, size: int) -> Callable[[np.random.Generator, int], Truth]:
    """Draw categories by Zipf's law, of which no sample contains all."""

    def draw(rng: np.random.Generator, rows: int) -> Truth:
        shares = np.arange(1, size + 1) ** -exponent
        shares /= shares.sum()
        seen = rng.choice(size, rows, p=shares)
        distinct = np.unique(seen)
        values = [f"c{at}" for at in seen.tolist()]
        reference = fit_without_thresholds({"x": values}, fields=[Field("x", public=True)])
        return reference, 1 - shares[distinct].sum()

    return draw


@pytest.mark.parametrize("share", short_form([0.0, 0.0005, 0.01, 0.3], 0.01))
@pytest.mark.parametrize("rows", short_form([200, 1_000, 5_000], 1_000))
def test_missing_and_invalid_values_rarely_alert_by_chance(
    share: float, rows: int, rng: np.random.Generator
) -> None:
    """Missing, infinite and mistyped values stay as frequent as in the reference."""
    counted = rng.binomial(rows, share, STREAMS)
    belief = np.stack([counted + 0.5, rows - counted + 0.5], axis=1)
    passed = alerts(ever(belief, np.full(STREAMS, share), rng))
    assert highest_rate(passed, STREAMS) <= 0.055


@pytest.mark.slow
@pytest.mark.parametrize("rows", [30, 200, 1_000])
def test_values_out_of_range_rarely_alert_by_chance(rows: int, rng: np.random.Generator) -> None:
    """The extremes of a sample cover less than all values, and the prior allows for that."""
    x = np.sort(rng.random((STREAMS, rows)), axis=1)
    chances = 1 - (x[:, -1] - x[:, 0])
    reference, _ = continuous(rng, rows)
    belief = np.array([belief_of(reference, Quality.OUT_OF_RANGE)] * STREAMS)
    assert highest_rate(alerts(ever(belief, chances, rng)), STREAMS) <= 0.055


@pytest.mark.parametrize("rows", [30, 200, 1_000])
def test_the_critical_share_out_of_range_allows_for_the_extremes(
    rows: int, rng: np.random.Generator
) -> None:
    """One window in a hundred exceeds it; with a prior of half a count, one in ten would."""
    windows, size = 4_000, 2_000
    x = np.sort(rng.random((windows, rows)), axis=1)
    seen = rng.binomial(size, 1 - (x[:, -1] - x[:, 0])) / size
    reference, _ = continuous(rng, rows)
    beliefs = np.array([belief_of(reference, Quality.OUT_OF_RANGE), (0.5, rows + 0.5)])
    fair, naive = critical_share(beliefs, np.array([size, size]))
    assert binomtest(int((seen > fair).sum()), windows, 0.01, "greater").pvalue > 1e-3
    assert (seen > fair).mean() > 0.003
    assert (seen > naive).mean() > 0.08


@pytest.mark.slow
@pytest.mark.parametrize("rows", [200, 1_000, 5_000])
@pytest.mark.parametrize(
    "law", [categories(1.0, 500), categories(1.2, 1_900), categories(0.5, 1_500)], ids=range(3)
)
def test_rare_categories_rarely_alert_by_chance(
    law: Callable[[np.random.Generator, int], Truth], rows: int, rng: np.random.Generator
) -> None:
    """Each thousand rows have new categories, at the rate that Good and Turing estimate."""
    truths = [law(rng, rows) for _ in range(STREAMS // 3)]
    belief = np.array([belief_of(reference, Quality.NEW_CATEGORY) for reference, _ in truths])
    highest = ever(belief, np.array([chance for _, chance in truths]), rng)
    assert highest_rate(alerts(highest), len(truths)) <= 0.11


@pytest.mark.parametrize(
    ("before", "after", "rows"), [(0.01, 0.03, 1_800), (0.0, 0.01, 600), (0.2, 0.25, 3_200)]
)
def test_a_growing_share_of_invalid_values_is_detected_soon(
    before: float, after: float, rows: int, rng: np.random.Generator
) -> None:
    """The median delay is that of one of twenty fields at 1% for all, after 20,000 clean rows."""
    streams = 100
    counted = rng.binomial(20_000, before, streams)
    belief = np.stack([counted + 0.5, 20_000 - counted + 0.5], axis=1)
    level = Significance(alpha=ALPHA, fields=20, tolerance=0.005)
    subject = ProportionAlerts(
        belief, threshold=level.quality_threshold, tolerance=0.001, min_rows=0
    )

    def look(share: float, size: int) -> None:
        bad = rng.binomial(size, share, streams)
        subject.evaluate(np.stack([bad, size - bad], axis=1), now=0.0)

    for _ in range(20):
        look(before, 1_000)
    assert not subject.is_firing.any()
    delays = np.full(streams, np.inf)
    for seen in range(100, 10_000, 100):
        look(after, 100)
        delays[subject.is_firing & np.isinf(delays)] = seen
    assert np.median(delays) <= rows


class Stream:
    """A population of every kind of field with a small reference."""

    def __init__(self, rng: np.random.Generator, rows: int) -> None:
        self.rng = rng
        reference = fit_reference(self.rows(rows))
        plan = reference.plan([Role.FEATURE], deviations=3.0)
        level = Significance(alpha=ALPHA, fields=len(reference.fields), tolerance=0.005)
        entries = reference.entries([Role.FEATURE])
        span = Span(None, 5_000, 10)
        self.population = Population(
            plan, entries, ComparisonOptions(span, level, hitters=4), now=0.0
        )
        self._reader = Reader(plan.schema)

    def rows(self, count: int) -> dict[str, object]:
        """Draw heavy tails, gaps, rare categories and a rarely true boolean."""
        gaps = self.rng.lognormal(0, 2, count)
        gaps[self.rng.random(count) < 0.02] = np.nan
        shares = 1 / np.arange(1, 301)
        towns = self.rng.choice(300, count, p=shares / shares.sum())
        return {
            "gaps": gaps,
            "count": self.rng.poisson(0.2, count).astype(float),
            "town": [f"t{at}" for at in towns.tolist()],
            "rare": self.rng.random(count) < 0.002,
        }

    def serve(self, count: int) -> list[Alert]:
        """Add new rows of the same distribution, and evaluate."""
        columns = self.rows(count)
        table = ColumnTable(columns, count)
        self.population.update(
            self._reader.read_block(Rows(count, table, {}, [], [], None)), now=1.0
        )
        return self.population.evaluate(now=1.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [300, 3_000])
def test_without_drift_at_most_fifteen_models_in_a_hundred_alert_for_drift_or_quality(
    rows: int, rng: np.random.Generator
) -> None:
    """All checks run every 250 rows; with sixty models a much lower bound could not be tested."""
    models = 60
    alerted = 0
    for _ in range(models):
        stream = Stream(rng, rows)
        alerted += any(stream.serve(250) for _ in range(60))
    assert highest_rate(alerted, models) <= 0.15


@pytest.mark.slow
def test_contributions_to_a_shift_rarely_exceed_their_threshold_without_drift(
    rng: np.random.Generator,
) -> None:
    """Of all contributions without drift, at most about one in a hundred is marked."""
    roles = (Role.FEATURE, Role.PREDICTION)
    passed = compared = 0
    for _ in range(60):
        x = rng.normal(size=(3, 1_000))
        columns = {"a": x[0], "b": x[1], "c": np.where(x[2] > 1, "high", "low").tolist()}
        reference = fit_reference(columns, predictions=x[0] + x[1] * x[2])
        plan, entries = reference.plan(roles, deviations=3.0), reference.entries(roles)
        why = ShiftDecomposition.from_entries(plan, entries, reference.content.explained)
        assert why is not None
        reader = Reader(plan.schema)
        for _ in range(40):
            y = rng.normal(size=(3, 300))
            served = {"a": y[0], "b": y[1], "c": np.where(y[2] > 1, "high", "low").tolist()}
            table = ColumnTable(served, 300)
            rows = Rows(300, table, {"prediction": y[0] + y[1] * y[2]}, [], [], None)
            profile = FieldProfile(plan)
            profile.update(reader.read_block(rows))
            shift = why.explain(profile)
            assert shift is not None
            compared += len(shift.contributions)
            passed += sum(contribution.is_beyond_chance for contribution in shift.contributions)
    assert compared == 60 * 40 * 3
    assert passed <= 0.02 * compared  # windows share a reference, so they do not pass independently
