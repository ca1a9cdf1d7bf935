"""Captions to words, with NLTK's Treebank-style tokenizer, which needs no downloaded data.

It expects one sentence at a time. Captions have one or two and often miss the space between them,
so full stops are set apart here; abbreviations such as "U.S." or "St." keep theirs. The time taken
grows with the length of the text and no faster, whatever it holds.
"""

import re
from typing import NamedTuple

from nltk.tokenize import NLTKWordTokenizer

from pipeline.nouns.plain import plain

_TREEBANK = NLTKWordTokenizer()
_FULL_STOP = re.compile(r"(?<=[^\W\d_]{3})\.+(?=\s|$|[A-Z])")
_BETWEEN_WORDS = re.compile(r"(?<=\w)([/,;&+])(?=\w)")
_DOUBLE_QUOTE = re.compile(r"``|''|\"")
_QUOTES = frozenset({"``", "''", '"'})
_SENTENCE_END = frozenset(".!?;:\"''``")


class Token(NamedTuple):
    """A word or punctuation mark, and what it stands for: `caption[start:end]`."""

    text: str
    start: int
    end: int


def read_tokens(caption: str) -> list[Token]:
    """The words and punctuation marks of a caption, in order, with their capitals.

    Deterministic; an empty or blank text gives no tokens.
    """
    text, spans = plain(caption).sub(_FULL_STOP, " . ").sub(_BETWEEN_WORDS, r" \1 ")
    tokens = []
    at = 0
    for token in _TREEBANK.tokenize(text):
        if token in _QUOTES:  # the tokenizer writes double quotes its own way
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
    """The texts of `read_tokens`."""
    return [token.text for token in read_tokens(caption)]


def starts_sentence(tokens: list[str], index: int) -> bool:
    """Whether the token at `index` is the first of a sentence or quotation."""
    return index == 0 or tokens[index - 1] in _SENTENCE_END
