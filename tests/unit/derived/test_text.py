"""Texts become numbers, and no word can be read from a vocabulary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.capture.values import UNREADABLE
from mlmonitor.derived.text import (
    CHARACTERS,
    LEAST_TEXTS,
    MOST_WORDS,
    WORD_CHARACTERS,
    TextColumns,
    Vocabulary,
    as_text,
    frequent_words,
    words_of,
)
from mlmonitor.records import ABSENT
from support.strategies import RAW

WORDS = st.lists(st.text(max_size=6), max_size=50)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Die Straße, the STREET!", ["die", "strasse", "the", "street"]),
        ("don't", ["don", "t"]),
        ("a_b2c", ["a", "b", "c"]),
        ("cafe\u0301 caf\xe9", ["caf\xe9", "caf\xe9"]),
        ("привет мир", ["привет", "мир"]),
        ("42 -- \n", []),
        ("\ud800 x", ["x"]),
    ],
)
def test_words_are_runs_of_case_folded_letters(text: str, words: list[str]) -> None:
    """In every script, digits, punctuation and underscores separate words."""
    assert words_of(text) == words


def test_only_the_first_characters_of_a_text_are_split_into_words() -> None:
    """The length of a word is limited as well."""
    assert words_of("a " * CHARACTERS) == ["a"] * (CHARACTERS // 2)
    assert max(map(len, words_of("b" * CHARACTERS))) == WORD_CHARACTERS


@given(WORDS)
def test_a_word_of_the_reference_is_always_recognised(words: list[str]) -> None:
    """The vocabulary is also saved and read back."""
    vocabulary = Vocabulary.from_words(words)
    assert all(word in vocabulary for word in words)
    assert vocabulary.unknown_share(words) == 0 if words else vocabulary.false_positives == 0


@pytest.mark.parametrize("size", [1, 90, 3_000, MOST_WORDS])
def test_an_unknown_word_is_rarely_counted_as_known(size: int) -> None:
    """The rate is as computed from the filter, and below one in a hundred."""
    vocabulary = Vocabulary.from_words([f"known{at}" for at in range(size)])
    taken = sum(f"unknown{at}" in vocabulary for at in range(20_000))
    expected = 20_000 * vocabulary.false_positives
    assert vocabulary.false_positives < 0.01
    assert abs(taken - expected) <= 5 * np.sqrt(expected) + 1


def test_a_word_that_occurs_in_one_text_only_is_not_stored() -> None:
    """However often it occurs there, it may be a name."""
    texts = ["Ada Ada wrote", "she wrote", None, 5]
    assert LEAST_TEXTS == 2
    assert frequent_words(texts) == ["wrote"]


def test_texts_become_a_length_a_number_of_words_and_a_share_of_unknown_words() -> None:
    """Missing, mistyped and wordless texts are counted, and absent rows are not."""
    columns = TextColumns(Vocabulary.from_words(["good", "morning"]))
    values = ["Good morning Ada", "", None, 5, ["a"], ABSENT, "x" * 9_000]
    numeric, refused = columns.read(values).numeric, columns.read(values).refused
    nan = np.nan
    np.testing.assert_array_equal(numeric[0], [16, 0, nan, nan, nan, nan, 9_000])
    np.testing.assert_array_equal(numeric[1, :2], [3, 0])
    np.testing.assert_allclose(numeric[2], [1 / 3, nan, nan, nan, nan, nan, 1])
    np.testing.assert_array_equal(refused, [[1, 0, 2], [1, 0, 2], [2, 0, 2]])


@given(st.lists(RAW, max_size=20))
def test_every_text_is_read_as_numbers_or_counted(values: list[object]) -> None:
    """Absent values are not counted."""
    read = TextColumns(Vocabulary.from_words(["a"])).read(values)
    numeric, refused = read.numeric, read.refused
    present = sum(value is not ABSENT for value in values)
    assert (np.isfinite(numeric).sum(axis=1) + refused.sum(axis=1) == present).all()
    again = TextColumns(Vocabulary.from_words(["a"])).read(
        [value if value is ABSENT else as_text(value) for value in values]
    )
    np.testing.assert_array_equal(numeric, again.numeric)
    np.testing.assert_array_equal(refused, again.refused)


def test_values_other_than_texts_are_missing_or_unreadable() -> None:
    """They are not kept in memory."""
    assert [as_text(value) for value in ("a", None, [1] * 99)] == ["a", None, UNREADABLE]


def test_the_cache_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of new words does not fill it, and answers stay right."""
    monkeypatch.setattr("mlmonitor.derived.text._WORDS_REMEMBERED", 10)
    vocabulary = Vocabulary.from_words(["a"])
    assert [f"w{at}" in vocabulary for at in range(100)] == [False] * 100
    assert "a" in vocabulary
    assert len(vocabulary._cache) <= 10
