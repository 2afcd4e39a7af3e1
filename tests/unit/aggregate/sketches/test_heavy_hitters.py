"""Heavy hitters: which names are kept, and how accurate their counts are."""

from collections import Counter

import numpy as np
import pytest

from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters, Hitter
from mlmonitor.errors import FormatError


def test_counts_of_names_are_exact_while_all_names_fit() -> None:
    """Counts have no error, the most frequent come first, and ties are sorted by name."""
    hitters = HeavyHitters(3)
    hitters.update({"b": 2, "a": 2})
    hitters.update({"c": 9, "b": 1})
    assert hitters.top() == [Hitter("c", 9, 0), Hitter("b", 3, 0), Hitter("a", 2, 0)]
    assert hitters.total == 14


def test_a_sketch_of_size_one_finds_the_majority_name() -> None:
    """A name that makes up more than half of the stream is the one kept."""
    hitters = HeavyHitters(1)
    for name in ["x", "y", "x", "z", "x", "x"]:
        hitters.update({name: 1})
    assert [hitter.name for hitter in hitters.top()] == ["x"]


@pytest.mark.parametrize("block", [1, 7, 1_000])
def test_the_most_frequent_names_of_a_skewed_stream_are_kept(
    block: int, rng: np.random.Generator
) -> None:
    """In 20,000 names by Zipf's law, the bounds hold and the five most frequent are found."""
    names = [f"n{number}" for number in rng.zipf(1.4, 20_000)]
    hitters = HeavyHitters(16)
    for start in range(0, len(names), block):
        hitters.update(Counter(names[start : start + block]))
    truth = Counter(names)
    for hitter in hitters.top():
        assert hitter.count - hitter.error <= truth[hitter.name] <= hitter.count
    assert {name for name, _ in truth.most_common(5)} <= {heavy.name for heavy in hitters.top()}
    assert max(hitter.error for hitter in hitters.top()) <= len(names) / 16


def test_names_of_all_kinds_survive_saving() -> None:
    """Empty names, newlines, backslashes and lone surrogates are kept unchanged."""
    names = ["", "\n", "\\n", "a\nb", "ä", "\ud800", "\ud83d\ude00", "😀", "x" * 300]
    hitters = HeavyHitters(20)
    hitters.update({name: at + 1 for at, name in enumerate(names)})
    assert HeavyHitters.from_state(hitters.state()).top() == hitters.top()


def test_names_of_four_byte_characters_stay_within_the_stated_memory() -> None:
    """A thousand names of 200 characters are added to fifty places."""
    hitters = HeavyHitters(50)
    for start in range(0, 1_000, 10):
        hitters.update({"😀" * 190 + f"{at:010}": 1 for at in range(start, start + 10)})
    name_bytes = sum(hitter.name.__sizeof__() for hitter in hitters.top())
    assert len(hitters.top()) == 50
    assert name_bytes < hitters.nbytes


def test_a_heavy_hitter_sketch_of_size_zero_is_refused() -> None:
    """A sketch that keeps no name is an error at construction."""
    with pytest.raises(ValueError, match="size"):
        HeavyHitters(0)


@pytest.mark.parametrize(
    "change",
    [
        {"size": np.array([0, 9])},
        {"size": np.array([1, 9])},
        {"size": np.array([4, -1])},
        {"size": np.array([4, 1])},
        {"counts": np.array([[3, 4, 1], [1, 0, 1]])},
        {"counts": np.array([[3, -1, 1], [1, 0, 1]])},
        {"counts": np.array([[3, 0, 3], [1, 0, -1]])},
        {"counts": np.array([[3, 0, 1], [1, 0, 2]])},
        {"counts": np.array([[3, 0], [1, 0]])},
        {"names": np.frombuffer(b"aa", np.uint8)},
        {"names": np.frombuffer(b"a\xff", np.uint8)},
    ],
)
def test_contradictory_saved_heavy_hitters_are_refused(change: dict[str, np.ndarray]) -> None:
    """Examples are too many names, errors above counts, wrong lengths and repeated names."""
    hitters = HeavyHitters(4)
    hitters.update({"a": 3, "b": 1})
    with pytest.raises(FormatError):
        HeavyHitters.from_state({**hitters.state(), **change})
