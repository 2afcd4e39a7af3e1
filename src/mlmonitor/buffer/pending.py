"""Predictions that wait for their label, and the labels that find them."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.buffer.id_index import Hashes, Positions, hash_ids
from mlmonitor.buffer.waiting_rows import WAITING, Column, WaitingRows
from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.entry import Ids
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.prediction_ids import made_at_ms
from mlmonitor.capture.values import Values
from mlmonitor.records import Mask

BLOCK_LABELS = 16_384
"""Labels that are read and matched at once."""

_ACTUAL, _PREDICTED_AT = "actual", "predicted_at"


class LabelStatus(StrEnum):
    """What became of one label.

    A missing or unreadable one found its prediction, which goes on waiting for another. A duplicate
    repeats what an earlier label said, a contradicting one differs; the first label stands. Late
    is a label whose prediction was put out before it arrived, as far as its id shows.
    """

    MATCHED = "matched"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"
    CONTRADICTING = "contradicting"
    LATE = "late"
    UNKNOWN = "unknown"


class Reading(NamedTuple):
    """A column of actuals once it has been read, a value a label.

    verdicts: 0 where the actual says something, 1 where it is missing, 2 where it is unreadable.
    identities: 64 bits that are equal where two actuals are.
    """

    verdicts: NDArray[np.int8]
    identities: NDArray[np.int64]


SAYS_SOMETHING, IS_MISSING, IS_UNREADABLE = range(3)

Read = Callable[[Values], Reading]
"""Reads a column of actuals."""


def missing_or_not(actuals: Values) -> Reading:
    """All that can be said of actuals before it is known what they are."""
    is_gone = np.fromiter(map(is_missing, actuals), np.bool_, len(actuals))
    return Reading(is_gone.astype(np.int8), np.zeros(len(actuals), np.int64))


class Matches(NamedTuple):
    """Labels that found a prediction in waiting, and what was kept of these.

    rows: the place of each among the labels. is_read: which of them end the waiting.
    """

    rows: Positions
    is_read: Mask
    columns: Mapping[str, Column]


class _Retry(NamedTuple):
    """Labels that found nothing at first; and when each id was made, -1 where it does not say."""

    entry: LabelEntry
    hashes: Hashes
    made_at_ms: NDArray[np.int64]


class Pending:
    """The newest predictions whose id somebody asked for; older ones make room.

    A label that finds nothing is tried once more after the next drain, since its prediction may
    still have been on its way; then it is late, if its id shows that it was made before the oldest
    one remembered, or else unknown.

    columns: name to dtype of what is kept of each prediction.
    max_age_seconds: older predictions are put out.
    Price: `memory_bytes`: of an id its hash is kept and of a prediction its numbers, in arrays.
    """

    def __init__(
        self,
        limit: int,
        columns: Mapping[str, str] | None = None,
        *,
        max_age_seconds: float | None = None,
    ) -> None:
        self._limit, self._max_age_seconds = limit, max_age_seconds
        self._columns = {**(columns or {}), _PREDICTED_AT: "f8", _ACTUAL: "i8"}
        self._rows: WaitingRows | None = None
        self._retries: list[_Retry] = []
        self.evicted: int = 0
        self.counts: dict[LabelStatus, int] = dict.fromkeys(LabelStatus, 0)

    def add_columns(self, columns: Mapping[str, str]) -> None:
        """Keep more of each prediction; only before the first one is kept."""
        if self._rows is None:
            self._columns.update(columns)

    def __len__(self) -> int:
        return 0 if self._rows is None else self._rows.waiting

    @property
    def memory_bytes(self) -> int:
        """What the waiting predictions hold at most."""
        return WaitingRows.nbytes_of(self._limit, self._columns) if self._limit else 0

    @property
    def waiting(self) -> int:
        """How many labels wait for their second try, counted nowhere yet."""
        return sum(len(retry.hashes) for retry in self._retries)

    def remember(
        self, ids: Sequence[Ids | None], columns: Mapping[str, Column], *, now: float
    ) -> None:
        """Keep the prediction of each id; an id that is used again stands for its newest one.

        A prediction of two ids is kept under both: nobody knows by which it will be asked for.
        """
        if self._limit == 0:
            return
        texts, rows = _texts_and_rows(ids)
        if not texts:
            return
        hashes = hash_ids(texts, len(texts))
        _, newest = np.unique(hashes[::-1], return_index=True)
        kept = np.sort(len(hashes) - 1 - newest)
        chosen = {n: column[rows[kept]] for n, column in columns.items() if n in self._columns}
        chosen[_PREDICTED_AT] = np.full(len(kept), now)
        if self._rows is None:
            self._rows = WaitingRows(self._limit, self._columns)
        self.evicted += self._rows.append(hashes[kept], chosen)

    def expire(self, *, now: float) -> None:
        """Put out predictions that have waited for longer than they may."""
        if self._max_age_seconds is not None and self._rows is not None:
            self.evicted += self._rows.evict_before(_PREDICTED_AT, now - self._max_age_seconds)

    def __contains__(self, identity: str) -> bool:
        return bool(self.find([identity])[0])

    def find(self, identities: Sequence[str]) -> Mask:
        """Which of these ids have a prediction, labelled or not."""
        if self._rows is None:
            return np.zeros(len(identities), np.bool_)
        return self._rows.find(hash_ids(identities, len(identities)))[0] >= 0

    def due(self, entries: Sequence[LabelEntry]) -> list[tuple[LabelEntry, bool]]:
        """The labels to match now, in blocks, those first whose last try this is."""
        again, self._retries = self._retries, []
        parts = [(retry.entry, True) for retry in again]
        parts += [(entry, False) for entry in entries]
        return [(block, last) for entry, last in parts for block in entry.blocks(BLOCK_LABELS)]

    def match(
        self, entry: LabelEntry, read: Read = missing_or_not, *, is_last_try: bool = False
    ) -> Matches:
        """The predictions in waiting that these labels belong to.

        Only an actual that says something ends the waiting of its prediction. What finds nothing
        is kept for another try, unless this is the last.
        """
        hashes = hash_ids(entry.ids, len(entry.ids))
        if self._rows is None:
            self._unmatched(entry, hashes, np.arange(len(hashes)), is_last_try=is_last_try)
            return Matches(np.empty(0, np.int64), np.empty(0, np.bool_), {})
        positions, states = self._rows.find(hashes)
        missed = np.flatnonzero(positions < 0)
        if missed.size:
            self._unmatched(entry, hashes, missed, is_last_try=is_last_try)
        if missed.size == len(hashes):
            return Matches(np.empty(0, np.int64), np.empty(0, np.bool_), {})
        reading = read(entry.actuals)
        is_first = _first_that_says_something(positions, states, reading.verdicts)
        is_silent = (positions >= 0) & (reading.verdicts != SAYS_SOMETHING)
        # A silent label counts for its prediction only while that waits, later ones in this block
        # included: the order within a block says nothing.
        rows = np.flatnonzero(is_first | (is_silent & (states == WAITING)))
        columns = {name: column[positions[rows]] for name, column in self._rows.columns.items()}
        self._rows.columns[_ACTUAL][positions[is_first]] = reading.identities[is_first]
        self._rows.settle(positions[is_first])
        self._count(reading, positions, is_first, is_silent)
        return Matches(rows, is_first[rows], columns)

    def count_pairs(self, reading: Reading, is_gone: Mask, is_unreadable: Mask) -> None:
        """Count actuals that arrived with their predictions, each once.

        is_gone, is_unreadable: predictions without which an actual says nothing.
        """
        verdicts = np.where(is_unreadable, IS_UNREADABLE, reading.verdicts)
        verdicts = np.where(is_gone, IS_MISSING, verdicts)
        self.counts[LabelStatus.MATCHED] += int(np.count_nonzero(verdicts == SAYS_SOMETHING))
        self.counts[LabelStatus.MISSING] += int(np.count_nonzero(verdicts == IS_MISSING))
        self.counts[LabelStatus.UNREADABLE] += int(np.count_nonzero(verdicts == IS_UNREADABLE))

    def settle(self) -> None:
        """Count the labels that wait as late or unknown now, since no other drain will follow."""
        again, self._retries = self._retries, []
        for retry in again:
            self._count_unmatched(retry.made_at_ms)

    def _count(
        self, reading: Reading, positions: Positions, is_first: Mask, is_silent: Mask
    ) -> None:
        self.counts[LabelStatus.MATCHED] += int(np.count_nonzero(is_first))
        silent = reading.verdicts[is_silent]
        self.counts[LabelStatus.MISSING] += int(np.count_nonzero(silent == IS_MISSING))
        self.counts[LabelStatus.UNREADABLE] += int(np.count_nonzero(silent == IS_UNREADABLE))
        rest = np.flatnonzero((positions >= 0) & ~is_first & ~is_silent)
        if rest.size and self._rows is not None:
            earlier = self._rows.columns[_ACTUAL][positions[rest]]
            repeated = int(np.count_nonzero(earlier == reading.identities[rest]))
            self.counts[LabelStatus.DUPLICATE] += repeated
            self.counts[LabelStatus.CONTRADICTING] += rest.size - repeated

    def _unmatched(
        self, entry: LabelEntry, hashes: Hashes, rows: Positions, *, is_last_try: bool
    ) -> None:
        missed = entry.rows(rows)
        times_ms = np.fromiter(map(_made_at_ms, missed.ids), np.int64, len(rows))
        if is_last_try:
            self._count_unmatched(times_ms)
        else:
            self._retries.append(_Retry(missed, hashes[rows], times_ms))

    def _count_unmatched(self, made_at: NDArray[np.int64]) -> None:
        late = 0
        if self.evicted and self._rows is not None:
            oldest = self._rows.oldest(_PREDICTED_AT)
            is_older = made_at <= (np.inf if oldest is None else oldest * 1_000)
            late = int(np.count_nonzero((made_at >= 0) & is_older))
        self.counts[LabelStatus.LATE] += late
        self.counts[LabelStatus.UNKNOWN] += len(made_at) - late


def _texts_and_rows(ids: Sequence[Ids | None]) -> tuple[list[str], Positions]:
    """Every id there is, and the row that it names."""
    if all(type(identity) is str for identity in ids):
        return list(ids), np.arange(len(ids))  # type: ignore[arg-type]  # as has just been seen
    texts: list[str] = []
    rows: list[int] = []
    for row, identity in enumerate(ids):
        named = (identity,) if isinstance(identity, str) else identity or ()
        texts.extend(named)
        rows.extend([row] * len(named))
    return texts, np.array(rows, np.int64)


def _first_that_says_something(
    positions: Positions, states: NDArray[np.uint8], verdicts: NDArray[np.int8]
) -> Mask:
    """The first readable label of each prediction that waits."""
    is_first = np.zeros(len(positions), np.bool_)
    candidates = np.flatnonzero((states == WAITING) & (verdicts == SAYS_SOMETHING))
    _, turn = np.unique(positions[candidates], return_index=True)
    is_first[candidates[turn]] = True
    return is_first


def _made_at_ms(identity: str) -> int:
    """When an id of ours was made; -1 where it does not say."""
    if len(identity) < 32:  # a UUID has as many digits
        return -1
    if len(identity) == 36 and identity[14] == "7" and identity[8] == "-":
        try:
            return int(identity[:8] + identity[9:13], 16)
        except ValueError:
            return -1
    time_ms = made_at_ms(identity)
    return -1 if time_ms is None else time_ms
