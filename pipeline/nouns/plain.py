"""Clean captions from people and web pages, so that a tokenizer can read them.

Captions from the web have HTML entities and tags, addresses and handles, zero-width characters and
typographic quotes. All of this is cleaned here, once. For every character of the result the
original characters are known, so that a word can be quoted as it was written.
"""

import re
import unicodedata
from collections.abc import Callable
from html import unescape
from typing import NamedTuple

_ALREADY = re.compile(r"[A-Za-z\d\s,;!?()-]*+\.?\s*", re.ASCII)
"""Most captions: nothing to clean."""
_NAMED = r"&(?:amp;)*([a-z][a-z\d]{1,31};|(?:amp|quot|nbsp|lt|gt)\b)"
_NUMBERED = r"&(?:amp;)*(#(?:\d{1,7}|x[\da-f]{1,6})\b;?)"
_ENTITY = re.compile(f"{_NAMED}|{_NUMBERED}", re.IGNORECASE)
"""Includes entities that were escaped again ("&amp;amp;quot;") or that clearly lost a semicolon."""
_TAGS = (
    "a b big blockquote br center code div em font h1 h2 h3 h4 h5 h6 hr i img li ol p pre small "
    "span strong sub sup table td th tr u ul"
)
_TAG = re.compile(
    rf"</?(?:{'|'.join(_TAGS.split())})(?:[\s/][^<>]*)?>|<!--[^<>]*-->", re.IGNORECASE
)
_END = r"[^\s.,;:!?)\]}>'\"]"
_ADDRESS = re.compile(
    rf"""
      \b(?:see\s++)?(?:(?:https?|ftp)://|www\.)(?:\S*{_END})?                    # web pages
    | (?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)*+                     # e-mail
    | (?<![\w.@-])(?:[\w-]+\.)+(?:com|org|net|edu|gov)\b(?:/(?:\S*{_END})?)?
    | (?<![\w.@-])(?:[\w-]+\.)+[a-z]{{2}}/\w(?:\S*{_END})?             # short links: bit.ly/2abc
    | (?<![\w.-])[\w-]++\.(?:jpe?g|png|gif|webp|bmp|tiff?)\b           # names of pictures
    | (?<![\w@#/&])(?:(?:RT\s++)?@\w[\w.]*\b|\#(?=\d*[^\W\d])[\w-]*\b)  # handles, hashtags
    """,
    re.IGNORECASE | re.VERBOSE,
)
_QUOTES = {
    "’": "'", "‘": "'", "‛": "'", "ʼ": "'", "′": "'", "´": "'", "`": "'",
    "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"',
}  # fmt: skip
_LIKE = str.maketrans(_QUOTES | {"‐": "-", "‑": "-", "‒": "-", "–": "-", "_": " "})
_CLOCK = re.compile(r"(?<=\w )o(?:' | ')clock\b", re.IGNORECASE)
_AND = re.compile(r"(?<=\w)(?:\s*'n'\s*|\s+n'\s+)(?=\w)", re.IGNORECASE)
# NFKC joins an ASCII letter only to what follows it. Sorting the accents of one letter takes
# quadratic time, so long runs of marks are split by the joiner that has no effect
# ("stream-safe text", Unicode annex 15).
_NORMALIZED_ALONE = re.compile(r"[A-Za-z]?[^\x00-\x7f]+")
_MARKS = re.compile(r"[^\w\s!-~]{30}")
_JOINER = "\u034f"
_WIDTHLESS = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+"
)
"""Unicode's Default_Ignorable_Code_Point, of those that occur in text."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x9f\ufff9-\ufffd]+")


class Traced(NamedTuple):
    """Text, and for each of its characters the (start, end) that it stands for in the caption."""

    text: str
    spans: list[tuple[int, int]]

    @classmethod
    def of(cls, caption: str) -> "Traced":
        return cls(caption, [(at, at + 1) for at in range(len(caption))])

    def sub(
        self,
        pattern: re.Pattern[str],
        change: str | Callable[[re.Match[str]], str],
        by_character: bool = False,
    ) -> "Traced":
        """Like `pattern.sub(change, text)`, for a pattern that matches at least one character.

        The replacement stands for the whole match; with `by_character`, and if the lengths are
        equal, each of its characters stands for one.
        """
        parts: list[str] = []
        spans: list[tuple[int, int]] = []
        done = 0
        for match in pattern.finditer(self.text):
            start, end = match.span()
            new = change(match) if callable(change) else match.expand(change)
            parts += self.text[done:start], new
            spans += self.spans[done:start]
            if by_character and len(new) == end - start:
                spans += self.spans[start:end]
            else:
                spans += [(self.spans[start][0], self.spans[end - 1][1])] * len(new)
            done = end
        if not done:
            return self
        return Traced("".join([*parts, self.text[done:]]), spans + self.spans[done:])


def plain(caption: str) -> Traced:
    """Return the caption without markup, addresses and handles, in plain characters.

    An entity becomes its character, a tag a blank. An address (web, e-mail, the name of a picture),
    a handle or a hashtag becomes a full stop, together with "see" or "RT" before it: it is not a
    word, and the sentence ends there. "5 o' clock" becomes "o'clock", "fire_hydrant" two words, the
    "'n'" of "fish 'n' chips" an "and". Zero-width characters are removed, and NFKC normalises the
    rest.
    """
    text = Traced.of(caption)
    if _ALREADY.fullmatch(caption):
        return text
    text = text.sub(_ENTITY, _character)
    text = text.sub(_TAG, " ")
    text = text.sub(_WIDTHLESS, "")
    text = text.sub(_ADDRESS, " . ")
    text = Traced(text.text.translate(_LIKE), text.spans)
    text = text.sub(_NORMALIZED_ALONE, _normalized, by_character=True)
    text = text.sub(_WIDTHLESS, "")
    text = text.sub(_CLOCK, "o'clock")
    text = text.sub(_AND, " and ")
    return text.sub(_CONTROL, " ")


def _character(match: re.Match[str]) -> str:
    entity = f"&{match[1] or match[2]}"
    written = unescape(entity)
    return written if written != entity else unescape(entity.lower())


def _normalized(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", _MARKS.sub(rf"\g<0>{_JOINER}", match[0]))
