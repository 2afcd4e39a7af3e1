"""The first rows after an alert has fired, from which its cause is found."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile, encode
from mlmonitor.aggregate.shapes import Shapes
from mlmonitor.aggregate.sketches.categories import Encoded
from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters
from mlmonitor.aggregate.sketches.moments import valid_counts
from mlmonitor.aggregate.staging import slice_block
from mlmonitor.records import Block, Counts, Floats, Role

SAMPLE_ROWS: Final = 512
"""Maximum number of rows in a sample."""

SHARED_ROWS: Final = 560
"""How many fewer rows of numbers the window stages during a sample, so that memory is constant."""

_NEARLY_ALL = 0.9
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio; odd, so multiplication is invertible
_TURN = np.uint64(29)

_Hashes = NDArray[np.uint64]


class ShownRows(NamedTuple):
    """Rows that show a change.

    changed_rows: at most this many of them arrived since the change began. copied_rows: how many
    are copies of earlier rows; 0 if rows may be equal by chance.
    """

    profile: FieldProfile
    shapes: Shapes
    changed_rows: int
    copied_rows: int = 0


class ChangeSample:
    """The first rows of a population after a change.

    Unlike the window, it holds no rows from before the change. Names of categories are counted as
    in the window, and numbers are kept individually.
    Price: `nbytes`, while an incident is examined; nothing otherwise.
    """

    __slots__ = ("_hashes", "_hitters", "_names", "_numbers", "_plan", "_profile", "_refused")

    def __init__(self, plan: Plan, hitters: int) -> None:
        self._plan, self._hitters = plan, hitters
        numeric = len(plan.schema.numeric)
        self._profile = FieldProfile(plan)  # counts of the categories
        self._names = [HeavyHitters(hitters) for _ in plan.schema.categorical]
        self._numbers: Floats = np.empty((numeric, SAMPLE_ROWS))
        self._refused: Counts = np.zeros((numeric, 3), np.int64)
        self._hashes: _Hashes = np.empty(SAMPLE_ROWS, np.uint64)

    @property
    def rows(self) -> int:
        """Number of rows kept so far."""
        return self._profile.rows

    @property
    def nbytes(self) -> int:
        """Memory used once it is full, in bytes."""
        arrays = self._numbers.nbytes + self._refused.nbytes + self._hashes.nbytes
        return self._profile.nbytes + sum(names.nbytes for names in self._names) + arrays

    def update(self, block: Block) -> None:
        """Keep the first rows of a block, as many as there is room for."""
        start = self.rows
        stop = min(start + block.rows, SAMPLE_ROWS)
        if stop == start:
            return
        first = slice_block(block, 0, stop - start)
        encoded = encode(first, self._plan)
        self._profile.count_categories(encoded)
        for names, column in zip(self._names, encoded, strict=True):
            names.update(column.new)
        self._numbers[:, start:stop] = first.numeric
        self._refused += _share_refused(block.refused, first.numeric)
        self._hashes[start:stop] = self._hash_features(first, encoded)
        self._profile.rows = stop

    def shown(self) -> ShownRows:
        """Return the rows kept so far, with the same statistics as a window."""
        ordered = np.sort(self._numbers[:, : self.rows], axis=1)
        valid = valid_counts(ordered)
        profile, shapes = FieldProfile(self._plan), Shapes(self._plan, self._hitters)
        profile.merge(self._profile)
        profile.count_numeric(ordered, valid, self._refused)
        for mine, names in zip(shapes.hitters, self._names, strict=True):
            mine.merge(names)
        shapes.digests.update_sorted(ordered, valid)
        return ShownRows(profile, shapes, self.rows, self._count_copies(ordered))

    def _hash_features(self, block: Block, encoded: list[Encoded]) -> _Hashes:
        """Hash the features of each row; names that the reference does not list count as equal."""
        hashes = np.zeros(block.rows, np.uint64)
        schema = self._plan.schema
        numbers = zip(schema.numeric, block.numeric, strict=True)
        columns = [(column + 0.0).view(np.uint64) for f, column in numbers if _is_feature(f.role)]
        codes = zip(schema.categorical, encoded, strict=True)
        columns += [column.codes.view(np.uint64) for f, column in codes if _is_feature(f.role)]
        for column in columns:
            hashes = (hashes ^ column) * _MIX
            hashes ^= hashes >> _TURN
        return hashes

    def _count_copies(self, ordered: Floats) -> int:
        """Count rows that equal earlier ones; 0 if they may be equal by chance.

        Chance is ruled out if two features differ in nearly all distinct rows.
        """
        distinct = np.unique(self._hashes[: self.rows]).size
        is_new = ordered[:, 1:] > ordered[:, :-1]
        is_feature = np.array([_is_feature(f.role) for f in self._plan.schema.numeric], np.bool_)
        own = is_feature & (1 + is_new.sum(axis=1) >= _NEARLY_ALL * distinct)
        return self.rows - distinct if np.count_nonzero(own) >= 2 else 0


def _share_refused(refused: Counts, numbers: Floats) -> Counts:
    """Estimate the refused values among the first rows of a block.

    refused: the refused values of the whole block, `[fields, reasons]`. numbers: the values of the
    first rows.
    """
    unread = np.count_nonzero(np.isnan(numbers), axis=1)
    share = unread / np.maximum(refused.sum(axis=1), 1)
    counts: Counts = np.rint(refused * share[:, None]).astype(np.int64)
    return counts


def _is_feature(role: Role) -> bool:
    return role is Role.FEATURE
