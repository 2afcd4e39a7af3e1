"""The open call is found on the stack if it is plain, in the context if it can be suspended."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor
from support.references import fit_reference

ROW = {"a": 1.0}


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitor whose worker does not poll."""
    x = np.linspace(-10.0, 10.0, 500)
    reference = fit_reference({"a": x}, predictions=x)
    config = Config(poll_interval_seconds=3600, export_interval_seconds=3600)
    with Monitor("m", reference=reference, exporters=[], config=config) as monitor:
        yield monitor


def deep(monitor: Monitor, frames: int) -> str:
    """Return the id as read this many frames deeper."""
    return deep(monitor, frames - 1) if frames else monitor.prediction_id


def test_the_id_of_a_plain_call_can_be_read_from_deep_inside(monitor: Monitor) -> None:
    """It is found through many frames, and in an event loop that the call runs."""

    async def inner() -> str:
        return await asyncio.create_task(asyncio.sleep(0, monitor.prediction_id))

    @monitor.watch
    def predict(features: Any) -> set[str]:
        return {monitor.prediction_id, deep(monitor, 50), asyncio.run(inner())}

    assert len(predict(ROW)) == 1


@pytest.mark.parametrize("by_name", [False, True], ids=["by position", "by name"])
def test_the_id_is_the_same_for_every_way_to_pass_features(monitor: Monitor, by_name: bool) -> None:  # noqa: FBT001 - both ways
    """The label finds the prediction, so the id that was read is the recorded one."""
    ids: list[str] = []

    @monitor.watch
    def predict(features: Any) -> float:
        ids.append(monitor.prediction_id)
        return 1.0

    predict(features=ROW) if by_name else predict(ROW)
    monitor.label(ids[0], 1.0)
    monitor.status()
    assert monitor.status().labels["matched"] == 1


def test_the_innermost_call_is_the_one_that_began_last(monitor: Monitor) -> None:
    """Blocks and plain calls are nested in each other."""
    seen: list[str] = []

    @monitor.watch
    def inner(features: Any) -> str:
        return monitor.prediction_id

    @monitor.watch
    def outer(features: Any) -> str:
        before = monitor.prediction_id
        with monitor.observe(ROW) as block:
            assert monitor.prediction_id == block.id
            seen.extend((inner(ROW), monitor.prediction_id, block.id))
        assert monitor.prediction_id == before
        return before

    with monitor.observe(ROW) as around:
        seen.append(outer(ROW))
        assert monitor.prediction_id == around.id
    called, in_block, block_id, outside = seen
    assert in_block == block_id
    assert len({called, in_block, outside, around.id}) == 4


def test_a_task_of_a_coroutine_sees_the_call_it_belongs_to(monitor: Monitor) -> None:
    """Tasks and threads that received its context are inside the call."""

    @monitor.watch
    async def predict(features: Any) -> set[str]:
        async def child() -> str:
            return monitor.prediction_id

        in_task = await asyncio.create_task(child())
        in_thread = await asyncio.to_thread(lambda: monitor.prediction_id)
        return {monitor.prediction_id, in_task, in_thread}

    assert len(asyncio.run(predict(ROW))) == 1


def test_a_block_closed_by_another_task_is_over_in_the_first_task_as_well(
    monitor: Monitor,
) -> None:
    """The block is in an async generator; the id of a finished block is never returned."""

    async def stream() -> AsyncIterator[str]:
        with monitor.observe(ROW) as block:
            yield block.id

    async def serve() -> None:
        generator = stream()
        assert await anext(generator) == monitor.prediction_id
        await asyncio.create_task(_close(generator))
        with pytest.raises(LookupError):
            _ = monitor.prediction_id

    asyncio.run(serve())
    assert monitor.status().errors == {"GeneratorExit": 1}


async def _close(generator: Any) -> None:
    await generator.aclose()


def test_no_call_is_open_in_a_new_thread(monitor: Monitor) -> None:
    """A thread started during a plain call is not inside it."""
    raised: list[type[BaseException]] = []

    def ask() -> None:
        try:
            _ = monitor.prediction_id
        except LookupError as error:
            raised.append(type(error))

    @monitor.watch
    def predict(features: Any) -> float:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return 1.0

    predict(ROW)
    assert raised == [LookupError]


def test_no_call_is_open_while_its_features_are_copied(monitor: Monitor) -> None:
    """A call opens after its features are copied, and the copy raises no internal error."""

    class Curious(dict[str, float]):
        def keys(self) -> Any:
            with pytest.raises(LookupError):
                _ = monitor.prediction_id
            return super().keys()

    assert monitor.watch(lambda _: 1.0)(Curious(ROW)) == 1.0
    assert monitor.status().internal_errors == 0


def test_an_empty_vector_does_not_count_as_a_row(monitor: Monitor) -> None:
    """A vector is a row only if it has values."""
    monitor.watch(lambda _: [])(np.empty(0))
    assert (monitor.status().predictions, monitor.status().internal_errors) == (0, 0)
