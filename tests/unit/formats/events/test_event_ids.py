"""Ids of events."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.capture.prediction_ids import made_at_ms
from mlmonitor.formats.events import EventIds, hash_id


@given(st.text(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**47)), max_size=10))
def test_ids_are_functions_of_process_time_and_place_in_order(
    instance: str, draws: list[tuple[int, int]]
) -> None:
    """Drawn again they are the same; each is a version 7 UUID of its time, and there once."""
    first, second = EventIds(instance), EventIds(instance)
    ids = []
    for count, time_ms in draws:
        drawn = first.draw(count, time_ms)
        assert drawn == second.draw(count, time_ms)
        assert {made_at_ms(identity) for identity in drawn} <= {time_ms}
        ids += drawn
    assert len(set(ids)) == len(ids)
    assert all(str(uuid.UUID(identity)) == identity for identity in ids)


def test_two_processes_draw_different_ids() -> None:
    """At the same time."""
    assert not set(EventIds("a").draw(100, 5)) & set(EventIds("b").draw(100, 5))


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_a_hashed_id_depends_on_each_of_its_parts(one: list[str], other: list[str]) -> None:
    """Different parts have different ids, however they are cut."""
    assert (hash_id(one) == hash_id(other)) == (one == other)
    assert uuid.UUID(hash_id(one)).version == 8
