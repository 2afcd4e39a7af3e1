"""Segments as users declare them, see them in the status, and find them in the export."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, ConfigError, Monitor, Reference
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.memory_held import held_bytes
from support.references import fit_reference

LINES = ("motor", "home", "travel")
SHARES = (0.5, 0.4, 0.1)
MEANS = {"motor": 30.0, "home": 60.0, "travel": 45.0}


def policies(
    rng: np.random.Generator, rows: int, moved: dict[str, float] | None = None
) -> dict[str, Any]:
    """Draw ages that depend on the line; `moved` is added to some of them."""
    line = rng.choice(LINES, rows, p=SHARES)
    means = np.array([MEANS[name] + (moved or {}).get(name, 0.0) for name in line.tolist()])
    return {"line": line, "age": rng.normal(means, 5.0)}


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """Return a reference with a segment for each line."""
    columns = policies(rng, 6_000)
    return fit_reference(
        columns, predictions=columns["age"], actuals=columns["age"], segments=["line"]
    )


def make(reference: Reference | None, exporter: InMemoryExporter, **options: Any) -> Monitor:
    """Return a monitor with segments that exports to memory, and only when it is flushed."""
    config = Config(export_interval_seconds=3_600, **options.pop("config", {}))
    return Monitor(
        "m", reference=reference, segments=["line"], exporters=[exporter], config=config, **options
    )


def test_every_point_carries_its_segment(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """The whole is `all`, and the counts of the segments add up to it."""
    columns = policies(rng, 1_000)
    with make(reference, exporter) as monitor:
        monitor.record(columns, columns["age"])
        assert monitor.flush(timeout_seconds=60)
    points = exporter.snapshots[-1].points
    assert {dict(point.attributes)["segment"] for point in points} == {"all", *LINES, "__other__"}
    for name in ("mlmonitor.predictions", "mlmonitor.field.values"):
        numbers: dict[tuple[tuple[str, str], ...], list[float]] = {}
        for point in points:
            attributes = dict(point.attributes)
            if point.metric.name == name:
                is_whole = attributes.pop("segment") == "all"
                numbers.setdefault(tuple(attributes.items()), [0.0, 0.0])[is_whole] += point.value
        assert numbers
        assert all(
            parts == whole
            for key, (parts, whole) in numbers.items()
            if ("status", "error") not in key
        )


def test_no_point_carries_a_segment_if_none_is_declared(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """A reference with segments also serves a monitor that does not use them."""
    columns = policies(rng, 100)
    with Monitor("m", reference=reference, exporters=[exporter]) as monitor:
        monitor.record(columns, columns["age"])
        assert monitor.flush(timeout_seconds=60)
        assert monitor.status().segments == {}
    assert all("segment" not in dict(point.attributes) for point in exporter.snapshots[-1].points)


def test_an_alert_names_its_segment_and_the_status_counts_it(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """Only the line with a tenth of the traffic moves; it alerts while the whole does not."""
    alerts: list[Alert] = []
    with make(reference, exporter, on_alert=alerts.append) as monitor:
        columns = policies(rng, 5_000, {"travel": 6.0})
        monitor.record(columns, columns["age"])
        status = monitor.status()
        assert monitor.flush(timeout_seconds=60)
    assert {(alert.field, alert.segment) for alert in alerts} >= {("age", "travel")}
    assert {alert.segment for alert in alerts}.isdisjoint({"motor", "home"})
    assert "in travel" in str(next(alert for alert in alerts if alert.segment == "travel"))
    travel = status.segments["travel"]
    assert travel.field("age").has_alert
    assert travel.field("age").psi > 0.5
    assert status.segments["motor"].field("age").psi < 0.1
    line = next(text for text in str(status).splitlines() if text.startswith("segment travel"))
    assert "2 moved (age, prediction), 2 alerts" in line
    assert "__other__" not in str(status)
    with pytest.raises(KeyError):
        travel.field("nothing")


def test_a_segment_missing_from_the_reference_is_counted_with_the_rest(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """It is not compared, the status says so, and its value is an unseen category."""
    with make(reference, exporter) as monitor:
        monitor.record({"line": ["pet"] * 30, "age": [40.0] * 30}, [40.0] * 30)
        status = monitor.status()
    rest = status.segments["__other__"]
    assert (rest.predictions, rest.reference_rows) == (30, 0)
    assert rest.field("age").psi is None
    assert "segment __other__: 30 predictions, 0 failed, 30 in the window; not in" in str(status)
    assert status.field("line").new_categories[0].name == "pet"


def test_failed_calls_keep_their_segment(reference: Reference, exporter: InMemoryExporter) -> None:
    """A model that fails for one line is reported as failing in that segment."""
    with make(reference, exporter) as monitor:

        @monitor.watch
        def predict(features: dict[str, Any]) -> float:
            if features["line"] == "travel":
                raise ZeroDivisionError
            return float(features["age"])

        predict({"line": "motor", "age": 30.0})
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                predict({"line": "travel", "age": 45.0})
        status = monitor.status()
    travel = status.segments["travel"]
    assert (travel.predictions, travel.failed, travel.window_rows) == (0, 3, 3)
    assert travel.field("age").count == 3
    assert travel.field("prediction", role="prediction").count == 0
    assert (status.segments["motor"].predictions, status.segments["motor"].failed) == (1, 0)


def test_a_prediction_whose_id_is_read_late_keeps_its_segment(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """The prediction had already been processed without an id when its id was read."""
    with make(reference, exporter) as monitor:
        with monitor.observe({"line": "home", "age": 60.0}) as observed:
            observed.value = 60.0
        assert monitor.flush(timeout_seconds=60)
        monitor.label(observed.id, 55.0)
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status()
    home = status.segments["home"].performance
    assert home is not None
    assert (home.count, home.mae) == (1, 5.0)
    assert status.predictions == 1


def test_errors_of_labels_are_reported_by_segment(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """A waiting prediction keeps its segment, also if its label turns out not to be a number."""
    with make(reference, exporter) as monitor:
        monitor.record(
            {"line": ["motor", "home", "home"], "age": [30.0, 60.0, 61.0]},
            [30.0, 60.0, 61.0],
            ids=["1", "2", "3"],
        )
        monitor.label(["1", "2", "3"], [31.0, 55.0, "unknown"])
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status()
    motor, home = status.segments["motor"], status.segments["home"]
    assert motor.performance is not None
    assert home.performance is not None
    assert (motor.performance.count, motor.performance.mae) == (1, 1.0)
    assert (home.performance.count, home.performance.mae) == (1, 5.0)
    assert home.field("actual", role="actual").quality["wrong_type"] == 1
    assert motor.field("actual", role="actual").quality["wrong_type"] == 0
    labelled = [
        exporter.value(
            "mlmonitor.performance", {"measure": "mae", "basis": "realised", "segment": name}
        )
        for name in ("motor", "home", "all")
    ]
    assert labelled == [1.0, 5.0, 3.0]


def test_a_service_without_a_reference_learns_its_segments(
    exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """The first rows give a reference for each segment; segments with too few rows share one."""
    with make(None, exporter, config={"baseline_rows": 600, "max_segments": 2}) as monitor:
        columns = policies(rng, 1_000)
        monitor.record(columns, columns["age"])
        status = monitor.status()
        assert monitor.reference is not None
        assert monitor.reference.segment_names == ("motor", "home", "__other__")
    assert sum(segment.predictions for segment in status.segments.values()) == 1_000
    assert status.segments["motor"].reference_rows > 200
    assert sum(segment.reference_rows for segment in status.segments.values()) == 600
    assert sum(segment.window_rows for segment in status.segments.values()) == 400
    assert not status.alerts


def test_an_ignored_field_can_be_a_segment_field(
    exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """It divides the traffic, and is not monitored itself."""
    with make(None, exporter, ignore=["line"], config={"baseline_rows": 200}) as monitor:
        columns = policies(rng, 300)
        monitor.record(columns, columns["age"])
        status = monitor.status()
    assert [field.name for field in status.fields] == ["age", "prediction"]
    assert status.segments["motor"].predictions > 100


def test_several_fields_can_define_a_segment_together(
    exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """The segment is named by field and value, in the order of the reference."""
    columns = {
        "line": rng.choice(["motor", "home"], 500),
        "region": rng.choice(["north", "south"], 500),
        "age": rng.normal(size=500),
    }
    reference = fit_reference(columns, segments=["line", "region"])
    with Monitor(
        "m", reference=reference, segments=["region", "line"], exporters=[exporter]
    ) as monitor:
        monitor.record({"line": ["motor"], "region": ["north"], "age": [0.0]}, [1.0])
        assert monitor.status().segments["line=motor,region=north"].predictions == 1


@pytest.mark.parametrize(
    ("fit", "options", "named"),
    [
        ({}, {"segments": ["line"]}, r"Reference.fit\(..., segments=\['line'\]\)"),
        ({"segments": ["age"]}, {"segments": ["line"]}, "this one has 'age'"),
        ({"segments": ["line"]}, {"segments": "line"}, "sequence of names"),
        (
            {"segments": ["line"]},
            {"segments": ["line"], "config": Config(max_segments=2)},
            "Config.max_segments",
        ),
    ],
)
def test_segments_that_cannot_be_compared_are_refused_at_construction(
    fit: dict[str, Any], options: dict[str, Any], named: str, rng: np.random.Generator
) -> None:
    """A segment without a reference would appear to be monitored; the message names the remedy."""
    reference = fit_reference(policies(rng, 300), **fit)
    with pytest.raises(ConfigError, match=named):
        Monitor("m", reference=reference, exporters=[], **options)


def serve(monitor: Monitor, clock: ManualClock, rng: np.random.Generator, *, batches: int) -> None:
    """Record one batch for each slice, with ids; half of the rows are in unknown segments."""
    for _ in range(batches):
        columns = policies(rng, 1_000)
        unknown = rng.integers(0, 1 << 40, 1_000)
        columns["line"] = np.where(rng.random(1_000) < 0.5, columns["line"], unknown).tolist()
        monitor.record(columns, columns["age"], ids=[f"{clock()}-{i}" for i in range(1_000)])
        monitor.status()
        clock.advance(1.0)


@pytest.mark.slow
def test_memory_with_segments_stays_within_the_reported_bound(rng: np.random.Generator) -> None:
    """The bound follows from the number of segments, not from the number of rows."""
    reference = fit_reference(
        policies(rng, 2_000), predictions=rng.normal(size=2_000), segments=["line"]
    )
    clock = ManualClock()
    config = Config(window_seconds=5, window_slices=5, pending_predictions=2_000)

    def new_monitor() -> Monitor:
        return Monitor(
            "m",
            reference=reference,
            segments=["line"],
            exporters=[],
            config=config,
            clock=clock,
        )

    phase = partial(serve, clock=clock, rng=rng, batches=8)
    held_bytes(new_monitor, phase)  # imports and caches of libraries belong to no monitor
    (short, reported), (long, reported_later) = held_bytes(new_monitor, phase, phase)
    assert short <= reported
    assert long <= reported_later
    assert long <= short * 1.03
