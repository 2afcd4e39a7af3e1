"""One immutable snapshot a tick holds all that the status and exported series read."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, Field, Monitor, Reference
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.export.series.describer import Describer
from mlmonitor.pipeline.pipeline import Pipeline
from mlmonitor.status.build import build_status
from mlmonitor.testing import InMemoryExporter, ManualClock
from support.references import fit_reference

ROWS = 2_000


def columns(rng: np.random.Generator, rows: int, *, shift: float = 0.0) -> dict[str, Any]:
    """Draw a number, a category and a line of business."""
    return {
        "amount": rng.normal(100.0 + shift, 10.0, rows),
        "plan": rng.choice(["basic", "gold"], rows).tolist(),
        "line": rng.choice(["home", "motor"], rows).tolist(),
    }


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference fitted with segments and actuals."""
    rng = np.random.default_rng(3)
    training = columns(rng, ROWS)
    return fit_reference(
        training,
        predictions=training["amount"],
        actuals=training["amount"],
        segments=["line"],
        training_metrics={"mae": 1.0},
    )


class Service:
    """A monitor whose worker never runs: the test drives its pipeline."""

    def __init__(self, reference: Reference | None, **options: Any) -> None:
        self.rng = np.random.default_rng(4)
        self.clock = ManualClock()
        self.alerts: list[Alert] = []
        config = Config(window_rows=1_000, window_seconds=None, baseline_rows=500)
        self.monitor = Monitor(
            "m",
            version="7",
            reference=reference,
            exporters=[InMemoryExporter()],
            config=config,
            clock=self.clock,
            on_alert=self.alerts.append,
            **options,
        )
        self.monitor._worker.ensure_started = lambda: None  # type: ignore[method-assign]
        self.monitor._inbox.calls.on_first = lambda: None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that the worker would drive."""
        return self.monitor._worker.pipeline

    def serve(self, rows: int, *, shift: float = 0.0, labelled: int = 0) -> None:
        """Record rows, label some of them, report a figure, and ingest all of it."""
        batch = columns(self.rng, rows, shift=shift)
        ids = [f"{self.clock()}-{row}" for row in range(rows)]
        self.monitor.record(batch, batch["amount"], ids=ids)
        if labelled:
            self.monitor.label(ids[:labelled], batch["amount"][:labelled].tolist())
        self.monitor.kpi("savings", 1.0)
        self.clock.advance(5.0)
        self.pipeline.catch_up(self.clock())

    def snapshot(self) -> ModelSnapshot:
        """Take a snapshot now."""
        return self.pipeline.model_snapshot(self.clock())


def digest(snapshot: ModelSnapshot) -> tuple[str, list[str]]:
    """Return the printed status and all described series."""
    describer = Describer(
        (("model.name", "m"),), has_segments=True, deviations=3.0, max_series=100_000
    )
    series = [
        f"{family.metric.name} {family.series.attributes} {family.values!r} {family.exemplars}"
        for family in describer.describe(snapshot)
    ]
    return f"{build_status(snapshot)}\n{build_status(snapshot).segments}", series


def test_later_rows_do_not_change_a_snapshot(reference: Reference) -> None:
    """Neither do labels, figures, alerts, errors and exports."""
    service = Service(reference, segments=["line"], fields=[Field("amount", maximum=500)])
    service.serve(300, labelled=100)
    snapshot = service.snapshot()
    before = digest(snapshot)
    service.serve(700, shift=40.0, labelled=200)
    service.monitor._inbox.guard.hold(ValueError("of ours"))
    service.pipeline.deliver(service.pipeline.snapshot(service.clock()))
    service.serve(700, shift=40.0, labelled=200)
    assert service.snapshot().alerts
    assert digest(snapshot) == before
    assert digest(service.snapshot()) != before


@pytest.mark.parametrize(
    "write",
    [
        lambda snapshot: snapshot.traffic.total.bins.__setitem__(0, 1),
        lambda snapshot: snapshot.traffic.view.profile.quality.__setitem__(0, 1),
        lambda snapshot: snapshot.traffic.scores.__setitem__("psi", None),
        lambda snapshot: snapshot.calls.errors.__setitem__("ValueError", 1),
        lambda snapshot: snapshot.destinations.clear(),
        lambda snapshot: setattr(snapshot, "memory_bytes", 0),
        lambda snapshot: setattr(snapshot.traffic, "shift", None),
    ],
    ids=["totals", "window", "scores", "errors", "destinations", "attribute", "population"],
)
def test_a_snapshot_cannot_be_changed(
    reference: Reference, write: Callable[[ModelSnapshot], object]
) -> None:
    """Writing to counts, mappings and attributes raises an error."""
    service = Service(reference, segments=["line"])
    service.serve(50)
    with pytest.raises((ValueError, TypeError, AttributeError, FrozenInstanceError)):
        write(service.snapshot())


def test_comparing_begins_after_the_rows_that_train_the_reference() -> None:
    """Until then a snapshot has the progress of learning and no populations."""
    service = Service(None)
    waiting = service.snapshot()
    assert (waiting.learning.phase, waiting.traffic, waiting.reference) == ("waiting", None, None)
    service.serve(300)
    learning = service.snapshot().learning
    assert (learning.phase, learning.learned_rows, learning.baseline_rows) == ("learning", 300, 500)
    service.serve(300)
    watching = service.snapshot()
    assert watching.learning.phase == "watching"
    assert watching.reference is not None
    assert watching.reference.is_learned
    assert watching.traffic is not None
    assert watching.traffic.total.rows == 600
    assert watching.traffic.view.profile.rows == 100


def test_reading_the_state_of_a_model_does_not_start_comparing(reference: Reference) -> None:
    """Populations exist only after an explicit step."""
    service = Service(reference, segments=["line"])
    state = service.pipeline.state
    assert state.populations == ()
    assert state.labels is None
    assert state.memory_bytes > 0
    assert state.populations == ()
    state.begin_comparing(now=service.clock())
    begun = state.populations
    assert [segment.segment for segment in begun[:2]] == ["all", "all"]
    state.begin_comparing(now=service.clock())
    assert state.populations == begun


def test_an_alert_has_the_measure_that_fired_and_the_current_one() -> None:
    """`value` stays, and `current` is the window's score at each tick while the alert fires."""
    rng = np.random.default_rng(5)
    training = {"amount": rng.normal(100.0, 10.0, ROWS)}
    service = Service(fit_reference(training, predictions=np.zeros(ROWS)))
    for shift in (0.0, 30.0, 30.0):
        service.monitor.record({"amount": rng.normal(100.0 + shift, 10.0, 400)}, np.zeros(400))
        service.pipeline.catch_up(service.clock())
        service.clock.advance(5.0)
        service.pipeline.model_snapshot(service.clock())
    snapshot = service.snapshot()
    (alert,) = (candidate for candidate in snapshot.alerts if candidate.measure == "psi")
    assert snapshot.traffic is not None
    assert alert.current == snapshot.traffic.scores["psi"][0]
    assert alert.current != alert.value
    service.pipeline.report_alerts()
    fired = next(candidate for candidate in service.alerts if candidate.measure == "psi")
    assert fired.value == alert.value
    assert fired.current == fired.value
    assert fired == alert == replace(alert, current=0.0)


def test_rows_and_labels_of_segments_add_up_to_those_of_the_model(reference: Reference) -> None:
    """The rows of their populations add up too."""
    service = Service(reference, segments=["line"])
    service.serve(400, labelled=150)
    service.serve(10)  # labels find their predictions with the next drain at the latest
    snapshot = service.snapshot()
    assert snapshot.traffic is not None
    assert sum(segment.predictions for segment in snapshot.segments) == 410
    rows = [segment.populations[0].total.rows for segment in snapshot.segments]
    assert sum(rows) == snapshot.traffic.total.rows
    assert snapshot.labels.errors is not None
    errors = [segment.errors for segment in snapshot.segments]
    assert sum(int(sums.count.sum()) for sums in errors if sums is not None) == 150
    assert len(snapshot.populations) == len(snapshot.whole) + 2 * len(snapshot.segments)
