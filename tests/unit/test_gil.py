"""Only the worker pauses between pieces of its work."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from mlmonitor import Config, Monitor, gil
from support.references import fit_reference


@pytest.fixture
def pauses() -> list[float]:
    """Return all pauses of the thread under test, which are recorded instead of made."""
    return []


def in_thread(work: Callable[[], None]) -> None:
    """Run the work in a thread of its own, like that of a worker."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def as_worker(
    pauses: list[float], steps: Callable[[], None], patience: float = 0.5
) -> Callable[[], None]:
    """Return a worker with these steps, whose pauses are recorded instead of made."""

    def work() -> None:
        gil.start_slicing(lambda: patience)
        gil._slice.sleep = pauses.append
        steps()

    return work


def long_ago() -> None:
    """Move the start of the current slice of this thread far back."""
    gil._slice.since_ns = time.perf_counter_ns() - 10 * gil.SLICE_NS


def test_a_worker_pauses_when_its_slice_is_over(pauses: list[float]) -> None:
    """It pauses once, because a new slice starts after the pause."""

    def steps() -> None:
        long_ago()
        gil.yield_gil()
        gil.yield_gil()

    in_thread(as_worker(pauses, steps))
    assert pauses == [0.5]


def test_a_worker_does_not_pause_while_a_thread_waits_for_it(pauses: list[float]) -> None:
    """The allowed pause is 0 then; a new slice starts, after which it is asked again."""

    def steps() -> None:
        long_ago()
        asked_ns = time.perf_counter_ns()
        gil.yield_gil()
        since = gil._slice.since_ns
        assert since is not None
        assert since >= asked_ns

    in_thread(as_worker(pauses, steps, patience=0.0))
    assert pauses == []


def test_a_worker_that_has_just_waited_begins_a_new_slice(pauses: list[float]) -> None:
    """While it waited, the GIL was free anyway."""

    def steps() -> None:
        long_ago()
        gil.reset_slice()
        gil.yield_gil()

    in_thread(as_worker(pauses, steps))
    assert pauses == []


def test_a_thread_of_the_host_never_pauses(pauses: list[float]) -> None:
    """A host that asks for a status is not delayed."""

    def steps() -> None:
        gil._slice.sleep = pauses.append
        gil.reset_slice()
        gil.yield_gil()
        assert gil._slice.since_ns is None

    in_thread(steps)
    assert pauses == []


def test_a_worker_under_gevent_never_pauses(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other greenlets must not run in the middle of its work."""

    def patched(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(time, "sleep", patched)

    def steps() -> None:
        gil.start_slicing(lambda: 0.5)
        assert gil._slice.since_ns is None
        gil.yield_gil()

    in_thread(steps)
    assert pauses == []


def test_a_worker_pauses_less_while_a_thread_waits_or_the_buffer_fills() -> None:
    """It does not pause during a status or flush, and only briefly once the buffer fills."""
    config = Config(buffer_rows=80, poll_interval_seconds=3_600.0)
    with Monitor("m", exporters=[], config=config) as monitor:
        worker = monitor._worker
        assert worker._pause_seconds() == gil.PAUSE_SECONDS
        with worker._hold_aggregates():
            assert worker._pause_seconds() == 0.0
        assert worker._pause_seconds() == gil.PAUSE_SECONDS
        for _ in range(11):
            with monitor.observe({"x": 1.0}) as observed:
                observed.value = 1.0
        assert worker._pause_seconds() == gil.HURRIED_SECONDS


def test_rows_of_waiting_batches_shorten_the_pauses_of_a_worker() -> None:
    """A single batch can fill the buffer."""
    config = Config(buffer_rows=80, poll_interval_seconds=3_600.0)
    with Monitor("m", exporters=[], config=config) as monitor:
        monitor.record({"x": [1.0] * 11}, [1.0] * 11)
        assert monitor._worker._pause_seconds() == gil.HURRIED_SECONDS


def test_a_status_does_not_wait_for_pauses_of_the_worker() -> None:
    """The worker notices that a thread waits for its aggregates, until that is served."""
    config = Config(poll_interval_seconds=3_600.0)
    with Monitor("m", exporters=[], config=config) as monitor:
        worker = monitor._worker
        asker = threading.Thread(target=monitor.status)
        with worker._aggregates:
            asker.start()
            deadline = time.monotonic() + 60
            while worker._pause_seconds() > 0.0 and time.monotonic() < deadline:
                time.sleep(0.001)
            assert worker._pause_seconds() == 0.0
        asker.join()
        assert worker._pause_seconds() == gil.PAUSE_SECONDS


@pytest.mark.parametrize(("is_asked", "a_block"), [(False, 4), (True, 1)])
def test_a_worker_yields_between_all_pieces_of_its_work(
    *, is_asked: bool, a_block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several times for each block of rows, but once if it only has to register ids."""
    monkeypatch.setattr(gil, "SLICE_NS", -1)
    rng = np.random.default_rng(0)
    columns = {f"x{at}": rng.normal(size=1_000) for at in range(4)}
    reference = fit_reference(columns, predictions=rng.normal(size=1_000))
    config = Config(poll_interval_seconds=3_600.0)
    breaths = 0

    def patience() -> float:
        nonlocal breaths
        breaths += 1
        return 0.0

    with Monitor("m", reference=reference, exporters=[], config=config) as monitor:
        blocks = [monitor.observe(dict.fromkeys(columns, 1.0)) for _ in range(2_000)]
        for block in blocks:
            with block:
                block.value = 1.0
        pipeline = monitor._worker.pipeline
        if is_asked:
            pipeline.catch_up(1.0)
            assert all(block.id for block in blocks)

        def work() -> None:
            gil.start_slicing(patience)
            pipeline.catch_up(2.0)

        in_thread(work)
    assert breaths >= a_block * 2_000 // config.block_rows
