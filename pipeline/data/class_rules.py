"""What is no class name: patterns of lines, and what each says about the line or the whole list.

In a pattern the group `name` or `inner` is the name that was meant. Patterns are matched against
whole lines of at most 1000 characters, whatever their case.
"""

import re
from dataclasses import dataclass

NAME = r"(?=.*[^\W\d_])(?P<name>.*)"
_WORD = r"(?:(?:class|id|label|index|category|no\.?|nr\.?)(?:[\s_.#:=]+|(?=\d)))?"
"""What may stand before a number: "class 3: cat"."""
_QUOTED = r"[bu]?(?P<quote>['\"])(?P<name>.*)(?P=quote),?|[“‘„«](?P<inner>.*)[”’“»],?"
_KEYED = r"(?:name|display_name|label|class|class_name|item)\s*[:=]\s*(?P<name>.*)"
_BULLET = r"(?:[-*+>•·‣▪–—]|\\item)\s+(?:\[[ xX]?\]\s+)?(?P<name>.*)"
_MARKUP = (
    r"(?P<mark>\*{1,3}|~~|`{1,3})(?P<name>.+)(?P=mark)",
    r"<(?P<tag>\w+)[^<>]*>(?P<name>.*)</(?P=tag)\s*>|</?\w[^<>]*>",
    r"!?\[(?P<name>[^\[\]]+)\]\([^()]*\)",
)
_HEX = r"#(?:[\da-f]{3}){1,2}"


@dataclass(frozen=True)
class Rule:
    """What a line is that one of the patterns matches; least: lines of which it is surely so."""

    what: str
    patterns: tuple[re.Pattern[str], ...]
    least: int = 1

    def match(self, line: str) -> re.Match[str] | None:
        """Return the match of the whole line, None without one."""
        return next((found for p in self.patterns if (found := p.fullmatch(line))), None)


def _rule(what: str, *patterns: str, least: int = 1) -> Rule:
    return Rule(what, tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns), least)


HAS_NUMBER = "has a number, which its place in the list gives"
FORMATS = (
    _rule(
        HAS_NUMBER,
        rf"{_WORD}#?(?:\d+\.)*\d+(?:st|nd|rd|th)?\s*"
        rf"(?:[-=~]*[>→⇒]|[:=,](?!\d)|[;|)\t、]|\.(?!\d))\s*{NAME}",
        rf"{_WORD}#?\d+\s+[-–—]+\s+{NAME}",
        rf"[\[({{<]\s*{_WORD}\d+\s*[\])}}>]\s*[:=.,-]?\s*{NAME}",
        rf"(?:[\[(](?:[a-z]|[ivx]+)[\])]|(?:[a-z]|[ivx]+)\))\s*{NAME}",
        rf"\d+(?:\.\d+){{2,}}\.?\s+{NAME}",
        rf"{NAME}\s*(?:[-=]+>|[→⇒])\s*\d+",
    ),
    _rule(
        "has numbers",
        rf"(?:\d+[\s,;]+){{2,}}\d+[\s,;:]+{NAME}",
        rf"{NAME}[\s,;:]+(?:\d+[\s,;]+){{2,}}\d+",
    ),
    _rule("has a colour", rf"{NAME}[\s,;:|=]+(?:{_HEX}|rgba?\(.*\))"),
    _rule("has a colour", rf"{_HEX}[\s,;:|=]+{NAME}", least=2),
    _rule(HAS_NUMBER, rf"#\s?\d+\s+{NAME}", least=2),
    _rule(
        "has a number behind it",
        rf"{NAME}(?<![\d\s])\s*[:=,;|(\t]\s*\d+(?:\.\d+)?%?\)?\s*[,;]?",
        least=2,
    ),
    _rule("stands for a name", r"(?:label|class|category|id)[\s_-]*\d+", least=2),
    _rule("has a bullet", _BULLET, least=2),
    _rule("is a comment", r"[#%](?P<name>.*)", least=2),
)
"""Formats of lists: wrong with each line that matches, where most lines do; else doubtful."""
SURE = (
    _rule(
        "has an id, which is no word",  # of WordNet and Open Images
        r"n\d{8}(?:[\s:=,;|_.-]+(?P<name>.*))?",
        r"(?P<name>.+?)[\s:=,;|(\[_-]+n\d{8}[)\]]?",
        r"(?P<name>[^\s.]+)\.[nvars]\.\d\d",
        r"/[mg]/[\w-]+(?:[\s:=,;|]+(?P<name>.*))?",
    ),
    _rule("is in quotes", _QUOTED),
    _rule("has a key", _KEYED),
    _rule("is markup", *_MARKUP),
    _rule("has a comment behind it", r"(?P<name>.*\S)\s+(?:#|//|/\*|<!--)(?:\s.*|[^\d\s].*)?"),
    _rule("is a comment", r"(?:#[\s#]|//|;|--(?!-)|/\*|\*/|<!--|<\?|```|~~~).+"),
    _rule("is a line of YAML", r"(?:nc|num_classes|names)\s*[:=].*"),
    _rule(
        "is a path or the name of a file",
        r"(?:\.{0,2}/|[a-z]:\\)\S+",
        r"\S*\.(?:txt|json|jsonl|csv|tsv|ya?ml|names|pbtxt|jpe?g|png|bmp|webp|tiff?|gif)",
    ),
    _rule("is a template of a prompt", r"(?:.*\s)?(?:\{\w*\}|%s)(?:[\s.,].*)?"),
)
"""What is wrong with a line whatever the others are."""
DOUBTFUL = (
    _rule(
        "a class like any other: pixels without a label are 255 in label maps",
        r"[_<\[( ]*(?:ignored?|void|unlabel(?:l?ed)?|don'?t[ _]care|n/?a|null|none)[_>\]) ]*",
        r"_+background_+",
    ),
    _rule("several names?", r".*\w\s+/\s+\w.*", r"\w{2,}\.\s+\w{2,}\..*"),
    _rule("a quote on one side", r"'[^'\d][^']*|[^']*[^'s]'"),
    _rule("a letter in front", r"[a-z]\s*:\s+.*"),
    _rule("a number", r"[\d\W_]*\d[\d\W_]*"),
    _rule("a sign and no word", r"[!-/:-@\[-`{-~]{1,2}"),
)
"""Names that are accepted as they stand, and should be looked at."""
WRAPS = tuple(_rule("", pattern) for pattern in (_QUOTED, _BULLET, _KEYED, *_MARKUP))
"""What may still be around the name that a rule has found."""

INDEX = _rule(HAS_NUMBER, rf"{_WORD}#?(?P<number>\d+)[\s._/-]+(?!of\b){NAME}")
INDEX_BEHIND = _rule(HAS_NUMBER, rf"{NAME}[\s:=;,|_#\[(-](?P<number>\d+)[\])]?\s*[,;]?")
ORDINAL = _rule(HAS_NUMBER, rf"(?P<ordinal>[a-z]+|[一二三四五六七八九十]+)\s*[.:、,]\s*{NAME}")
"""Numbers and letters that are those of a table only if they are on every line."""
ORDINALS = (
    [chr(ord("a") + i) for i in range(26)],
    "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split(),
    [*"一二三四五六七八九十"],
)
COLUMNS = _rule("two columns?", r"(?P<name>[^,]+),\S[^,]*")
_CELL = r"(?:names?|class(?:es)?|class[_ ]names?|labels?|categor(?:y|ies))"
_CELLS = rf"(?:#|no|nr|ids?|idx|index|colou?rs?|r|g|b|rgb|hex|code|value|count|{_CELL})"
HEADER = _rule(
    "is the header of a table and no class", rf"{_CELL}|{_CELLS}(?: *[,;|\t] *{_CELLS})+"
)
LIST = _rule(
    "is a list",
    r"(?:\w+\s*[:=]\s*)?[\[{]\s*(?:['\"].*|[^\]}]*[,:].*)",
    r"(?P<quote>['\"]).*(?P=quote)\s*,\s*(?P=quote).*",
)
ENDED = _rule("", r"(?P<name>.*\S)\s*[,;{\[]|(?P<inner>[^:]*[^\s:])\s*:")
