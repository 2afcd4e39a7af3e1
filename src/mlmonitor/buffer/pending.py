"""Predictions that wait for their labels, and the matching of labels with them."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.buffer.id_index import Hashes, Positions, hash_ids, list_texts_and_rows
from mlmonitor.buffer.waiting_rows import LABELLED, WAITING, Column, WaitingRows
from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.entry import Ids
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.prediction_ids import read_made_at_ms
from mlmonitor.capture.values import Values
from mlmonitor.records import Floats, Mask

BLOCK_LABELS = 16_384
"""The number of labels that are read and matched at once."""

_ACTUAL, _PREDICTED_AT = "actual", "predicted_at"


class LabelStatus(StrEnum):
    """The outcome of one label.

    A missing or unreadable label has a prediction, which waits for another label. A duplicate
    equals an earlier label and a contradicting one differs; the first label counts. A late label
    arrived after its prediction was evicted, according to the time in its id.
    """

    MATCHED = "matched"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"
    CONTRADICTING = "contradicting"
    LATE = "late"
    UNKNOWN = "unknown"


class Reading(NamedTuple):
    """What was read from a column of actuals, with one entry per label.

    verdicts: 0 for a readable actual, 1 for a missing one, 2 for an unreadable one.
    identities: 64 bits, equal for equal actuals.
    """

    verdicts: NDArray[np.int8]
    identities: NDArray[np.int64]


SAYS_SOMETHING, IS_MISSING, IS_UNREADABLE = range(3)

_STATUSES = LabelStatus.MATCHED, LabelStatus.MISSING, LabelStatus.UNREADABLE  # by verdict

Read = Callable[[Values], Reading]
"""Reads a column of actuals."""


def missing_or_not(actuals: Values) -> Reading:
    """Read only which actuals are missing, because their kind is not known yet."""
    is_gone = np.fromiter(map(is_missing, actuals), np.bool_, len(actuals))
    return Reading(is_gone.astype(np.int8), np.zeros(len(actuals), np.int64))


class Matches(NamedTuple):
    """Labels whose prediction waits, and the values stored for these predictions.

    rows: the index of each label. is_read: whether the label settles its prediction.
    """

    rows: Positions
    is_read: Mask
    columns: Mapping[str, Column]


class Recalled(NamedTuple):
    """Stored predictions. rows: the index of each prediction's id among the requested ids."""

    rows: Positions
    is_labelled: Mask
    columns: Mapping[str, Column]


class _Retry(NamedTuple):
    """Labels without a prediction so far, and the creation time in each id, -1 if it has none."""

    entry: LabelEntry
    hashes: Hashes
    made_at_ms: NDArray[np.int64]


class Pending:
    """The newest predictions whose id was read; the oldest are evicted.

    A label without a prediction is tried again after the next drain, because its prediction may
    still be in the queue. If this fails, the label counts as late if its id is older than the
    oldest waiting prediction, and otherwise as unknown.

    columns: name to dtype of the values stored for each prediction.
    max_age_seconds: older predictions are evicted.
    Price: `memory_bytes`: arrays of the hash of each id and the numbers of each prediction.
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
        """Store further columns; once a prediction is stored, do nothing."""
        if self._rows is None:
            self._columns.update(columns)

    def __len__(self) -> int:
        return 0 if self._rows is None else self._rows.waiting

    @property
    def memory_bytes(self) -> int:
        """Upper bound in bytes of the waiting predictions."""
        return WaitingRows.nbytes_of(self._limit, self._columns) if self._limit else 0

    @property
    def waiting(self) -> int:
        """The number of labels that wait for their second try and are not counted yet."""
        return sum(len(retry.hashes) for retry in self._retries)

    def remember(
        self, ids: Sequence[Ids | None], columns: Mapping[str, Column], predicted_at: Floats
    ) -> None:
        """Store the prediction of each id; a repeated id refers to its newest prediction.

        A prediction with two ids is stored under both, because a label may use either.
        predicted_at: when each was made, in seconds since 1970.
        """
        if self._limit == 0:
            return
        texts, rows = list_texts_and_rows(ids)
        if not texts:
            return
        hashes = hash_ids(texts, len(texts))
        _, newest = np.unique(hashes[::-1], return_index=True)
        kept = np.sort(len(hashes) - 1 - newest)
        chosen = {n: column[rows[kept]] for n, column in columns.items() if n in self._columns}
        chosen[_PREDICTED_AT] = predicted_at[rows[kept]]
        if self._rows is None:
            self._rows = WaitingRows(self._limit, self._columns)
        self.evicted += self._rows.append(hashes[kept], chosen)

    def expire(self, *, now: float) -> None:
        """Evict predictions that have waited for longer than `max_age_seconds`."""
        if self._max_age_seconds is not None and self._rows is not None:
            self.evicted += self._rows.evict_before(_PREDICTED_AT, now - self._max_age_seconds)

    def __contains__(self, identity: str) -> bool:
        return bool(self.find([identity])[0])

    def find(self, identities: Sequence[str]) -> Mask:
        """Mark the ids that have a prediction, labelled or not."""
        if self._rows is None:
            return np.zeros(len(identities), np.bool_)
        return self._rows.find(hash_ids(identities, len(identities)))[0] >= 0

    def recall(self, identities: Sequence[str]) -> Recalled:
        """Return the stored predictions of these ids."""
        if self._rows is None:
            return Recalled(np.empty(0, np.int64), np.empty(0, np.bool_), {})
        positions, states = self._rows.find(hash_ids(identities, len(identities)))
        rows = np.flatnonzero(positions >= 0)
        columns = {name: column[positions[rows]] for name, column in self._rows.columns.items()}
        return Recalled(rows, states[rows] == LABELLED, columns)

    def amend(self, identities: Sequence[str], columns: Mapping[str, Column]) -> None:
        """Replace values of stored predictions; every id must have a prediction."""
        if self._rows is not None and identities:
            positions, _ = self._rows.find(hash_ids(identities, len(identities)))
            for name, column in columns.items():
                self._rows.columns[name][positions] = column

    def due(self, entries: Sequence[LabelEntry]) -> list[tuple[LabelEntry, bool]]:
        """Return blocks of labels to match now, each with whether this is their last try."""
        again, self._retries = self._retries, []
        parts = [(retry.entry, True) for retry in again]
        parts += [(entry, False) for entry in entries]
        return [(block, last) for entry, last in parts for block in entry.blocks(BLOCK_LABELS)]

    def match(
        self, entry: LabelEntry, read: Read = missing_or_not, *, is_last_try: bool = False
    ) -> Matches:
        """Match labels with the predictions that wait for them.

        Only a readable actual settles its prediction. A label without a prediction waits for
        another try, unless this is the last one.
        """
        hashes = hash_ids(entry.ids, len(entry.ids))
        if self._rows is None:
            self._collect_unmatched(entry, hashes, np.arange(len(hashes)), is_last_try=is_last_try)
            return Matches(np.empty(0, np.int64), np.empty(0, np.bool_), {})
        positions, states = self._rows.find(hashes)
        missed = np.flatnonzero(positions < 0)
        if missed.size:
            self._collect_unmatched(entry, hashes, missed, is_last_try=is_last_try)
        if missed.size == len(hashes):
            return Matches(np.empty(0, np.int64), np.empty(0, np.bool_), {})
        reading = read(entry.actuals)
        is_first = _mark_first_readable(positions, states, reading.verdicts)
        is_silent = (positions >= 0) & (reading.verdicts != SAYS_SOMETHING)
        # A missing or unreadable label counts only while its prediction waits, even after a
        # readable one in this block: the order within a block has no meaning.
        rows = np.flatnonzero(is_first | (is_silent & (states == WAITING)))
        columns = {name: column[positions[rows]] for name, column in self._rows.columns.items()}
        self._rows.columns[_ACTUAL][positions[is_first]] = reading.identities[is_first]
        self._rows.settle(positions[is_first])
        self._count(reading, positions, is_first, is_silent)
        return Matches(rows, is_first[rows], columns)

    def discard_evicted(self, entry: LabelEntry) -> LabelEntry:
        """Count the labels without a prediction; return the others, whose prediction waits."""
        has_prediction = self.find(entry.ids)
        missed = entry.rows(np.flatnonzero(~has_prediction))
        self._count_unmatched(
            np.fromiter(map(read_made_at_ms, missed.ids), np.int64, len(missed.ids))
        )
        return entry.rows(np.flatnonzero(has_prediction))

    def count_pairs(self, reading: Reading, is_gone: Mask, is_unreadable: Mask) -> None:
        """Count actuals that arrived together with their predictions, by outcome.

        is_gone, is_unreadable: which predictions, and therefore pairs, are missing or unreadable.
        """
        verdicts = np.where(is_unreadable, IS_UNREADABLE, reading.verdicts)
        verdicts = np.where(is_gone, IS_MISSING, verdicts)
        self.recount(np.empty(0, np.int8), verdicts)

    def recount(self, before: NDArray[np.int8], after: NDArray[np.int8]) -> None:
        """Update the counts of pairs whose verdicts change from `before` to `after`."""
        for verdict, status in enumerate(_STATUSES):
            difference = np.count_nonzero(after == verdict) - np.count_nonzero(before == verdict)
            self.counts[status] += int(difference)

    def settle(self) -> None:
        """Count the waiting labels as late or unknown, because no other drain will follow."""
        again, self._retries = self._retries, []
        for retry in again:
            self._count_unmatched(retry.made_at_ms)

    def _count(
        self, reading: Reading, positions: Positions, is_first: Mask, is_silent: Mask
    ) -> None:
        self.counts[LabelStatus.MATCHED] += int(np.count_nonzero(is_first))
        self.recount(np.empty(0, np.int8), reading.verdicts[is_silent])
        rest = np.flatnonzero((positions >= 0) & ~is_first & ~is_silent)
        if rest.size and self._rows is not None:
            earlier = self._rows.columns[_ACTUAL][positions[rest]]
            repeated = int(np.count_nonzero(earlier == reading.identities[rest]))
            self.counts[LabelStatus.DUPLICATE] += repeated
            self.counts[LabelStatus.CONTRADICTING] += rest.size - repeated

    def _collect_unmatched(
        self, entry: LabelEntry, hashes: Hashes, rows: Positions, *, is_last_try: bool
    ) -> None:
        missed = entry.rows(rows)
        times_ms = np.fromiter(map(read_made_at_ms, missed.ids), np.int64, len(rows))
        if is_last_try:
            self._count_unmatched(times_ms)
        else:
            self._retries.append(_Retry(missed, hashes[rows], times_ms))

    def mark_late(self, made_at: NDArray[np.int64]) -> Mask:
        """Mark creation times, in Unix milliseconds, that precede the oldest waiting prediction."""
        if not self.evicted or self._rows is None:
            return np.zeros(len(made_at), np.bool_)
        oldest = self._rows.oldest(_PREDICTED_AT)
        return (made_at >= 0) & (made_at <= (np.inf if oldest is None else oldest * 1_000))

    def _count_unmatched(self, made_at: NDArray[np.int64]) -> None:
        late = int(np.count_nonzero(self.mark_late(made_at)))
        self.counts[LabelStatus.LATE] += late
        self.counts[LabelStatus.UNKNOWN] += len(made_at) - late


def _mark_first_readable(
    positions: Positions, states: NDArray[np.uint8], verdicts: NDArray[np.int8]
) -> Mask:
    """Mark the first readable label of each prediction that waits."""
    is_first = np.zeros(len(positions), np.bool_)
    candidates = np.flatnonzero((states == WAITING) & (verdicts == SAYS_SOMETHING))
    _, turn = np.unique(positions[candidates], return_index=True)
    is_first[candidates[turn]] = True
    return is_first
