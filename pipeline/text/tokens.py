"""Captions to words, with NLTK's Treebank-style tokenizer, which needs no downloaded data.

It expects one sentence at a time. Captions have one or two and often miss the space between them,
so full stops are set apart here; abbreviations such as "U.S." or "St." keep theirs. The time taken
grows with the length of the text and no faster, whatever it holds.
"""

import re
import unicodedata

from nltk.tokenize import NLTKWordTokenizer

_TREEBANK = NLTKWordTokenizer()
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "`": "'"})
# Sorting the accents of one letter takes Unicode normalization the square of their number, so long
# runs of marks are parted by the joiner that does nothing ("stream-safe text", Unicode annex 15).
_MARKS = re.compile(r"[^\w\s!-~]{30}")
_JOINER = "\u034f"
_FULL_STOP = re.compile(r"(?<=[^\W\d_]{3})\.+(?=\s|$|[A-Z])")
_BETWEEN_WORDS = re.compile(r"(?<=\w)([/,;&+])(?=\w)")
_SENTENCE_END = frozenset(".!?;:\"''``")


def tokenize(text: str) -> list[str]:
    """The words and punctuation marks of a caption, in order, with their capitals.

    Deterministic; an empty or blank text gives no tokens.
    """
    text = _MARKS.sub(rf"\g<0>{_JOINER}", text)
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = _FULL_STOP.sub(" . ", text)
    text = _BETWEEN_WORDS.sub(r" \1 ", text)
    return _TREEBANK.tokenize(text)


def starts_sentence(tokens: list[str], index: int) -> bool:
    """Whether the token at `index` is the first of a sentence or quotation."""
    return index == 0 or tokens[index - 1] in _SENTENCE_END
