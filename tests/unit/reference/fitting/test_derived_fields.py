"""What is learned from texts, embeddings and rows at fit, and which inputs are refused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlmonitor import ConfigError, Monitor, SchemaError
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.catalog import SEGMENT
from mlmonitor.derived.deriver import sources_of
from mlmonitor.formats.reference import EmbeddingReference, TextReference, dump, load
from mlmonitor.records import Declared, Kind, Role
from mlmonitor.reference.learner import Learner
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

ROWS = 60
DERIVED = ["t.length", "t.words", "t.unknown_words", "v.norm", "v.cosine", "v.kernel_similarity"]
SCHEMA = {"t": "text", "v": "embedding"}


def columns(rng: np.random.Generator, rows: int = ROWS) -> dict[str, Any]:
    """Draw a text between two numbers, and a vector."""
    return {
        "x": rng.normal(size=rows),
        "t": [" ".join(rng.choice(["a", "b", "c", "d"], 3)) for _ in range(rows)],
        "y": rng.normal(size=rows),
        "v": rng.normal(size=(rows, 4)),
    }


def test_derived_fields_follow_the_columns_they_come_from(rng: np.random.Generator) -> None:
    """Columns keep their order, so that rows recorded by position are still read correctly."""
    reference = fit_reference(columns(rng), schema=SCHEMA, anomaly_score=True)
    names = [field.name for field in reference.fields]
    assert names == ["x", "t", "y", "v", *DERIVED, "anomaly_score", "anomalous"]
    kinds = {field.name: field.kind for field in reference.fields}
    assert (kinds["t"], kinds["v"]) == (Kind.TEXT, Kind.EMBEDDING)
    assert kinds["anomalous"] is Kind.BOOLEAN
    assert reference.monitored == 10
    assert repr(reference) == "Reference(60 rows, 4 features, 8 derived)"


def test_no_row_is_scored_by_a_derivation_learned_from_it(rng: np.random.Generator) -> None:
    """Half of the rows fit the derivation; the other half gives the distribution of the field."""
    reference = fit_reference(columns(rng), schema=SCHEMA, anomaly_score=True)
    entries = {entry.name: entry for entry in reference.content.fields}
    for name in [*DERIVED, "anomaly_score", "anomalous"]:
        assert entries[name].rows == ROWS // 2
    assert entries["v"].design_rows == ROWS // 2  # type: ignore[union-attr]  # an embedding


@pytest.mark.parametrize(
    "frame", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "pyarrow"]
)
def test_columns_of_lists_in_frames_are_read_as_vectors(
    frame: Any, rng: np.random.Generator
) -> None:
    """They are equal to arrays, row for row, and so are the fields derived in service."""
    data = columns(rng)
    listed = data | {"v": data["v"].tolist()}
    expected = fit_reference(data, schema=SCHEMA).content
    reference = fit_reference(frame(listed), schema=SCHEMA)
    assert reference.content == expected
    with Monitor("m", reference=reference) as monitor:
        monitor.record(frame(listed), np.zeros(ROWS))
        assert monitor.flush(timeout_seconds=60)
        for name in DERIVED:
            assert monitor.status().field(name, role="derived").count == ROWS


def test_polars_array_columns_are_read_as_vectors(rng: np.random.Generator) -> None:
    """Polars has an own type for arrays of a fixed width."""
    data = columns(rng)
    frame = pl.DataFrame(data | {"v": pl.Series(data["v"].tolist(), dtype=pl.Array(pl.Float64, 4))})
    assert fit_reference(frame, schema=SCHEMA).content == fit_reference(data, schema=SCHEMA).content


def test_chunks_that_fit_into_the_sample_give_the_same_derived_fields(
    rng: np.random.Generator,
) -> None:
    """No row is left out, so the split into chunks does not matter."""
    data = columns(rng)

    def chunks() -> Iterator[dict[str, Any]]:
        for start in range(0, ROWS, 25):
            yield {name: values[start : start + 25] for name, values in data.items()}

    whole = fit_reference(data, schema=SCHEMA, anomaly_score=True).content
    content = fit_reference(chunks(), schema=SCHEMA, anomaly_score=True).content
    assert content.anomaly == whole.anomaly
    for mine, theirs in zip(content.fields, whole.fields, strict=True):
        assert mine == theirs or mine.name in ("x", "y")  # whose moments are merged


def test_derived_fields_are_learned_from_a_bounded_sample(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If more rows arrive than fit, a uniform sample is used."""
    limits = {Kind.TEXT: 20, Kind.EMBEDDING: 30}
    monkeypatch.setattr("mlmonitor.reference.fitting.derived_source.SAMPLE_ROWS", limits)
    monkeypatch.setattr("mlmonitor.reference.fitting.derived_fields.ROWS", 40)
    reference = fit_reference(columns(rng), schema=SCHEMA, anomaly_score=True)
    rows = {entry.name: entry.rows for entry in reference.content.fields}
    assert (rows["t"], rows["v"], rows["t.words"], rows["v.norm"]) == (20, 30, 10, 15)
    assert (rows["anomaly_score"], rows["x"]) == (20, ROWS)


def test_a_prediction_may_be_a_text(rng: np.random.Generator) -> None:
    """Models that generate text are covered: their words are watched as those of a feature."""
    data = columns(rng)
    reference = fit_reference(
        {"x": data["x"]}, predictions=data["t"], schema={"prediction": "text"}
    )
    assert next(f.name for f in reference.fields if f.role is Role.DERIVED) == "prediction.length"
    with Monitor("m", reference=reference) as monitor:
        monitor.record({"x": [1.0, 2.0]}, ["a b", "zzz"])
        assert monitor.flush(timeout_seconds=60)
        unknown = monitor.status().field("prediction.unknown_words", role="derived")
        assert (unknown.min, unknown.max) == (0.0, 1.0)


def test_a_model_with_a_single_text_feature_can_be_fitted(rng: np.random.Generator) -> None:
    """No other column is required."""
    reference = fit_reference({"t": columns(rng)["t"]}, schema={"t": "text"})
    assert reference.monitored == 3


@pytest.mark.parametrize(
    ("schema", "scored", "message"),
    [
        ({"u": "text"}, False, "there is no column 'u'"),
        ({"x": "text", "v": "embedding"}, False, "column 'x': expected texts, got too few"),
        (
            {"t": "embedding", "v": "embedding"},
            False,
            "column 't': expected vectors of 2 to 4,096 numbers",
        ),
        ({"t": "prose"}, False, "expected one of numeric"),
        ({"actual": "text"}, False, "actuals cannot be texts"),
        (SCHEMA, ["t"], "anomaly_score: 't': expected the name of a numeric feature"),
        (SCHEMA, ["z"], "anomaly_score: 'z': expected the name of a numeric feature"),
        (SCHEMA, ["one"], "anomaly_score: expected a numeric feature that is not constant"),
        (SCHEMA, "x", "got one text"),
        (SCHEMA, ["x", "x"], "expected each column name once"),
        ({"v": "embedding"}, [], "expected 1 to 200 numeric features"),
    ],
)
def test_a_text_or_vector_column_without_usable_values_is_refused(
    schema: dict[str, str], scored: Any, message: str, rng: np.random.Generator
) -> None:
    """The message names the field, what was expected, and the remedy."""
    features = columns(rng) | {"one": [1.0] * ROWS}
    if scored == []:
        scored = True
        features = {"v": features["v"]}
    with pytest.raises(SchemaError, match=message):
        fit_reference(features, actuals=["a"] * ROWS, schema=schema, anomaly_score=scored)


def test_an_anomaly_score_of_more_than_200_fields_needs_their_names(
    rng: np.random.Generator,
) -> None:
    """With 201 fields the fit is refused; with a list of names only those are used."""
    wide = {f"x{at}": rng.normal(size=30) for at in range(201)}
    with pytest.raises(SchemaError, match=r"got 201: name those that matter"):
        fit_reference(wide, anomaly_score=True)
    anomaly = fit_reference(wide, anomaly_score=["x7", "x9"]).content.anomaly
    assert anomaly is not None
    assert anomaly.names == ["x7", "x9"]


def test_two_fields_of_one_name_are_refused(rng: np.random.Generator) -> None:
    """A feature and a prediction of one name would give derived fields of one name."""
    texts = columns(rng)["t"]
    with pytest.raises(SchemaError, match=r"'prediction.length' would be derived twice"):
        fit_reference({"prediction": texts}, predictions=texts, schema={"prediction": "text"})


def test_vectors_are_not_inferred_but_the_message_says_how_to_declare_them(
    rng: np.random.Generator,
) -> None:
    """A column of lists has no kind that could be inferred safely."""
    with pytest.raises(SchemaError, match=r"schema=\{'v': 'embedding'\}"):
        fit_reference({"v": rng.normal(size=(9, 2))})


def test_a_service_learns_with_the_declared_options(rng: np.random.Generator) -> None:
    """Declared kinds are used, and columns without any value of their kind are left out."""
    data = columns(rng)
    schema = {"t": Kind.TEXT, "v": Kind.EMBEDDING, "x": Kind.EMBEDDING, "none": Kind.TEXT}
    learner = Learner(ROWS, Declared(schema=schema | {"y": Kind.BOOLEAN}))
    learner.ingest(Rows(ROWS, ColumnTable(data, ROWS), {}, [], [], None))
    names = [field.name for field in learner.reference().fields]
    assert names == ["t", "v", *DERIVED]


def test_a_monitor_without_reference_accepts_a_schema(rng: np.random.Generator) -> None:
    """It learns from single rows, whose vectors the caller may change after the call."""
    with Monitor("m", schema=SCHEMA) as monitor:
        data = columns(rng, 1_200)
        for at in range(1_200):
            row = {name: values[at] for name, values in data.items()}
            with monitor.observe(row) as prediction:
                prediction.value = 1.0
            row["v"][:] = 0.0
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status()
        assert status.field("v.norm", role="derived").count == 200
        assert status.field("v.norm", role="derived").min > 0  # type: ignore[operator]  # a number
        reference = monitor.reference
    assert reference is not None
    text, embedding = sources_of(reference.content)
    assert isinstance(text, TextReference)
    assert isinstance(embedding, EmbeddingReference)
    with pytest.raises((SchemaError, ConfigError), match="expected one of"):
        Monitor("m", schema={"t": "prose"})


def test_texts_and_vectors_that_cannot_be_read_live_are_counted(rng: np.random.Generator) -> None:
    """They are counted under each derived field by reason, and nothing is raised."""
    reference = fit_reference(
        columns(rng), predictions=np.zeros(ROWS), schema=SCHEMA, anomaly_score=True
    )
    with Monitor("m", reference=reference) as monitor:
        monitor.record(
            [
                {"x": 1.0, "t": 5, "y": 1.0, "v": [1.0, 2.0]},
                {"x": None, "y": None},
                {"x": 1.0, "t": "a", "y": 1.0, "v": [1.0, 2.0, float("nan"), 1.0], "z": 1},
            ],
            [1.0, 2.0, 3.0],
        )
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status()
    assert status.internal_errors == 0
    assert status.unknown_fields == {"z": 1}
    for name in DERIVED:
        quality = status.field(name, role="derived").quality
        expected = {"missing": 1, "wrong_type": 1, "nonfinite": int(name.startswith("v"))}
        assert {quality_name: quality[quality_name] for quality_name in expected} == expected  # type: ignore[index]  # StrEnum
    assert status.field("anomaly_score", role="derived").missing == 1
    assert status.field("anomalous", role="derived").missing == 1


def test_the_mmd_is_exported_with_its_critical_value(rng: np.random.Generator) -> None:
    """Only the kernel similarity has one, and only while the window has rows."""
    exporter = InMemoryExporter()
    reference = fit_reference(columns(rng, 400), schema=SCHEMA)
    with Monitor("m", reference=reference, exporters=[exporter]) as monitor:
        monitor.record(columns(rng, 100) | {"v": rng.normal(size=(100, 4)) + 3}, np.zeros(100))
        assert monitor.flush(timeout_seconds=60)
    attributes = {"field": "v.kernel_similarity", "role": "derived", "measure": "mmd"}
    score = exporter.value("mlmonitor.drift.score", attributes)
    critical = exporter.value("mlmonitor.drift.threshold", attributes)
    assert isinstance(score, float)
    assert isinstance(critical, float)
    assert score > 3 * critical
    points = exporter.snapshots[-1].points
    labels = [dict(p.attributes) for p in points if ("measure", "mmd") in p.attributes]
    assert {one["field"] for one in labels} == {"v.kernel_similarity"}


def test_each_class_probability_is_a_field_whose_drift_is_detected(
    rng: np.random.Generator,
) -> None:
    """Reference and service have a field for each class and one for the most probable label."""
    probabilities = rng.dirichlet([5, 3, 2], 4_000)
    reference = fit_reference(
        {"x": rng.normal(size=4_000)},
        predictions=probabilities,
        output="probabilities",
        classes=["low", "mid", "high"],
    )
    names = {"prediction.low", "prediction.mid", "prediction.high", "prediction"}
    assert {f.name for f in reference.fields if f.role is Role.PREDICTION} == names
    with Monitor("m", reference=reference) as monitor:

        @monitor.watch(output="probabilities", names=["low", "mid", "high"])
        def predict(features: Any) -> Any:
            return rng.dirichlet([2, 3, 5], len(features["x"]))

        predict(pd.DataFrame({"x": rng.normal(size=1_000)}))
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status()
        for name in names:
            field = status.field(name, role="prediction")
            assert field.count == 1_000
            assert field.has_moved == (name != "prediction.mid")
            assert field.has_alert == (name != "prediction.mid")
        assert not status.field("x").has_alert


@pytest.mark.parametrize("form", ["whole", "chunks"])
def test_each_segment_has_its_own_part_of_the_derived_fields(
    form: str, rng: np.random.Generator
) -> None:
    """The held-out rows of all segments add up to those of the whole, by bin and by season."""
    data = columns(rng, 600) | {
        "line": rng.choice(["home", "motor", "boat"], 600, p=[0.5, 0.4, 0.1])
    }
    times = [f"2026-05-{1 + at % 7:02d}T{at % 24:02d}:00:00" for at in range(600)]
    features: Any = iter([data]) if form == "chunks" else data
    reference = fit_reference(
        features,
        schema=SCHEMA,
        anomaly_score=True,
        segments=["line"],
        max_segments=2,
        times=iter([times]) if form == "chunks" else times,
        season="hour_of_day",
    )
    roles = [Role.DERIVED]
    whole = reference.entries(roles)
    parts = [reference.entries(roles, segment=at) for at in range(3)]
    for at, entry in enumerate(whole):
        own = [part[at] for part in parts]
        assert [sum(cells) for cells in zip(*(e.counts for e in own), strict=True)] == entry.counts
        assert sum(entry_of_segment.missing for entry_of_segment in own) == entry.missing
        assert sum(entry_of_segment.rows for entry_of_segment in own) == entry.rows
        assert len(entry.seasons) == 24
    assert load(dump(reference.content)) == reference.content


def test_values_refused_in_a_segment_are_counted_in_that_segment(rng: np.random.Generator) -> None:
    """The MMD is computed for the whole alone."""
    data = columns(rng, 600) | {"line": ["home", "motor"] * 300}
    reference = fit_reference(data, schema=SCHEMA, anomaly_score=True, segments=["line"])
    exporter = InMemoryExporter()
    with Monitor("m", reference=reference, segments=["line"], exporters=[exporter]) as monitor:
        texts: list[Any] = ["a b", 5, None, "c"]
        monitor.record(
            {
                "x": [1.0] * 4,
                "y": [1.0] * 4,
                "t": texts,
                "v": [[1.0] * 4, [1.0] * 4, [1.0], None],
                "line": ["home", "motor", "home", "motor"],
            },
            np.zeros(4),
        )
        assert monitor.flush(timeout_seconds=60)
    attributes = {"field": "t.length", "role": "derived"}

    def count(segment: str, quality: str, name: str) -> object:
        expected = {**attributes, "field": name, "quality": quality, SEGMENT: segment}
        return exporter.value("mlmonitor.field.values", expected)

    assert count("motor", "wrong_type", "t.length") == 1
    assert count("home", "missing", "t.length") == 1
    assert count("home", "wrong_type", "v.norm") == 1
    assert count("motor", "missing", "v.norm") == 1
    told_of = [dict(p.attributes) for p in exporter.snapshots[-1].points]
    mmds = [one for one in told_of if one.get("measure") == "mmd"]
    assert {one[SEGMENT] for one in mmds} == {"all"}
