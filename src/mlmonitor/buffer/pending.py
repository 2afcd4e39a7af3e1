"""Predictions that wait for their label, and the labels that find them."""

import hashlib
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from mlmonitor.capture.entry import Ids
from mlmonitor.capture.form import PLAIN_TYPES
from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.prediction_ids import made_at_ms
from mlmonitor.capture.values import UNREADABLE, is_missing

_ID_CHARACTERS = 64
_TEXT_CHARACTERS = 200
_ENTRY_BYTES = 220  # of an ordered dictionary's entry when it has just grown, its contents aside
_LARGEST_BYTES = 2_000  # of any one id and prediction: there is always room for one
_LARGEST_BITS = 1_024  # a float holds no larger integer
_TEXTS = (str, bytes)
_NUMBERS = PLAIN_TYPES.difference(_TEXTS)


class LabelStatus(StrEnum):
    """What became of one label.

    A missing or an unreadable one found its prediction, which goes on waiting for another.
    """

    MATCHED = "matched"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    LATE = "late"
    UNKNOWN = "unknown"


Judge = Callable[[object], LabelStatus]
"""Whether an actual says something: `MATCHED`, `MISSING` or `UNREADABLE`."""


def missing_or_not(actual: object) -> LabelStatus:
    """All that can be said of an actual before it is known what they are."""
    return LabelStatus.MISSING if is_missing(actual) else LabelStatus.MATCHED


class Match(NamedTuple):
    """A prediction, the truth about it, and the code of its segment, if that was known."""

    predicted: object
    actual: object
    segment: int | None = None


class _Marked(NamedTuple):
    """A prediction in waiting that belongs to a segment."""

    value: object
    segment: int


class Pending:
    """The newest predictions whose id somebody asked for; older ones make room.

    A label that finds nothing is tried once more after the next drain, since its prediction may
    still have been on its way; then it is late, if its id shows that it was made before the oldest
    one remembered, or else unknown.

    Price: `memory_bytes`. At most `limit` ids are kept, and fewer where they and their predictions
        take more than `BYTES_EACH` bytes on average: numbers and names of up to 64 characters take
        less. A longer id is kept as a hash, a text of more than 200 characters is cut if it is a
        prediction; what is neither a number nor a text is not kept. With segments, each id takes
        `MARK_BYTES` more.
    """

    BYTES_EACH = 400
    MARK_BYTES = 80

    __slots__ = (
        "_bytes_each",
        "_held_bytes",
        "_limit",
        "_predictions",
        "_retry",
        "counts",
        "evicted",
    )

    def __init__(self, limit: int, *, has_segments: bool = False) -> None:
        self._limit = limit
        self._bytes_each = self.BYTES_EACH + self.MARK_BYTES * has_segments
        self._predictions: OrderedDict[str, object] = OrderedDict()
        self._held_bytes = 0
        self._retry: list[tuple[str, object]] = []
        self.evicted: int = 0
        self.counts: dict[LabelStatus, int] = dict.fromkeys(LabelStatus, 0)

    def __len__(self) -> int:
        return len(self._predictions)

    @property
    def memory_bytes(self) -> int:
        """What the waiting predictions may hold at most."""
        return max(self._limit * self._bytes_each, _LARGEST_BYTES) if self._limit else 0

    @property
    def waiting(self) -> int:
        """How many labels wait for their second try, counted nowhere yet."""
        return len(self._retry)

    def remember(
        self,
        ids: Sequence[Ids | None],
        predicted: Sequence[object],
        segments: Sequence[int] | None = None,
    ) -> None:
        """Keep the prediction of each id; an id met again stands for its newest prediction.

        A prediction of two ids is kept under both: nobody knows by which it will be asked for.
        segments: the code of each row's segment, where there are segments.
        """
        for row, (called, value) in enumerate(zip(ids, predicted, strict=True)):
            if called is None or self._limit == 0:
                continue
            kept = value if type(value) in _NUMBERS else _short(value)
            if type(kept) is int and kept.bit_length() > _LARGEST_BITS:
                kept = math.inf if kept > 0 else -math.inf
            if segments is not None:
                kept = _Marked(kept, segments[row])
            for identity in (called,) if isinstance(called, str) else called:
                self._keep(_key(identity), kept)

    def _keep(self, key: str, value: object) -> None:
        if key in self._predictions:
            self._forget(key)
        self._predictions[key] = value
        self._held_bytes += _cost(key, value)
        while len(self._predictions) > self._limit or self._held_bytes > self.memory_bytes:
            self._forget(next(iter(self._predictions)))
            self.evicted += 1

    def _forget(self, key: str) -> object:
        value = self._predictions.pop(key)
        self._held_bytes -= _cost(key, value)
        return value

    def __contains__(self, identity: str) -> bool:
        return _key(identity) in self._predictions

    def match(
        self, labels: Sequence[tuple[str, object]], judge: Judge = missing_or_not
    ) -> list[Match]:
        """The predictions that `labels`, `(id, actual)`, and those left over belong to.

        Only an actual that says something, by `judge`, ends the waiting of its prediction.
        """
        again, self._retry = self._retry, []
        matches = self._found(again, judge, is_last_try=True)
        keyed = [(_key(identity), actual) for identity, actual in labels]
        matches += self._found(keyed, judge, is_last_try=False)
        return matches

    def settle(self) -> None:
        """Count the labels that wait as late or unknown now, since there is no drain to come."""
        again, self._retry = self._retry, []
        for identity, _ in again:
            self.counts[self._unmatched(identity)] += 1

    def _found(
        self, labels: Sequence[tuple[str, object]], judge: Judge, *, is_last_try: bool
    ) -> list[Match]:
        matches = []
        for identity, actual in labels:
            if identity in self._predictions:
                status = judge(actual)
                is_end = status is LabelStatus.MATCHED
                found = self._forget(identity) if is_end else self._predictions[identity]
                matches.append(
                    Match(found.value, actual, found.segment)
                    if type(found) is _Marked
                    else Match(found, actual)
                )
                self.counts[status] += 1
            elif is_last_try:
                self.counts[self._unmatched(identity)] += 1
            else:
                self._retry.append((identity, actual))
        return matches

    def _unmatched(self, identity: str) -> LabelStatus:
        made = made_at_ms(identity)
        if made is None or self.evicted == 0:
            return LabelStatus.UNKNOWN
        oldest = made_at_ms(next(iter(self._predictions), ""))
        return LabelStatus.LATE if oldest is None or made <= oldest else LabelStatus.UNKNOWN


def _key(identity: str) -> str:
    """What an id is kept under; the mark keeps a hash from being read as an id of ours."""
    return identity if len(identity) <= _ID_CHARACTERS else f"#{_hash(identity)}"


def _cost(key: str, value: object) -> int:
    held = _ENTRY_BYTES + sys.getsizeof(key)
    if type(value) is _Marked:
        return held + sys.getsizeof(value.value) + Pending.MARK_BYTES
    return held + sys.getsizeof(value)


def _short(value: object) -> object:
    """`value` where it is small, the beginning and a hash of a long text, else nothing of it."""
    if isinstance(value, str):
        text = str(value)
        is_short = len(text) <= _TEXT_CHARACTERS
        return text if is_short else f"{text[:_TEXT_CHARACTERS]}#{_hash(text)}"
    return value if is_value(type(value)) and not isinstance(value, _TEXTS) else UNREADABLE


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
