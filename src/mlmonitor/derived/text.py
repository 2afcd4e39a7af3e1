"""Texts as numbers: how long they are, of how many words, and how many of these are new."""

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
"""A word of fewer training texts is left out: it is a name more often than language."""

_WORD = re.compile(rf"[^\W\d_]{{1,{WORD_CHARACTERS}}}")
_BITS_A_WORD = 10
_WORDS_REMEMBERED = 16_384
_WORD_BYTES = 76 + 4 * WORD_CHARACTERS + 110  # its text, and its place in a dict that grows


def words_of(text: str) -> list[str]:
    """The words of a text: runs of Unicode letters, case-folded, composed (NFC).

    Of the first `CHARACTERS` characters; a run longer than `WORD_CHARACTERS` is several words.
    """
    return _WORD.findall(unicodedata.normalize("NFC", text[:CHARACTERS]).casefold())


class Vocabulary:
    """The words that the reference knows: a Bloom filter, from which no word can be read.

    Anyone who holds it can still test a word of their own, and be right but for
    `false_positives`.

    Promise: a known word is always known; an unknown one is taken for known with a chance of
        `false_positives`, below 1 % for up to 100,000 words.
    Price: 10 to 20 bits a word, 128 KiB at most; about 3 us for a word not met lately.
    Source: Bloom 1970; two hashes stand for many after Kirsch and Mitzenmacher 2006.
    """

    def __init__(self, bits: bytes, hashes: int) -> None:
        self._bits = bits
        self._hashes = hashes
        self._met = _Met(bits, hashes)

    @classmethod
    def from_words(cls, words: Collection[str]) -> "Vocabulary":
        """The vocabulary of some words, `MOST_WORDS` at most."""
        size = min(max(1 << (_BITS_A_WORD * len(words) - 1).bit_length(), 1_024), MOST_FILTER_BITS)
        hashes = min(max(round(log(2) * size / max(len(words), 1)), 1), 16)
        bits = bytearray(size // 8)
        for word in words:
            for at in _places(word, hashes, size - 1):
                bits[at >> 3] |= 1 << (at & 7)
        return cls(bytes(bits), hashes)

    @classmethod
    def read(cls, entry: TextReference) -> "Vocabulary":
        """As it stands in a reference."""
        return cls(base64.b64decode(entry.bits), entry.hashes)

    @property
    def base64(self) -> str:
        """The bits as they are saved."""
        return base64.b64encode(self._bits).decode("ascii")

    @property
    def hashes(self) -> int:
        """How many bits a word sets."""
        return self._hashes

    @property
    def false_positives(self) -> float:
        """The chance that an unknown word is taken for a known one."""
        held = np.unpackbits(np.frombuffer(self._bits, np.uint8))
        return float(held.mean()) ** self._hashes

    @property
    def nbytes(self) -> int:
        """What it holds at most: the filter, and the words met lately."""
        return len(self._bits) + _WORDS_REMEMBERED * _WORD_BYTES

    def __contains__(self, word: str) -> bool:
        return self._met[word]

    def unknown_share(self, words: Sequence[str]) -> float:
        """Which share of `words` is not known."""
        return 1 - sum(map(self._met.__getitem__, words)) / len(words)


class _Met(dict[str, bool]):
    """Whether each word met lately is known; a new one is looked up once."""

    def __init__(self, bits: bytes, hashes: int) -> None:
        super().__init__()
        self._bits, self._hashes, self._mask = bits, hashes, 8 * len(bits) - 1

    def __missing__(self, word: str) -> bool:
        if len(self) >= _WORDS_REMEMBERED:
            self.clear()
        places = _places(word, self._hashes, self._mask)
        known = self[word] = all(self._bits[at >> 3] >> (at & 7) & 1 for at in places)
        return known


def _places(word: str, hashes: int, mask: int) -> Iterable[int]:
    digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
    return ((first + at * step) & mask for at in range(hashes))


def frequent_words(texts: Iterable[object]) -> list[str]:
    """The words of at least `LEAST_TEXTS` of the texts, the `MOST_WORDS` most frequent of them."""
    found: Counter[str] = Counter()
    for text in texts:
        if isinstance(text, str):
            found.update(set(words_of(text)))
    ranked = [(-count, word) for word, count in found.items() if count >= LEAST_TEXTS]
    return [word for _, word in sorted(ranked)[:MOST_WORDS]]


class TextColumns:
    """Texts become three columns of numbers.

    A text without words has no share of unknown ones: it is missing there.
    Price: about 0.2 us a word, `CHARACTERS` characters a text at most.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @property
    def nbytes(self) -> int:
        """What it holds at most."""
        return self._vocabulary.nbytes

    def read(self, values: Values) -> DerivedColumns:
        """`[length, words, unknown_words]` by rows."""
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
    """What a sample keeps of a value: a text, None where it is missing, else UNREADABLE."""
    if isinstance(value, str):
        return value
    return None if _is_missing(value) else UNREADABLE


def _is_missing(value: object) -> bool:
    try:
        return is_missing(value)
    except Exception:  # noqa: BLE001 - a value that raises when it is looked at is no text
        return False
