"""A running monitor adopts a new version of a model, whose series begin beside the old ones."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mlmonitor import Config, ConfigError, Monitor, Otlp, Reference
from mlmonitor.testing import InMemoryExporter, OtlpReceiver

Floats = NDArray[np.float64]


def fit(center: float = 0.0, *, names: tuple[str, ...] = ("x", "z"), **options: Any) -> Reference:
    """Fit the reference of one version."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(center, 1, 1_000) for name in names}
    predicted = 10 + columns[names[0]]
    return Reference.fit(
        columns,
        predictions=predicted,
        actuals=predicted + rng.normal(size=1_000),
        thresholds="asymptotic",
        **options,
    )


OLD, NEW = fit(), fit(3.0)


@pytest.fixture
def exporter() -> InMemoryExporter:
    """An exporter that keeps what it receives."""
    return InMemoryExporter()


@pytest.fixture
def monitor(exporter: InMemoryExporter) -> Iterator[Monitor]:
    """A monitor of version 7 with small blocks."""
    config = Config(block_rows=16, export_interval_seconds=3_600)
    with Monitor("m", version="7", reference=OLD, exporters=[exporter], config=config) as running:
        yield running


def record(monitor: Monitor, rows: int, *, center: float = 0.0, prefix: str = "") -> Floats:
    """Record a batch with ids `<prefix>0`, ..., and return its predictions."""
    rng = np.random.default_rng(1)
    x = rng.normal(center, 1, rows)
    ids = [f"{prefix}{row}" for row in range(rows)] if prefix else None
    monitor.record({"x": x, "z": rng.normal(center, 1, rows)}, 10 + x, ids=ids)
    return np.asarray(10 + x)


def value(exporter: InMemoryExporter, name: str, version: str, **labels: str) -> Any:
    """Return the newest value of a series of one version."""
    return exporter.value(name, {"model.version": version, **labels})


def test_counters_of_an_adopted_version_start_at_zero_and_old_totals_stay(
    monitor: Monitor, exporter: InMemoryExporter
) -> None:
    """Rows recorded earlier belong to the old version, even if they still wait."""
    record(monitor, 300)
    monitor.adopt(NEW, version="8")
    record(monitor, 50, center=3.0)
    assert monitor.flush(timeout_seconds=60)
    assert value(exporter, "mlmonitor.predictions", "7", status="ok") == 300
    assert value(exporter, "mlmonitor.predictions", "8", status="ok") == 50
    status = monitor.status()
    assert (status.version, status.predictions, status.earlier[0].predictions) == ("8", 50, 300)
    assert repr(monitor) == "Monitor('m', version='8')"


def test_a_collector_counts_every_row_once_over_two_versions() -> None:
    """Cumulative counters start with a zero, so no increase is lost or doubled."""
    with OtlpReceiver() as receiver:
        with Monitor(
            "m", version="7", reference=OLD, exporters=[Otlp.collector(receiver.url)]
        ) as monitor:
            record(monitor, 100)
            assert monitor.flush(timeout_seconds=60)
            record(monitor, 20)
            monitor.adopt(NEW, version="8")
            record(monitor, 30, center=3.0)
            assert monitor.flush(timeout_seconds=60)
        ledger = receiver.ledger
        by_version = {
            version: ledger.total("mlmonitor.predictions", {"model.version": version})
            for version in ("7", "8")
        }
        assert by_version == {"7": 120, "8": 30}
        own = {"field": "x", "role": "feature"}
        assert ledger.total("mlmonitor.field.values", own) == 150
        assert not ledger.refused
        assert not ledger.warnings


def test_after_adoption_rows_are_compared_with_the_new_reference(monitor: Monitor) -> None:
    """What was drift before is normal now, and alerts of the old version resolve."""
    alerts: list[Any] = []
    incidents: list[Any] = []
    monitor._callbacks = monitor._callbacks._replace(
        on_alert=alerts.append, on_incident=incidents.append
    )
    monitor._worker._reset(OLD)
    record(monitor, 2_000, center=3.0)
    assert monitor.status().alerts
    monitor.adopt(NEW, version="8")
    assert monitor.reference is not None
    record(monitor, 2_000, center=3.0)
    status = monitor.status()
    assert (status.alerts, status.incidents) == ((), ())
    assert monitor.flush(timeout_seconds=60)
    firing = {(a.field, a.measure) for a in alerts if a.state == "firing"}
    assert firing == {(a.field, a.measure) for a in alerts if a.state == "resolved"}
    assert [incident.state for incident in incidents] == ["open", "closed"]


def test_labels_count_for_the_version_that_predicted(
    monitor: Monitor, exporter: InMemoryExporter
) -> None:
    """One call may label both versions; an unknown id counts for the current one."""
    old = record(monitor, 40, prefix="old-")
    monitor.adopt(NEW, version="8")
    new = record(monitor, 30, center=3.0, prefix="new-")
    ids = [f"old-{row}" for row in range(40)] + [f"new-{row}" for row in range(30)] + ["nobody"]
    monitor.label(ids, [*(old + 5), *(new + 1), 0.0])
    monitor.status()
    status = monitor.status()
    assert status.performance is not None
    assert status.performance.count == 30
    assert status.performance.mae == pytest.approx(1)
    (earlier,) = status.earlier
    assert earlier.performance is not None
    assert earlier.performance.count == 40
    assert earlier.performance.mae == pytest.approx(5)
    assert (status.labels["matched"], status.labels["unknown"]) == (30, 1)
    assert earlier.labels == {"matched": 40}
    assert monitor.flush(timeout_seconds=60)
    for version, count in (("7", 40), ("8", 30)):
        assert value(exporter, "mlmonitor.labels", version, status="matched") == count
    assert value(
        exporter, "mlmonitor.performance", "7", measure="mae", basis="realised"
    ) == pytest.approx(5)


def test_a_label_repeated_after_adoption_is_a_duplicate_of_its_version(monitor: Monitor) -> None:
    """The old version remembers which predictions were labelled."""
    old = record(monitor, 10, prefix="old-")
    monitor.status()
    monitor.label("old-0", old[0])
    monitor.status()
    monitor.adopt(NEW, version="8")
    monitor.label("old-0", old[0])
    monitor.label("old-0", old[0] + 1)
    status = monitor.status()
    assert status.earlier[0].labels == {"matched": 1, "duplicate": 1, "contradicting": 1}
    assert status.labels["unknown"] == 0


def test_an_id_used_by_both_versions_means_the_newest_prediction(monitor: Monitor) -> None:
    """The same holds within one version."""
    record(monitor, 5, prefix="id-")
    monitor.adopt(NEW, version="8")
    new = record(monitor, 5, center=3.0, prefix="id-")
    monitor.status()
    monitor.label("id-2", new[2])
    status = monitor.status()
    assert status.labels["matched"] == 1
    assert status.earlier[0].labels == {}


def test_a_label_that_waits_during_adoption_finds_its_prediction_in_the_new_version(
    monitor: Monitor,
) -> None:
    """It arrived before the adoption, and its prediction afterwards."""
    monitor.label("new-3", 12.0)
    monitor.adopt(NEW, version="8")
    record(monitor, 5, center=3.0, prefix="new-")
    monitor.status()
    assert monitor.status().labels["matched"] == 1


def test_pairs_count_for_the_version_in_use_at_their_prediction_time() -> None:
    """Pairs without a time belong to the current version."""
    now = 1_000.0
    with Monitor("m", version="7", reference=OLD, exporters=[], clock=lambda: now) as monitor:
        now = 2_000.0
        monitor.adopt(NEW, version="8")
        now = 3_000.0
        pairs = np.full(10, 1.0), np.full(10, 2.0)
        monitor.record_outcomes(*pairs, predicted_at=1_500)
        monitor.record_outcomes(*pairs, predicted_at=2_500)
        monitor.record_outcomes(*pairs)
        status = monitor.status()
    assert status.labels["matched"] == 20
    assert status.earlier[0].labels["matched"] == 10


def test_predictions_made_while_learning_can_be_labelled_after_adoption() -> None:
    """A reference is adopted before enough rows were seen to learn one."""
    with Monitor("m", version="7", exporters=[]) as monitor:
        old = record(monitor, 20, prefix="old-")
        monitor.label("old-1", old[1] + 2)
        monitor.status()
        monitor.adopt(OLD, version="8")
        monitor.label([f"old-{row}" for row in range(2, 20)], old[2:] + 2)
        record(monitor, 10, prefix="new-")
        monitor.status()
        status = monitor.status()
    assert (status.state, status.reference_rows, status.window_rows) == ("watching", 1_000, 10)
    assert status.earlier[0].labels["matched"] == 19
    assert status.earlier[0].performance is not None
    assert status.earlier[0].performance.mae == pytest.approx(2)


def test_a_new_version_may_learn_its_reference(monitor: Monitor) -> None:
    """Its own first rows become the reference."""
    record(monitor, 50)
    monitor.adopt(None, version="8")
    assert monitor.status().state == "waiting"
    record(monitor, 1_500, center=3.0)
    status = monitor.status()
    assert (status.is_reference_learned, status.reference_rows) == (True, 1_000)


def test_two_earlier_versions_are_kept_and_older_ones_are_dropped(
    monitor: Monitor, exporter: InMemoryExporter
) -> None:
    """Memory stays bounded, and a label for a dropped version is unknown."""
    for version in ("8", "9", "10"):
        record(monitor, 10, prefix=f"{int(version) - 1}-")
        monitor.adopt(NEW, version=version)
    monitor.label(["7-0", "8-0", "9-0"], [1.0, 2.0, 3.0])
    monitor.status()
    status = monitor.status()
    assert [version.version for version in status.earlier] == ["9", "8"]
    assert [version.labels for version in status.earlier] == [{"matched": 1}] * 2
    assert status.labels["unknown"] == 1
    assert monitor.flush(timeout_seconds=60)
    versions = {dict(point.attributes)["model.version"] for point in exporter.snapshots[-1].points}
    assert versions == {"8", "9", "10"}


def test_counts_of_the_process_are_split_by_version(exporter: InMemoryExporter) -> None:
    """Errors counted earlier do not appear in the new version's series."""
    with Monitor("m", version="7", reference=OLD, exporters=[exporter]) as monitor:
        monitor._inbox.guard.hold(ValueError("one"))
        monitor.adopt(NEW, version="8")
        monitor._inbox.guard.hold(ValueError("two"))
        monitor._inbox.guard.hold(ValueError("three"))
        assert monitor.flush(timeout_seconds=60)
        assert monitor.flush(timeout_seconds=60)
        assert value(exporter, "mlmonitor.faults", "7") == 1
        assert value(exporter, "mlmonitor.faults", "8") == 2
        sent = [
            value(exporter, "mlmonitor.export.points", version, outcome="accepted")
            for version in ("7", "8")
        ]
        assert sent[0] == 0
        assert sent[1] == sum(len(snapshot.points) for snapshot in exporter.snapshots[:-1])


def test_positional_rows_get_the_names_of_the_new_reference() -> None:
    """The same watched function gets rows with other columns."""
    with Monitor("m", version="7", reference=OLD, exporters=[]) as monitor:

        @monitor.watch
        def predict(row: list[float]) -> float:
            return sum(row)

        predict([1.0, 2.0])
        monitor.adopt(fit(names=("a", "b", "c")), version="8")
        for _ in range(40):
            predict([1.0, 2.0, 3.0])
        with monitor.observe([4.0, 5.0, 6.0]) as prediction:
            prediction.value = 1.0
        status = monitor.status()
    assert status.field("c").count == 41
    assert status.unknown_fields == {}


def test_declared_names_of_positions_hold_for_every_version() -> None:
    """They were given to the monitor and not taken from the first reference."""
    with Monitor("m", version="7", features=["x", "z"], reference=OLD, exporters=[]) as monitor:
        monitor.adopt(fit(names=("z", "x")), version="8")
        with monitor.observe([1.0, 2.0]) as prediction:
            prediction.value = 1.0
        assert monitor.status().field("x").mean == 1.0


def test_a_child_forked_after_adoption_watches_the_new_version() -> None:
    """It starts at zero, and the earlier versions stay with its parent."""
    with Monitor("m", version="7", reference=OLD, exporters=[]) as monitor:
        record(monitor, 10)
        monitor.adopt(NEW, version="8")
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                record(monitor, 5, center=3.0)
                status = monitor.status()
                text = f"{status.version} {status.predictions} {len(status.earlier)}"
                os.write(writer, text.encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reader, 100) == b"8 5 0"


def test_no_row_is_lost_while_threads_record_and_versions_are_adopted(
    exporter: InMemoryExporter,
) -> None:
    """Every call counts in exactly one version."""
    config = Config(export_interval_seconds=3_600)
    with Monitor("m", version="0", reference=OLD, exporters=[exporter], config=config) as monitor:

        def serve() -> None:
            for _ in range(2_000):
                with monitor.observe({"x": 1.0, "z": 2.0}) as prediction:
                    prediction.value = 1.0

        threads = [threading.Thread(target=serve) for _ in range(3)]
        for thread in threads:
            thread.start()
        for version in ("1", "2"):
            monitor.adopt(NEW, version=version)
        for thread in threads:
            thread.join()
        status = monitor.status()
        assert status.dropped == 0
        total = status.predictions + sum(earlier.predictions for earlier in status.earlier)
        assert total == 6_000


def test_a_callback_may_adopt_a_version() -> None:
    """The worker's own thread does not wait for itself."""
    adopted = threading.Event()

    def adopt(_: object) -> None:
        if not adopted.is_set():
            monitor.adopt(NEW, version="8")
            adopted.set()

    with Monitor("m", version="7", reference=OLD, exporters=[], on_alert=adopt) as monitor:
        record(monitor, 3_000, center=3.0)
        assert adopted.wait(60)
        assert monitor.status().version == "8"


@pytest.mark.parametrize("version", ["7", "8", ""])
def test_a_version_that_was_used_before_cannot_be_adopted(monitor: Monitor, version: str) -> None:
    """Its series could not continue with other bins, and nothing changes."""
    monitor.adopt(NEW, version="8")
    with pytest.raises(ConfigError, match="version: expected a label"):
        monitor.adopt(OLD, version=version)
    assert monitor.status().version == "8"
    monitor.adopt(OLD, version="9")


def test_an_incompatible_reference_is_not_adopted_and_the_old_one_stays() -> None:
    """Segments, embeddings and types are checked before anything changes."""
    segmented = Reference.fit(
        {"x": np.arange(100.0), "line": ["a", "b"] * 50},
        predictions=np.arange(100.0),
        segments=["line"],
        thresholds="asymptotic",
    )
    with Monitor("m", version="7", reference=segmented, segments=["line"], exporters=[]) as monitor:
        with pytest.raises(ConfigError, match="segments"):
            monitor.adopt(NEW, version="8")
        with pytest.raises(ConfigError, match="reference: expected a Reference"):
            monitor.adopt(3, version="8")  # type: ignore[arg-type]
        monitor.adopt(segmented, version="8")
        assert monitor.status().version == "8"
    with pytest.raises(ConfigError, match="embeddings"):
        Monitor("m", reference=OLD, exporters=[]).adopt(
            Reference.fit(
                {"v": np.random.default_rng(0).normal(size=(200, 4)).tolist()},
                schema={"v": "embedding"},
                thresholds="asymptotic",
            ),
            version="8",
        )


def test_an_adopted_reference_may_be_a_path(monitor: Monitor, tmp_path: Any) -> None:
    """A failed attempt does not use up the version."""
    NEW.save(tmp_path / "reference.json")
    monitor.adopt(tmp_path / "reference.json", version="8")
    with pytest.raises(FileNotFoundError):
        monitor.adopt(tmp_path / "missing.json", version="9")
    monitor.adopt(NEW, version="9")  # the failed attempt has not used the label


def test_a_disabled_monitor_accepts_a_version_and_still_records_nothing() -> None:
    """A program behaves the same with and without the monitor."""
    monitor = Monitor("m", reference=OLD, exporters=[], config=Config(enabled=False))
    monitor.adopt(NEW, version="8")
    record(monitor, 3)
    status = monitor.status()
    assert (status.state, status.predictions, status.version) == ("disabled", 0, "8")
