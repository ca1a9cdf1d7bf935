"""Captions as people type them: missing spaces, full stops, curly quotes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nouns.tokens import read_tokens, starts_sentence, tokenize
from tests.nouns.linear import assert_linear
from tests.properties.inputs import QUICK

SIGNS = "& ; # @ < > / . : - a b 1 ' \" ( ) data: mailto: amp &copy www. http :// .jpg".split() + [
    " "
]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A dog runs.", ["A", "dog", "runs", "."]),
        ("Two pizzas. They are big", ["Two", "pizzas", ".", "They", "are", "big"]),
        ("a boat.A man", ["a", "boat", ".", "A", "man"]),
        ("a dog,a cat and kitchen/dining room",
         ["a", "dog", ",", "a", "cat", "and", "kitchen", "/", "dining", "room"]),
        ("the giraffe’s head", ["the", "giraffe", "'s", "head"]),
        ("the U.S. flag", ["the", "U.S.", "flag"]),
        ("a boat.a man", ["a", "boat", ".", "a", "man"]),
        ("a boat .a man", ["a", "boat", ".a", "man"]),
        ("a boat...man", ["a", "boat", ".", "man"]),
        ("at flickr.it", ["at", "flickr.it"]),
        ("a dog🐶😻cat|lamp", ["a", "dog", ",", "cat", ",", "lamp"]),
        ("aq\u0303🐶q\u0303", ["aq\u0303", ",", "q\u0303"]),
        ("a @@@ b", ["a", "@", "b"]),
        ("a t-shirt", ["a", "t-shirt"]),
        ("a dog, https://a.org/b and @me", ["a", "dog", ",", ".", "and", "."]),
        ("a fire_hydrant &amp; &quot;x&quot;", ["a", "fire", "hydrant", "&", "``", "x", "''"]),
        ("", []),
        (" \n ", []),
    ],
)  # fmt: skip
def test_tokens(text, tokens):
    assert tokenize(text) == tokens


def test_tokens_say_what_they_stand_for():
    text = "A fire_hydrant &amp; a ½\u200b “so\u00adfa”, cafe\u0301 of <b>@me</b>… \"x\" ''y''"
    written = [text[token.start : token.end] for token in read_tokens(text)]
    assert written == [
        "A", "fire", "hydrant", "&amp;", "a", "½", "“", "so\u00adfa", "”", ",", "cafe\u0301", "of",
        "@me", "…", '"', "x", '"', "''", "y", "''",
    ]  # fmt: skip


def test_a_sentence_starts_at_the_front_and_after_a_full_stop():
    tokens = tokenize("A cat. The dog")
    assert [starts_sentence(tokens, i) for i in range(5)] == [True, False, False, True, False]


@given(st.text(max_size=60))
def test_any_text_is_tokenized_without_blanks_in_order(text):
    tokens = read_tokens(text)
    assert all(token.text and not token.text.isspace() for token in tokens)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)


@pytest.mark.parametrize(
    "text",
    [
        "\u0301\u0316",
        "a.",
        "a,",
        "'",
        '".)',
        "abc..",
        "(",
        " ",
        "a-",
        "gonna",
        "&amp;",
        "&#1",
        "amp;",
        "<a ",
        "<!--",
        "http://",
        "http://.",
        "a@",
        "a.com",
        "a.b",
        "@a",
        "#1",
        "#a_",
        "\u200b",
        "é",
        "％",
        "_",
        " 'n' ",
        "a\t",
        "<",
        "@",
        "<a",
        "a@b",
        "|",
        "🐶",
        "q\u0303",
        "dog.cat",
        ".dog",
        "1.a",
        "data:",
        "data:a/",
        "javascript:(",
        "javascript:( ",
        "mailto: ",
        "tel: ",
        "file:///",
        "a://",
        "c:\\",
        "a/",
        "./",
        "~/a.jpg/",
        "a.jpg",
        "a.co.",
        "&copy",
        "&not",
        "&amp",
    ],
)
def test_a_long_odd_text_takes_no_longer_than_its_length(text):
    """100,000 accents on one letter took ten seconds, 4 times as long when twice as many."""
    assert_linear(tokenize, text * (10_000 // len(text)))


@QUICK
@given(st.text(min_size=1, max_size=6) | st.lists(st.sampled_from(SIGNS), min_size=1, max_size=4))
def test_any_text_takes_no_longer_than_its_length(piece):
    assert_linear(tokenize, "".join(piece) * 1000)
