"""After faults of a backend the sums are exact, for totals and for deltas."""

import gc
import logging
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Otlp
from mlmonitor.testing import (
    Drop,
    ManualClock,
    OtlpReceiver,
    PartialSuccess,
    Refuse,
    Slow,
    Sometimes,
)
from support.references import fit_reference

TOKEN = "dt0c01.PUBLIC.SECRET"  # noqa: S105 - of a test's own server
FIELD = {"field": "x", "role": "feature"}

Make = Callable[[OtlpReceiver], Any]

PROFILES: dict[str, Make] = {
    "prometheus": lambda receiver: Otlp.prometheus(receiver.url),
    "mimir": lambda receiver: Otlp.mimir(receiver.url),
    "collector": lambda receiver: Otlp.collector(receiver.url),
    "dynatrace": lambda receiver: Otlp.dynatrace(receiver.url, token=TOKEN, ambiguous="keep"),
}

REFUSED = [Refuse(503), Refuse(429, retry_after_seconds=90), Refuse(500), Refuse(413)]
UNSURE = [Drop("unread")]


class Service:
    """A monitor driven minute by minute, and what it should have exported."""

    def __init__(self, exporters: list[Any], clock: ManualClock, rng: np.random.Generator) -> None:
        reference = fit_reference({"x": rng.exponential(size=500)}, predictions=np.zeros(500))
        config = Config(export_interval_seconds=86_400, window_seconds=240, window_slices=4)
        self.monitor = Monitor(
            "m", reference=reference, exporters=exporters, config=config, clock=clock
        )
        self.rows, self.total = 0, 0.0
        self._clock, self._rng = clock, rng

    def minute(self) -> bool:
        """Record a minute of traffic and export; return whether all of it was accepted."""
        values = np.round(self._rng.exponential(size=int(self._rng.integers(1, 20))), 3)
        self.monitor.record({"x": values}, np.zeros(len(values)))
        self.rows, self.total = self.rows + len(values), self.total + float(values.sum())
        self._clock.advance(60)
        return self.monitor.flush(timeout_seconds=20)

    def check(self, receiver: OtlpReceiver) -> None:
        """Assert that a receiver has exactly what was recorded."""
        ledger = receiver.ledger
        assert ledger.total("mlmonitor.predictions", {"status": "ok"}) == self.rows
        assert ledger.total("mlmonitor.field.values", FIELD) == self.rows
        if receiver._profile == "dynatrace":
            assert ledger.total("mlmonitor.field.bin", FIELD) == self.rows
            assert ledger.total("mlmonitor.field.sum", FIELD) == pytest.approx(self.total)
        else:
            histogram = ledger.histogram("mlmonitor.field.distribution", FIELD)
            assert histogram.count == self.rows
            assert histogram.sum == pytest.approx(self.total)


@pytest.fixture
def receivers(clock: ManualClock) -> Iterator[dict[str, OtlpReceiver]]:
    """One backend of each kind."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                OtlpReceiver(
                    name,  # type: ignore[arg-type]  # one of its profiles
                    clock=clock,
                    token=TOKEN if name == "dynatrace" else None,
                )
            )
            for name in PROFILES
        }


def service_of(
    receivers: dict[str, OtlpReceiver], clock: ManualClock, rng: np.random.Generator
) -> Service:
    """Return a service that exports to all of them."""
    exporters = [make(receivers[name]) for name, make in PROFILES.items()]
    return Service(exporters, clock, rng)


def test_two_outages_of_ten_minutes_lose_nothing(
    receivers: dict[str, OtlpReceiver], clock: ManualClock, rng: np.random.Generator
) -> None:
    """They are at the start and in the middle."""
    service = service_of(receivers, clock, rng)
    with service.monitor:
        for _ in range(2):
            with ExitStack() as stack:
                for receiver in receivers.values():
                    stack.enter_context(receiver.down())
                assert not any(service.minute() for _ in range(10))
            assert service.minute()
            for receiver in receivers.values():
                service.check(receiver)
    for receiver in receivers.values():
        assert not receiver.ledger.refused
        assert not receiver.ledger.warnings, receiver


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_an_hour_of_random_faults_loses_nothing(
    receivers: dict[str, OtlpReceiver],
    clock: ManualClock,
    rng: np.random.Generator,
    seed: int,
) -> None:
    """Half of all requests are refused, dropped, too large or not answered."""
    service = service_of(receivers, clock, rng)
    faults: list[Any] = [*REFUSED, *UNSURE]
    for name, receiver in receivers.items():
        more = [] if name == "dynatrace" else [PartialSuccess(3), Drop("stored")]
        receiver.script(Sometimes([*faults, *more], share=0.5, seed=seed))
    with service.monitor:
        for _ in range(60):
            service.minute()
        for receiver in receivers.values():
            receiver.script([])
        clock.advance(300)  # whoever asked to be left alone has been
        service.minute()
        assert service.minute()
        for receiver in receivers.values():
            service.check(receiver)
        outcomes = service.monitor.status().exports
        assert all(counts["accepted"] and counts["failed"] for counts in outcomes.values())


@pytest.mark.slow
def test_a_request_without_an_answer_is_not_repeated_if_at_most_once_is_configured(
    clock: ManualClock, rng: np.random.Generator
) -> None:
    """The points were stored; they count as possibly lost."""
    with OtlpReceiver("dynatrace", token=TOKEN, clock=clock) as receiver:
        exporter = Otlp.dynatrace(receiver.url, token=TOKEN, ambiguous="advance")
        service = Service([exporter], clock, rng)
        receiver.script(Sometimes([Drop("stored"), Refuse(503)], share=0.5, seed=5))
        with service.monitor:
            for _ in range(30):
                service.minute()
            receiver.script([])
            assert service.minute()
            service.check(receiver)
            assert service.monitor.status().exports["dynatrace"]["possibly_lost"] > 0


@pytest.mark.parametrize("kind", ["closed", "timeout"])
def test_a_request_without_an_answer_is_sent_again_and_counted_by_its_kind(
    clock: ManualClock, rng: np.random.Generator, kind: str
) -> None:
    """As OTLP requires, the client sends it again; nothing is lost, and doubles are counted."""
    fault: Any = Drop("unread") if kind == "closed" else Slow(1.5)
    with OtlpReceiver("dynatrace", token=TOKEN, clock=clock) as receiver:
        exporter = Otlp.dynatrace(receiver.url, token=TOKEN, timeout_seconds=0.5)
        service = Service([exporter], clock, rng)
        receiver.next(fault)
        with service.monitor:
            assert not service.minute()
            assert service.minute()
            status = service.monitor.status().destinations["dynatrace"]
            total = receiver.ledger.total("mlmonitor.predictions", {"status": "ok"})
        doubled = status.outcomes["possibly_doubled"]
        assert doubled > 0
        assert status.outcomes["possibly_lost"] == status.outcomes["failed"] == 0
        assert status.unanswered == {"closed": 0, "timeout": 0} | {kind: doubled}
        if kind == "closed":  # nothing of it was stored
            service.check(receiver)
        else:
            assert total > service.rows


def test_a_partially_refused_delta_is_not_sent_again(
    clock: ManualClock, rng: np.random.Generator
) -> None:
    """It is counted as rejected."""
    with OtlpReceiver("dynatrace", token=TOKEN, clock=clock) as receiver:
        service = Service([Otlp.dynatrace(receiver.url, token=TOKEN)], clock, rng)
        receiver.next(PartialSuccess(1))
        with service.monitor:
            assert not service.minute()
            assert service.minute()
            assert service.monitor.status().exports["dynatrace"]["rejected"] == 1
            destination = service.monitor.status().destinations["dynatrace"]
            assert destination.last_reason is not None
            assert "scripted" in destination.last_reason
            assert destination.seconds_since_success == 0


@pytest.mark.slow
def test_an_outage_of_any_length_uses_no_memory(
    clock: ManualClock, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    """There is no queue: thirty failed exports need no more memory than ten."""
    exporters = [
        Otlp.collector("http://127.0.0.1:9", timeout_seconds=1),
        Otlp.dynatrace("http://127.0.0.1:9", token=TOKEN, timeout_seconds=1),
    ]
    service = Service(exporters, clock, rng)
    with service.monitor:
        tracemalloc.start()
        for _ in range(10):  # all panes of the window have been in use
            service.minute()
        caplog.set_level(logging.CRITICAL, "mlmonitor")  # pytest keeps what is logged
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            service.minute()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert after - before < 30_000


def test_a_destination_is_served_although_the_one_before_it_is_unreachable(
    clock: ManualClock, rng: np.random.Generator
) -> None:
    """The failure of one does not affect the other."""
    with OtlpReceiver("prometheus", clock=clock) as receiver:
        exporters = [Otlp.collector("http://127.0.0.1:9"), Otlp.prometheus(receiver.url)]
        service = Service(exporters, clock, rng)
        with service.monitor:
            assert not service.minute()
            service.check(receiver)
            text = str(service.monitor.status())
    assert "never accepted; Otlp.collector" in text


def test_new_series_are_exported_right_after_a_requested_pause(
    clock: ManualClock, rng: np.random.Generator
) -> None:
    """Their zeros are dated within the pause, but they are sent after it."""
    with OtlpReceiver("prometheus", clock=clock) as receiver:
        service = Service([Otlp.prometheus(receiver.url)], clock, rng)
        with service.monitor:
            assert service.minute()
            receiver.next(Refuse(503, retry_after_seconds=30))
            assert not service.minute()
            service.monitor.kpi("new", 1.0)
            assert service.minute()
            service.check(receiver)
