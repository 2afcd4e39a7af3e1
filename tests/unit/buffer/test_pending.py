"""Predictions wait for their labels; labels are matched, late or unknown, each exactly once."""

import math
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.buffer.pending import LabelStatus, Match, Pending
from mlmonitor.capture.prediction_ids import prediction_id
from mlmonitor.capture.values import UNREADABLE


def made(at_ms: int, chance: int = 0) -> str:
    """An id of ours, made at a time."""
    return prediction_id(unix_ms=at_ms, chance=chance.to_bytes(10))


def counts(pending: Pending) -> dict[LabelStatus, int]:
    """What became of the labels, zeros left out."""
    return {status: count for status, count in pending.counts.items() if count}


def test_a_label_meets_its_prediction_once() -> None:
    """The pair is handed out, and a second label for the same id finds nothing."""
    pending = Pending(10)
    pending.remember(["a", "b"], [1.0, 2.0])
    assert pending.match([("b", 2.5), ("a", 1.5)]) == [Match(2.0, 2.5), Match(1.0, 1.5)]
    assert pending.match([("a", 1.5)]) == []
    assert pending.match([]) == []
    assert counts(pending) == {LabelStatus.MATCHED: 2, LabelStatus.UNKNOWN: 1}
    assert len(pending) == 0


def test_a_label_that_overtook_its_prediction_is_tried_again() -> None:
    """What is remembered between two matches is found by the label of the first."""
    pending = Pending(10)
    assert pending.match([("a", 1.5)]) == []
    assert counts(pending) == {}
    pending.remember(["a"], [1.0])
    assert pending.match([]) == [Match(1.0, 1.5)]
    assert counts(pending) == {LabelStatus.MATCHED: 1}


def test_a_label_is_tried_twice_and_no_more() -> None:
    """A prediction that comes after the second try is too late for its label."""
    pending = Pending(10)
    pending.match([("a", 1.5)])
    pending.match([])
    pending.remember(["a"], [1.0])
    assert pending.match([]) == []
    assert counts(pending) == {LabelStatus.UNKNOWN: 1}


def test_the_oldest_predictions_make_room() -> None:
    """Of five predictions three fit; those put out are counted, and their labels are late."""
    pending = Pending(3)
    ids = [made(at) for at in range(5)]
    pending.remember(ids, range(5))
    assert (len(pending), pending.evicted) == (3, 2)
    assert [match.predicted for match in pending.match([(each, 0) for each in ids])] == [2, 3, 4]
    pending.match([])
    assert counts(pending) == {LabelStatus.MATCHED: 3, LabelStatus.LATE: 2}


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (made(5), LabelStatus.LATE),
        (made(12, 1), LabelStatus.LATE),
        (made(99), LabelStatus.UNKNOWN),
        ("the caller's own", LabelStatus.UNKNOWN),
    ],
    ids=["before", "same time", "after", "own"],
)
def test_an_id_tells_whether_its_label_is_late(identity: str, expected: LabelStatus) -> None:
    """Late is what was made no later than the oldest prediction remembered; the rest is unknown."""
    pending = Pending(2)
    pending.remember([made(10), made(12), made(14)], [1.0, 2.0, 3.0])
    pending.match([(identity, 0.0)])
    pending.match([])
    assert counts(pending) == {expected: 1}


def test_nothing_is_late_where_nothing_was_put_out() -> None:
    """While every prediction is remembered, a label without one is unknown."""
    pending = Pending(10)
    pending.remember([made(10)], [1.0])
    pending.match([(made(5), 0.0)])
    pending.match([])
    assert counts(pending) == {LabelStatus.UNKNOWN: 1}


def test_an_id_used_again_stands_for_its_newest_prediction() -> None:
    """It takes one place, that of the newest."""
    pending = Pending(2)
    pending.remember(["a", "b", "a", "c"], [1, 2, 3, 4])
    assert pending.evicted == 1
    assert pending.match([("a", 0), ("b", 0), ("c", 0)]) == [Match(3, 0), Match(4, 0)]


def test_rows_without_an_id_do_not_wait() -> None:
    """None is no id."""
    pending = Pending(10)
    pending.remember([None, "a"], [1.0, 2.0])
    assert len(pending) == 1


def test_a_limit_of_zero_remembers_nothing() -> None:
    """Who expects no labels pays nothing for them."""
    pending = Pending(0)
    pending.remember(["a"], [1.0])
    assert (len(pending), pending.memory_bytes, pending.evicted) == (0, 0, 0)


def test_the_price_is_stated_and_bounded() -> None:
    """The memory told grows with the limit, not with what waits."""
    pending = Pending(100)
    assert pending.memory_bytes == 100 * Pending.BYTES_EACH
    pending.remember([str(at) for at in range(1_000)], range(1_000))
    assert pending.memory_bytes == 100 * Pending.BYTES_EACH
    assert len(pending) == 100


@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from("abcdefgh"), max_size=4)), max_size=20
    )
)
def test_every_label_is_counted_exactly_once(steps: list[tuple[bool, list[str]]]) -> None:
    """For any order of predictions and labels, matched + late + unknown = labels."""
    pending = Pending(3)
    labelled: Counter[str] = Counter()
    matched = 0
    for is_label, ids in steps:
        if is_label:
            matched += len(pending.match([(each, each) for each in ids]))
            labelled.update(ids)
        else:
            pending.remember(ids, ids)
    matched += len(pending.match([])) + len(pending.match([]))
    assert sum(pending.counts.values()) == labelled.total()
    assert pending.counts[LabelStatus.MATCHED] == matched
    assert len(pending) <= 3


def test_a_prediction_of_two_ids_is_found_by_either() -> None:
    """Its caller's id and the one made for it both stand for it."""
    pending = Pending(10)
    pending.remember([("own", "made"), ("own 2", "made 2")], [1.0, 2.0])
    assert pending.match([("made", 0), ("own 2", 0)]) == [Match(1.0, 0), Match(2.0, 0)]


def test_long_ids_and_long_texts_are_not_kept_as_they_came() -> None:
    """Predictions with ids and labels of 10 kB are told apart, within the memory told."""
    pending = Pending(1_000)
    ids = [f"{'x' * 10_000}{at}\ud800" for at in range(1_000)]
    tracemalloc.start()
    pending.remember(ids, [f"{'y' * 10_000}{at}" for at in range(1_000)])
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < pending.memory_bytes
    matches = pending.match([(ids[-1], "a"), (ids[-2], "b")])
    assert [match.actual for match in matches] == ["a", "b"]
    assert matches[0].predicted != matches[1].predicted


@pytest.mark.parametrize("limit", [500, 1_000, 2_000])
@pytest.mark.parametrize(
    ("id_of", "predicted", "is_whole"),
    [
        (lambda at: made(at, at), float, True),
        (lambda at: f"order-{at:058}", lambda at: f"a class {at}", True),
        (lambda at: f"{at}\U0001f600" + "x" * 60, lambda at: "\U0001f600" * 190 + str(at), False),
        (lambda at: "x" * 1_000 + str(at), lambda at: "y" * 1_000 + str(at), False),
    ],
    ids=["ours", "their own", "four bytes a character", "long"],
)
def test_waiting_predictions_take_no_more_than_is_told(
    limit: int, id_of: Callable[[int], str], predicted: Callable[[int], object], *, is_whole: bool
) -> None:
    """Whatever came and went; of usual ids as many wait as there may, of others fewer."""
    pending = Pending(limit)
    highest = 0
    tracemalloc.start()
    for start in range(0, 4 * limit, 100):
        ids = [id_of(start + at) for at in range(100)]
        pending.remember(ids, [predicted(start + at) for at in range(100)])
        found = pending.match([(each, 0.0) for each in ids[::10]])
        del ids
        highest = max(highest, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert highest < pending.memory_bytes
    assert (len(pending) + len(found) == limit) == is_whole
    assert len(pending.match([(id_of(4 * limit - 1), 0.0)])) == 1


def test_an_integer_no_float_can_hold_is_kept_as_infinite() -> None:
    """A prediction of a million digits takes no more room than any number, and keeps its sign."""
    pending = Pending(2)
    pending.remember(["a", "b"], [10**1_000_000, -(10**400)])
    found = pending.match([("a", 0), ("b", 0)])
    assert [match.predicted for match in found] == [math.inf, -math.inf]


@pytest.mark.parametrize("value", [0.5, None, 7, True, "x" * 200, date(2024, 1, 1)], ids=repr)
def test_a_short_prediction_is_kept_as_it_is(value: object) -> None:
    """Numbers, dates and texts of up to 200 characters come back as they were."""
    pending = Pending(1)
    pending.remember(["a"], [value])
    assert pending.match([("a", 0)]) == [Match(value, 0)]


def test_a_prediction_that_is_no_value_is_not_kept() -> None:
    """A list, an array or an object of any size leaves nothing but that it is of a wrong type."""
    pending = Pending(3)
    pending.remember(["a", "b", "c"], [[0.5] * 9, np.zeros(9), object])
    found = pending.match([("a", 0), ("b", 0), ("c", 0)])
    assert [match.predicted for match in found] == [UNREADABLE] * 3


def test_labels_that_wait_are_counted_when_there_is_no_drain_to_come() -> None:
    """Settling counts each once: late, if it was made before the oldest remembered, or unknown."""
    pending = Pending(1)
    pending.remember([made(10), made(12)], [1.0, 2.0])
    pending.match([(made(10), 0.0), ("nobody's", 0.0)])
    assert (pending.waiting, counts(pending)) == (2, {})
    pending.settle()
    pending.settle()
    assert pending.waiting == 0
    assert counts(pending) == {LabelStatus.LATE: 1, LabelStatus.UNKNOWN: 1}
    assert pending.match([]) == []
