"""Combinations of features: segments, seasons, derived fields, quality and export."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Field, Monitor, Reference, Status
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.records import Role
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

ROWS = 2_000
CONFIG = Config(check_rows=200, check_interval_seconds=0)


def texts(rng: np.random.Generator, rows: int, *, line: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Draw notes and numbers that are invalid in different ways by line."""
    words = np.array(["claim", "car", "owner", "lost", "house", "broken", "window", "water"])
    notes: list[object] = [" ".join(rng.choice(words, 6)) for _ in range(rows)]
    amount: list[object] = rng.gamma(2.0, 100.0, rows).tolist()
    for row in range(rows):
        if line[row] == "motor" and rng.random() < 0.2:
            notes[row], amount[row] = 5, float("inf")
        elif line[row] == "home" and rng.random() < 0.2:
            notes[row], amount[row] = None, None
    return {"note": notes, "amount": amount, "line": line.tolist()}


def batch(rng: np.random.Generator, rows: int = ROWS) -> dict[str, Any]:
    """Draw two lines, each with its own kind of invalid values."""
    return texts(rng, rows, line=rng.choice(["home", "motor"], rows))


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference with a text, segments, an anomaly score, and invalid values by segment."""
    rng = np.random.default_rng(0)
    columns = batch(rng, 4_000)
    return fit_reference(
        columns,
        predictions=rng.normal(100, 10, 4_000),
        schema={"note": "text", "amount": "numeric"},
        segments=["line"],
        anomaly_score=True,
    )


def alerts(monitor: Monitor) -> set[tuple[str, str, str]]:
    """Return field, segment and measure of the firing alerts."""
    return {(alert.field, alert.segment, alert.measure) for alert in monitor.status().alerts}


def test_each_segment_is_compared_with_its_own_share_of_invalid_values(
    reference: Reference,
) -> None:
    """Values missing in one line and infinite in another are so in the reference's segments."""
    refused = {}
    for at, name in enumerate(reference.segment_names):
        entries = reference.entries([Role.FEATURE, Role.DERIVED], segment=at)
        for entry in entries:
            refused[name, entry.name] = entry.missing, entry.nonfinite, entry.wrong_type
    missing, nonfinite, wrong_type = refused["motor", "amount"]
    assert missing == nonfinite > 300
    assert wrong_type == 0
    missing, nonfinite, wrong_type = refused["home", "amount"]
    assert missing > 300
    assert nonfinite == wrong_type == 0
    missing, _, wrong_type = refused["motor", "note.length"]
    assert missing == wrong_type > 150
    assert refused["home", "note.length"][1:] == (0, 0)
    whole = {e.name: e for e in reference.entries([Role.FEATURE, Role.DERIVED])}
    assert whole["note.length"].wrong_type == refused["motor", "note.length"][2]
    assert whole["amount"].nonfinite == refused["motor", "amount"][1]


def test_invalid_values_as_frequent_as_in_training_fire_no_alert(
    reference: Reference, rng: np.random.Generator, clock: ManualClock
) -> None:
    """They are those of all rows, a segment or a derived field; changed shares do fire."""
    config = CONFIG
    with Monitor(
        "m", reference=reference, segments=["line"], config=config, exporters=[], clock=clock
    ) as monitor:
        for _ in range(4):
            monitor.record(batch(rng), rng.normal(100, 10, ROWS))
            assert monitor.flush(timeout_seconds=60)
        assert alerts(monitor) == set()
        for _ in range(3):
            swapped = batch(rng)
            swapped["note"] = [5 if note is None else note for note in swapped["note"]]
            monitor.record(swapped, rng.normal(100, 10, ROWS))
            assert monitor.flush(timeout_seconds=60)
        fired = alerts(monitor)
        assert ("note.length", "home", "wrong_type") in fired
        assert ("note.length", "all", "wrong_type") in fired
        assert not {place for place in fired if place[1] == "motor"}
        assert monitor.status().internal_errors == 0


def test_metrics_are_exported_by_segment_except_those_of_all_rows(
    reference: Reference, rng: np.random.Generator, exporter: InMemoryExporter
) -> None:
    """Derived fields have segments; rules and contributions exist for all rows only."""
    with Monitor(
        "m",
        reference=reference,
        segments=["line"],
        exporters=[exporter],
        fields=[Field("amount", minimum=0.0)],
        config=CONFIG,
    ) as monitor:
        monitor.record(batch(rng), rng.normal(100, 10, ROWS))
        assert monitor.flush(timeout_seconds=60)
        for segment in ("all", "home", "motor"):
            own = {"field": "note.unknown_words", "segment": segment}
            assert exporter.value("mlmonitor.drift.score", own | {"measure": "psi"}) is not None
            assert (
                exporter.value("mlmonitor.quality.share", own | {"reason": "missing"}) is not None
            )
        values = {
            dict(point.attributes)["segment"]
            for point in exporter.snapshots[-1].points
            if point.metric.name.startswith(("mlmonitor.drift.contrib", "mlmonitor.field.viol"))
        }
        assert values == {"all"}
        assert set(monitor.status().segments) == {"home", "motor", "__other__"}
        flags = monitor.status().segments["motor"].field("anomalous", role="derived")
        assert flags.count > 0


VECTORS = 600


def vectors(rng: np.random.Generator, rows: int, *, shift: float = 0.0) -> dict[str, Any]:
    """Draw embeddings in two segments."""
    return {
        "v": list(rng.normal(shift, 1.0, (rows, 8))),
        "line": rng.choice(["home", "motor"], rows).tolist(),
    }


def scored(status: Status, exporter: InMemoryExporter) -> set[str]:
    """Return the segments that have an MMD."""
    assert status.internal_errors == 0
    return {
        dict(point.attributes)["segment"]
        for point in exporter.snapshots[-1].points
        if ("measure", "mmd") in point.attributes
    }


def test_the_mmd_covers_all_rows_and_derived_numbers_have_segments(
    rng: np.random.Generator, exporter: InMemoryExporter
) -> None:
    """Segments store no kernel sums."""
    reference = fit_reference(vectors(rng, 2_000), schema={"v": "embedding"}, segments=["line"])
    with Monitor("m", reference=reference, segments=["line"], exporters=[exporter]) as monitor:
        monitor.record(vectors(rng, VECTORS, shift=1.0), rng.normal(size=VECTORS))
        assert monitor.flush(timeout_seconds=60)
        assert scored(monitor.status(), exporter) == {"all"}
        norm = {"field": "v.norm", "segment": "motor", "measure": "psi"}
        assert exporter.value("mlmonitor.drift.score", norm) is not None


def seasonal(rng: np.random.Generator, hours: np.ndarray[Any, Any]) -> list[str]:
    """Draw names with a long tail, of which every hour has its own frequent ones."""
    ranks = rng.zipf(1.5, hours.size) % 3_000
    return [
        f"n{(rank + 40 * (hour // 12)) % 3_000}" for rank, hour in zip(ranks, hours, strict=True)
    ]


def days(start: datetime, rows: int) -> Iterator[datetime]:
    """Return times spread over days."""
    return (start + timedelta(minutes=7 * at) for at in range(rows))


@pytest.mark.slow
def test_a_long_tail_of_names_with_seasons_does_not_count_as_drift(clock: ManualClock) -> None:
    """Frequent and new names are expected hour by hour."""
    rng = np.random.default_rng(1)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = list(days(start, 12_000))
    hours = np.array([time.hour for time in times])
    names = {"name": seasonal(rng, hours)}
    predicted = rng.normal(size=hours.size)
    reference = fit_reference(names, predictions=predicted, times=times, season="hour_of_day")
    entry = reference.entries([Role.FEATURE])[0]
    assert len(entry.seasons) == 24
    fired: list[Alert] = []
    with Monitor(
        "m",
        reference=reference,
        exporters=[],
        config=Config(check_rows=100, check_interval_seconds=0),
        on_alert=fired.append,
        clock=clock,
    ) as monitor:
        for _ in range(5 * 24):
            hour = datetime.fromtimestamp(clock(), UTC).hour
            monitor.record({"name": seasonal(rng, np.full(100, hour))}, rng.normal(size=100))
            assert monitor.flush(timeout_seconds=60)
            clock.advance(3_600)
    assert [str(alert) for alert in fired] == []
