"""How many different names there were, approximately. Needs the extra `distinct`."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np

from mlmonitor.aggregate.sketches.codec import State, demand, part
from mlmonitor.errors import FormatError, MissingExtra, import_extra

_PREAMBLE_BYTES = 8
_EMPTY = "\0the empty name\0"


class Distinct:
    """A HyperLogLog count of distinct names, by Apache DataSketches.

    Promise: within 5 % with 95 % confidence; exact for a handful.
    Price: `NBYTES` bytes; 0.3 us a name and 10 us a call. Only names that the reference does not
        list are counted here. The sketch is kept as bytes and revived for each use: objects of the
        library's extension that outlive the interpreter are reported on stderr as leaks.
    Source: datasketches.apache.org, HLL sketch, 8 bits a bucket, 2**11 buckets.
    """

    LOG_BUCKETS = 11
    RELATIVE_ERROR = 0.05
    NBYTES = (1 << LOG_BUCKETS) + 96

    __slots__ = ("_data", "_lib")

    nbytes = NBYTES

    def __init__(self) -> None:
        self._lib: Any = import_extra("datasketches", extra="distinct")
        self._data: bytes = self._empty().serialize_compact()

    def update(self, names: Iterable[str]) -> None:
        """Add names; repeated ones change nothing."""
        sketch = self._revived()
        for name in names:
            sketch.update(_hashable(name))
        self._data = sketch.serialize_compact()

    def merge(self, other: Self) -> None:
        """Add what `other` has seen."""
        union = self._lib.hll_union(self.LOG_BUCKETS)
        union.update(self._revived())
        union.update(other._revived())
        self._data = union.get_result(self._lib.tgt_hll_type.HLL_8).serialize_compact()

    def estimate(self) -> float:
        """The estimated number of different names."""
        return float(self._revived().get_estimate())

    def state(self) -> State:
        """All there is to know, in the library's own portable form."""
        return {"hll": np.frombuffer(self._data, np.uint8)}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The inverse of `state`; raises FormatError where the bytes are no such sketch."""
        found = cls()
        data = part(state, "hll", np.uint8, ndim=1).tobytes()
        # The library trusts what it reads about sizes: look at them first.
        is_ours = _PREAMBLE_BYTES <= len(data) <= cls.NBYTES and data[1:4] == found._data[1:4]
        demand(is_ours, "hll: not a sketch of this size")
        found._data = data
        try:
            found._revived()
        except (RuntimeError, ValueError, IndexError, MemoryError):
            raise FormatError("hll: not a sketch that can be read") from None
        return found

    def _empty(self) -> Any:
        return self._lib.hll_sketch(self.LOG_BUCKETS, self._lib.tgt_hll_type.HLL_8)

    def _revived(self) -> Any:
        return self._lib.hll_sketch.deserialize(self._data)


def distinct_if_installed() -> Distinct | None:
    """A new sketch, or None where the extra is not installed: then no distinct count is shown."""
    try:
        return Distinct()
    except MissingExtra:
        return None


def _hashable(name: str) -> str:
    """A name that the library takes: it passes over the empty one, and refuses half a character."""
    return name.encode("utf-8", "backslashreplace").decode() or _EMPTY
