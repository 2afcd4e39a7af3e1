"""The monitor as users see it: options, ids, the off switch, status and errors at construction."""

import asyncio
import inspect
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Alert, Config, ConfigError, FormatError, Monitor, Reference
from mlmonitor.records import Quality
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

Features = dict[str, float]


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """Return a reference of two features and a prediction."""
    x = rng.normal(size=2_000)
    return fit_reference({"a": x, "b": rng.normal(size=2_000)}, predictions=x * 2, actuals=x * 2)


def make(reference: Reference | None, exporter: InMemoryExporter, **options: object) -> Monitor:
    """Return a monitor that exports to memory, and only when it is flushed."""
    config = Config(export_interval_seconds=3_600, **options)
    return Monitor("m", version="1", reference=reference, exporters=[exporter], config=config)


def test_a_saved_reference_can_be_given_by_its_path(
    reference: Reference, exporter: InMemoryExporter, tmp_path: Path
) -> None:
    """The file is loaded when the monitor is constructed."""
    reference.save(tmp_path / "reference.json")
    with Monitor("m", reference=tmp_path / "reference.json", exporters=[exporter]) as monitor:
        assert monitor.reference == reference


def test_a_damaged_reference_is_refused_at_construction(tmp_path: Path) -> None:
    """The error appears when the service starts, not when the first drift is computed."""
    (tmp_path / "reference.json").write_text("{", encoding="utf-8")
    with pytest.raises(FormatError, match="reference"):
        Monitor("m", reference=tmp_path / "reference.json")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"model": ""}, "model"),
        ({"model": "m", "ignore": "id"}, "ignore"),
        ({"model": "m", "features": "a,b"}, "features"),
        ({"model": "m", "features": ["a", "a"]}, "features"),
        ({"model": "m", "config": {"window_slices": 3}}, "config"),
        ({"model": "m", "exporters": ["http://c:4318"]}, "exporters"),
        ({"model": "m", "exporters": InMemoryExporter()}, "exporters"),
        ({"model": "m", "reference": [1.0]}, "reference"),
        ({"model": "m", "on_alert": "page me"}, "on_alert: expected a function"),
    ],
)
def test_the_error_for_a_misspelt_option_names_the_intended_one(
    options: dict[str, object], named: str
) -> None:
    """The closest valid option is suggested."""
    with pytest.raises(ConfigError, match=named):
        Monitor(**options)


def test_a_schema_that_contradicts_the_reference_is_refused(reference: Reference) -> None:
    """The kinds of the reference apply; a different schema would be ignored silently."""
    Monitor("m", reference=reference, schema={"a": "numeric"})
    with pytest.raises(ConfigError, match=r"schema: 'a' is numeric in the reference, not text"):
        Monitor("m", reference=reference, schema={"a": "text"})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"output": "proba"}, "output"),
        ({"names": "ab"}, "names"),
        ({"names": ["a", "a"]}, "names"),
    ],
)
def test_an_invalid_output_option_is_refused_before_a_function_is_decorated(
    exporter: InMemoryExporter, options: dict[str, object], named: str
) -> None:
    """`@monitor.watch(...)` raises at the line where it is written."""
    with make(None, exporter) as monitor, pytest.raises(ConfigError, match=named):
        monitor.watch(**options)


@pytest.mark.parametrize("enabled", [True, False])
def test_only_functions_can_be_watched(exporter: InMemoryExporter, enabled: bool) -> None:  # noqa: FBT001 - both ways
    """Anything else is refused at decoration instead of at the first call."""
    with (
        make(None, exporter, enabled=enabled) as monitor,
        pytest.raises(ConfigError, match="expected a function"),
    ):
        monitor.watch(3)


def test_a_switched_off_monitor_returns_the_function_itself(exporter: InMemoryExporter) -> None:
    """With `enabled=False` watching costs nothing, because no wrapper is made."""
    monitor = make(None, exporter, enabled=False)

    def predict(features: Features) -> float:
        return features["a"]

    assert monitor.watch(predict) is predict
    with monitor.observe({"a": 1.0}) as prediction:
        prediction.value = 1.0
        assert prediction.id
        assert monitor.prediction_id
    monitor.record({"a": [1.0]}, [1.0])
    monitor.label("x", 1.0)
    monitor.kpi("saved", 1.0)
    assert monitor.flush(timeout_seconds=60)
    assert monitor.close()
    assert monitor.status().state == "disabled"
    assert monitor.status().predictions == 0
    assert exporter.snapshots == []


def test_a_block_of_a_switched_off_monitor_reads_no_features(exporter: InMemoryExporter) -> None:
    """No clock is read and no feature is copied; value, id and exceptions behave as usual."""

    class Untouchable(dict[str, float]):
        def keys(self) -> object:  # type: ignore[override]  # nobody shall ask
            raise AssertionError

        __iter__ = __getitem__ = items = keys  # type: ignore[assignment]

    async def later() -> str:
        async with monitor.observe(Untouchable()) as prediction:
            prediction.value = 1.0
        return prediction.id

    monitor = make(None, exporter, enabled=False)
    with monitor.observe(Untouchable(), prediction_id="mine") as prediction:
        assert prediction.value is None
    assert prediction.id == "mine"
    with pytest.raises(ZeroDivisionError), monitor.observe(Untouchable()) as failing:
        raise ZeroDivisionError
    assert failing.id == failing.id
    assert len(asyncio.run(later())) == 36
    assert monitor.status().internal_errors == 0
    assert monitor._worker._thread is None


def test_the_standard_variable_switches_the_monitor_off(
    exporter: InMemoryExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`OTEL_SDK_DISABLED=true` takes precedence over the arguments of the program."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert make(None, exporter, enabled=True).status().state == "disabled"


def test_nothing_is_sent_without_exporters_or_variables(reference: Reference) -> None:
    """The monitor works and reports its status, but has nowhere to send data."""
    with Monitor("m", reference=reference) as monitor:
        monitor.record({"a": [1.0], "b": [2.0]}, [3.0])
        assert monitor.flush(timeout_seconds=60)
        assert monitor.status().exports == {}
        assert monitor.status().predictions == 1


def test_the_first_rows_become_the_reference_and_the_status_says_so(
    exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """The status says that it is learning, and afterwards what it compares with."""
    with make(None, exporter, baseline_rows=100) as monitor:
        predict = monitor.watch(lambda features: features["a"])
        assert monitor.status().state == "waiting"
        for a in rng.normal(size=60):
            predict({"a": float(a)})
        status = monitor.status()
        assert (status.state, status.learned_rows, status.baseline_rows) == ("learning", 60, 100)
        assert "60 of 100" in str(status)
        for a in rng.normal(size=60):
            predict({"a": float(a)})
        status = monitor.status()
        assert (status.state, status.is_reference_learned) == ("watching", True)
        assert status.predictions == 120
        assert sum(status.field("a").quality.values()) == 120
        assert "learned" in str(status)


def test_a_label_is_matched_to_its_prediction_by_id(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """The id read from `monitor.prediction_id` inside a call is later passed to `label`."""
    ids = []
    with make(reference, exporter) as monitor:

        @monitor.watch
        def predict(features: Features) -> float:
            ids.append(monitor.prediction_id)
            return 2 * features["a"]

        for a in (1.0, 2.0, 3.0):
            predict({"a": a, "b": 0.0})
        assert monitor.status().predictions == 3
        monitor.label(ids, np.array([1.0, 5.0, 6.0]))
        monitor.label("nobody", 1.0)
        monitor.status()
        status = monitor.status()
        counts = {name: count for name, count in status.labels.items() if count}
        assert counts == {"matched": 3, "unknown": 1}
        assert status.performance is not None
        assert status.performance.count == 3
        assert status.performance.mae == pytest.approx(2 / 3)
        assert status.performance.bias == pytest.approx(0.0)
        assert status.field("actual", role="actual").count == 3


def test_ids_given_by_the_caller_are_used(reference: Reference, exporter: InMemoryExporter) -> None:
    """They may come from an argument, a feature, or a list that accompanies a batch."""
    with make(reference, exporter) as monitor:

        @monitor.watch(id_from="request_id")
        def by_argument(features: Features, request_id: str) -> float:
            return features["a"]

        @monitor.watch(id_from="claim")
        def by_feature(features: dict[str, object]) -> float:
            return 1.0

        by_argument({"a": 1.0, "b": 1.0}, "r-1")
        by_feature({"a": 1.0, "b": 1.0, "claim": 77})
        monitor.record({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [1.0, 2.0], ids=["x", "y"])
        monitor.record({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [1.0, 2.0], ids=[8, 9])
        monitor.label(8, 1.0)
        monitor.label([9], [1.0])
        with monitor.observe({"a": 1.0, "b": 2.0}, prediction_id="mine") as prediction:
            prediction.value = 1.0
            assert prediction.id == "mine"
        monitor.status()
        monitor.label(["r-1", "77", "x", "y", "mine"], [1.0] * 5)
        status = monitor.status()
        assert status.labels["matched"] == 7
        assert status.unknown_fields == {}


@pytest.mark.parametrize(
    ("reported", "asked"),
    [
        (17, [np.float64(17)]),
        (17.0, np.array(17)),
        (np.int64(17), 17.0),
        (np.str_("17"), 17),
        ("17", np.int64(17)),
    ],
    ids=["int", "float", "int64", "str_", "str"],
)
def test_an_id_is_read_alike_by_watch_observe_and_record(
    reference: Reference, exporter: InMemoryExporter, reported: object, asked: object
) -> None:
    """The whole float 7.0 and the integer 7 are the same id, wherever they are given."""
    row = {"a": 1.0, "b": 1.0}
    with make(reference, exporter) as monitor:

        @monitor.watch(id_from="request")
        def by_argument(features: Features, request: object) -> float:
            return 1.0

        @monitor.watch(id_from="claim")
        def by_feature(features: dict[str, object]) -> float:
            return 1.0

        def observed() -> None:
            with monitor.observe(row, prediction_id=reported) as prediction:
                prediction.value = 1.0

        ways = [
            lambda: by_argument(row, reported),
            lambda: by_feature({**row, "claim": reported}),
            observed,
            lambda: monitor.record([row], [1.0], ids=[reported]),
        ]
        for way in ways:
            way()
            monitor.label(asked, [1.0] if isinstance(asked, list) else 1.0)
            monitor.status()
        status = monitor.status()
        assert (status.labels["matched"], status.internal_errors) == (4, 0)


def test_asking_for_an_id_outside_a_call_is_an_error(exporter: InMemoryExporter) -> None:
    """There is no current prediction to which the id could belong."""
    with make(None, exporter) as monitor, pytest.raises(LookupError, match="inside"):
        _ = monitor.prediction_id


def test_each_reported_kpi_is_a_separate_field(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """Count, mean and sum of a business figure reach the status and the exporter."""
    with make(reference, exporter) as monitor:
        for saved in (10.0, 20.0, 60.0):
            monitor.kpi("total_savings", saved)
        monitor.kpi("total_savings", "much")  # type: ignore[arg-type]  # a mistake, to be counted
        field = monitor.status().field("total_savings", role="kpi")
        assert (field.count, field.mean, field.max) == (3, 30.0, 60.0)
        assert field.quality[Quality.WRONG_TYPE] == 1
        assert monitor.flush(timeout_seconds=60)
        histogram = exporter.value("mlmonitor.field.distribution", {"role": "kpi"})
        assert (histogram.sum, histogram.counts) == (90.0, (3,))


def test_drift_changes_only_the_scores_of_the_field_that_moved(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """One feature shifts by a standard deviation; the scores of the other stay low."""
    with make(reference, exporter) as monitor:
        monitor.record(
            {"a": rng.normal(1, 1, 4_000), "b": rng.normal(size=4_000)}, rng.normal(size=4_000)
        )
        status = monitor.status()
        assert status.field("a").psi > 0.5
        assert status.field("a").jensen_shannon > 0.3
        assert status.field("b").psi < 0.05
        assert status.field("a").quantiles[0.5] == pytest.approx(1.0, abs=0.1)


def test_watching_keeps_name_docstring_and_signature(exporter: InMemoryExporter) -> None:
    """Tools that inspect a watched function see the original."""
    with make(None, exporter) as monitor:

        def predict(features: Features, *, scale: float = 1.0) -> float:
            """Return the feature, scaled."""
            return features["a"] * scale

        wrapped = monitor.watch(predict)
        assert wrapped.__name__ == "predict"
        assert wrapped.__doc__ == "Return the feature, scaled."
        assert inspect.signature(wrapped) == inspect.signature(predict)


def test_memory_stays_within_memory_bytes(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator, clock: ManualClock
) -> None:
    """The bound is constant while rows arrive for more slices than the window has."""
    config = Config(window_seconds=60, window_slices=6, export_interval_seconds=3_600)
    with Monitor(
        "m", reference=reference, exporters=[exporter], config=config, clock=clock
    ) as monitor:
        before = monitor.memory_bytes
        for _ in range(20):
            monitor.record(
                {"a": rng.normal(size=1_000), "b": rng.normal(size=1_000)}, [1.0] * 1_000
            )
            monitor.status()
            clock.advance(10)
        assert monitor.memory_bytes == before


def test_each_numeric_field_takes_at_most_32_kib(rng: np.random.Generator) -> None:
    """Measured as the slope between a narrow and a wide model, without the reference itself."""

    def bound(fields: int) -> int:
        columns = {f"f{place}": rng.normal(size=2_000) for place in range(fields)}
        reference = fit_reference(columns)
        with Monitor("m", reference=reference) as monitor:
            return monitor.memory_bytes - reference.nbytes

    assert (bound(22) - bound(2)) / 20 < 32 * 1024


def test_a_closed_monitor_drops_rows_and_the_status_says_so(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """Watched functions still work and each dropped row is counted; closing twice is harmless."""
    monitor = make(reference, exporter)
    predict = monitor.watch(lambda features: features["a"])
    predict({"a": 1.0, "b": 1.0})
    assert monitor.close()
    assert monitor.close()
    assert exporter.is_closed
    assert predict({"a": 2.0, "b": 1.0}) == 2.0
    monitor.record({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [1.0, 2.0])
    with monitor.observe({"a": 1.0, "b": 1.0}) as prediction:
        prediction.value = 1.0
    monitor.kpi("savings", 1.0)
    monitor.label(["x", "y"], [1.0, 2.0])
    assert not monitor.flush()
    status = monitor.status()
    assert (status.state, status.predictions) == ("closed", 1)
    assert (status.dropped, status.labels["dropped"], status.internal_errors) == (5, 2, 0)
    assert "5 rows dropped" in str(status)
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 1


def test_no_secret_is_shown_in_a_repr(reference: Reference) -> None:
    """Headers hold tokens; neither the exporter nor the monitor may show them."""
    from mlmonitor import Otlp

    exporter = Otlp.collector("http://localhost:4318", headers={"authorization": "Bearer s3cret"})
    monitor = Monitor("m", reference=reference, exporters=[exporter])
    assert "s3cret" not in repr(exporter) + repr(monitor) + str(monitor.status())


def test_every_row_of_an_unreadable_batch_is_counted(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """Features that raise, missing features and ids that do not fit lose no prediction count."""

    class Hostile(dict[str, object]):
        def items(self) -> object:  # type: ignore[override]  # that is what makes it hostile
            raise RuntimeError("no")

    with make(reference, exporter) as monitor:
        monitor.record(Hostile(a=1), [1.0, 2.0])
        monitor.record({}, [1.0, 2.0, 3.0])
        monitor.record({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [1.0, 2.0], ids=["one"])
        monitor.kpi(Unnameable(), 1.0)  # type: ignore[arg-type]  # a mistake, to be held back
        status = monitor.status()
        assert status.predictions == 7
        assert sum(status.field("a").quality.values()) == 7
        assert status.field("a").quality[Quality.WRONG_TYPE] == 5
        assert status.field("prediction", role="prediction").count == 7
        assert status.internal_errors == 3


class Unnameable:
    """An object whose conversion to text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_rows_of_a_watched_batch_are_labelled_by_the_id_of_the_call_and_their_number(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """The id of the call names the batch; its rows have the suffixes `-0`, `-1` and so on."""
    with make(reference, exporter) as monitor:
        ids = []

        @monitor.watch
        def predict(rows: list[Features]) -> list[float]:
            ids.append(monitor.prediction_id)
            return [row["a"] for row in rows]

        predict([{"a": 1.0, "b": 0.0}, {"a": 2.0, "b": 0.0}])
        monitor.status()
        monitor.label([f"{ids[0]}-0", f"{ids[0]}-1"], [1.0, 1.0])
        status = monitor.status()
        assert status.labels["matched"] == 2
        assert status.performance is not None
        assert status.performance.mae == 0.5


def moved(monitor: Monitor, rng: np.random.Generator, shift: float, batches: int) -> None:
    """Record batches of 500 rows, with `a` shifted by these deviations, and export after each."""
    for _ in range(batches):
        a = rng.normal(shift, 1, 500)
        monitor.record({"a": a, "b": rng.normal(size=500)}, 2 * rng.normal(size=500))
        assert monitor.flush(timeout_seconds=60)


def test_an_alert_is_reported_once_when_it_fires_and_once_when_it_resolves(
    reference: Reference, rng: np.random.Generator
) -> None:
    """The callback runs in the worker thread, and its exceptions are suppressed."""
    alerts: list[Alert] = []

    def tell(alert: Alert) -> None:
        alerts.append(alert)
        raise RuntimeError("the pager is down")

    config = Config(export_interval_seconds=3_600)
    with Monitor("m", reference=reference, on_alert=tell, config=config) as monitor:
        moved(monitor, rng, 0.0, 6)
        assert alerts == []
        moved(monitor, rng, 0.7, 4)
        assert {(f.field, f.state) for f in alerts} == {("a", "firing")}
        measures = [f.measure for f in alerts]
        assert sorted(measures) == sorted(set(measures))
        assert "psi" in measures
        assert set(monitor.status().alerts) == set(alerts)
        assert monitor.status().internal_errors == len(alerts)
        moved(monitor, rng, 0.0, 12)
        turns = [(f.measure, f.state) for f in alerts]
        assert sorted(turns) == sorted((m, a) for m in measures for a in ("firing", "resolved"))
        assert monitor.status().alerts == ()


def test_an_alert_is_shown_and_exported(
    reference: Reference, exporter: InMemoryExporter, rng: np.random.Generator
) -> None:
    """Its evidence, score and critical value appear in the status and in the export."""
    with make(reference, exporter) as monitor:
        moved(monitor, rng, 0.7, 4)
        status = monitor.status()
        assert "  feature a: psi " in str(status)
        assert status.field("a").has_alert
        assert not status.field("b").has_alert
        series = {"field": "a", "role": "feature"}
        assert exporter.value("mlmonitor.drift.alert", series) == 1
        assert exporter.value("mlmonitor.drift.evidence", series) > 2
        psi = {**series, "measure": "psi"}
        score = exporter.value("mlmonitor.drift.score", psi)
        assert score > exporter.value("mlmonitor.drift.threshold", psi)
        other = {"field": "b", "role": "feature"}
        assert exporter.value("mlmonitor.drift.alert", other) == 0


def test_live_performance_is_shown_beside_that_at_training(exporter: InMemoryExporter) -> None:
    """The training metrics of the reference appear once labels have arrived."""
    x = np.linspace(0, 1, 100)
    reference = fit_reference({"a": x}, predictions=x, actuals=x, training_metrics={"mae": 0.25})
    with make(reference, exporter) as monitor:
        monitor.record({"a": [0.5]}, [0.5], ids=["1"])
        assert "at training: mae" not in str(monitor.status())
        monitor.label("1", 0.75)
        assert monitor.status().training_metrics == {"mae": 0.25}
        assert "at training: mae 0.25" in str(monitor.status())


def test_a_label_without_a_prediction_is_counted_by_the_time_the_monitor_closes(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """Until then it counts as waiting, because its prediction may still arrive."""
    monitor = make(reference, exporter)
    monitor.label("nobody", 1.0)
    assert monitor.status().labels["waiting"] == 1
    monitor.label("neither", 1.0)
    assert monitor.close()
    assert exporter.value("mlmonitor.labels", {"status": "unknown"}) == 2


def test_the_last_error_is_reported(reference: Reference, exporter: InMemoryExporter) -> None:
    """The status has its type and, for errors of this library, the remedy, but never a value."""
    with make(reference, exporter) as monitor:
        monitor.record({"a": [1.0], "b": [2.0]}, [1.0], ids=["s3cret", "s3cret"])
        status = monitor.status()
        assert status.internal_errors == 1
        assert status.last_error is not None
        assert "ids" in status.last_error
        assert "last error" in str(status)
        assert "s3cret" not in str(status)
