"""A hash table of prediction ids in flat arrays: many ids are looked up in a few numpy calls."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]

_WIDTH = 16  # slots of a bucket
_LOAD = 0.6  # the share of slots in use at most; with two buckets to choose from, none overflows
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LOW, _HALF, _TAG = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(48)


def hash_ids(identities: Iterable[str], count: int) -> Hashes:
    """The 64 bits that stand for each id.

    Python's own hash of a text is SipHash with a key of the process: nobody outside can choose ids
    that collide. Among a million ids, one in 18 million million look-ups is mistaken.
    """
    return np.fromiter(map(hash, identities), np.int64, count).view(np.uint64)


class IdIndex:
    """Where each id is kept: 64-bit hashes to positions below `capacity`.

    A hash has two buckets of sixteen slots and lies in the emptier one, under 16 bits of itself.
    Only slots that show these bits are compared in full.

    Price: `bytes_each` a position. Looking up 200,000 ids among a million takes about 20 ms.
    Source: Azar, Broder, Karlin, Upfal, "Balanced allocations" (1994), for the two choices.
    """

    bytes_each: int = 12 + round(6 / _LOAD)

    __slots__ = ("_buckets", "_keys", "_slot_of", "_slots", "_tags", "_used")

    def __init__(self, capacity: int) -> None:
        self._buckets = np.uint64(max(1, -(-int(capacity / _LOAD) // _WIDTH)))
        size = int(self._buckets)
        self._tags: NDArray[np.uint16] = np.zeros((size, _WIDTH), np.uint16)
        self._slots: NDArray[np.int32] = np.zeros((size, _WIDTH), np.int32)
        """Positions counted from 1, so that 0 is an empty slot."""
        self._used: NDArray[np.uint8] = np.zeros(size, np.uint8)
        self._keys: Hashes = np.empty(capacity, np.uint64)
        self._slot_of: NDArray[np.int32] = np.empty(capacity, np.int32)

    def find(self, hashes: Hashes) -> Positions:
        """The position of each hash, -1 where there is none."""
        positions = np.full(len(hashes), -1, np.int64)
        tags = np.repeat(_tags_of(hashes), _WIDTH)  # forty times as fast as to compare by row
        for bucket in self._buckets_of(hashes):
            shown = np.take(self._tags, bucket, axis=0).reshape(-1)
            rows, slots = np.divmod(np.flatnonzero(shown == tags), _WIDTH)
            candidates = self._slots[bucket[rows], slots].astype(np.int64) - 1
            is_same = (candidates >= 0) & (self._keys[candidates] == hashes[rows])
            positions[rows[is_same]] = candidates[is_same]
        return positions

    def add(self, hashes: Hashes, positions: Positions) -> NDArray[np.bool_]:
        """Keep hashes that are not there yet, each once; which of them found room."""
        first, second = self._buckets_of(hashes)
        tags, is_kept = _tags_of(hashes), np.zeros(len(hashes), np.bool_)
        left = np.arange(len(hashes))
        while left.size:  # one row a bucket and round
            one, two = first[left], second[left]
            bucket = np.where(self._used[two] < self._used[one], two, one)
            chosen, turn = np.unique(bucket, return_index=True)
            has_room = self._used[chosen] < _WIDTH
            chosen, rows = chosen[has_room], left[turn[has_room]]
            slot = np.argmax(self._slots[chosen] == 0, axis=1)
            self._tags[chosen, slot] = tags[rows]
            self._slots[chosen, slot] = positions[rows] + 1
            self._used[chosen] += 1
            self._keys[positions[rows]] = hashes[rows]
            self._slot_of[positions[rows]] = chosen * _WIDTH + slot
            is_kept[rows] = True
            left = np.delete(left, turn)
        return is_kept

    def remove(self, positions: Positions) -> None:
        """Forget the hashes at these positions; each must have one."""
        slots = self._slot_of[positions]
        self._slots.reshape(-1)[slots] = 0
        np.subtract.at(self._used, slots // _WIDTH, np.uint8(1))

    def move(self, old: Positions, new: Positions) -> None:
        """Have the hashes of some positions at others; the new ones must be free, or among them."""
        self._keys[new], self._slot_of[new] = self._keys[old], self._slot_of[old]
        self._slots.reshape(-1)[self._slot_of[new]] = new + 1

    def _buckets_of(self, hashes: Hashes) -> tuple[Positions, Positions]:
        """The two buckets of each hash: either half of it, scaled."""
        low = ((hashes & _LOW) * self._buckets) >> _HALF
        high = ((hashes >> _HALF) * self._buckets) >> _HALF
        return low.astype(np.int64), high.astype(np.int64)


def _tags_of(hashes: Hashes) -> NDArray[np.uint16]:
    """16 bits of each hash that say little about its buckets."""
    return ((hashes ^ (hashes >> _HALF)) * _MIX >> _TAG).astype(np.uint16)
