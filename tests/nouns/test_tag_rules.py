"""An example of every pattern that the tagger misreads, and its counter-example."""

import pytest

from pipeline.nouns.lexicon import lexicon
from pipeline.nouns.tag_rules import is_noun, is_proper_name, misread


def reason(tagged: str, word: str) -> str | None:
    """Of "a/DT cat/NN" text; looks at the first such word."""
    words, tags = zip(*(pair.rsplit("/", 1) for pair in tagged.split()), strict=True)
    return misread(list(words), list(tags), words.index(word), lexicon())


@pytest.mark.parametrize(
    ("tagged", "word", "expected"),
    [
        ("a/DT cat/NN sits/NN on/IN", "sits", "not a noun"),
        ("a/DT snowy/NN hill/NN", "snowy", "not a noun"),
        ("a/DT snowy/NN hill/NN", "hill", None),
        ("people/NNS skateboarding/NN", "skateboarding", "verb"),
        ("a/DT tall/JJ building/NN", "building", None),
        ("gold/NN earrings/NNS", "earrings", None),
        # colours
        ("an/DT orange/NN cat/NN", "orange", "colour"),
        ("an/DT orange/NN and/CC white/JJ cat/NN", "orange", "colour"),
        ("dressed/VBN in/IN orange/NN", "orange", "colour"),
        ("an/DT orange/NN on/IN a/DT plate/NN", "orange", None),
        ("an/DT orange/NN and/CC an/DT apple/NN", "orange", None),
        ("an/DT orange/NN", "orange", None),
        ("two/CD oranges/NNS", "oranges", None),
        ("in/IN blue/NN", "blue", "colour"),
        ("a/DT cream/NN colored/VBN wall/NN", "cream", "colour"),
        ("a/DT cream/NN cake/NN", "cream", None),
        ("the/DT umbrellas/NNS colored/VBN", "umbrellas", None),
        # a noun that describes the next one
        ("a/DT male/NN tennis/NN player/NN", "male", "describes the next noun"),
        ("a/DT baby/NN brown/JJ bear/NN", "baby", "describes the next noun"),
        ("a/DT baby/NN on/IN a/DT bed/NN", "baby", None),
        ("a/DT male/NN", "male", None),
        # verbs after their subject
        ("a/DT plane/NN flies/NNS over/IN", "flies", "verb"),
        ("four/CD zebra/NN stand/NN near/IN", "stand", "verb"),
        ("sitting/VBG in/IN the/DT stands/NNS watching/VBG", "stands", None),
        ("people/NNS board/NN a/DT bus/NN", "board", "verb"),
        ("waiting/VBG to/TO board/NN", "board", "verb"),
        ("a/DT man/NN rides/NNS his/PRP$ board/NN", "board", None),
        ("the/DT dogs/NNS that/WDT surf/NN", "surf", "verb"),
        # seldom verbs: an object must follow
        ("tables/NNS line/NN the/DT street/NN", "line", "verb"),
        ("a/DT room/NN houses/NNS a/DT bed/NN", "houses", "verb"),
        ("several/JJ city/NN houses/NNS on/IN a/DT hill/NN", "houses", None),
        ("street/NN signs/NNS on/IN a/DT pole/NN", "signs", None),
        ("city/NN signs/NNS the/DT", "signs", "verb"),
        ("fruits/NNS plate/NN on/IN", "plate", None),
        # contractions
        ("three/CD o'clock/NN", "o'clock", "contraction"),
        ("y'all/NN eat/VB pizza/NN", "y'all", "contraction"),
        ("a/DT dog/NN runnin/NN '/'' home/NN", "runnin", "contraction"),
        ("runnin/NN '/'' and/CC jumpin/NN '/''", "jumpin", "contraction"),
        ("the/DT '/`` old/JJ cabin/NN '/''", "cabin", None),
        ("a/DT jack-o'-lantern/NN", "jack-o'-lantern", None),
        # the rest
        ("playing/VBG baseball/NN", "baseball", "sport"),
        ("a/DT baseball/NN game/NN", "baseball", "sport"),
        ("catches/VBZ a/DT baseball/NN", "baseball", None),
        ("looks/VBZ at/IN the/DT camera/NN", "camera", "camera of the photographer"),
        ("look/VBP off/RP camera/NN", "camera", "camera of the photographer"),
        ("holding/VBG a/DT camera/NN", "camera", None),
        ("camera/NN", "camera", None),
    ],
)
def test_misread(tagged, word, expected):
    assert reason(tagged, word) == expected


@pytest.mark.parametrize(
    ("tagged", "word", "expected"),
    [
        ("two/CD gizmo/NN", "gizmo", True),
        ("gizmos/NNS", "gizmos", True),
        ("giraffes/VBZ", "giraffes", True),  # tagged wrongly, but never anything else
        ("a/DT gizmo/JJ beside/IN", "gizmo", True),
        ("the/DT gizmo/VB", "gizmo", True),
        ("a/DT gizmo/JJ shell/NN", "gizmo", False),
        ("they/PRP gizmo/VBP him/PRP", "gizmo", False),
        ("gizmo/VB the/DT", "gizmo", False),
        ("of/IN gizmo/JJ sits/NNS", "gizmo", True),
        ("an/DT gizmo/JJ inside/NN", "gizmo", True),
        ("is/VBZ gizmo/JJ inside/NN", "gizmo", False),
    ],
)
def test_what_counts_as_a_noun(tagged, word, expected):
    words, tags = zip(*(pair.rsplit("/", 1) for pair in tagged.split()), strict=True)
    assert is_noun(list(words), list(tags), words.index(word), lexicon()) is expected


@pytest.mark.parametrize(
    ("text", "index", "expected"),
    [
        ("a street in Queens", 3, True),
        ("Queens at night", 0, False),
        ("A cat . Queens at night", 3, False),
        ("a Zebra stands", 1, False),
        ("an old TV set", 2, False),
        ("A Street Named Gladys With Cars", 3, False),
        ("a street in queens", 3, False),
    ],
)
def test_proper_names(text, index, expected):
    assert is_proper_name(text.split(), index, lexicon()) is expected
