"""The most frequent names of a stream, in constant memory."""

from collections.abc import Collection, Mapping
from heapq import nsmallest
from itertools import accumulate
from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import FormatError, IncompatibleSketch


class Hitter(NamedTuple):
    """A name, an upper bound of its count, and the largest amount by which it may be too high."""

    name: str
    count: int  # type: ignore[assignment]  # no one counts a tuple's elements here
    error: int


class HeavyHitters:
    """Space-Saving: the `size` names with the highest counts.

    Promise: `count - error <= true count <= count` for every stored name, and every name that
        occurred more than `total / size` times is stored. Both hold after merging in any order.
    Price: at most `NAME_NBYTES` bytes a name, for names of up to 200 characters; 0.5 us for each
        distinct name of a block and for each stored name.
    Source: Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements in
        data streams", 2005; merging after Cafaro, Pulimeno, Tempesta, "A parallel space saving
        algorithm for frequent items", 2016.
    """

    NAME_NBYTES = 1_200  # 200 characters of four bytes, two integers, a tuple, a dictionary entry

    __slots__ = ("_counts", "size", "total")

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("size: expected at least one name to keep")
        self.size: int = size
        self.total: int = 0
        self._counts: dict[str, tuple[int, int]] = {}

    def update(self, names: Mapping[str, int]) -> None:
        """Add names with their counts."""
        self._join({name: (count, 0) for name, count in names.items()}, floor=0)
        self.total += sum(names.values())

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless sizes agree."""
        if other.size != self.size:
            raise IncompatibleSketch(f"{other.size} and {self.size} heavy hitters cannot be merged")
        self._join(other._counts, floor=other._find_floor())
        self.total += other.total

    def top(self) -> list[Hitter]:
        """Return the stored names, the most frequent first."""
        hitters = [Hitter(name, *counts) for name, counts in self._counts.items()]
        return sorted(hitters, key=lambda hitter: (-hitter.count, hitter.name))

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, once the sketch is full."""
        return self.size * self.NAME_NBYTES

    def retain(self, names: Collection[str]) -> None:
        """Drop all names except these; `total` still counts the dropped ones."""
        self._counts = {name: count for name, count in self._counts.items() if name in names}

    def state(self) -> State:
        """Return all contents as arrays."""
        hitters = self.top()
        names = [hitter.name.encode("utf-8", "surrogatepass") for hitter in hitters]
        rows = [(h.count, h.error, len(name)) for h, name in zip(hitters, names, strict=True)]
        return {
            "size": np.array([self.size, self.total], np.int64),
            "names": np.frombuffer(b"".join(names), np.uint8),
            "counts": np.array(rows, np.int64).reshape(-1, 3),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild from a `state`; raise FormatError if its arrays contradict each other."""
        size, total = part(state, "size", np.int64, shape=(2,)).tolist()
        rows = part(state, "counts", np.int64, ndim=2)
        demand(rows.shape[1] == 3, "counts: expected count, error and length of each name")
        counts, errors, lengths = rows.T.tolist()
        text = part(state, "names", np.uint8, ndim=1).tobytes()
        demand(
            size >= 1 and len(rows) <= size and total >= 0,
            "size: expected at least 1, and no more names than that",
        )
        demand(
            all(0 <= error <= count for count, error in zip(counts, errors, strict=True))
            and sum(counts) - sum(errors) <= total,
            "counts: expected 0 <= error <= count, and a sum within the total",
        )
        sketch = cls(size)
        sketch.total = total
        sketch._counts = dict(
            zip(_split_names(text, lengths), zip(counts, errors, strict=True), strict=True)
        )
        demand(len(sketch._counts) == len(rows), "names: expected each once")
        return sketch

    def _join(self, others: Mapping[str, tuple[int, int]], *, floor: int) -> None:
        """Merge names with their counts and errors; unlisted names occur at most `floor` times."""
        mine = self._find_floor()
        joined = {name: (a + floor, e + floor) for name, (a, e) in self._counts.items()}
        for name, (count, error) in others.items():
            own_count, own_error = self._counts.get(name, (mine, mine))
            joined[name] = own_count + count, own_error + error
        if len(joined) > self.size:
            # Break ties by name, so that the order of merging does not matter.
            kept = nsmallest(self.size, joined.items(), key=lambda item: (-item[1][0], item[0]))
            joined = dict(kept)
        self._counts = joined

    def _find_floor(self) -> int:
        """Return the largest possible count of a name that is not stored."""
        if len(self._counts) < self.size:
            return 0
        return min(count for count, _ in self._counts.values())


def _split_names(text: bytes, lengths: list[int]) -> list[str]:
    """Split `text` into names of the given lengths in bytes."""
    demand(
        min(lengths, default=0) >= 0 and sum(lengths) == len(text),
        "names: expected their lengths to add up",
    )
    ends = accumulate(lengths)
    try:
        return [
            text[end - length : end].decode("utf-8", "surrogatepass")
            for end, length in zip(ends, lengths, strict=True)
        ]
    except UnicodeDecodeError:
        raise FormatError("names: expected UTF-8") from None
