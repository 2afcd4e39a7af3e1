"""The views give the numbers of `monitor.status()` for the same rows."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import pytest

from mlmonitor import Kafka, Monitor, Status
from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.store.load.consumer import client_settings
from mlmonitor.store.load.loader import Loader, LoadOptions
from support.brokers import KafkaBroker
from support.references import fit_reference

Connection = psycopg.Connection[tuple[Any, ...]]
ROWS = 3_000


def draw_rows(rows: int, *, seed: int, shift: float = 0.0) -> dict[str, Any]:
    """Draw claims: two numbers, one of them with missing values, and two categories."""
    draw = np.random.default_rng(seed)
    age = draw.normal(40 + shift, 10, rows)
    age[::50] = np.nan
    return {
        "age": age,
        "amount": draw.lognormal(7 + shift / 20, 1, rows),
        "line": draw.choice(["motor", "home", "travel"], rows, p=[0.5, 0.3, 0.2]),
        "is_new": draw.random(rows) < 0.3,
    }


def predict(features: dict[str, Any]) -> Any:
    """Predict with a small error."""
    return features["amount"] * 0.8 + np.nan_to_num(features["age"])


class Scored:
    """A service that has run, its status, and the store with its events."""

    def __init__(self, status: Status, store: Connection) -> None:
        self.status, self.store = status, store

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.store.execute(query).fetchall()


@pytest.fixture
def scored(kafka_broker: KafkaBroker, store: Connection, database_url: str) -> Scored:
    """Serve 3,000 predictions, a third of them labelled, with a business figure and a drift."""
    training = draw_rows(5_000, seed=1)
    reference = fit_reference(
        training, predictions=predict(training), actuals=predict(training) + 1.0, segments=["line"]
    )
    topic = kafka_broker.make_topic()
    monitor = Monitor(
        "claims",
        version="7",
        reference=reference,
        exporters=[],
        events=Kafka(kafka_broker.address, topic=topic),
        segments=["line"],
        buckets={"amount": [500, 2_000, 10_000]},
    )
    live = draw_rows(ROWS, seed=2, shift=5.0)
    live["line"][:30] = "boat"
    ids = [f"claim-{place}" for place in range(ROWS)]
    predictions = predict(live)
    monitor.record(live, predictions, ids=ids)
    actuals = predictions + np.random.default_rng(3).normal(5, 50, ROWS)
    monitor.label(ids[: ROWS // 3], actuals[: ROWS // 3])
    for value in (100.0, 250.0, 400.0):
        monitor.kpi("total_savings", value)
    status = monitor.status()
    assert monitor.close(timeout_seconds=60)
    options = LoadOptions(
        kafka=client_settings(kafka_broker.address, ()),
        topic=topic,
        group=topic,
        database=database_url,
        until_idle_seconds=0.8,
        linger_seconds=0.2,
    )
    loader = Loader(options)
    loader.run()
    assert loader.counts.dead == 0
    assert loader.counts.loaded["prediction"] == ROWS
    return Scored(status, store)


def test_sql_views_and_status_agree(scored: Scored) -> None:
    """Covers drift, statistics, bands, figures, cohorts, and performance by bucket and segment."""
    assert_fields_agree(scored)
    assert_quality_agrees(scored)
    assert_segments_agree(scored)
    assert_performance_agrees(scored)
    assert_figures_agree(scored)


def assert_fields_agree(scored: Scored) -> None:
    """Assert that PSI, JS, Hellinger, total variation, mean, deviation and extremes agree."""
    query = """
        select field, role, psi, psi_debiased, jensen_shannon, hellinger, total_variation
        from mlmonitor.data_drift where span = 'day' and segment = 'all'"""
    by_name = {(f.name, f.role): f for f in scored.status.fields if f.role not in ("actual", "kpi")}
    rows = scored.rows(query)
    assert {(name, role) for name, role, *_ in rows} == by_name.keys()
    for name, role, *scores in rows:
        expected = by_name[name, role].scores
        measures = ("psi", "psi_debiased", "js", "hellinger", "tv")
        for measure, score in zip(measures, scores, strict=True):
            assert score == pytest.approx(expected[measure], rel=1e-9, abs=1e-9), (name, measure)
    query = """
        select field, role, mean, stddev, minimum, maximum, training_mean, training_stddev
        from mlmonitor.anomaly_band join mlmonitor.data_statistics
            using (model, model_version, segment, span, time, role, field, mean, stddev,
                minimum, maximum)
        where span = 'day' and segment = 'all'"""
    rows = scored.rows(query)
    assert len(rows) == 3
    for name, role, *numbers in rows:
        status = by_name[name, role]
        assert status.training is not None
        trained = [status.training.mean, status.training.stddev]
        expected = [status.mean, status.stddev, status.min, status.max, *trained]
        assert numbers == pytest.approx(expected, rel=1e-9), name


def assert_quality_agrees(scored: Scored) -> None:
    """Assert that every value has the same quality as in the service."""
    query = """
        select field, role, valid, missing, nonfinite, wrong_type, out_of_range, new_category
        from mlmonitor.data_statistics where span = 'day' and segment = 'all'"""
    by_name = {(f.name, f.role): f for f in scored.status.fields}
    for name, role, *counts in scored.rows(query):
        assert counts == list(by_name[name, role].quality.values()), name


def assert_segments_agree(scored: Scored) -> None:
    """Assert that each segment is compared with the same segment of the reference."""
    query = """
        select segment, field, role, psi from mlmonitor.data_drift
        where span = 'day' and segment <> 'all'"""
    rows = scored.rows(query)
    segments = {s.name: s for s in scored.status.segments.values() if s.reference_rows}
    assert {row[0] for row in rows} == segments.keys()
    for segment, name, role, psi in rows:
        status = next(f for f in segments[segment].fields if (f.name, f.role) == (name, role))
        assert psi == pytest.approx(status.scores["psi"], rel=1e-9, abs=1e-9), (segment, name)


def assert_performance_agrees(scored: Scored) -> None:
    """Assert equal performance overall, by bucket of prediction or feature, and by segment."""
    performance = scored.status.performance
    assert performance is not None
    query = """
        select dimension, bucket, labelled, mae, rmse, bias from mlmonitor.performance_by_bucket
        where span = 'day'"""
    compared = 0
    for dimension, bucket, labelled, *measures in scored.rows(query):
        part = performance if dimension == "all" else performance.by(dimension)[bucket]
        assert labelled == part.count, (dimension, bucket)
        assert measures == pytest.approx([part.mae, part.rmse, part.bias], rel=1e-9)
        compared += 1
    expected = [performance.by(name) for name in ("prediction", "amount", "segment")]
    assert compared == 1 + sum(map(len, expected))


def assert_figures_agree(scored: Scored) -> None:
    """Assert that business figures, traffic and cohorts agree."""
    query = "select figures, total, mean, minimum, maximum from mlmonitor.kpi_daily"
    assert scored.rows(query)[0][:3] == (3, 750.0, 250.0)
    query = (
        "select predictions, failed from mlmonitor.traffic where span = 'day' and segment = 'all'"
    )
    assert scored.rows(query) == [(ROWS, 0)]
    (cohort,) = scored.status.cohorts
    query = "select predictions, labelled, maturity, mae from mlmonitor.cohort"
    ((predicted, labelled, maturity, mae),) = scored.rows(query)
    assert (predicted, labelled) == (cohort.predicted, cohort.labelled)
    assert maturity == cohort.maturity
    assert mae == pytest.approx(cohort.performance.mae)


def test_maturity_in_sql_equals_that_of_the_service(store: Connection) -> None:
    """Both use the chain ladder, over cohorts whose labels arrive late."""
    draw = np.random.default_rng(5)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    table = CohortTable(86_400.0)
    for age in range(12, -1, -1):
        day = today - timedelta(days=age)
        insert_cohort(store, day, 1_000)
        places, _ = table.places(np.full(1_000, day.timestamp()))
        table.count_predictions(places)
        delays = draw.geometric(0.35, 600) - 1
        delays = delays[delays <= age]
        table.count_labels(places[: len(delays)], day.timestamp() + delays * 86_400.0)
        for delay, count in zip(*np.unique(delays, return_counts=True), strict=True):
            insert_delay(store, day, int(delay), int(count))
    shares = table.shares_by_age(time.time())
    rows = store.execute(
        "select time, maturity from mlmonitor.cohort order by time desc"
    ).fetchall()
    assert len(rows) == 13
    for moment, maturity in rows:
        age = (today - moment).days - 1
        expected = None if age < 0 or np.isnan(shares[age]) else pytest.approx(shares[age])
        assert maturity == expected, age


def insert_cohort(store: Connection, day: datetime, predictions: int) -> None:
    """Insert the predictions of one day, as the loader sums them."""
    store.execute(
        "insert into mlmonitor.rollup_traffic "
        "values ('m', '', 'all', 'day', %s, 0, %s, 0, 0, 0, 0, 0)",
        (day, predictions),
    )


def insert_delay(store: Connection, day: datetime, delay: int, labelled: int) -> None:
    """Insert the labels of one day that arrived after this many days."""
    store.execute(
        "insert into mlmonitor.rollup_delay values ('m', '', %s, %s, 0, %s)", (day, delay, labelled)
    )
