"""A hash table of prediction ids in flat arrays: a few numpy calls look up many ids."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mlmonitor.capture.entry import Ids

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]

_WIDTH = 16  # slots of a bucket
_LOAD = 0.6  # highest share of slots in use; with a choice of two buckets, none overflows
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LOW, _HALF, _TAG = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(48)


def hash_ids(identities: Iterable[str], count: int) -> Hashes:
    """Hash each id to 64 bits.

    Python hashes text by SipHash with a key of the process, so a client cannot choose ids that
    collide. Among a million ids, one in 1.8e13 look-ups of a new id finds a wrong one.
    """
    return np.fromiter(map(hash, identities), np.int64, count).view(np.uint64)


def list_texts_and_rows(ids: Sequence[Ids | None]) -> tuple[list[str], Positions]:
    """Return the ids of all rows as one list, and the row of each id."""
    if all(type(identity) is str for identity in ids):
        return list(ids), np.arange(len(ids))  # type: ignore[arg-type]  # checked above
    texts: list[str] = []
    rows: list[int] = []
    for row, identity in enumerate(ids):
        named = (identity,) if isinstance(identity, str) else identity or ()
        texts.extend(named)
        rows.extend([row] * len(named))
    return texts, np.array(rows, np.int64)


class IdIndex:
    """Maps the 64-bit hash of each id to a position below `capacity`.

    A hash has two candidate buckets of sixteen slots and is stored in the emptier one, under a tag
    of 16 of its bits. Only slots with the same tag are compared in full.

    Price: `bytes_each` bytes a position. Looking up 200,000 ids among a million takes about 20 ms.
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
        """Return the position of each hash, -1 if it is not stored."""
        positions = np.full(len(hashes), -1, np.int64)
        tags = np.repeat(_compute_tags(hashes), _WIDTH)  # forty times as fast as comparing by row
        for bucket in self._find_buckets(hashes):
            shown = np.take(self._tags, bucket, axis=0).reshape(-1)
            rows, slots = np.divmod(np.flatnonzero(shown == tags), _WIDTH)
            candidates = self._slots[bucket[rows], slots].astype(np.int64) - 1
            is_same = (candidates >= 0) & (self._keys[candidates] == hashes[rows])
            positions[rows[is_same]] = candidates[is_same]
        return positions

    def add(self, hashes: Hashes, positions: Positions) -> NDArray[np.bool_]:
        """Store hashes that are not in the table yet; return which of them were stored."""
        first, second = self._find_buckets(hashes)
        tags, is_kept = _compute_tags(hashes), np.zeros(len(hashes), np.bool_)
        left = np.arange(len(hashes))
        while left.size:  # each round adds at most one hash per bucket
            one, two = first[left], second[left]
            bucket = np.where(self._used[two] < self._used[one], two, one)
            chosen, first_rows = np.unique(bucket, return_index=True)
            has_room = self._used[chosen] < _WIDTH
            chosen, rows = chosen[has_room], left[first_rows[has_room]]
            slot = np.argmax(self._slots[chosen] == 0, axis=1)
            self._tags[chosen, slot] = tags[rows]
            self._slots[chosen, slot] = positions[rows] + 1
            self._used[chosen] += 1
            self._keys[positions[rows]] = hashes[rows]
            self._slot_of[positions[rows]] = chosen * _WIDTH + slot
            is_kept[rows] = True
            left = np.delete(left, first_rows)
        return is_kept

    def remove(self, positions: Positions) -> None:
        """Remove the hashes at these positions; each position must hold a hash."""
        slots = self._slot_of[positions]
        self._slots.reshape(-1)[slots] = 0
        np.subtract.at(self._used, slots // _WIDTH, np.uint8(1))

    def move(self, old: Positions, new: Positions) -> None:
        """Move hashes from `old` to `new` positions, which must be free or among `old`."""
        self._keys[new], self._slot_of[new] = self._keys[old], self._slot_of[old]
        self._slots.reshape(-1)[self._slot_of[new]] = new + 1

    def _find_buckets(self, hashes: Hashes) -> tuple[Positions, Positions]:
        """Return the two candidate buckets of each hash, given by its lower and its upper half."""
        low = ((hashes & _LOW) * self._buckets) >> _HALF
        high = ((hashes >> _HALF) * self._buckets) >> _HALF
        return low.astype(np.int64), high.astype(np.int64)


def _compute_tags(hashes: Hashes) -> NDArray[np.uint16]:
    """Return 16 bits of each hash that are nearly independent of its buckets."""
    return ((hashes ^ (hashes >> _HALF)) * _MIX >> _TAG).astype(np.uint16)
