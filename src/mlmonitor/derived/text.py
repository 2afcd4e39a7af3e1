"""Texts as numbers: their length, their number of words, and the share of unknown words."""

import base64
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from math import log

import numpy as np

from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.capture.values import UNREADABLE, Values
from mlmonitor.derived.columns import DerivedColumns
from mlmonitor.formats.reference import MOST_FILTER_BITS, TEXT_FIELDS, TextReference
from mlmonitor.records import ABSENT

CHARACTERS = 4_000
"""Characters of a text that are searched for words; its length counts all of them."""

WORD_CHARACTERS = 64
MOST_WORDS = 100_000
LEAST_TEXTS = 2
"""A word in fewer training texts is left out, because it is often a name."""

_WORD = re.compile(rf"[^\W\d_]{{1,{WORD_CHARACTERS}}}")
_BITS_A_WORD = 10
_WORDS_REMEMBERED = 16_384
_WORD_BYTES = 76 + 4 * WORD_CHARACTERS + 110  # its text, and its entry in a dict that has grown


def words_of(text: str) -> list[str]:
    """Return the words of a text: runs of Unicode letters, case-folded and composed (NFC).

    Only the first `CHARACTERS` characters are read; a run longer than `WORD_CHARACTERS` is split.
    """
    return _WORD.findall(unicodedata.normalize("NFC", text[:CHARACTERS]).casefold())


class Vocabulary:
    """The words of the reference in a Bloom filter, which does not contain the words themselves.

    Anyone with the filter can still test whether it contains a given word.

    Promise: a word of the reference is always recognised. Another word passes as known with
        probability `false_positives`, below 1% for up to 100,000 words.
    Price: 10 to 20 bits a word, 128 KiB at most; about 3 us for a word that is not cached.
    Source: Bloom 1970; Kirsch and Mitzenmacher 2006, for many hashes computed from two.
    """

    def __init__(self, bits: bytes, hashes: int) -> None:
        self._bits = bits
        self._hashes = hashes
        self._cache = _WordCache(bits, hashes)

    @classmethod
    def from_words(cls, words: Collection[str]) -> "Vocabulary":
        """Build the vocabulary of at most `MOST_WORDS` words."""
        size = min(max(1 << (_BITS_A_WORD * len(words) - 1).bit_length(), 1_024), MOST_FILTER_BITS)
        hashes = min(max(round(log(2) * size / max(len(words), 1)), 1), 16)
        bits = bytearray(size // 8)
        for word in words:
            for place in _find_places(word, hashes, size - 1):
                bits[place >> 3] |= 1 << (place & 7)
        return cls(bytes(bits), hashes)

    @classmethod
    def read(cls, entry: TextReference) -> "Vocabulary":
        """Build the vocabulary from its entry in a reference."""
        return cls(base64.b64decode(entry.bits), entry.hashes)

    @property
    def base64(self) -> str:
        """The bits of the filter, as they are saved."""
        return base64.b64encode(self._bits).decode("ascii")

    @property
    def hashes(self) -> int:
        """The number of bits that a word sets."""
        return self._hashes

    @property
    def false_positives(self) -> float:
        """The probability that an unknown word passes as known."""
        bits = np.unpackbits(np.frombuffer(self._bits, np.uint8))
        return float(bits.mean()) ** self._hashes

    @property
    def nbytes(self) -> int:
        """Maximum memory held, in bytes: the filter and the cache of words."""
        return len(self._bits) + _WORDS_REMEMBERED * _WORD_BYTES

    def __contains__(self, word: str) -> bool:
        return self._cache[word]

    def unknown_share(self, words: Sequence[str]) -> float:
        """Return the share of unknown words among `words`."""
        return 1 - sum(map(self._cache.__getitem__, words)) / len(words)


class _WordCache(dict[str, bool]):
    """Caches whether the vocabulary contains each of the most recent words."""

    def __init__(self, bits: bytes, hashes: int) -> None:
        super().__init__()
        self._bits, self._hashes, self._mask = bits, hashes, 8 * len(bits) - 1

    def __missing__(self, word: str) -> bool:
        if len(self) >= _WORDS_REMEMBERED:
            self.clear()
        places = _find_places(word, self._hashes, self._mask)
        is_known = self[word] = all(self._bits[place >> 3] >> (place & 7) & 1 for place in places)
        return is_known


def _find_places(word: str, hashes: int, mask: int) -> Iterable[int]:
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
    return ((first + number * step) & mask for number in range(hashes))


def frequent_words(texts: Iterable[object]) -> list[str]:
    """Return up to `MOST_WORDS` of the most frequent words in at least `LEAST_TEXTS` texts."""
    text_counts: Counter[str] = Counter()
    for text in texts:
        if isinstance(text, str):
            text_counts.update(set(words_of(text)))
    ranked = [(-count, word) for word, count in text_counts.items() if count >= LEAST_TEXTS]
    return [word for _, word in sorted(ranked)[:MOST_WORDS]]


class TextColumns:
    """Converts texts to three numeric columns.

    The share of unknown words is missing for a text without words.
    Price: about 0.2 us a word, for at most `CHARACTERS` characters a text.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @property
    def nbytes(self) -> int:
        """Maximum memory held, in bytes."""
        return self._vocabulary.nbytes

    def read(self, values: Values) -> DerivedColumns:
        """Return `[length, words, unknown_words]`, with one column per row."""
        numeric = np.full((len(TEXT_FIELDS), len(values)), np.nan)
        reasons = np.zeros(numeric.shape, np.int8)
        for row, value in enumerate(values):
            if isinstance(value, str):
                words = words_of(value)
                numeric[0, row], numeric[1, row] = len(value), len(words)
                if words:
                    numeric[2, row] = self._vocabulary.unknown_share(words)
                else:
                    reasons[2, row] = RefusalReason.MISSING
            elif value is not ABSENT:
                reasons[:, row] = (
                    RefusalReason.MISSING if _is_missing(value) else RefusalReason.WRONG_TYPE
                )
        return DerivedColumns(numeric, reasons)


def as_text(value: object) -> object:
    """Return a text, None for a missing value, or UNREADABLE for any other value."""
    if isinstance(value, str):
        return value
    return None if _is_missing(value) else UNREADABLE


def _is_missing(value: object) -> bool:
    try:
        return is_missing(value)
    except Exception:  # noqa: BLE001 - a value that raises when it is inspected is not a text
        return False
