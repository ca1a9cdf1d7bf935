"""Clean captions from people and web pages, so that a tokenizer can read them.

Captions from the web have HTML entities and tags, addresses and handles, emoji, zero-width
characters and typographic quotes. All of this is cleaned here, once. For every character of the
result the original characters are known, so that a word can be quoted as it was written. No pattern
looks at a character more than a few times, however long the caption is.
"""

import re
import unicodedata
from collections.abc import Callable
from html import unescape
from html.entities import html5
from typing import NamedTuple

_ALREADY = re.compile(r"[A-Za-z\d\s,;!?()-]*+\.?\s*", re.ASCII)
"""Most captions: nothing to clean."""
_TYPED = "apos bull hellip ldquo lsquo mdash ndash rdquo rsquo trade".split()
_BARE = {*_TYPED, *(name for name in html5 if not name.endswith(";"))}
"""The names that HTML knows without a semicolon too, and a few that people write so."""
_ACCENTED = re.compile(r"[A-Za-z]{1,2}(?:acute|grave|circ|uml|tilde|ring|cedil|slash|lig)")
_GLUED = "|".join(["nbsp", *sorted(name for name in _BARE if _ACCENTED.fullmatch(name))])
"""No English word starts like them, so a letter may follow ("&nbspand")."""
_ENGLISH = "bull|cent|copy|divide|eth|micro|not|para|pound|sect|shy|thorn|times|trade|yen"
"""Words: "cats&not dogs" is an "and", "&not" by itself is an entity."""
_OTHERS = "|".join(sorted({name.lower() for name in _BARE} - {*_ENGLISH.split("|")}, reverse=True))
_SPELT_ON = r"[lg]t|quot(?![ae])|amp(?=[bcdfgjkmnp-rtv-z])"
"""Markup whose text follows at once ("&ltcat&gt"), as browsers read it; not &quotes, &amplifier."""
_NAMED = (
    rf"&(?:amp;)*([a-z][a-z\d]{{1,31}};|(?:{_GLUED}|{_SPELT_ON});?|(?:{_OTHERS})(?![a-z])"
    rf"|(?<![a-z]&)(?:{_ENGLISH})(?![a-z]))"
)
_NUMBERED = r"&(?:amp;)*(#(?:\d{1,7}|x[\da-f]{1,6})\b;?)"
_ENTITY = re.compile(f"{_NAMED}|{_NUMBERED}", re.IGNORECASE)
"""Includes entities that were escaped again ("&amp;amp;quot;") or that clearly lost a semicolon."""
_OF_MODELS = re.compile(
    r"<\|[\w ]{1,30}\|>|\[/?(?:CLS|SEP|UNK|MASK|PAD|BOS|EOS|INST)\]"
    r"|</?(?:unk|pad|mask|cls|sep|bos|eos|start|end|sos|image|caption)\d{0,3}>",
    re.IGNORECASE,
)
"""Tokens of language models, as datasets made with them leave them: <|endoftext|>, [SEP]."""
_TAGS = (
    "a b big blockquote body br button center code del div em figcaption figure font h1 h2 h3 h4 "
    "h5 h6 head hr html i iframe img input ins label li mark ol p picture pre s script section "
    "small source span strong style sub sup svg table tbody td th thead title tr u ul video"
)
_TAG = re.compile(
    r"<(?:script|style)(?:\s[^<>]*)?>[^<>]*(?=</(?:script|style)>)"
    rf"|</?(?:{'|'.join(_TAGS.split())})(?:[\s/][^<>]*)?>|<!--[^<>]*-->",
    re.IGNORECASE,
)
_END = r"[^\s.,;:!?)\]}>'\"]"
_FILES = (
    "jpg jpeg jfif png gif webp bmp tif tiff svg heic heif avif psd eps mp4 mov avi mkv webm mp3 "
    "wav pdf txt csv json xml htm html php asp aspx doc docx xls xlsx ppt pptx zip"
)
_IS_FILE = "|".join(rf"(?<=\.{suffix})" for suffix in _FILES.split())
_ADDRESS = re.compile(
    rf"""
      \b(?:see\s++)?(?:(?:blob|view-source):)?                        # web pages, file:///a
        (?:[a-z][a-z\d+.-]{{1,30}}+://|www\.)(?:\S*{_END})?
    | \bmailto:\s*+(?:\S*{_END})?
    | \b(?:tel|sms|callto):\s*+[+\d](?:\S*{_END})?
    | \bdata:(?:[\w.+-]++/[\w.+-]++(?:\S*{_END})?|[;,]\S*)
    | \b(?:javascript|vbscript):(?=\S)[^\s()]*+(?:\([^()]{{0,200}}\)\S*)?
    | (?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++                     # e-mail
    | (?<![\w.\\/~-])(?:[a-z]:)?[.\\/~]*+[\w~-]++(?:[.\\/]++[\w~-]++)*+(?:{_IS_FILE})  # files
    | (?<![\w.@-])[a-z]:\\[^\s,;]*+                                    # folders: C:\Users
    | (?<![\w.@-])(?:[\w-]+\.)+(?:com?|org|net|edu|gov|ac|info|biz)(?:\.[a-z]{{2}})?\b
        (?::\d+)?(?:[/?\#](?:\S*{_END})?)?
    | (?<![\w.@-])(?:[\w-]+\.)+[a-z]{{2}}/\w(?:\S*{_END})?             # short links: bit.ly/2abc
    | (?<![\w@#/&])(?:(?:RT\s++)?@\w[\w.]*\b|\#(?=\d*[^\W\d])[\w-]*\b)  # handles, hashtags
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BYTES = {
    bytes([n]).decode("cp1252", "replace").replace("\ufffd", chr(n)): n for n in range(128, 256)
}
"""What Windows-1252 shows for a byte, or U+0080 and on for the few that it has no sign for."""
_NEXT = f"[{re.escape(''.join(sign for sign, byte in _BYTES.items() if byte < 0xC0))}]"
_MISREAD = re.compile(
    rf"(?:[ÂÃÄÅÎÏÐÑ]{_NEXT}|â{_NEXT}{{2}}|ð{_NEXT}{{3}}|(?:[ã-ï]{_NEXT}{{2}}){{2,}}+)+"
    r"|â€(?![^\W\d_])|Â(?=\s|$)"
)
"""UTF-8 that was read as Windows-1252 and written again. Letters of two bytes are those of Western
and Central Europe, Greek and Russian, since "CAFÉ™" is none, and Chinese has two characters, since
"café…”" is none. A closing quote may have lost its last byte, a blank become another."""
_QUOTES = {
    "’": "'", "‘": "'", "‛": "'", "ʼ": "'", "′": "'", "´": "'", "`": "'",
    "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "«": '"', "»": '"',
}  # fmt: skip
_LIKE = str.maketrans(_QUOTES | {"‐": "-", "‑": "-", "‒": "-", "–": "-", "_": " "})
_CLOCK = re.compile(r"(?<=\w )o(?:' | ')clock\b", re.IGNORECASE)
_AND = re.compile(r"(?<=\w)(?:\s*'n'\s*|\s+n'\s+)(?=\w)", re.IGNORECASE)
_OF_WORDS = re.compile("[®™℠°*~^]+")
"""Signs that belong to a word and part none: "Lego® bricks", "*cute* dog"."""
_SIGN = re.compile(r"[|<>=\\]|[\d#]?\u20e3|[^\w\s\x00-\x7f\u2044]")
"""Emoji (keys too, a digit and U+20E3), arrows, bullets, dashes and whatever else is no letter, no
digit and not in ASCII; also accents that make no character with their letter. Not the line in a
fraction, which is in NFKC's "½"."""
_PARTING = re.compile("\0+")
"""What stands for signs for a moment, one for one; no caption has any left by then."""
_REPEATED = re.compile(r"([@#$%&/])\1+")
# NFKC joins an ASCII letter to what follows it only. Sorting the accents of one letter
# takes it the square of their number, so long runs of marks are parted by the joiner that does
# nothing ("stream-safe text", Unicode annex 15).
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

    An entity becomes its character, a tag a blank. An address (web, e-mail, a picture written as
    data, a script, a file), a handle or a hashtag becomes a full stop, with "see" or "RT" before
    it: it is no word, and the sentence does not go on across it. So does a token of a language
    model (<|endoftext|>). UTF-8 that was read as Windows-1252 ("cafÃ©") is read again. Emoji and
    other symbols become commas, since they part words ("dog🐶cat", "cat|dog"); the signs of trade
    marks and emphasis become blanks. "5 o' clock" has an "o'clock". Characters without width
    vanish, "fire_hydrant" is two words, "fish 'n' chips" has an "and", and NFKC takes care of the
    rest.
    """
    text = Traced.of(caption)
    if _ALREADY.fullmatch(caption):
        return text
    text = text.sub(_ENTITY, _character)
    text = text.sub(_MISREAD, _read_again)
    text = text.sub(_OF_MODELS, " . ")
    text = text.sub(_TAG, " ")
    text = text.sub(_WIDTHLESS, "")
    text = text.sub(_ADDRESS, " . ")
    text = Traced(text.text.translate(_LIKE), text.spans)
    text = text.sub(_OF_WORDS, " ")
    text = text.sub(_NORMALIZED_ALONE, _normalized, by_character=True)
    text = text.sub(_WIDTHLESS, "")
    text = text.sub(_CONTROL, " ")
    text = text.sub(_SIGN, _parting, by_character=True)
    text = text.sub(_PARTING, " , ")
    text = text.sub(_REPEATED, r"\1")
    text = text.sub(_CLOCK, "o'clock")
    return text.sub(_AND, " and ")


def _character(match: re.Match[str]) -> str:
    entity = f"&{(match[1] or match[2]).removesuffix(';')};"
    written = unescape(entity)
    return written if written != entity else unescape(entity.lower())


def _read_again(misread: re.Match[str]) -> str:
    """Decode what was misread, if it is UTF-8 as a whole, up to twice ("cafÃƒÂ©")."""
    text = misread[0]
    if text in ("â€", "Â"):
        return {"â€": '"', "Â": " "}[text]
    try:
        text = bytes(_BYTES[sign] for sign in text).decode()
    except UnicodeDecodeError:
        return text
    return _MISREAD.sub(_read_again, text)


def _parting(sign: re.Match[str]) -> str:
    """An accent stays with its letter, any other sign parts words."""
    return sign[0] if unicodedata.category(sign[0][-1]) in ("Mn", "Mc") else "\0" * len(sign[0])


def _normalized(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", _MARKS.sub(rf"\g<0>{_JOINER}", match[0]))
