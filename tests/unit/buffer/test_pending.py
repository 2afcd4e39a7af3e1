"""Predictions wait for labels, and each label is counted exactly once by its outcome."""

import tracemalloc
from collections import Counter, OrderedDict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.buffer.pending import LabelStatus, Matches, Pending, Reading
from mlmonitor.capture.entry import Ids
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.prediction_ids import prediction_id
from mlmonitor.capture.values import Values
from support.cases import short_form

COLUMNS = {"predicted": "f8"}


def made(at_ms: int, chance: int = 0) -> str:
    """Return an id that was generated at this time."""
    return prediction_id(unix_ms=at_ms, chance=chance.to_bytes(10))


def numbers(actuals: Values) -> Reading:
    """Read actuals: None is missing, text is unreadable, and anything else is a number."""
    verdicts = [1 if a is None else 2 if isinstance(a, str) else 0 for a in actuals]
    values = [0.0 if verdict else float(a) for a, verdict in zip(actuals, verdicts, strict=True)]
    return Reading(np.array(verdicts, np.int8), np.array(values).view(np.int64))


class Desk:
    """A `Pending` of numbers, with one drain for each call."""

    def __init__(self, limit: int, max_age_seconds: float | None = None) -> None:
        self.pending = Pending(limit, COLUMNS, max_age_seconds=max_age_seconds)

    def remember(
        self, ids: Sequence[Ids | None], predicted: Sequence[float], now: float = 0.0
    ) -> None:
        """Add the predictions of one drain."""
        columns = {"predicted": np.array(predicted, float)}
        self.pending.remember(ids, columns, np.full(len(ids), now))

    def match(self, labels: Sequence[tuple[str, object]] = ()) -> list[tuple[float, object]]:
        """Match labels, and return the labelled predictions with their actuals."""
        entry = LabelEntry([i for i, _ in labels], [a for _, a in labels])
        pairs = []
        for block, is_last in self.pending.due([entry] if labels else []):
            matches: Matches = self.pending.match(block, numbers, is_last_try=is_last)
            for row, is_read, value in zip(
                matches.rows, matches.is_read, matches.columns.get("predicted", ()), strict=True
            ):
                if is_read:
                    pairs.append((float(value), block.actuals[row]))
        return pairs

    @property
    def counts(self) -> dict[LabelStatus, int]:
        """The number of labels by outcome, without zeros."""
        return {status: count for status, count in self.pending.counts.items() if count}


def test_a_prediction_is_matched_with_one_label() -> None:
    """A repeated equal label counts as a duplicate, a different one as contradicting."""
    desk = Desk(10)
    desk.remember(["a", "b"], [1.0, 2.0])
    assert desk.match([("b", 2.5), ("a", 1.5)]) == [(2.0, 2.5), (1.0, 1.5)]
    assert desk.match([("a", 1.5)]) == []
    assert desk.match([("a", 1.75)]) == []
    assert desk.match() == []
    assert desk.counts == {
        LabelStatus.MATCHED: 2,
        LabelStatus.DUPLICATE: 1,
        LabelStatus.CONTRADICTING: 1,
    }
    assert len(desk.pending) == 0


def test_repeated_labels_in_one_call_count_once() -> None:
    """The first readable label counts; missing and unreadable ones are counted as such."""
    desk = Desk(10)
    desk.remember(["a"], [1.0])
    labels = [("a", None), ("a", 1.5), ("a", 1.5), ("a", 9.0), ("a", "x")]
    assert desk.match(labels) == [(1.0, 1.5)]
    assert desk.counts == {
        LabelStatus.MATCHED: 1,
        LabelStatus.MISSING: 1,
        LabelStatus.UNREADABLE: 1,
        LabelStatus.DUPLICATE: 1,
        LabelStatus.CONTRADICTING: 1,
    }


def test_a_label_that_arrives_before_its_prediction_is_matched_later() -> None:
    """A prediction added between two matches is found by the label of the first."""
    desk = Desk(10)
    assert desk.match([("a", 1.5)]) == []
    assert desk.counts == {}
    desk.remember(["a"], [1.0])
    assert desk.match() == [(1.0, 1.5)]
    assert desk.counts == {LabelStatus.MATCHED: 1}


def test_a_label_is_matched_at_most_twice_before_it_is_counted() -> None:
    """A prediction added after the second try is too late for its label."""
    desk = Desk(10)
    desk.match([("a", 1.5)])
    desk.match()
    desk.remember(["a"], [1.0])
    assert desk.match() == []
    assert desk.counts == {LabelStatus.UNKNOWN: 1}


def test_the_oldest_predictions_are_evicted_when_there_is_no_room() -> None:
    """Three of five predictions fit; the evicted ones are counted, and their labels are late."""
    desk = Desk(3)
    ids = [made(at) for at in range(5)]
    for at, identity in enumerate(ids):
        desk.remember([identity], [at], now=at / 1_000)
    assert (len(desk.pending), desk.pending.evicted) == (3, 2)
    assert [predicted for predicted, _ in desk.match([(i, 0) for i in ids])] == [2, 3, 4]
    desk.match()
    assert desk.counts == {LabelStatus.MATCHED: 3, LabelStatus.LATE: 2}


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (made(5), LabelStatus.LATE),
        (made(12, 1), LabelStatus.LATE),
        (made(99), LabelStatus.UNKNOWN),
        (made(99).replace("-", ""), LabelStatus.UNKNOWN),
        ("the caller's own", LabelStatus.UNKNOWN),
        ("zzzzzzzz-zzzz-7zzz-zzzz-zzzzzzzzzzzz", LabelStatus.UNKNOWN),
        ("a text of the caller's own that is long", LabelStatus.UNKNOWN),
    ],
)
def test_the_time_in_an_id_shows_whether_its_label_is_late(
    identity: str, expected: LabelStatus
) -> None:
    """An id no newer than the oldest prediction in memory is late, any other unknown."""
    desk = Desk(2)
    for at in (10, 12, 14):
        desk.remember([made(at)], [1.0], now=at / 1_000)
    desk.match([(identity, 0.0)])
    desk.match()
    assert desk.counts == {expected: 1}


def test_no_label_is_late_before_the_first_eviction() -> None:
    """As long as every prediction is remembered, a label without one is unknown."""
    desk = Desk(10)
    desk.remember([made(10)], [1.0], now=0.01)
    desk.match([(made(5), 0.0)])
    desk.match()
    assert desk.counts == {LabelStatus.UNKNOWN: 1}


def test_predictions_that_waited_too_long_are_evicted() -> None:
    """After an hour the predictions of the first minute are gone, and their labels are late."""
    desk = Desk(10, max_age_seconds=3_600)
    desk.remember([made(1_000), made(2_000)], [1.0, 2.0], now=2.0)
    desk.remember([made(60_000)], [3.0], now=60.0)
    desk.pending.expire(now=3_602.0)
    assert (len(desk.pending), desk.pending.evicted) == (3, 0)
    desk.pending.expire(now=3_603.0)
    assert (len(desk.pending), desk.pending.evicted) == (1, 2)
    desk.match([(made(1_000), 0.0), (made(60_000), 0.0)])
    desk.match()
    assert desk.counts == {LabelStatus.MATCHED: 1, LabelStatus.LATE: 1}


def test_a_repeated_id_refers_to_its_newest_prediction() -> None:
    """It uses a single place in the memory."""
    desk = Desk(2)
    desk.remember(["a", "b", "a", "c"], [1, 2, 3, 4])
    assert desk.match([("a", 0), ("b", 0), ("c", 0)]) == [(3, 0), (4, 0)]
    desk.remember(["d"], [5])
    desk.remember(["d"], [6])
    assert len(desk.pending) == 1
    assert desk.match([("d", 0)]) == [(6, 0)]


def test_rows_without_an_id_do_not_wait_for_labels() -> None:
    """None does not count as an id."""
    desk = Desk(10)
    desk.remember([None, "a"], [1.0, 2.0])
    assert len(desk.pending) == 1
    assert desk.match([("a", 0)]) == [(2.0, 0)]


def test_a_limit_of_zero_remembers_no_prediction() -> None:
    """Without expected labels, no memory is used."""
    desk = Desk(0)
    desk.remember(["a"], [1.0])
    sizes = (len(desk.pending), desk.pending.memory_bytes, desk.pending.evicted)
    assert sizes == (0, 0, 0)


@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from("abcdefgh"), max_size=4)), max_size=20
    )
)
def test_every_label_is_counted_exactly_once(steps: list[tuple[bool, list[str]]]) -> None:
    """For any order of predictions and labels, the counts of all outcomes add up."""
    desk = Desk(3)
    labelled: Counter[str] = Counter()
    matched = 0
    for is_label, ids in steps:
        if is_label:
            matched += len(desk.match([(name, 1.0) for name in ids]))
            labelled.update(ids)
        else:
            desk.remember(ids, [1.0] * len(ids))
    matched += len(desk.match()) + len(desk.match())
    assert sum(desk.pending.counts.values()) == labelled.total()
    assert desk.pending.counts[LabelStatus.MATCHED] == matched
    assert len(desk.pending) <= 3


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 25), max_size=6)), max_size=40),
)
def test_waiting_predictions_behave_like_an_ordered_dictionary(
    limit: int, steps: list[tuple[bool, list[int]]]
) -> None:
    """After any additions, labels and evictions, the newest `limit` wait with their values."""
    desk, expected, count = Desk(limit), OrderedDict[str, float](), 0
    for is_label, numbers_ in steps:
        ids = [str(number) for number in dict.fromkeys(numbers_)]
        if is_label:
            labelled = [(expected.pop(i), 1.0) for i in ids if i in expected]
            assert sorted(desk.match([(i, 1.0) for i in ids])) == sorted(labelled)  # type: ignore[type-var]
            desk.pending.settle()
        else:
            values = [float(count := count + 1) for _ in ids]
            desk.remember(ids, values)
            for identity, value in zip(ids, values, strict=True):
                expected.pop(identity, None)
                expected[identity] = value
            while len(expected) > limit:
                expected.popitem(last=False)
        assert len(desk.pending) == len(expected)
    assert desk.match([(i, 0.0) for i in expected]) == [(v, 0.0) for v in expected.values()]


def test_the_newest_of_120_000_predictions_match_the_labels_of_one_call() -> None:
    """The labels arrive in any order."""
    desk = Desk(50_000)
    ids = [f"claim-{at}" for at in range(120_000)]
    for start in range(0, len(ids), 10_000):
        desk.remember(ids[start : start + 10_000], np.arange(start, start + 10_000))
    order = np.random.default_rng(0).permutation(len(ids))
    pairs = desk.match([(ids[at], float(at)) for at in order])
    assert sorted(predicted for predicted, _ in pairs) == list(range(70_000, 120_000))
    assert all(predicted == actual for predicted, actual in pairs)


def test_a_prediction_with_two_ids_is_found_by_either() -> None:
    """They are the caller's id and the generated one."""
    desk = Desk(10)
    desk.remember([("own", "made"), ("own 2", "made 2")], [1.0, 2.0])
    assert desk.match([("made", 0), ("own 2", 0)]) == [(1.0, 0), (2.0, 0)]


def fill_and_label(desk: Desk, limit: int, length: int) -> int:
    """Remember four times as many predictions as fit, and label some; return the most memory."""
    highest = 0
    for start in range(0, 4 * limit, limit // 4):
        ids = [f"{at}".rjust(length, "x") for at in range(start, start + limit // 4)]
        desk.remember(ids, [1.0] * len(ids))
        desk.match([(identity, 0.0) for identity in ids[::10]])
        del ids
        highest = max(highest, tracemalloc.get_traced_memory()[0])
    return highest


@pytest.mark.slow
@pytest.mark.parametrize("limit", [500, 2_000, 20_000])
@pytest.mark.parametrize("length", [10, 10_000])
def test_waiting_predictions_stay_within_the_reported_memory(limit: int, length: int) -> None:
    """Ids may be long, and predictions are labelled or evicted meanwhile.

    A first round is not measured: it fills Python's free lists, which other tests may have emptied.
    """
    fill_and_label(Desk(limit), limit, length)
    desk = Desk(limit)
    tracemalloc.start()
    highest = fill_and_label(desk, limit, length)
    tracemalloc.stop()
    assert highest < desk.pending.memory_bytes


@pytest.mark.parametrize("predictions", short_form([1_000_000, 100_000], 100_000))
def test_a_million_predictions_wait_in_64_mib(predictions: int) -> None:
    """Each has a number, a class and a segment; a tenth of them needs a tenth."""
    columns = {"predicted": "f8", "class": "i4", "segment": "i2"}
    pending = Pending(predictions, columns)
    tracemalloc.start()
    for start in range(0, predictions, 50_000):
        ids = [str(at) for at in range(start, start + 50_000)]
        values = {name: np.zeros(len(ids), dtype) for name, dtype in columns.items()}
        pending.remember(ids, values, np.zeros(len(ids)))
    del ids, values
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pending) == predictions
    assert traced < (64 << 20) * predictions / 1_000_000


def test_waiting_labels_are_counted_if_no_drain_follows() -> None:
    """Each is counted once: late if made before the oldest remembered one, otherwise unknown."""
    desk = Desk(1)
    desk.remember([made(10), made(12)], [1.0, 2.0], now=0.012)
    desk.match([(made(10), 0.0), ("nobody's", 0.0)])
    assert (desk.pending.waiting, desk.counts) == (2, {})
    desk.pending.settle()
    desk.pending.settle()
    assert desk.pending.waiting == 0
    assert desk.counts == {LabelStatus.LATE: 1, LabelStatus.UNKNOWN: 1}
    assert desk.match() == []
