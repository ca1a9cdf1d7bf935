"""What is cleaned from captions, and which characters of the caption the rest stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nouns.plain import plain
from tests.properties.inputs import QUICK

PIECES = "a dog <b> </b> &amp; &lt cafÃ© 🐶 \u0301 ½ ﬁ \u200b @me http://a.b ' n' 'n' ' . |".split(
    " "
) + [" "]


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("", ""),
        ("A dog, two cats.", "A dog, two cats."),
        ("salt &amp;amp; &#x70;epper", "salt & pepper"),
        ("a<b>dog</b>", "a dog "),
        ("a dog<|endoftext|>", "a dog . "),
        ("a dog http://a.org/lamp.", "a dog  . ."),
        ("by @me_2: a #dog", "by  . : a  . "),
        ("a cafÃ© and a cafÃƒÂ©", "a café and a café"),
        ("dog🐶😻cat", "dog , cat"),
        ("Lego® *cute* 30°", "Lego   cute  30 "),
        ("a so\u200bfa\u00ad", "a sofa"),
        ("“the” man’s fire_hydrant", '"the" man\'s fire hydrant'),
        ("at 5 o' clock", "at 5 o'clock"),
        ("fish 'n' chips", "fish and chips"),
        ("ﬁsh ½ cafe\u0301", "fish 1⁄2 café"),
        ("a\x00b @@ home", "a b @ home"),
    ],
)
def test_plain(caption, text):
    assert plain(caption).text == text


def test_each_character_says_what_it_stands_for():
    text, spans = plain("a <b>½</b> &amp; @me")
    assert text == "a  1⁄2  &  . "
    assert spans == [
        (0, 1), (1, 2), (2, 5), (5, 6), (5, 6), (5, 6), (6, 10), (10, 11), (11, 16), (16, 17),
        (17, 20), (17, 20), (17, 20),
    ]  # fmt: skip


@QUICK
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_any_caption_becomes_characters_that_stand_in_it_in_order(caption):
    text, spans = plain(caption)
    assert len(spans) == len(text)
    assert all(0 <= start < end <= len(caption) for start, end in spans)
    assert spans == sorted(spans)


@given(st.text("abcXYZ 0123456789,;!?()-", max_size=40), st.sampled_from(["", ".", ". "]))
def test_a_caption_of_plain_characters_stays(caption, end):
    assert plain(caption + end).text == caption + end
