"""The word lists: their format, and that they do not contradict each other."""

import pytest

from pipeline.nouns.lemmas import singular
from pipeline.nouns.lexicon import lexicon, parse
from pipeline.world.vocabulary import NOUNS


def test_format():
    text = "# note\n\n[one] what it is\na, b c,\nd\n[two] more\nx = y z, w"
    assert parse(text, "f") == {
        "one": {"a": "a", "b c": "b c", "d": "d"},
        "two": {"x": "y z", "w": "w"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a, b", "f: 'a, b' stands before the first"),
        ("[s] x\na\n[s] y\nb", r"section \[s\] stands twice"),
        ("[s] x\nDog", "'Dog' is not lower case"),
        ("[s] x\na =", "'a =' lacks one side"),
        ("[s] x\n= b", "'= b' lacks one side"),
    ],
)
def test_faults_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text, "f")


def test_entries_are_lemmas_where_lemmas_are_looked_up():
    lists = lexicon()
    assert [noun for noun in lists.sure_nouns if singular(noun) != noun] == []
    for words, name in lists.multi_word.items():
        phrase = " ".join(words)
        assert singular(phrase) == phrase or name != phrase


def test_names_of_phrases_are_their_own_singular():
    assert [name for name in lexicon().multi_word.values() if singular(name) != name] == []


def test_no_word_is_both_certain_and_dropped():
    lists = lexicon()
    assert lists.sure_nouns & lists.not_nouns == set()
    assert lists.sure_nouns & lists.stop.keys() == set()
    assert set(lists.multi_word.values()) & lists.not_nouns == set()


def test_no_noun_of_the_world_is_dropped():
    lists = lexicon()
    for noun in NOUNS:
        assert noun not in lists.stop and noun not in lists.not_nouns, noun
        assert singular(noun) == noun
        if " " in noun:
            assert lists.multi_word[tuple(noun.split())] == noun


def test_stopped_phrases_are_kept_together():
    lists = lexicon()
    for entry in lists.stop:
        if " " in entry:
            assert lists.multi_word[tuple(entry.split())] == entry
