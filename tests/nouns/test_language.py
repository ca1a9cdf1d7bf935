"""A caption is in another language by its grammar's words, against twice those of English."""

from dataclasses import replace

import pytest

from pipeline.nouns.language import is_foreign, is_latin
from pipeline.nouns.lexicon import lexicon

LEXICON = replace(
    lexicon(), english=frozenset({"a", "the", "that"}), foreign=frozenset({"der", "und", "de"})
)


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("", False),
        ("der Hund", False),  # one word is too few
        ("der Hund und Katze", True),
        ("Der Hund und Katze", True),  # a capital at the front
        ("Hund Der Katze Und", False),  # names
        ("the Hund der und Katze", False),  # 2 of 1 x 2
        ("the Hund der und de Katze", True),  # 3
        ("the Hund der und Tür", True),  # 2, and accents for one more
        ("The Hund der und de Katze", True),  # English counts with any capital
        ("The Hund der und Katze", False),
        ("кошка на диване", True),
        ("a cat кошка", False),
        ("a cat кошка на", False),
        ("a cat кошка на диване", True),  # letters without accents: 3 of 1 x 2
    ],
)
def test_two_words_and_more_than_twice_as_many_as_of_english(text, foreign):
    assert is_foreign(text.split(), LEXICON) is foreign


@pytest.mark.parametrize("word", ["dog", "jalapeño", "Žižek", "man’s", "7-up", ""])
def test_letters_that_english_has_borrowed(word):
    assert is_latin(word)


@pytest.mark.parametrize("word", ["кошка", "猫", "ghế", "caféκ", "قطة"])
def test_other_letters(word):
    assert not is_latin(word)
