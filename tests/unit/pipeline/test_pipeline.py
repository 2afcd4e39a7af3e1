"""The pipeline driven by hand: one tick after another, without threads, on a manual clock."""

import numpy as np
import pytest

from mlmonitor import Alert, Config, Role
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.entry import Call, Shape
from mlmonitor.capture.host.copiers import copy_mapping
from mlmonitor.capture.outputs import Outputs
from mlmonitor.compare.incidents.callbacks import Callbacks
from mlmonitor.export.delivery.delivery import name_deliveries
from mlmonitor.export.series.identity import Identity
from mlmonitor.pipeline.announcements import Announcements
from mlmonitor.pipeline.pipeline import Pipeline
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

SHAPE = Shape((), Outputs())


class Line:
    """A pipeline with the inbox, clock and exporter that it connects."""

    def __init__(self, exporter: InMemoryExporter, clock: ManualClock, **options: object) -> None:
        x = np.linspace(0, 1, 1_000)
        self.config = Config(**{"export_interval_seconds": 60, **options})
        self.inbox = Inbox(self.config.buffer_rows)
        self.clock, self.exporter = clock, exporter
        identity = Identity("m", "1", "instance", clock())
        reference = fit_reference({"a": x}, predictions=x)
        deliveries = name_deliveries([exporter])
        self.pipeline = Pipeline(self.config, identity, self.inbox, reference, deliveries)

    def call(self, a: object, error: str | None = None) -> None:
        """Put one finished call into the inbox."""
        form, rows, payload = copy_mapping({"a": a})
        self.inbox.calls.put((SHAPE, form, rows, payload, 0.5, 1_000, error, Call()))


@pytest.fixture
def line(exporter: InMemoryExporter, clock: ManualClock) -> Line:
    """Return a pipeline whose clock stands still."""
    return Line(exporter, clock)


def test_a_tick_ingests_everything_and_exports_if_an_export_is_due(line: Line) -> None:
    """Rows are ingested at once; a snapshot is sent only once the interval has passed."""
    for _ in range(1_300):
        line.call(0.5)
    line.pipeline.tick(line.clock())
    assert line.pipeline.status(line.clock()).predictions == 1_300
    assert line.exporter.snapshots == []
    line.clock.advance(60)
    line.pipeline.tick(line.clock())
    assert line.exporter.value("mlmonitor.predictions", {"status": "ok"}) == 1_300


def test_catching_up_during_a_drain_ingests_rows_that_arrived_since_it_began(
    exporter: InMemoryExporter, clock: ManualClock
) -> None:
    """Rows and business figures that arrive during a drain are ingested as well."""
    line = Line(exporter, clock, block_rows=1)
    for _ in range(3):
        line.call(0.5)
    assert line.pipeline.absorb(clock())
    for _ in range(4):
        line.call(0.5)
    line.inbox.figures.put([("revenue", 1.0)])
    line.pipeline.catch_up(clock())
    status = line.pipeline.status(clock())
    assert (status.predictions, len(line.inbox.calls)) == (7, 0)
    assert status.field("revenue", role=Role.KPI).count == 1


def test_a_queue_emptied_during_a_drain_does_not_block_the_drain(line: Line) -> None:
    """A forked child clears the queue of its parent, which must not make it wait for ever."""
    for _ in range(1_000):
        line.call(0.5)
    assert line.pipeline.absorb(line.clock())
    line.inbox.clear()
    line.pipeline.catch_up(line.clock())
    assert line.pipeline.status(line.clock()).predictions == line.config.block_rows


def test_exports_keep_to_the_interval_after_a_pause(line: Line) -> None:
    """A delayed worker does not make up for the exports that it missed."""
    line.clock.advance(600)
    for _ in range(3):
        line.pipeline.tick(line.clock())
        line.clock.advance(1)
    assert len(line.exporter.snapshots) == 2  # the birth at zero, and the export
    line.clock.advance(60)
    line.pipeline.tick(line.clock())
    assert len(line.exporter.snapshots) == 3


def test_no_two_snapshots_share_a_time(line: Line) -> None:
    """A backend would refuse the second one as a duplicate."""
    times = [line.pipeline.snapshot(line.clock()).time_unix_ns for _ in range(3)]
    assert len(set(times)) == 3
    assert times == sorted(times)


def test_failed_calls_are_counted_by_type_and_their_features_are_kept(line: Line) -> None:
    """The input of a failing model is part of the traffic; there is no prediction to count."""
    line.call(0.2, error="ValueError")
    line.call(0.4, error="KeyError")
    line.call(0.6)
    line.pipeline.tick(line.clock())
    status = line.pipeline.status(line.clock())
    assert (status.predictions, status.errors) == (1, {"ValueError": 1, "KeyError": 1})
    assert status.field("a").count == 3
    assert sum(status.field("prediction", role="prediction").quality.values()) == 1


def test_an_unreadable_entry_does_not_affect_other_entries(line: Line) -> None:
    """The fault is counted once, and the calls before and after it are ingested."""

    class Hostile(dict[str, object]):
        def __getitem__(self, key: str) -> object:
            raise RuntimeError(key)

        def get(self, key: str, default: object = None) -> object:
            raise RuntimeError(key, default)

    line.call(0.1)
    form, rows, _ = copy_mapping({})
    line.inbox.calls.put((SHAPE, form, rows, Hostile(a=1), 0.5, 1_000, None, Call()))
    line.call(0.3)
    line.pipeline.tick(line.clock())
    status = line.pipeline.status(line.clock())
    assert status.field("a").count == 2
    assert status.internal_errors == 1
    assert status.predictions == 3


def test_old_rows_leave_the_window_but_stay_in_the_totals(
    exporter: InMemoryExporter, clock: ManualClock
) -> None:
    """Once the window has passed there are no scores, but the counters keep their values."""
    line = Line(exporter, clock, window_seconds=60, window_slices=6)
    for _ in range(100):
        line.call(0.9)
    line.pipeline.tick(clock())
    assert line.pipeline.status(clock()).field("a").psi > 1
    clock.advance(120)
    line.pipeline.tick(clock())
    status = line.pipeline.status(clock())
    assert (status.field("a").count, status.field("a").psi) == (0, None)
    assert exporter.value("mlmonitor.field.values", {"field": "a", "quality": "valid"}) == 100
    with pytest.raises(KeyError):
        exporter.value("mlmonitor.field.mean", {"field": "a"})


def test_the_number_of_dropped_rows_is_exported(
    exporter: InMemoryExporter, clock: ManualClock
) -> None:
    """Rows dropped by a full buffer appear in the status and in a counter of their own."""
    line = Line(exporter, clock, buffer_rows=10)
    for _ in range(25):
        line.call(0.5)
    clock.advance(60)
    line.pipeline.tick(clock())
    assert exporter.value("mlmonitor.rows.dropped") == 15
    assert line.pipeline.status(clock()).dropped == 15
    assert exporter.value("mlmonitor.predictions", {"status": "ok"}) == 10


def test_an_alert_is_reported_once_if_it_is_reported_during_an_evaluation(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker reports alerts while another thread, which asks for the status, evaluates."""
    first, second = (
        Alert(name, Role.FEATURE, "all", "psi", 1.0, 1.0, 0.1, 9.0, "firing", 100, 1.0, "")
        for name in ("first", "second")
    )
    alerts: list[Alert] = []
    monkeypatch.setattr(line.pipeline._announcements._alerts, "_on_alert", alerts.append)
    line.pipeline.catch_up(line.clock())
    population = line.pipeline.traffic.population
    assert population is not None

    def evaluate(*, now: float) -> list[Alert]:
        line.pipeline.report_alerts()
        return [second] if now else []

    monkeypatch.setattr(population, "evaluate", lambda *, now: [first] if now else [])
    line.pipeline.status(line.clock())
    monkeypatch.setattr(population, "evaluate", evaluate)
    line.pipeline.status(line.clock())
    line.pipeline.report_alerts()
    assert alerts == [first, second]


def test_evidence_is_evaluated_after_n_rows_but_not_twice_within_a_second(
    exporter: InMemoryExporter, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A status or an export evaluates at any time; the check by rows is rate-limited."""
    line = Line(exporter, clock, check_rows=100, check_interval_seconds=1.0)
    line.call(0.5)
    line.pipeline.catch_up(clock())
    population = line.pipeline.traffic.population
    assert population is not None
    evaluations: list[float] = []
    evaluate = population.evaluate

    def noted(*, now: float) -> list[Alert]:
        evaluations.append(now)
        return evaluate(now=now)

    monkeypatch.setattr(population, "evaluate", noted)

    def drained_after(seconds: float, *, rows: int) -> int:
        clock.advance(seconds)
        for _ in range(rows):
            line.call(0.5)
        before = len(evaluations)
        line.pipeline.catch_up(clock())
        return len(evaluations) - before

    assert drained_after(5.0, rows=98) == 0
    assert drained_after(0.0, rows=1) == 1
    assert drained_after(0.5, rows=5_000) == 0
    assert drained_after(0.5, rows=0) == 1
    assert drained_after(5.0, rows=99) == 0
    line.pipeline.status(clock())
    line.pipeline.snapshot(clock())
    assert len(evaluations) == 4


def test_callbacks_of_a_quiet_service_without_exporters_are_called_after_a_time(
    clock: ManualClock,
) -> None:
    """200 rows are a fifth of `check_rows`, and neither export nor status is due for an hour."""
    x = np.linspace(0, 1, 1_000)
    config = Config(export_interval_seconds=3_600)
    alerts: list[Alert] = []
    inbox = Inbox(config.buffer_rows)
    pipeline = Pipeline(
        config,
        Identity("m", "1", "instance", clock()),
        inbox,
        fit_reference({"a": x}, predictions=x),
        [],
        Announcements(Callbacks(on_alert=alerts.append), inbox.guard),
    )
    for _ in range(200):
        form, rows, payload = copy_mapping({"a": 9.0})
        inbox.calls.put((SHAPE, form, rows, payload, 0.5, 1_000, None, Call()))
    pipeline.tick(clock())
    clock.advance(9.9)
    pipeline.tick(clock())
    assert alerts == []
    clock.advance(0.1)
    pipeline.tick(clock())
    assert {alert.field for alert in alerts} >= {"a"}
