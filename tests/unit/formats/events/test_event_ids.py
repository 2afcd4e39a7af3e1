"""Ids of events."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.capture.prediction_ids import made_at_ms
from mlmonitor.formats.events import EventIds, hash_id


@given(st.text(), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**47)), max_size=10))
def test_event_ids_are_determined_by_process_time_and_position(
    instance: str, draws: list[tuple[int, int]]
) -> None:
    """Each is a unique version 7 UUID of its time, and drawing again gives the same ids."""
    first, second = EventIds(instance), EventIds(instance)
    ids = []
    for count, time_ms in draws:
        drawn = first.draw(count, time_ms)
        assert drawn == second.draw(count, time_ms)
        assert {made_at_ms(identity) for identity in drawn} <= {time_ms}
        ids += drawn
    assert len(set(ids)) == len(ids)
    assert all(str(uuid.UUID(identity)) == identity for identity in ids)


def test_two_processes_draw_different_event_ids() -> None:
    """They draw at the same time."""
    assert not set(EventIds("a").draw(100, 5)) & set(EventIds("b").draw(100, 5))


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_a_hashed_id_depends_on_each_of_its_parts(one: list[str], other: list[str]) -> None:
    """Parts with the same concatenation have different ids."""
    assert (hash_id(one) == hash_id(other)) == (one == other)
    assert uuid.UUID(hash_id(one)).version == 8
