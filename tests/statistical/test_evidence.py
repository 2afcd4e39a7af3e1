"""False alerts and delays of the e-process in simulated streams with known changes.

Rates are judged by binomial intervals: no test claims a lower rate than its number of streams
supports, and no index that the code itself once printed is pinned.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom

from mlmonitor import Role
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.records import Floats
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.evidence.tilts import tilt_factors
from support.cases import short_form
from support.rates import highest_rate
from support.references import fit_reference

ALPHA = 0.01
FIELDS = 20
BINS = 10
LOOK_ROWS = 50
LEVEL = Significance(alpha=ALPHA, fields=FIELDS, tolerance=0.0).drift_threshold
"""What evidence of drift has to reach in each of the fields, which share their part of alpha."""


KINDS = ("continuous", "discrete", "zero-inflated", "categorical")


def shapes() -> Floats:
    """Return the bin shares of fields of these `KINDS`."""
    tenths = np.full(BINS, 0.1)
    discrete = np.array([0.36, 0.27, 0.18, 0.09, 0.05, 0.03, 0.02, 0, 0, 0])
    inflated = np.array([0.7, *[0.3 / 9] * 9])
    zipf = 1 / np.arange(1, BINS + 1) ** 2
    return np.array([tenths, discrete, inflated, zipf / zipf.sum()])


def tilted(shares: Floats, psi: float) -> Floats:
    """Move shares along the bins by exactly this population stability index."""
    slope = np.linspace(-1, 1, shares.size)

    def moved(by: float) -> Floats:
        new = shares * np.exp(by * slope)
        return new / new.sum()

    def distance(by: float) -> float:
        new = moved(by)
        present = shares > 0
        return float(((new - shares)[present] * np.log(new[present] / shares[present])).sum()) - psi

    return moved(brentq(distance, 0.0, 5.0))


def delays(shares: Floats, psi: float, rng: np.random.Generator, *, streams: int = 60) -> Floats:
    """Return the rows until a change is detected after 50,000 clean rows, in one of 20 fields."""
    reference = rng.multinomial(5_000, shares, streams)
    evidence = EProcess(reference, np.ones((streams, BINS), np.bool_))
    for _ in range(100):
        evidence.update(rng.multinomial(500, shares, streams))
    assert not (evidence.log_e() >= LEVEL).any()
    moved, delays_by_stream = tilted(shares, psi), np.full(streams, np.inf)
    for rows in range(LOOK_ROWS, 10_000, LOOK_ROWS):
        evidence.update(rng.multinomial(LOOK_ROWS, moved, streams))
        delays_by_stream[(evidence.log_e() >= LEVEL) & np.isinf(delays_by_stream)] = rows
        if np.isfinite(delays_by_stream).all():
            break
    return delays_by_stream


def values(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Draw five fields of each kind: continuous, discrete, zero-inflated and categorical."""
    columns: dict[str, np.ndarray] = {}
    for at in range(FIELDS // 4):
        columns |= {
            f"continuous {at}": rng.normal(size=rows),
            f"discrete {at}": rng.poisson(3.0, rows).astype(np.float64),
            f"zero-inflated {at}": np.maximum(rng.random(rows) - 0.7, 0.0),
            f"categorical {at}": rng.choice(list("abcdefghij"), rows, p=shapes()[3]),
        }
    return columns


def watched(rows: int, rng: np.random.Generator) -> tuple[Population, Reader, list[str]]:
    """Return a population, its reader and its field names for a reference of this size."""
    columns = values(rng, rows)
    reference = fit_reference(columns)
    plan = reference.plan([Role.FEATURE], deviations=3.0)
    entries = reference.entries([Role.FEATURE])
    span = Span(seconds=None, rows=5_000, panes=10)
    lens = ComparisonOptions(span, Significance(ALPHA, FIELDS, tolerance=0.0), hitters=5)
    population = Population(plan, entries, lens, now=0.0)
    return population, Reader(plan.schema), list(columns)


def take(population: Population, reader: Reader, columns: dict[str, np.ndarray]) -> None:
    """Read rows and add them, as the worker does."""
    rows = len(next(iter(columns.values())))
    read_rows = Rows(rows, ColumnTable(columns, rows), {}, [], [], None)
    population.update(reader.read_block(read_rows), now=0.0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("rows", "length", "models"),
    short_form(
        [(1_000, 50_000, 24), (5_000, 50_000, 24), (50_000, 50_000, 24), (5_000, 10_000, 16)],
        (5_000, 10_000, 16),
    ),
)
def test_without_drift_at_most_four_streams_in_a_hundred_ever_alert(
    rows: int, length: int, models: int, rng: np.random.Generator
) -> None:
    """They are checked every 50 rows, for all kinds of fields; no model of 20 fields alerts."""
    streams = models * FIELDS
    shares = np.tile(shapes(), (streams // len(KINDS), 1))
    reference = rng.multinomial(rows, shares)
    evidence = EProcess(reference, np.ones((streams, BINS), np.bool_))
    highest = np.full(streams, -np.inf)
    for _ in range(length // LOOK_ROWS):
        evidence.update(rng.multinomial(LOOK_ROWS, shares))
        highest = np.maximum(highest, evidence.log_e())
    alerts = int(np.count_nonzero(highest >= np.log(1 / ALPHA)))
    assert highest_rate(alerts, streams) <= 0.04
    assert (highest < np.log(FIELDS / ALPHA)).all()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_drift_at_most_one_model_in_a_hundred_ever_alerts(
    rng: np.random.Generator,
) -> None:
    """None of 300 models of 20 fields alerts, checked every 1,000 rows for 50,000 rows."""
    models = 300
    shares = np.tile(shapes(), (models * FIELDS // len(KINDS), 1))
    evidence = EProcess(rng.multinomial(5_000, shares), np.ones(shares.shape, np.bool_))
    has_alerted = np.zeros(models, np.bool_)
    for _ in range(50):
        evidence.update(rng.multinomial(1_000, shares))
        has_alerted |= (evidence.log_e() >= LEVEL).reshape(models, FIELDS).any(axis=1)
    assert highest_rate(int(has_alerted.sum()), models) <= ALPHA


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("shares", "rows"),
    [
        (np.full(20, 0.05), 200),
        (np.full(50, 0.02), 1_000),
        (np.array([0.5, 0.5]), 100),
        (np.array([0.999, 0.001]), 200),
        (np.array([0.991, *[0.001] * 9]), 500),
        (np.array([0.005, 0.095, *[0.1] * 8, 0.095, 0.005, 0.0]), 5_000),
    ],
    ids=[
        "twenty bins",
        "fifty bins",
        "a coin",
        "a rare event",
        "nine rare events",
        "heavy tails",
    ],
)
def test_under_difficult_distributions_at_most_two_streams_in_a_hundred_alert(
    shares: Floats, rows: int, rng: np.random.Generator
) -> None:
    """The bound is proved on average over the prior; these single distributions are the worst.

    References are much smaller than recommended, with many bins or with very rare ones.
    """
    streams = 500
    reference = rng.multinomial(rows, shares, streams)
    has_order = shares[-1] == 0  # that bin is of missing values
    tilts = tilt_factors(reference, np.ones(streams, np.bool_)) if has_order else None
    evidence = EProcess(reference, np.ones_like(reference, np.bool_), tilts=tilts)
    highest = np.full(streams, -np.inf)
    for _ in range(300):
        evidence.update(rng.multinomial(LOOK_ROWS, shares, streams))
        highest = np.maximum(highest, evidence.log_e())
    alerts = int(np.count_nonzero(highest >= np.log(1 / ALPHA)))
    assert highest_rate(alerts, streams) <= 0.02


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1_000, 5_000, 50_000])
def test_one_population_of_twenty_fields_has_no_alert_in_100_000_rows(
    rows: int, rng: np.random.Generator
) -> None:
    """Values pass through all steps up to alerts; an error of a step would add up over the rows."""
    population, reader, _ = watched(rows, rng)
    for _ in range(100_000 // LOOK_ROWS):
        take(population, reader, values(rng, LOOK_ROWS))
        assert population.evaluate(now=0.0) == []


@pytest.mark.slow
def test_a_shift_of_one_field_of_twenty_is_detected_in_that_field_alone(
    rng: np.random.Generator,
) -> None:
    """The PSI is 0.27 after 50,000 clean rows, and the delay at most twice the median."""
    population, reader, names = watched(5_000, rng)
    for _ in range(100):
        take(population, reader, values(rng, 500))
        assert population.evaluate(now=0.0) == []
    for rows in range(LOOK_ROWS, 5_000, LOOK_ROWS):  # noqa: B007 - what it is in the end counts
        moved = {names[0]: rng.normal(0.53, 1, LOOK_ROWS)}
        take(population, reader, values(rng, LOOK_ROWS) | moved)
        transitions = population.evaluate(now=0.0)
        if transitions:
            break
    assert [alert.field for alert in transitions] == [names[0]]
    assert rows <= 600


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
@pytest.mark.parametrize(("psi", "rows"), [(0.27, 300), (0.11, 700), (0.02, 2_800)])
def test_a_change_after_fifty_thousand_clean_rows_is_detected_soon(
    psi: float, rows: int, kind: int, rng: np.random.Generator
) -> None:
    """The delay is the median in one of twenty fields that share a level of 1%."""
    waits = delays(shapes()[kind], psi, rng)
    # Fewer than so many within half of all would be met once in a thousand runs.
    assert np.count_nonzero(waits <= rows) >= binom.ppf(0.001, waits.size, 0.5)


def test_without_a_change_the_evidence_stays_small(rng: np.random.Generator) -> None:
    """The expectation of an e-value under the null is at most one."""
    streams = 2_000
    shares = np.full(BINS, 0.1)
    evidence = EProcess(rng.multinomial(2_000, shares, streams), np.ones((streams, BINS), np.bool_))
    for _ in range(20):
        evidence.update(rng.multinomial(250, shares, streams))
    e_values = np.exp(evidence.log_e())
    spread = e_values.std() / np.sqrt(streams)
    assert e_values.mean() <= 1 + 4 * spread


def test_the_restart_with_the_most_evidence_is_close_to_the_change(
    rng: np.random.Generator,
) -> None:
    """The last 2,000 of 20,000 rows changed, and the best restart covers about those."""
    shares = np.full(BINS, 0.1)
    evidence = EProcess(rng.multinomial(5_000, shares, 1), np.ones((1, BINS), np.bool_))
    for _ in range(36):
        evidence.update(rng.multinomial(500, shares, 1))
    for _ in range(4):
        evidence.update(rng.multinomial(500, tilted(shares, 0.11), 1))
    assert 1_000 <= evidence.evaluate().change.rows[0] <= 4_000


def test_resetting_a_field_does_not_change_the_others(rng: np.random.Generator) -> None:
    """The reset field starts again, and its neighbour keeps its evidence."""
    shares = np.full(BINS, 0.1)
    evidence = EProcess(rng.multinomial(5_000, shares, 2), np.ones((2, BINS), np.bool_))
    for _ in range(10):
        evidence.update(rng.multinomial(500, tilted(shares, 0.27), 2))
    before = evidence.log_e()
    evidence.reset(np.array([True, False]))
    after = evidence.log_e()
    assert after[0] == pytest.approx(0.0)
    assert after[1] == before[1] > 20
