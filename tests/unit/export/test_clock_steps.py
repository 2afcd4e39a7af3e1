"""A system clock that is set forward and back loses neither exports nor counts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Otlp
from mlmonitor.testing import OtlpReceiver
from mlmonitor.worker.wall_clock import ProcessClock
from support.references import fit_reference

HOUR = 3_600.0
TOKEN = "dt0c01.PUBLIC.SECRET"  # noqa: S105 - of a test's own server
FIELD = {"field": "x", "role": "feature"}

DESTINATIONS: dict[str, Callable[[OtlpReceiver], Any]] = {
    "prometheus": lambda receiver: Otlp.prometheus(receiver.url),
    "mimir": lambda receiver: Otlp.mimir(receiver.url),
    "collector": lambda receiver: Otlp.collector(receiver.url),
    "dynatrace": lambda receiver: Otlp.dynatrace(receiver.url, token=TOKEN),
}


class Hands:
    """True time and a system clock with an error, both set by the test."""

    def __init__(self) -> None:
        self.true, self.error = 1_700_000_000.0, 0.0
        self.clock = ProcessClock(wall=self.wall, monotonic=lambda: self.true - 1_699_999_000.0)

    def wall(self) -> float:
        """Return the time of the system clock."""
        return self.true + self.error

    def now(self) -> float:
        """Return the time of a backend's clock, which is right."""
        return self.true


class Service:
    """A monitor that records and exports once a minute."""

    def __init__(self, exporter: Any, hands: Hands) -> None:
        self.hands, self.rows = hands, 0
        reference = fit_reference({"x": np.arange(500.0)}, predictions=np.zeros(500))
        config = Config(export_interval_seconds=86_400)
        self.monitor = Monitor(
            "m", reference=reference, exporters=[exporter], config=config, clock=hands.clock
        )

    def minute(self, rows: int = 7) -> bool:
        """Record some rows and export them a minute later; return whether they were accepted."""
        self.monitor.record({"x": np.arange(float(rows))}, np.zeros(rows))
        self.rows += rows
        self.hands.true += 60
        return self.monitor.flush(timeout_seconds=20)


@pytest.fixture
def hands() -> Hands:
    """The clocks of one test."""
    return Hands()


@pytest.fixture
def receivers(hands: Hands) -> Iterator[dict[str, OtlpReceiver]]:
    """One strict backend of each kind, whose clock is right."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                OtlpReceiver(
                    name,  # type: ignore[arg-type]
                    token=TOKEN if name == "dynatrace" else None,
                    clock=hands.now,
                )
            )
            for name in DESTINATIONS
        }


def sum_instances(receiver: OtlpReceiver, metric: str, attributes: dict[str, str]) -> float:
    """Return the sum of a counter over every instance that reported it."""
    return float(receiver.ledger.total(metric, attributes))


@pytest.mark.parametrize("name", DESTINATIONS)
def test_exports_resume_within_a_minute_after_a_clock_was_an_hour_ahead(
    name: str, receivers: dict[str, OtlpReceiver], hands: Hands
) -> None:
    """Every row is counted once, whether the wrong times were refused or accepted."""
    receiver = receivers[name]
    service = Service(DESTINATIONS[name](receiver), hands)
    with service.monitor:
        assert all(service.minute() for _ in range(3))
        hands.error = HOUR
        accepted = [service.minute() for _ in range(3)]
        assert all(accepted) == (name == "collector")
        hands.error = 0.0
        assert all(service.minute() for _ in range(3))
        total = sum_instances(receiver, "mlmonitor.predictions", {"status": "ok"})
        assert total == service.rows
        assert sum_instances(receiver, "mlmonitor.field.values", FIELD) == service.rows


@pytest.mark.parametrize("name", DESTINATIONS)
def test_a_process_that_starts_an_hour_ahead_exports_once_its_clock_is_right(
    name: str, receivers: dict[str, OtlpReceiver], hands: Hands
) -> None:
    """The start time of its series is corrected as well."""
    receiver = receivers[name]
    hands.error = HOUR
    service = Service(DESTINATIONS[name](receiver), hands)
    with service.monitor:
        service.minute()
        hands.error = 0.0
        assert all(service.minute() for _ in range(3))
        total = sum_instances(receiver, "mlmonitor.predictions", {"status": "ok"})
        assert total == service.rows


@pytest.mark.parametrize("name", DESTINATIONS)
def test_a_clock_set_back_by_half_a_minute_continues_the_same_series(
    name: str, receivers: dict[str, OtlpReceiver], hands: Hands
) -> None:
    """Exports continue with times slightly ahead and the same instance id."""
    receiver = receivers[name]
    service = Service(DESTINATIONS[name](receiver), hands)
    with service.monitor:
        service.minute()
        hands.error = -90.0
        assert all(service.minute() for _ in range(4))
        assert sum_instances(receiver, "mlmonitor.predictions", {"status": "ok"}) == service.rows


def test_a_clock_set_back_twice_still_counts_every_row_once(
    receivers: dict[str, OtlpReceiver], hands: Hands
) -> None:
    """The second new instance continues from the first one."""
    receiver = receivers["collector"]
    service = Service(Otlp.collector(receiver.url), hands)
    with service.monitor:
        for error in (0.0, HOUR, 0.0, 2 * HOUR, 0.0):
            hands.error = error
            assert all(service.minute() for _ in range(2))
        assert sum_instances(receiver, "mlmonitor.predictions", {"status": "ok"}) == service.rows
        histogram = receiver.ledger.histogram("mlmonitor.field.distribution", FIELD)
        assert histogram.count == service.rows


def test_the_time_since_the_last_success_is_right_after_a_clock_correction(
    receivers: dict[str, OtlpReceiver], hands: Hands
) -> None:
    """It is measured by a monotonic clock."""
    service = Service(Otlp.collector(receivers["collector"].url), hands)
    with service.monitor:
        for error in (0.0, HOUR, 0.0):
            hands.error = error
            assert service.minute()
        hands.true += 30
        now = hands.clock()
        (delivery,) = service.monitor._worker.pipeline._deliveries
        assert delivery.status(now).seconds_since_success == pytest.approx(30, abs=1)
