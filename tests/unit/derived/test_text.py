"""Texts as numbers, and a vocabulary that no word can be read from."""

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
def test_words_are_runs_of_letters_folded(text: str, words: list[str]) -> None:
    """In every script, composed or not; digits, marks and underscores part them."""
    assert words_of(text) == words


def test_a_text_costs_no_more_than_its_first_characters() -> None:
    """What is behind them is not looked at for words, and no word is longer than the longest."""
    assert words_of("a " * CHARACTERS) == ["a"] * (CHARACTERS // 2)
    assert max(map(len, words_of("b" * CHARACTERS))) == WORD_CHARACTERS


@given(WORDS)
def test_a_word_of_the_reference_is_always_recognised(words: list[str]) -> None:
    """Also after its bits were saved and read."""
    vocabulary = Vocabulary.from_words(words)
    assert all(word in vocabulary for word in words)
    assert vocabulary.unknown_share(words) == 0 if words else vocabulary.false_positives == 0


@pytest.mark.parametrize("size", [1, 90, 3_000, MOST_WORDS])
def test_an_unknown_word_is_rarely_counted_as_known(size: int) -> None:
    """The rate is what the filter says, and below one in a hundred."""
    vocabulary = Vocabulary.from_words([f"known{at}" for at in range(size)])
    taken = sum(f"unknown{at}" in vocabulary for at in range(20_000))
    expected = 20_000 * vocabulary.false_positives
    assert vocabulary.false_positives < 0.01
    assert abs(taken - expected) <= 5 * np.sqrt(expected) + 1


def test_a_word_of_one_text_is_not_kept() -> None:
    """However often it stands there: it may be a name."""
    texts = ["Ada Ada wrote", "she wrote", None, 5]
    assert LEAST_TEXTS == 2
    assert frequent_words(texts) == ["wrote"]


def test_texts_become_their_length_words_and_unknown_share() -> None:
    """Missing, mistyped and wordless ones are counted; rows without a value by right are not."""
    columns = TextColumns(Vocabulary.from_words(["good", "morning"]))
    values = ["Good morning Ada", "", None, 5, ["a"], ABSENT, "x" * 9_000]
    numeric, refused = columns.read(values).numeric, columns.read(values).refused
    nan = np.nan
    np.testing.assert_array_equal(numeric[0], [16, 0, nan, nan, nan, nan, 9_000])
    np.testing.assert_array_equal(numeric[1, :2], [3, 0])
    np.testing.assert_allclose(numeric[2], [1 / 3, nan, nan, nan, nan, nan, 1])
    np.testing.assert_array_equal(refused, [[1, 0, 2], [1, 0, 2], [2, 0, 2]])


@given(st.lists(RAW, max_size=20))
def test_every_value_is_read_as_a_number_or_counted_as_refused(values: list[object]) -> None:
    """Each value of each derived field is one or the other, unless it is absent by right."""
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
    """What is no text takes no room."""
    assert [as_text(value) for value in ("a", None, [1] * 99)] == ["a", None, UNREADABLE]


def test_words_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of ever new words does not fill the memory, and the answers stay."""
    monkeypatch.setattr("mlmonitor.derived.text._WORDS_REMEMBERED", 10)
    vocabulary = Vocabulary.from_words(["a"])
    assert [f"w{at}" in vocabulary for at in range(100)] == [False] * 100
    assert "a" in vocabulary
    assert len(vocabulary._cache) <= 10
