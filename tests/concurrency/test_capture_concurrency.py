"""With many threads and tasks at once, no row is lost uncounted, mixed up or waited for."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Reference
from mlmonitor.buffer.handover import Handover
from mlmonitor.capture.entry import Call, Shape
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.outputs import Outputs
from mlmonitor.records import Quality, Role
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

THREADS = 8


@pytest.fixture(autouse=True)
def impatient_interpreter() -> Iterator[None]:
    """Make threads switch a thousand times as often as usual, so that races show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def reference() -> Reference:
    """A reference of one number and a prediction."""
    x = np.linspace(-10.0, 10.0, 500)
    return fit_reference({"a": x}, predictions=x)


def at_once(work: Callable[[int], None]) -> list[threading.Thread]:
    """Start threads that do the same work, and return them."""
    start = threading.Barrier(THREADS)

    def run(at: int) -> None:
        start.wait()
        work(at)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.parametrize("rows", [1, 7], ids=["rows", "batches"])
@pytest.mark.parametrize("limit", [50, 10**9], ids=["full", "roomy"])
def test_every_row_queued_by_eight_threads_is_drained_or_counted_as_dropped(
    rows: int, limit: int
) -> None:
    """Drained and dropped rows add up, and the limit is exceeded by at most one call a thread."""
    handover = Handover(limit)
    shape, rows_per_thread = Shape((), Outputs()), 4_000
    most = 0

    def put(at: int) -> None:
        for number in range(rows_per_thread):
            handover.put((shape, PayloadForm.MAPPINGS, rows, (at, number), None, 1, None, Call()))

    threads = at_once(put)
    taken = []
    while any(thread.is_alive() for thread in threads):
        most = max(most, len(handover))
        taken += handover.drain(64)
        handover.dropped_rows()
    taken += handover.drain(10**9)
    seen = [entry[3] for entry in taken]
    assert len(seen) == len(set(seen))
    assert (
        sum(entry[2] for entry in taken) + handover.dropped_rows()
        == THREADS * rows_per_thread * rows
    )
    assert most <= limit + THREADS
    for at in range(THREADS):
        mine = [number for thread, number in seen if thread == at]
        assert mine == sorted(mine)


def test_no_row_is_dropped_while_the_first_one_opens_the_queue() -> None:
    """Threads that call first at the same time all have room, and one of them starts the worker."""
    shape = Shape((), Outputs())
    for _ in range(300):
        handover, started = Handover(10**6), []
        handover.on_first = lambda into=started: into.append(1)  # type: ignore[misc]

        def put(at: int, handover: Handover = handover) -> None:
            for _ in range(20):
                handover.put((shape, PayloadForm.MAPPING, 1, at, None, 1, None, Call()))

        for thread in at_once(put):
            thread.join()
        assert (len(handover), handover.dropped_rows()) == (THREADS * 20, 0)
        assert started == [1]


def test_calls_of_eight_threads_are_all_counted_while_the_worker_runs(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """Predictions, errors and values add up while the worker runs and `status` is read."""
    config = Config(poll_interval_seconds=0.001, export_interval_seconds=0.1, buffer_rows=10**6)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:

        @monitor.watch
        def predict(features: dict[str, float]) -> float:
            if features["a"] == 0:
                raise ValueError
            return features["a"]

        def work(at: int) -> None:
            for number in range(500):
                try:
                    predict({"a": float(number % 5 and at + 1)})
                except ValueError:
                    continue

        threads = at_once(work)
        while any(thread.is_alive() for thread in threads):
            monitor.status()
        status = monitor.status()
        assert status.predictions == THREADS * 400
        assert status.errors == {"ValueError": THREADS * 100}
        assert status.field("a").quality[Quality.VALID] == THREADS * 500
        quality = status.field("prediction", role=Role.PREDICTION).quality
        assert quality[Quality.VALID] == THREADS * 400
        assert (status.internal_errors, status.dropped) == (0, 0)


def test_status_includes_rows_recorded_before_the_call_even_during_a_drain(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """Rows recorded since the worker's drain began are included."""
    config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600, block_rows=1)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        watched = monitor.watch(lambda features: features["a"])
        for _ in range(3):
            watched({"a": 1.0})
        with monitor._worker._aggregates:
            assert monitor._worker.pipeline.absorb(time.time())
        for _ in range(5):
            watched({"a": 1.0})
        assert monitor.status().predictions == 8


def test_ids_of_threads_and_tasks_are_never_mixed_up(reference: Reference) -> None:
    """Each of 8 threads runs 50 tasks; all 400 ids are the same at the start and end of a call."""
    seen: list[tuple[str, str]] = []
    with Monitor("m", reference=reference, exporters=[]) as monitor:

        @monitor.watch
        async def predict(features: dict[str, float]) -> float:
            before = monitor.prediction_id
            await asyncio.sleep(0.001)
            seen.append((before, monitor.prediction_id))
            return features["a"]

        async def main() -> None:
            await asyncio.gather(*(predict({"a": 1.0}) for _ in range(50)))

        for thread in at_once(lambda _: asyncio.run(main())):
            thread.join()
        monitor.label([before for before, _ in seen], [1.0] * len(seen))
        monitor.status()
        matched = monitor.status().labels["matched"]
    assert all(before == after for before, after in seen)
    assert len({before for before, _ in seen}) == THREADS * 50 == matched


def test_a_busy_queue_does_not_delay_the_host(
    reference: Reference, exporter: InMemoryExporter
) -> None:
    """A thousand calls return while another thread holds the lock of the aggregates."""
    config = Config(poll_interval_seconds=0.01, export_interval_seconds=3600, buffer_rows=100)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        watched = monitor.watch(lambda features: features["a"])
        watched({"a": 1.0})

        def call() -> None:
            for _ in range(1_000):
                watched({"a": 1.0})

        host = threading.Thread(target=call)
        with monitor._worker._aggregates:
            host.start()
            host.join(60)
            assert not host.is_alive()
        status = monitor.status()
        assert status.predictions + status.dropped == 1_001
        assert status.dropped >= 1_001 - 100 - 2


def test_concurrent_readers_of_an_id_get_the_same_one(reference: Reference) -> None:
    """Threads that read a lazily created id at the same time see the same one."""
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        for _ in range(50):
            observed = monitor.observe({"a": 1.0})
            seen: list[str] = []
            for thread in at_once(lambda _, one=observed, into=seen: into.append(one.id)):
                thread.join()
            assert len(seen) == THREADS
            assert len(set(seen)) == 1
