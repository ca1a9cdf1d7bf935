"""Split captions into words with NLTK's Treebank-style tokenizer, which needs no downloaded data.

It expects one sentence at a time. Captions have one or two and often miss the space between them,
so full stops are set apart here; abbreviations ("U.S.", "St."), numbers and what may be an address
("flickr.it") keep theirs. The time taken grows with the length of the text and no faster, whatever
it holds.
"""

import re
from typing import NamedTuple

from nltk.tokenize import NLTKWordTokenizer

from pipeline.nouns.plain import plain

_TREEBANK = NLTKWordTokenizer()
_FULL_STOP = re.compile(
    r"\0+"
    r"|(?<=[^\W\d_]{3})(?<!\bMrs)(?<!\bSgt)(?<!\bRev)(?<!\bProf)(?<!\bCapt)\.+(?=\s|$|[A-Z])"
    r"|(?<!\S)\.++(?=[^\W\d_]{2})"
)
_DOTTED = re.compile(r"(?<![^\W_])[^\W_]++(?:\.++[^\W_]++)++")
_DOTS = re.compile(r"\.+")
_ABBREVIATED = frozenset("capt co dr ft jr lb mr mrs ms mt no oz prof rd rev sgt sr st vs".split())
_SHORT_WORDS = frozenset("a an as at by he if in is it me my no of on or so to up us we".split())
_BETWEEN_WORDS = re.compile(r"(?<=\w)([/,;&+])(?=\w)")
_DOUBLE_QUOTE = re.compile(r"``|''|\"")
_QUOTES = frozenset({"``", "''", '"'})
_SENTENCE_END = frozenset(".!?;:\"''``")


class Token(NamedTuple):
    """A word or punctuation mark; it stands for `caption[start:end]`."""

    text: str
    start: int
    end: int


def read_tokens(caption: str) -> list[Token]:
    """Return the words and punctuation marks of a caption, in order, with their capitals.

    Deterministic; an empty or blank text gives no tokens.
    """
    marked = plain(caption).sub(_DOTTED, _marked, by_character=True)
    text, spans = marked.sub(_FULL_STOP, " . ").sub(_BETWEEN_WORDS, r" \1 ")
    tokens = []
    at = 0
    for token in _TREEBANK.tokenize(text):
        if token in _QUOTES:  # the tokenizer rewrites double quotes
            quote = _DOUBLE_QUOTE.search(text, at)
            assert quote, f"{token!r} stands for a double quote of the text"
            at, end = quote.span()
        else:
            at = text.index(token, at)
            end = at + len(token)
        tokens.append(Token(token, spans[at][0], spans[end - 1][1]))
        at = end
    return tokens


def tokenize(caption: str) -> list[str]:
    """Return the texts of `read_tokens`."""
    return [token.text for token in read_tokens(caption)]


def starts_sentence(tokens: list[str], index: int) -> bool:
    """Return whether the token at `index` is the first of a sentence or quotation."""
    return index == 0 or tokens[index - 1] in _SENTENCE_END


def _marked(dotted: re.Match[str]) -> str:
    """With \\0, of which a plain caption has none, for full stops that end a sentence, as in
    "a dog.a cat"; in "U.S.A" none does."""
    words = _DOTS.split(dotted[0])
    goes_on = dotted.string[dotted.end() : dotted.end() + 2]
    in_sentence = goes_on[:1].isspace() and goes_on[1:].isalpha()
    starts = all(
        (len(word) > 2 and word.isalpha())
        or (word.lower() in _SHORT_WORDS and (in_sentence or at < len(words)))
        for at, word in enumerate(words[1:], start=2)
    )
    if not starts or not all(map(_ends, words[:-1])):
        return dotted[0]
    return dotted[0].replace(".", "\0")


def _ends(word: str) -> bool:
    """Return whether a full stop behind the word ends a sentence, or an item's number ("1.dog")."""
    if word.isdecimal():
        return len(word) < 3
    return word.isalpha() and len(word) > 1 and word.lower() not in _ABBREVIATED
