"""The worker pauses between pieces of work, and nobody else does."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from mlmonitor import Config, Monitor, gil
from support.references import fit_reference


@pytest.fixture
def pauses() -> list[float]:
    """Every pause that the thread under test makes, in place of sleeping."""
    return []


def in_thread(work: Callable[[], None]) -> None:
    """Run it in a thread of its own, as a worker does."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def as_worker(
    pauses: list[float], steps: Callable[[], None], patience: float = 0.5
) -> Callable[[], None]:
    """The steps of a worker, whose pauses are noted instead of made."""

    def work() -> None:
        gil.start_slicing(lambda: patience)
        gil._slice.sleep = pauses.append
        steps()

    return work


def long_ago() -> None:
    """Let the stretch of this thread have begun long before."""
    gil._slice.since_ns = time.perf_counter_ns() - 10 * gil.SLICE_NS


def test_a_worker_pauses_when_its_slice_is_over(pauses: list[float]) -> None:
    """Once: the stretch after the pause is new."""

    def steps() -> None:
        long_ago()
        gil.yield_gil()
        gil.yield_gil()

    in_thread(as_worker(pauses, steps))
    assert pauses == [0.5]


def test_a_worker_does_not_pause_while_a_thread_waits_for_it(pauses: list[float]) -> None:
    """No patience, no pause; and it is asked again after another stretch."""

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
    """A wait is as good as a pause."""

    def steps() -> None:
        long_ago()
        gil.reset_slice()
        gil.yield_gil()

    in_thread(as_worker(pauses, steps))
    assert pauses == []


def test_a_thread_of_the_host_never_pauses(pauses: list[float]) -> None:
    """The host that asks for a status is not kept waiting."""

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
    """A greenlet in the middle of its work must not let others into it."""

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
    """None while a status is asked for, or a flush; little once the buffer fills."""
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
    """One batch can fill the buffer."""
    config = Config(buffer_rows=80, poll_interval_seconds=3_600.0)
    with Monitor("m", exporters=[], config=config) as monitor:
        monitor.record({"x": [1.0] * 11}, [1.0] * 11)
        assert monitor._worker._pause_seconds() == gil.HURRIED_SECONDS


def test_status_does_not_wait_for_pauses_of_the_worker() -> None:
    """Who wants the aggregates while the worker has them is known to it, until it is served."""
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
    """Some times for each block of rows; and where it only has to remember ids, once."""
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
