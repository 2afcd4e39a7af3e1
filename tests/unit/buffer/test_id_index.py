"""The index of prediction ids behaves like a dictionary of hashes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.buffer.id_index import IdIndex, hash_ids

small = st.integers(0, 11)


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "move"]), small), max_size=60))
def test_an_id_index_finds_the_same_ids_as_a_dictionary(steps: list[tuple[str, int]]) -> None:
    """After any additions, removals and moves, each hash is found where the dictionary has it."""
    hashes = hash_ids([f"id {at}" for at in range(12)], 12)
    index, expected = IdIndex(24), dict[int, int]()
    for step, at in steps:
        free = next(p for p in range(24) if p not in expected.values())
        one = np.array([at])
        if step == "add" and at not in expected:
            assert index.add(hashes[one], np.array([free])).all()
            expected[at] = free
        elif step == "remove" and at in expected:
            index.remove(np.array([expected.pop(at)]))
        elif step == "move" and at in expected:
            index.move(np.array([expected[at]]), np.array([free]))
            expected[at] = free
    assert index.find(hashes).tolist() == [expected.get(at, -1) for at in range(12)]


@pytest.mark.parametrize("capacity", [1, 3, 40, 1_000, 50_000])
def test_an_index_holds_as_many_ids_as_its_capacity(capacity: int) -> None:
    """At full capacity no bucket overflows, and no other id is found."""
    hashes = hash_ids([f"prediction-{at}" for at in range(2 * capacity)], 2 * capacity)
    index = IdIndex(capacity)
    positions = np.random.default_rng(0).permutation(capacity)
    assert index.add(hashes[:capacity], positions).all()
    assert (index.find(hashes[:capacity]) == positions).all()
    assert (index.find(hashes[capacity:]) == -1).all()


def test_a_full_bucket_refuses_further_ids() -> None:
    """Sixteen hashes fit in two shared buckets; the seventeenth is reported as refused."""
    same = np.arange(17, dtype=np.uint64)  # halves that scale to bucket 0
    index = IdIndex(1_000)
    is_kept = index.add(same, np.arange(17))
    assert is_kept.sum() == 16
    assert (index.find(same[is_kept]) == np.flatnonzero(is_kept)).all()
