"""Quality within segments: each compared with its own part of the reference."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, Monitor, Reference
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.records import Role
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

Columns = dict[str, Any]


def rows(rng: np.random.Generator, count: int, *, missing: float = 0.01) -> Columns:
    """Draw regions, ages that are missing more often in the south, and many towns."""
    region = rng.choice(["north", "south"], count, p=[0.8, 0.2])
    age = rng.normal(45, 12, count)
    age[rng.random(count) < np.where(region == "south", missing, 0.01)] = np.nan
    shares = 1 / np.arange(1, 601)
    towns = rng.choice(600, count, p=shares / shares.sum())
    return {"region": region.tolist(), "age": age, "town": [f"t{at}" for at in towns]}


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """A reference fitted with its segments."""
    columns = rows(rng, 6_000)
    return fit_reference(columns, predictions=np.zeros(6_000), segments=["region"])


def test_rare_categories_of_a_segment_are_decided_over_all_rows(reference: Reference) -> None:
    """Its held-out rows and its share of new categories add up to those of all rows."""
    whole = reference.entries([Role.FEATURE])
    parts = [reference.entries([Role.FEATURE], segment=at) for at in range(2)]
    at = next(at for at, entry in enumerate(whole) if entry.name == "town")
    town = whole[at]
    assert isinstance(town, CategoricalReference)
    assert len(town.held_out) == len(town.categories) + 3
    of_parts = [part[at] for part in parts]
    assert all(isinstance(entry, CategoricalReference) for entry in of_parts)
    held_out = [entry.held_out for entry in of_parts if isinstance(entry, CategoricalReference)]
    assert np.sum(held_out, axis=0).tolist() == town.held_out
    assert sum(e.once for e in of_parts if isinstance(e, CategoricalReference)) == town.once


def test_missing_values_of_one_segment_are_detected_in_that_segment(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """A tenth of the ages in the south become missing; no segment alerts before."""
    alerts: list[Alert] = []
    with Monitor(
        "m",
        reference=reference,
        exporters=[exporter],
        segments=["region"],
        on_alert=alerts.append,
        config=Config(check_rows=200, check_interval_seconds=0, export_interval_seconds=3_600),
    ) as monitor:
        for _ in range(12):
            monitor.record(rows(rng, 500), np.zeros(500))
            assert monitor.flush(timeout_seconds=60)
        assert alerts == []
        for _ in range(8):
            monitor.record(rows(rng, 500, missing=0.1), np.zeros(500))
            assert monitor.flush(timeout_seconds=60)
    places = {(f.segment, f.field) for f in alerts if f.measure == "missing"}
    south = {segment for segment, _ in places if "south" in segment}
    assert south
    assert not any("north" in segment for segment, _ in places)
    alert = {"field": "age", "reason": "missing", "segment": south.pop()}
    assert exporter.value("mlmonitor.quality.alert", alert) == 1
