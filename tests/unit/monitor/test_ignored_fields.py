"""An ignored field is left out everywhere."""

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference, Status
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

ROWS = 1_000


def columns(rng: np.random.Generator) -> dict[str, object]:
    """Draw numbers, a text and two categories."""
    return {
        "age": rng.normal(45, 12, ROWS),
        "sum": rng.normal(0, 1, ROWS),
        "line": rng.choice(["home", "motor"], ROWS).tolist(),
        "note": ["a word or two"] * ROWS,
    }


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """A reference with a text, an anomaly score and segments."""
    return fit_reference(
        columns(rng),
        predictions=rng.normal(0, 1, ROWS),
        schema={"note": "text"},
        segments=["line"],
        anomaly_score=True,
    )


def served(
    reference: Reference, rng: np.random.Generator, ignore: list[str], *, is_changed: bool = True
) -> tuple[Status, InMemoryExporter]:
    """Return the status after a thousand rows whose `age` has moved."""
    exporter = InMemoryExporter()
    with Monitor(
        "m",
        reference=reference,
        exporters=[exporter],
        segments=["line"],
        ignore=ignore,
        config=Config(check_rows=100, check_interval_seconds=0),
    ) as monitor:
        rows = columns(rng)
        if is_changed:
            rows["age"] = np.full(ROWS, 400.0)
        monitor.record(rows, rng.normal(0, 1, ROWS))
        monitor.flush(timeout_seconds=20)
        return monitor.status(), exporter


def test_a_field_of_the_reference_that_is_ignored_is_left_out_everywhere(
    reference: Reference, rng: np.random.Generator
) -> None:
    """It is in no status, alert or series, and in no segment."""
    full, exporter = served(reference, rng, [])
    assert "age" in {alert.field for alert in full.alerts}
    status, exporter = served(reference, rng, ["age"])
    assert {f.name for f in status.fields if f.role == "feature"} == {"sum", "line"}
    assert status.alerts == ()
    assert status.unknown_fields == {}
    assert all("age" not in {f.name for f in s.fields} for s in status.segments.values())
    fields = {
        dict(attributes).get("field")
        for snapshot in exporter.snapshots
        for family in snapshot.families
        for attributes in family.series.attributes
    }
    assert "age" not in fields
    assert "sum" in fields


def test_fields_derived_from_an_ignored_field_are_ignored_too(
    reference: Reference, rng: np.random.Generator
) -> None:
    """They are a text's length and words, and the anomaly score of rows that includes it."""
    status, _ = served(reference, rng, ["note"])
    assert {f.name for f in status.fields if f.role == "derived"} == {"anomaly_score", "anomalous"}
    status, _ = served(reference, rng, ["sum"])
    assert "anomaly_score" not in {f.name for f in status.fields}


def test_an_ignored_feature_may_still_define_segments(
    reference: Reference, rng: np.random.Generator
) -> None:
    """Rows are assigned to segments as before."""
    status, _ = served(reference, rng, ["line"], is_changed=False)
    assert "line" not in {f.name for f in status.fields}
    assert sum(s.window_rows for s in status.segments.values()) == ROWS
    assert set(status.segments) >= {"home", "motor"}


def test_an_ignored_name_that_never_arrives_is_reported_with_a_similar_one(
    reference: Reference, rng: np.random.Generator
) -> None:
    """It may be misspelt; names that arrive or are in the reference are not reported."""
    status, _ = served(reference, rng, ["agee", "age", "sum"])
    assert status.unused_ignores == ("agee (there is age)",)
    assert "ignored fields that never arrived: agee (there is age)" in str(status)


def test_alpha_is_shared_only_by_fields_that_are_not_ignored(reference: Reference) -> None:
    """Ignored fields use nothing of `alpha`, and the reference stays a valid file."""
    left = reference.without(["age"])
    assert left.monitored < reference.monitored
    assert type(left.content).model_validate_json(left.content.model_dump_json()) == left.content
    assert reference.without(["nothing"]).content is reference.content
