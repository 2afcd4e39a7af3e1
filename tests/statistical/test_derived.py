"""Derived fields alert on changes that show in no single field, and rarely without drift."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, ortho_group

from mlmonitor import Config, Monitor, Reference
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.drift.embedding_drift import mmd_threshold
from mlmonitor.derived.deriver import kernel_plans, sources_of
from mlmonitor.derived.embedding import EmbeddingColumns
from mlmonitor.formats.reference import EmbeddingReference
from mlmonitor.records import Floats
from mlmonitor.testing import ManualClock
from support.rates import highest_rate
from support.references import fit_reference

Draw = Callable[[np.random.Generator, int], Any]
FIELDS = 6
DIMENSIONS = 24
STEP_ROWS = 250
WORDS = ["".join(chr(97 + (at // 26**place) % 26) for place in range(3)) for at in range(3_000)]
OFTEN = 1 / np.arange(1, len(WORDS) + 1) / np.sum(1 / np.arange(1, len(WORDS) + 1))


def related(rng: np.random.Generator, rows: int, *, strength: float = 0.6) -> dict[str, Floats]:
    """Draw six features with heavy tails that share a common factor."""
    common = rng.normal(size=rows)
    noise = rng.normal(size=(FIELDS, rows))
    values = np.exp(strength * common + np.sqrt(1 - strength**2) * noise)
    return {f"x{at}": column for at, column in enumerate(values)}


def unrelated(rng: np.random.Generator, rows: int) -> dict[str, Floats]:
    """Draw the same features independently: each keeps its own distribution."""
    return related(rng, rows, strength=0.0)


def flipped(rng: np.random.Generator, rows: int) -> dict[str, Floats]:
    """Draw the same features, one of them with its relation to the others reversed."""
    vectors = related(rng, rows)
    return vectors | {"x0": 1 / vectors["x0"]}


def clusters(rng: np.random.Generator, rows: int) -> Floats:
    """Draw vectors about five topics, one of which is the most frequent."""
    topics = np.random.default_rng(5).normal(size=(5, DIMENSIONS))
    at = rng.choice(5, rows, p=[0.6, 0.1, 0.1, 0.1, 0.1])
    vectors: Floats = topics[at] + 0.7 * rng.normal(size=(rows, DIMENSIONS))
    return vectors


def turned(rng: np.random.Generator, rows: int) -> Floats:
    """Draw the same vectors rotated: norms and distances between them are kept."""
    vectors: Floats = clusters(rng, rows) @ ortho_group.rvs(DIMENSIONS, random_state=2)
    return vectors


def unit(rng: np.random.Generator, rows: int) -> Floats:
    """Draw unit vectors with heavy-tailed coordinates, as many text models return."""
    wild = rng.standard_t(3, size=(rows, DIMENSIONS)) + 0.5
    vectors: Floats = wild / np.linalg.norm(wild, axis=1, keepdims=True)
    return vectors


def texts(rng: np.random.Generator, rows: int) -> list[str]:
    """Draw texts of few frequent words and many rare ones."""
    ends = np.cumsum(rng.poisson(12, rows))
    words = rng.choice(WORDS, ends[-1], p=OFTEN)
    return [" ".join(part) for part in np.split(words, ends[:-1])]


def alerts(reference: Reference, draw: Draw, rng: np.random.Generator, rows: int) -> dict[str, int]:
    """Return the rows after which each field raised its first alert."""
    alerts: list[Alert] = []
    until: dict[str, int] = {}
    config = Config(
        check_rows=STEP_ROWS, check_interval_seconds=0, export_interval_seconds=86_400.0, alpha=0.01
    )
    clock = ManualClock()
    with Monitor(
        "m", reference=reference, config=config, on_alert=alerts.append, clock=clock
    ) as monitor:
        for start in range(0, rows, STEP_ROWS):
            monitor.record(draw(rng, STEP_ROWS), np.zeros(STEP_ROWS))
            assert monitor.flush(timeout_seconds=60)
            for alert in alerts:
                until.setdefault(alert.field, start + STEP_ROWS)
    return until


def everything(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Draw related features with gaps, vectors and texts together."""
    columns: dict[str, Any] = dict(related(rng, rows))
    columns["x1"] = np.where(rng.random(rows) < 0.1, np.nan, columns["x1"])
    return columns | {"vector": clusters(rng, rows), "comment": texts(rng, rows)}


@pytest.mark.slow
@pytest.mark.parametrize("size", [600, 3_000])
def test_without_drift_few_models_alert_for_their_derived_fields(size: int) -> None:
    """Thirty models support a rate below one in four; a small reference holds out half its rows."""
    streams, wrong = 30, 0
    for seed in range(streams):
        rng = np.random.default_rng([seed, size])
        reference = fit_reference(
            everything(rng, size),
            schema={"vector": "embedding", "comment": "text"},
            anomaly_score=True,
            seed=seed,
        )
        wrong += bool(alerts(reference, everything, rng, 3_000))
    assert highest_rate(wrong, streams) < 0.25


@pytest.mark.slow
@pytest.mark.parametrize(("change", "within_rows"), [(unrelated, 500), (flipped, 1_500)])
def test_a_change_of_correlation_alone_is_detected_by_the_anomaly_score(
    change: Draw, within_rows: int
) -> None:
    """No field changes by itself, and only the fields of the whole row raise alerts."""
    delays = []
    for seed in range(7):
        rng = np.random.default_rng(seed)
        reference = fit_reference(related(rng, 10_000), anomaly_score=True)
        assert not alerts(reference, related, rng, 2_000)
        until = alerts(reference, change, rng, 4_000)
        assert until
        assert set(until) <= {"anomaly_score", "anomalous"}
        delays.append(until["anomaly_score"])
    assert np.median(delays) <= within_rows


@pytest.mark.slow
def test_rotated_vectors_of_the_same_norm_are_detected() -> None:
    """The norm is the same; the cosine and the kernel similarity alert within 500 rows."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        reference = fit_reference({"v": clusters(rng, 4_000)}, schema={"v": "embedding"})
        until = alerts(reference, lambda r, n: {"v": turned(r, n)}, rng, 1_000)
        assert until["v.kernel_similarity"] <= 500
        assert "v.norm" not in until


def windows_beyond(draw: Draw, against: Draw, counts: dict[int, int]) -> dict[int, int]:
    """Count the windows above their MMD threshold over eight references, by size.

    counts: the number of windows for each reference, by size.
    """
    beyond = dict.fromkeys(counts, 0)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        reference = fit_reference({"v": against(rng, 4_000)}, schema={"v": "embedding"})
        (plan,), (entry,) = kernel_plans(reference.content), sources_of(reference.content)
        assert isinstance(entry, EmbeddingReference)
        kernel = EmbeddingColumns.read_from(entry)._kernel
        rows = max(size * count for size, count in counts.items())
        features = kernel.features(draw(rng, rows))
        for size, count in counts.items():  # windows of all sizes are of the same rows
            means = features[:, : count * size].reshape(-1, count, size).mean(axis=2)
            scores = np.sqrt(((means - plan.mean[:, None]) ** 2).sum(axis=0))
            beyond[size] += int(np.count_nonzero(scores > mmd_threshold(plan, size)))
    return beyond


@pytest.mark.slow
@pytest.mark.parametrize("draw", [clusters, unit])
def test_one_window_in_a_hundred_exceeds_its_mmd_threshold(draw: Draw) -> None:
    """Without drift, 0.3 to 2% of windows exceed the threshold of their size."""
    counts = {20: 250, 50: 250, 200: 250, 1_000: 100}
    for size, passed in windows_beyond(draw, draw, counts).items():
        assert binomtest(passed, 8 * counts[size], 0.003, "less").pvalue > 1e-3, size
        assert binomtest(passed, 8 * counts[size], 0.02, "greater").pvalue > 1e-3, size


@pytest.mark.slow
def test_a_window_of_rotated_vectors_exceeds_its_mmd_threshold() -> None:
    """All windows of 100 rows exceed it."""
    assert windows_beyond(turned, clusters, {100: 20}) == {100: 160}
