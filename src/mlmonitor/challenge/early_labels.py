"""Labels that arrive before their predictions."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from mlmonitor.capture.host.label_entries import LabelEntry

_BYTES_EACH = 400
"""Typical memory of a label with its id, its time and its entry in the dict."""

_Labels: TypeAlias = tuple[str, list[tuple[Any, float]]]
"""An id, and the actuals reported for it, each with its time (NaN if none was given)."""


class EarlyLabels:
    """Keeps labels by id until their predictions arrive; the oldest ids are dropped first.

    Promise: each label is returned once, and the labels of an id in the order of their arrival.
    Price: `memory_bytes`, and one look-up for each prediction while any label waits.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_id: dict[str, list[tuple[Any, float]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def memory_bytes(self) -> int:
        """Estimated bytes used when the maximum number of labels wait."""
        return self._limit * _BYTES_EACH

    def add(self, entry: LabelEntry) -> LabelEntry:
        """Store labels; return those without an id, and the oldest if there are too many."""
        times = np.full(len(entry.ids), np.nan) if entry.times is None else entry.times
        rows = zip(entry.ids, list(entry.actuals), times.tolist(), strict=True)
        refused: list[_Labels] = []
        for identity, actual, observed_at in rows:
            if identity:
                self._by_id.setdefault(identity, []).append((actual, observed_at))
                self._count += 1
            else:
                refused.append((identity, [(actual, observed_at)]))
        while self._count > self._limit:
            refused.append(self._remove(next(iter(self._by_id))))
        return _build_entry(refused)

    def drain(self, identities: Iterable[str]) -> LabelEntry:
        """Remove and return the labels of these ids."""
        chosen = [i for i in dict.fromkeys(identities) if i in self._by_id] if self._by_id else []
        return _build_entry([self._remove(identity) for identity in chosen])

    def drain_all(self) -> LabelEntry:
        """Remove and return all labels."""
        return self.drain(list(self._by_id))

    def _remove(self, identity: str) -> _Labels:
        labels = self._by_id.pop(identity)
        self._count -= len(labels)
        return identity, labels


def _build_entry(labels: list[_Labels]) -> LabelEntry:
    ids = [identity for identity, own in labels for _ in own]
    actuals = [actual for _, own in labels for actual, _ in own]
    times = [observed_at for _, own in labels for _, observed_at in own]
    return LabelEntry(ids, actuals, np.array(times, np.float64))
