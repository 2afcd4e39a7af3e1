"""Predictions as events: their contents, for every way to record a prediction."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlmonitor import Config, Field, Kpi, Monitor, Reference, catalog
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.event_recorder import EventRecorder
from support.references import fit_reference

ROWS = 300


def features(rows: int = ROWS, seed: int = 0) -> dict[str, Any]:
    """Return columns of every kind."""
    rng = np.random.default_rng(seed)
    return {
        "amount": rng.normal(1_000, 100, rows).tolist(),
        "line": rng.choice(["motor", "home"], rows).tolist(),
        "is_repeat": rng.choice([True, False], rows).tolist(),
        "at": [datetime(2026, 1, 1 + day % 20, tzinfo=UTC) for day in range(rows)],
    }


def reference(**options: Any) -> Reference:
    """Fit a reference of these columns with a numeric prediction."""
    predictions = np.random.default_rng(1).normal(size=ROWS)
    return fit_reference(features(), predictions=predictions, **options)


def row(place: int = 0) -> dict[str, Any]:
    """Return one row of them."""
    return {name: column[place] for name, column in features().items()}


def monitor(recorder: EventRecorder, clock: ManualClock, **options: Any) -> Monitor:
    """Make a monitor with an event log in memory."""
    options = {"reference": reference(), "exporters": [], "version": "7"} | options
    return Monitor("claims", events=recorder, clock=clock, **options)


def test_a_watched_call_is_one_event_with_all_its_values(clock: ManualClock) -> None:
    """It has id, time, model, version, features, prediction, latency and status."""
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        watching.watch(lambda _: 12.5)(row())
        watching.flush()
    (event,) = recorder.select("prediction")
    expected = row()
    assert event["features"] == expected | {"at": expected["at"].timestamp()}
    assert event["prediction"] == 12.5
    assert event["status"] == "ok"
    assert event["latency_seconds"] >= 0
    assert event["prediction_id"] == event["event_id"]
    assert (event["model"], event["model_version"]) == ("claims", "7")
    assert datetime.fromisoformat(event["time"]).timestamp() == pytest.approx(clock(), abs=1e-3)


def test_every_way_to_record_a_row_gives_the_same_event(clock: ManualClock) -> None:
    """Rows come from calls, blocks, columns, frames and lists."""
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        watching.watch(lambda _: 1.0)(row())
        with watching.observe(row()) as block:
            block.value = 1.0
        watching.record({name: [value] for name, value in row().items()}, [1.0])
        watching.record(pd.DataFrame([row()]), [1.0])
        watching.record([row()], [1.0])
        watching.flush()
    events = recorder.select("prediction")
    assert len(events) == 5
    assert len({event["event_id"] for event in events}) == 5
    assert all(event["features"] == events[0]["features"] for event in events)
    assert all(event["prediction"] == 1.0 for event in events)


def test_a_failed_call_has_its_features_and_the_type_of_its_error(clock: ManualClock) -> None:
    """It has no prediction, and the text of the error is not sent."""
    recorder = EventRecorder()

    def fail(_features: object) -> float:
        raise ZeroDivisionError("of claim 4711")

    with monitor(recorder, clock) as watching:
        with pytest.raises(ZeroDivisionError):
            watching.watch(fail)(row())
        watching.flush()
    (event,) = recorder.select("prediction")
    assert (event["status"], event["error"]) == ("error", "ZeroDivisionError")
    assert event["prediction"] is None
    assert event["features"]["line"] == row()["line"]
    assert b"4711" not in b"".join(recorder.messages)


def test_a_class_and_its_probabilities_are_sent_as_prediction_and_scores(
    clock: ManualClock,
) -> None:
    """The names are those of the reference."""
    rng = np.random.default_rng(2)
    fitted = fit_reference(
        features(),
        predictions=rng.dirichlet([1, 1], ROWS),
        output="probabilities",
        classes=["no", "yes"],
    )
    recorder = EventRecorder()
    with monitor(recorder, clock, reference=fitted) as watching:
        predict = watching.watch(output="probabilities", names=["no", "yes"])(lambda _: [0.2, 0.8])
        predict(row())
        watching.flush()
    (event,) = recorder.select("prediction")
    assert event["prediction"] == "yes"
    assert sorted(event["scores"].values()) == [0.2, 0.8]
    names = {field.name for field in fitted.fields if field.role == "prediction"}
    assert set(event["scores"]) <= names


def test_the_segment_of_a_row_is_in_its_event(clock: ManualClock) -> None:
    """It has the same name as everywhere else."""
    recorder = EventRecorder()
    fitted = reference(segments=["line"])
    with monitor(recorder, clock, reference=fitted, segments=["line"]) as watching:
        watching.record({name: column[:50] for name, column in features().items()}, [1.0] * 50)
        watching.flush()
    events = recorder.select("prediction")
    assert {event["segment"] for event in events} == {"motor", "home"}
    assert all(event["segment"] == event["features"]["line"] for event in events)
    segments = {event["segment"] for event in recorder.select("reference")}
    assert segments == {"all", "motor", "home"}


def test_an_id_read_after_the_block_is_that_of_its_event(clock: ManualClock) -> None:
    """A label with it is also matched in the process."""
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        with watching.observe(row()) as block:
            block.value = 1.0
        watching.flush()
        (event,) = recorder.select("prediction")
        assert block.id == event["prediction_id"]
        watching.label(block.id, 2.0)
        watching.flush()
        assert watching.status().labels["matched"] == 1
    (label,) = recorder.select("label")
    assert label["prediction_id"] == event["prediction_id"]
    assert label["actual"] == 2.0


def test_an_id_read_inside_a_call_is_that_of_its_event(clock: ManualClock) -> None:
    """It is read in a block, in a watched call, and for the rows of a batch."""
    recorder = EventRecorder()
    ids = []
    with monitor(recorder, clock) as watching:
        with watching.observe(row()) as block:
            block.value = 1.0
            ids.append(block.id)

        @watching.watch
        def predict(_features: object) -> Any:
            ids.append(watching.prediction_id)
            return 1.0

        predict(row())

        @watching.watch
        def predict_many(frame: Any) -> Any:
            ids.extend(f"{watching.prediction_id}-{place}" for place in range(len(frame)))
            return [1.0] * len(frame)

        predict_many(pd.DataFrame([row(), row(1), row(2)]))
        watching.flush()
    assert [event["prediction_id"] for event in recorder.select("prediction")] == ids


def test_ids_of_the_caller_are_sent_as_hashes_unless_they_may_be_plain(clock: ManualClock) -> None:
    """A prediction and its label have the same id either way."""
    for ids in ("hashed", "plain"):
        recorder = EventRecorder(ids=ids)
        with monitor(recorder, clock) as watching:
            with watching.observe(row(), prediction_id="mary@example.com") as block:
                block.value = 1.0
            watching.label("mary@example.com", 2.0)
            watching.flush()
        (event,), (label,) = recorder.select("prediction"), recorder.select("label")
        assert event["prediction_id"] == label["prediction_id"]
        assert (event["prediction_id"] == "mary@example.com") == (ids == "plain")


def test_rows_that_became_the_reference_are_sent_as_events_as_well(clock: ManualClock) -> None:
    """Each is sent once, whether or not the reference could be learned."""
    for rows, baseline in ((500, 200), (150, 200)):
        recorder = EventRecorder()
        config = Config(baseline_rows=baseline)
        with monitor(recorder, clock, reference=None, config=config) as watching:
            predict = watching.watch(lambda _: 1.0)
            for place in range(rows):
                predict(row(place % ROWS))
            watching.flush()
        events = recorder.select("prediction")
        assert len(events) == rows
        assert len({event["event_id"] for event in events}) == rows
        has_values = ["amount" in event["features"] for event in events]
        assert all(has_values) if rows > baseline else not any(has_values)


def test_a_sample_of_events_has_predictions_with_their_labels(clock: ManualClock) -> None:
    """The id alone decides, and each event contains the sampled share."""
    recorder = EventRecorder(sample=0.25, ids="plain")
    ids = [f"claim-{place}" for place in range(2_000)]
    columns = {name: (column * 7)[:2_000] for name, column in features().items()}
    with monitor(recorder, clock) as watching:
        watching.record(columns, np.arange(2_000.0), ids=ids)
        watching.label(ids, np.arange(2_000.0))
        watching.flush()
    events, labels = recorder.select("prediction"), recorder.select("label")
    assert 400 < len(events) < 600
    assert {event["sample"] for event in events} == {0.25}
    assert [e["prediction_id"] for e in events] == [e["prediction_id"] for e in labels]
    for event in events:  # the values are those of its own row
        place = int(event["prediction_id"].removeprefix("claim-"))
        assert event["prediction"] == float(place)
        assert event["features"]["amount"] == columns["amount"][place]
        assert event["features"]["line"] == columns["line"][place]


def test_redacted_and_unselected_fields_are_left_out_and_hashed_ones_are_hashed(
    clock: ManualClock,
) -> None:
    """A redacted field is in no event, and equal values have equal hashes."""
    recorder = EventRecorder(redact=["amount"], hashed=["line"], fields=["line", "at", "amount"])
    with monitor(recorder, clock) as watching:
        for place in range(20):
            watching.watch(lambda _: 1.0)(row(place))
        watching.flush()
    events = recorder.select("prediction")
    assert all(set(event["features"]) == {"line", "at"} for event in events)
    assert all(event["prediction"] is None for event in events)
    hashes = {(row(at)["line"], e["features"]["line"]) for at, e in enumerate(events)}
    assert len(hashes) == 2
    assert all(hashed.startswith("sha256:") for _, hashed in hashes)
    (amount,) = [e for e in recorder.select("reference") if e["field"] == "amount"]
    assert amount["withheld"]
    assert "bins" not in amount
    (line,) = [e for e in recorder.select("reference") if e["field"] == "line"]
    labels = {entry["label"] for entry in line["bins"]}
    assert {hashed for _, hashed in hashes} <= labels
    assert "motor" not in labels


def test_hashes_with_a_key_differ_from_hashes_without(clock: ManualClock) -> None:
    """They also differ between keys."""
    hashes = set()
    for key in (None, "one", "two"):
        recorder = EventRecorder(hashed=["line"], hash_key=key)
        with monitor(recorder, clock) as watching:
            watching.watch(lambda _: 1.0)(row())
            watching.flush()
        hashes.add(recorder.select("prediction")[0]["features"]["line"])
    assert len(hashes) == 3


def test_a_new_category_is_named_in_events_from_its_fifth_row_on(clock: ManualClock) -> None:
    """Fewer rows may be those of one person; a public field names it at once."""
    for fields, expected in (
        ([], ["__new__"] * 4 + ["boat"] * 3),
        ([Field("line", public=True)], ["boat"] * 7),
    ):
        recorder = EventRecorder()
        with monitor(recorder, clock, fields=fields) as watching:
            for _ in range(7):
                watching.watch(lambda _: 1.0)(row() | {"line": "boat"})
            watching.flush()
        assert [e["features"]["line"] for e in recorder.select("prediction")] == expected


HOSTILE: dict[str, Any] = {
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "a huge integer": 10**400,
    "a text": "twelve",
    "a lone surrogate": "\ud800",
    "U+0000": "a\x00b",
    "a long text": "x" * 100_000,
    "bytes": b"\xff\xfe",
    "a list": [[[[1]]]],
    "an object": object(),
    "a date out of range": np.datetime64(2**62, "s"),
    "markup": "'; drop table prediction; --",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_sent_as_plain_text(value: Any, clock: ManualClock) -> None:
    """Any field, id, prediction, actual or name may be hostile, and every event can be read."""
    recorder = EventRecorder(ids="plain")
    with monitor(recorder, clock) as watching:
        for name in features():
            with watching.observe(row() | {name: value}, prediction_id=str(value)) as block:
                block.value = value
        watching.label(str(value), value)
        watching.kpi(str(value), 1.0)
        watching.flush()
        # A mistake of the caller is named by the status; nothing of ours may fail.
        error = watching.status().last_error or "SchemaError"
        assert error.startswith(("SchemaError", "SilentMistake"))
    events = recorder.select("prediction")
    assert len(events) == len(features())
    assert len(recorder.select("label")) == 1
    assert len(recorder.select("kpi")) == 1
    for event, name in zip(events, features(), strict=True):
        assert set(event["features"]) == set(features())
        others = {
            key: feature for key, feature in event["features"].items() if key not in (name, "at")
        }
        assert others.items() <= row().items()


def test_a_value_that_is_not_a_number_is_sent_as_null_with_a_reason(clock: ManualClock) -> None:
    """A missing value has no reason."""
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        for value in (None, float("inf"), "twelve"):
            watching.watch(lambda _: 1.0)(row() | {"amount": value})
        watching.flush()
    events = recorder.select("prediction")
    assert [event["features"]["amount"] for event in events] == [None] * 3
    reasons = [event.get("invalid", {}).get("amount") for event in events]
    assert reasons == [None, "nonfinite", "wrong_type"]


def test_hostile_names_are_sent_as_plain_text(clock: ManualClock) -> None:
    """They are names of a model, a version, a feature and a figure."""
    name = "x'\"; \x00\ud800" + "y" * 2_000
    rng = np.random.default_rng(3)
    fitted = fit_reference({"'; drop": rng.normal(size=100)}, predictions=rng.normal(size=100))
    recorder = EventRecorder()
    with Monitor(
        name, version=name, reference=fitted, exporters=[], events=recorder, clock=clock
    ) as watching:
        watching.watch(lambda _: 1.0)({"'; drop": 1.0})
        watching.kpi(name, 1.0)
        watching.flush()
    (event,) = recorder.select("prediction")
    assert event["features"] == {"'; drop": 1.0}
    assert len(event["model"]) <= 1_000
    assert recorder.select("kpi")[0]["name"] == event["model"]


def test_pairs_without_ids_are_sent_as_labels_with_their_predictions(clock: ManualClock) -> None:
    """The process may have no reference."""
    recorder = EventRecorder()
    with monitor(recorder, clock, reference=None) as watching:
        watching.record_outcomes(
            [1.0, 2.0], [1.5, None], predicted_at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        watching.flush()
    first, second = recorder.select("label")
    assert (first["prediction"], first["actual"], first["prediction_id"]) == (1.0, 1.5, None)
    assert first["predicted_at"].startswith("2026-01-01T00:00:00")
    assert second["actual"] is None


def test_labels_are_sent_whether_or_not_their_prediction_is_known(clock: ManualClock) -> None:
    """They have their own time, if it was given."""
    recorder = EventRecorder(ids="plain")
    with monitor(recorder, clock) as watching:
        watching.label(["a", "b"], [1.0, 2.0], at=datetime(2026, 2, 1, tzinfo=UTC))
        watching.flush()
        watching.flush()
    assert [label["prediction_id"] for label in recorder.select("label")] == ["a", "b"]
    assert recorder.select("label")[0]["time"].startswith("2026-02-01T00:00:00")


def test_labels_that_wait_while_a_version_is_adopted_are_sent_once(clock: ManualClock) -> None:
    """Later events have the new version and its reference."""
    recorder = EventRecorder(ids="plain")
    with monitor(recorder, clock) as watching:
        watching.watch(lambda _: 1.0)(row())
        watching.label(["a", "b"], [1.0, 2.0])
        watching.flush()
        watching.adopt(reference(trained_at=datetime(2026, 5, 1, tzinfo=UTC)), version="8")
        watching.label("c", 3.0)
        watching.watch(lambda _: 1.0)(row())
        watching.flush()
    assert [label["prediction_id"] for label in recorder.select("label")] == ["a", "b", "c"]
    assert [event["model_version"] for event in recorder.select("prediction")] == ["7", "8"]
    assert len({event["reference_id"] for event in recorder.select("reference")}) == 2


def test_alerts_and_incidents_are_sent_when_they_begin_and_when_they_end(
    clock: ManualClock,
) -> None:
    """Both events have one id, so that a reader can match them."""
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        columns = features(2_000, seed=5)
        shifted = columns | {"amount": [amount + 500 for amount in columns["amount"]]}
        watching.record(shifted, np.random.default_rng(1).normal(size=2_000))
        watching.flush()
        for seed in range(8):
            rng = np.random.default_rng(seed)
            watching.record(features(2_000, seed=10 + seed), rng.normal(size=2_000))
            clock.advance(60)
            watching.flush()
    alerts = recorder.select("alert")
    by_id: dict[str, list[str]] = {}
    for alert in alerts:
        by_id.setdefault(alert["alert_id"], []).append(alert["state"])
    assert all(states in (["firing"], ["firing", "resolved"]) for states in by_id.values())
    assert {"feature", "incident"} <= {alert["role"] for alert in alerts}
    assert ["firing", "resolved"] in by_id.values()


def test_a_reference_gives_the_same_events_in_every_process(clock: ManualClock) -> None:
    """The counts in the event are those with which live rows are compared."""
    fitted, parts = reference(), []
    for _ in range(2):
        recorder = EventRecorder()
        with monitor(recorder, clock, reference=fitted, buckets={"amount": [900]}) as watching:
            watching.watch(lambda _: 1.0)(row())
            watching.flush()
        parts.append(recorder.select("reference"))
    assert [e["event_id"] for e in parts[0]] == [e["event_id"] for e in parts[1]]
    (amount,) = [event for event in parts[0] if event["field"] == "amount"]
    assert sum(entry["count"] for entry in amount["bins"]) + amount["missing"] == ROWS
    assert amount["buckets"] == [900.0]
    (line,) = [event for event in parts[0] if event["field"] == "line"]
    assert [entry["label"] for entry in line["bins"]][-2:] == ["__other__", "__new__"]
    assert {event["fields"] for event in parts[0]} == {len(parts[0])}


def test_the_event_sink_is_not_opened_before_the_first_event(clock: ManualClock) -> None:
    """A process that forks before it has nothing to share."""
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        assert recorder.opened == 0
        assert watching.status().events is None
        watching.watch(lambda _: 1.0)(row())
        assert watching.status().events is not None
    assert recorder.opened == 1
    assert recorder.is_closed


def test_events_have_the_recorded_time_of_their_rows(clock: ManualClock) -> None:
    """Rows that became the reference have it too."""
    times = [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)] * 150
    for given, config in ((reference(), Config()), (None, Config(baseline_rows=101))):
        recorder = EventRecorder()
        with monitor(recorder, clock, reference=given, config=config) as watching:
            watching.record(features(), np.zeros(ROWS), at=times)
            watching.flush()
        moments = [datetime.fromisoformat(event["time"]) for event in recorder.select("prediction")]
        assert moments == times


def test_the_group_of_a_row_is_sent_as_a_hash(clock: ManualClock) -> None:
    """Rows of one group have the same hash, and the column is not a feature."""
    columns = features() | {"customer": [f"mary{at // 3}" for at in range(ROWS)]}
    fitted = fit_reference(columns, predictions=np.zeros(ROWS), groups="customer")
    recorder = EventRecorder()
    with monitor(recorder, clock, reference=fitted, groups="customer") as watching:
        watching.record(columns, np.zeros(ROWS))
        watching.flush()
    events = recorder.select("prediction")
    groups = [event["group"] for event in events]
    assert groups[0] == groups[1] == groups[2] != groups[3]
    assert len(set(groups)) == ROWS // 3
    assert all("customer" not in event["features"] for event in events)
    assert b"mary" not in b"".join(recorder.messages)


def test_computed_figures_are_sent_as_sums_and_reported_figures_singly(
    clock: ManualClock,
) -> None:
    """A sum has its unit and the number of its rows."""
    saved = Kpi("saved", lambda rows: rows["amount"] - rows["prediction"], unit="EUR")
    recorder = EventRecorder()
    with monitor(recorder, clock, kpis=[saved]) as watching:
        columns = features()
        watching.record(columns | {"amount": [None, *columns["amount"][1:]]}, np.full(ROWS, 10.0))
        watching.kpi("visits", 3.0)
        watching.flush()
    figures = {event["name"]: event for event in recorder.select("kpi")}
    assert figures["saved"]["count"] == ROWS - 1
    assert figures["saved"]["unit"] == "EUR"
    expected = sum(columns["amount"][1:]) - 10.0 * (ROWS - 1)
    assert figures["saved"]["value"] == pytest.approx(expected)
    assert figures["visits"]["value"] == 3.0


def test_a_new_category_that_looks_like_an_identifier_is_never_named(clock: ManualClock) -> None:
    """An e-mail address stays unnamed however often it occurs."""
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        for _ in range(20):
            watching.watch(lambda _: 1.0)(row() | {"line": "mary@example.com"})
        watching.flush()
    assert {e["features"]["line"] for e in recorder.select("prediction")} == {"__new__"}


def test_a_reference_event_has_the_task_of_its_actuals(clock: ManualClock) -> None:
    """Two classes have a positive one."""
    rng = np.random.default_rng(4)
    cases: list[tuple[dict[str, Any], str | None, str | None]] = [
        ({"predictions": rng.normal(size=ROWS)}, None, None),
        (
            {"predictions": rng.normal(size=ROWS), "actuals": rng.normal(size=ROWS)},
            "regression",
            None,
        ),
        (
            {
                "predictions": rng.dirichlet([1, 1], ROWS),
                "output": "probabilities",
                "classes": ["no", "yes"],
                "actuals": rng.choice(["no", "yes"], ROWS).tolist(),
            },
            "binary",
            "yes",
        ),
    ]
    for options, task, positive in cases:
        recorder = EventRecorder()
        with monitor(recorder, clock, reference=fit_reference(features(), **options)) as watching:
            watching.watch(lambda _: 1.0)(row())
            watching.flush()
        events = recorder.select("reference")
        assert {event.get("task") for event in events} == {task}
        assert {event.get("positive_class") for event in events} == {positive}


def test_the_event_of_a_call_within_a_span_has_its_trace_id(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ids are those of the host's tracing, in hexadecimal."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    tracer = TracerProvider().get_tracer("test")
    recorder = EventRecorder()
    with monitor(recorder, clock) as watching:
        predict = watching.watch(lambda _: 1.0)
        predict(row())
        watching.flush()
        with tracer.start_as_current_span("request") as span:
            predict(row())
        watching.flush()
    first, second = recorder.select("prediction")
    context = span.get_span_context()
    assert "trace_id" not in first
    assert second["trace_id"] == trace.format_trace_id(context.trace_id)
    assert second["span_id"] == trace.format_span_id(context.span_id)


def test_outcomes_of_events_are_exported_with_the_sink(clock: ManualClock) -> None:
    """Each outcome is a counter that starts at 0."""
    recorder, exporter = EventRecorder(), InMemoryExporter()
    with monitor(recorder, clock, exporters=[exporter]) as watching:
        watching.watch(lambda _: 1.0)(row())
        watching.flush()
    for outcome, count in (("delivered", len(recorder.messages)), ("dropped", 0), ("refused", 0)):
        labels = {"sink": "memory", "outcome": outcome}
        assert exporter.value(catalog.EVENTS.name, labels) == count


def test_outcomes_of_events_are_counted_by_model_version(clock: ManualClock) -> None:
    """They add up to what the process has sent."""
    recorder, exporter = EventRecorder(), InMemoryExporter()
    with monitor(recorder, clock, exporters=[exporter]) as watching:
        for version in ("8", "9"):
            watching.watch(lambda _: 1.0)(row())
            watching.flush()
            watching.adopt(reference(), version=version)
    delivered = [
        exporter.value(
            catalog.EVENTS.name,
            {"model.version": version, "sink": "memory", "outcome": "delivered"},
        )
        for version in ("7", "8", "9")
    ]
    assert sum(map(int, delivered)) == len(recorder.messages)  # type: ignore[arg-type]  # of a counter
    assert all(delivered[:2])


def test_a_switched_off_monitor_sends_no_events(clock: ManualClock) -> None:
    """The sink is never opened."""
    recorder = EventRecorder()
    with monitor(recorder, clock, config=Config(enabled=False)) as watching:
        watching.watch(lambda _: 1.0)(row())
        watching.label("a", 1.0)
    assert recorder.opened == 0
