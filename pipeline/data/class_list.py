"""Find class lists in another format than one name a line: numbered, JSON, tables, markup, damage.

Read as plain lists they would give classes such as "1: cat" or '["cat"', and nothing would fail:
the words are simply wrong in every prompt. One rule decides, wherever names come from: lines of
classes.txt, a text with commas (`--classes`, the web page), a list in Python, categories of COCO,
nouns of tars.

    refused    a line that no name looks like (`_SURE`, `_damage`), two spellings of one name, and
               each line of a format that most lines have (`_FORMATS`) or all of them (`_counted`)
    accepted   everything else, as it stands: "707-320", "#2 pencil", "Formula 1", "7"
    doubtful   accepted, but `name_doubts` tells why one should look: a line in a format that few
               others have, a number among names, "__ignore__"
"""

import html
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from pipeline.data.names import flags_spelled, visible

_NAME = r"(?=.*[^\W\d_])(?P<name>.*)"
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
_LIST = re.compile(
    r"(?:\w+\s*[:=]\s*)?[\[{]\s*(?:['\"].*|[^\]}]*[,:].*)|(?P<quote>['\"]).*(?P=quote)\s*,\s*(?P=quote).*"
)
_HAS_NUMBER = "has a number, which its place in the list gives"


def _rules(*rules: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The rules with their pattern, which comes last, compiled."""
    return [(*rule, re.compile(pattern, re.IGNORECASE)) for *rule, pattern in rules]


_FORMATS = _rules(
    # where at least so many and most of the lines match, this is wrong with each of them
    (1, _HAS_NUMBER, rf"{_WORD}#?(?:\d+\.)*\d+(?:st|nd|rd|th)?\s*"
        rf"(?:[-=~]*[>→⇒]|[:=,](?!\d)|[;|)\t、]|\.(?!\d))\s*{_NAME}"),
    (1, _HAS_NUMBER, rf"{_WORD}#?\d+\s+[-–—]+\s+{_NAME}"),
    (1, _HAS_NUMBER, rf"[\[({{<]\s*{_WORD}\d+\s*[\])}}>]\s*[:=.,-]?\s*{_NAME}"),
    (1, _HAS_NUMBER, rf"[\[(](?:[a-z]|[ivx]+)[\])]\s*{_NAME}|(?:[a-z]|[ivx]+)\)\s*(?P<inner>.*)"),
    (1, _HAS_NUMBER, rf"\d+(?:\.\d+){{2,}}\.?\s+{_NAME}"),
    (2, _HAS_NUMBER, rf"#\s?\d+\s+{_NAME}"),
    (1, "has numbers", rf"(?:\d+[\s,;]+){{2,}}\d+[\s,;:]+{_NAME}"),
    (1, "has numbers", rf"{_NAME}[\s,;:]+(?:\d+[\s,;]+){{2,}}\d+"),
    (1, _HAS_NUMBER, rf"{_NAME}\s*(?:[-=]+>|[→⇒])\s*\d+"),
    (2, "has a number behind it", rf"{_NAME}(?<![\d\s])\s*[:=,;|(\t]\s*\d+(?:\.\d+)?%?\)?\s*[,;]?"),
    (1, "has a colour", rf"{_NAME}[\s,;:|=]+(?:#(?:[\da-f]{{3}}){{1,2}}|rgba?\(.*\))"),
    (2, "has a colour", rf"#(?:[\da-f]{{3}}){{1,2}}[\s,;:|=]+{_NAME}"),
    (2, "stands for a name", r"(?:label|class|category|id)[\s_-]*\d+"),
    (2, "has a bullet", _BULLET),
    (2, "is a comment", r"[#%](?P<name>.*)"),
)  # fmt: skip
_SURE = _rules(
    # these are wrong in any line
    ("has an id, which is no word", r"n\d{8}(?:[\s:=,;|_.-]+(?P<name>.*))?"),
    ("has an id, which is no word", r"(?P<name>.+?)[\s:=,;|(\[_-]+n\d{8}[)\]]?"),
    ("has an id, which is no word", r"(?P<name>[^\s.]+)\.[nvars]\.\d\d"),
    ("has an id, which is no word", r"/[mg]/[\w-]+(?:[\s:=,;|]+(?P<name>.*))?"),
    ("is in quotes", _QUOTED),
    ("has a key", _KEYED),
    *(("is markup", pattern) for pattern in _MARKUP),
    ("has a comment behind it", r"(?P<name>.*\S)\s+(?:#|//|/\*|<!--)(?:\s.*|[^\d\s].*)?"),
    ("is a comment", r"(?:#(?:\W.*|#.*)?|(?://|;|--(?!-)|/\*|\*/|<!--|<\?|```|~~~).*)"),
    ("is a line of YAML", r"(?:nc|num_classes|names)\s*[:=].*"),
    ("is a path or the name of a file", r"(?:\.{0,2}/|[a-z]:\\)\S+|"
        r"\S*\.(?:txt|json|jsonl|csv|tsv|ya?ml|names|pbtxt|jpe?g|png|bmp|webp|tiff?|gif)"),
    ("is a template of a prompt", r".*(?:\{\w*\}|%s\b).*"),
)  # fmt: skip
_DOUBTFUL = _rules(
    # these are accepted, and named
    ("a class like any other: pixels without a label are 255 in label maps",
        r"[_<\[( ]*(?:ignored?|void|unlabel(?:l?ed)?|don'?t[ _]care|n/?a|null|none)[_>\]) ]*"
        r"|_+background_+"),
    ("several names?", r".*\w\s+/\s+\w.*|\w{2,}\.\s+\w{2,}\..*"),
    ("a quote on one side", r"'[^'\d][^']*|[^']*[^'s]'"),
    ("a letter in front", r"[a-z]\s*:\s+.*"),
    ("a number", r"[\d\W_]*\d[\d\W_]*"),
    ("a sign and no word", r"[!-/:-@\[-`{-~]{1,2}"),
)  # fmt: skip
_WRAPS = [re.compile(p, re.IGNORECASE) for p in (_QUOTED, _BULLET, _KEYED, *_MARKUP)]
_INDEX = re.compile(rf"{_WORD}#?(?P<number>\d+)[\s._/-]+(?!of\b){_NAME}", re.IGNORECASE)
_INDEX_BEHIND = re.compile(rf"{_NAME}[\s:=;,|_#\[(-](?P<number>\d+)[\])]?\s*[,;]?")
_ORDINAL = re.compile(
    rf"(?P<ordinal>[a-z]+|[一二三四五六七八九十]+)\s*[.:、,]\s*{_NAME}", re.IGNORECASE
)
_COUNTS = (_INDEX, _INDEX_BEHIND, _ORDINAL)
_ORDINALS = (
    [chr(ord("a") + i) for i in range(26)],
    "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split(),
    [*"一二三四五六七八九十"],
)
_HEADER = re.compile(
    r"(?:(?:#|no|nr|ids?|idx|index|names?|class(?:es)?|class[_ ]names?|labels?|categor(?:y|ies)|"
    r"colou?rs?|r|g|b|rgb|hex|code|value|count)(?:\s*[,;|\t]\s*|$))+", re.IGNORECASE
)  # fmt: skip
_COLUMNS = re.compile(r"(?P<name>[^,]+),\S[^,]*")
_ANY = re.compile(r".*")
_ENTITY = re.compile(r"&(?:#\d+|#x[\da-fA-F]+|\w+);")
_ENDED = re.compile(r"(?P<name>.*\S)\s*[,;{\[]|(?P<inner>[^:]*[^\s:])\s*:")
_PARTED = re.compile(r"\s*[;|\t，、；،؛]\s*")
_PAIRS = ("[]", "{}", "()", "“”", "«»")
_SHOWN = 80
_LONGEST = 1000
"""Characters of a line in which lists are looked for; a CLIP reads some 70 words of a name."""
_DIGITS = 9
"""Digits of a line number, at most: Python refuses to convert very long ones."""
_TABLE_FROM = 3
"""Lines from which numbers before all names that differ are a table, whatever the numbers."""


def name_faults(names: Sequence[str], apart: str = "one a line") -> dict[int, str]:
    """Return what is wrong with texts that should be one class name each, by number from 1.

    apart: how to separate names, for the hints. Empty and repeated names are allowed here, but not
    two spellings that a CLIP reads as the same.
    """
    stripped = [name.strip() for name in names]
    formats = _formats(stripped)
    faults: dict[int, str] = {}
    first: dict[str, tuple[int, str]] = {}
    for number, name in enumerate(stripped, start=1):
        if not name:
            continue
        before, other = first.setdefault(as_read(name), (number, name))
        if fault := _damage(name) or _in_format(name, formats) or _fault(name, apart):
            faults[number] = f"{name[:_SHOWN]!r} {fault}"
        elif other != name:
            faults[number] = (
                f"{ascii(name[:_SHOWN])} reads like {ascii(other[:_SHOWN])}, name {before}: case, "
                "forms of letters and what cannot be seen make no difference; keep one"
            )
    return faults


def name_doubts(names: Sequence[str]) -> list[str]:
    """Return which of the names without fault one should look at, and why: "'#2 pencil' (...)"."""
    stripped = [name.strip() for name in names]
    own_index = stripped == [str(i) for i in range(len(stripped))]
    if own_index or not any(name.isdecimal() or re.search(r"[^\W\d]", name) for name in stripped):
        return []  # digits of MNIST, "707-320"
    doubts = [(_ANY, "a number on every line") for p in _COUNTS[:2] if _on_all(stripped, p)]
    if _on_all(stripped, _COLUMNS):
        doubts.append((_ANY, "two columns?"))
    doubts += [(pattern, what) for _, what, pattern in _FORMATS]
    doubts += [(pattern, what) for what, pattern in _DOUBTFUL]
    found = []
    for name in stripped:
        if why := next((what for p, what in doubts if p.fullmatch(_flat(name))), None):
            found.append(f"{name[:_SHOWN]!r} ({why})")
    return found


def line_faults(lines: Sequence[str]) -> dict[int, str]:
    """What is wrong with the lines of a file that should hold one class name each, by line number
    from 1: as `name_faults`, or the file is JSON, begins with a header or has its names on one
    line."""
    filled = [line.strip() for line in lines if line.strip()]
    if _is_json("\n".join(filled)):
        return {1: "the file is JSON; write one class name a line"}
    faults = name_faults(lines)
    if not filled:
        return faults
    number = next(i for i, line in enumerate(lines, start=1) if line.strip())
    parts = _parts(filled[0]) if len(filled) == 1 else []
    if parts and not faults:
        several = f"holds several names; write one a line{_such_as(parts)}"
        faults[number] = f"{filled[0][:_SHOWN]!r} {several}"
    elif len(filled) > 1 and _HEADER.fullmatch(filled[0]):
        faults[number] = f"{filled[0][:_SHOWN]!r} is the header of a table and no class; remove it"
    return faults


def name_fault(name: str) -> str | None:
    """What is wrong with one name by itself, as a line of a class list would be; None if nothing:
    a character that cannot be seen, a list, quotes, a comment, a comma at its end."""
    return name_faults([name]).get(1)


def text_fault(text: str) -> str | None:
    """What is wrong with a text that should hold names with commas between them, None if nothing
    is seen: it is JSON or another list, has line breaks, names a file, or a name in it is wrong."""
    text = text.strip()
    instead = "write the names alone, with commas between"
    if _is_json(text):
        return f"is JSON; {instead}"
    names = [name.strip() for name in text.split(",")]
    if text[:1] == "[" and text[-1:] == "]" and "]" not in names[0]:
        return f"is a list in brackets; {instead}{_such_as([text[1:-1].strip()])}"
    if _LIST.fullmatch(text) or (text[:1] in ("'", '"') and text[-1] == text[0]):
        return f"is a list of another kind, or in quotes; {instead}"
    lines = [line.strip().rstrip(",;") for line in text.splitlines() if line.strip()]
    if len(lines) > 1:
        return f"has line breaks; {instead}{_such_as(lines)}"
    if faults := name_faults(names, "with commas between"):
        return f"is no list of names: {faults[min(faults)]}"
    if len(names) == 1 and (parts := _parts(text)):
        return f"holds several names; {instead}{_such_as(parts)}"
    return None


def as_read(name: str) -> str:
    """The name as a CLIP's tokenizer reads it, near enough: lower case, without ligatures, wide
    letters and double spaces. Names with the same value are one class."""
    return " ".join(visible(unicodedata.normalize("NFKC", name)).lower().split())


Format = tuple[str, re.Pattern[str]]


def _formats(names: Sequence[str]) -> list[Format]:
    """The formats other than a plain list that the names are in: what it is, pattern of a line."""
    flat = [_flat(name) for name in names if 0 < len(name) <= _LONGEST]
    found = []
    for least, what, pattern in _FORMATS:
        matches = sum(pattern.fullmatch(name) is not None for name in flat)
        if matches >= least and matches * 2 > len(flat):
            found.append((what, pattern))
    words = [i for i, name in enumerate(flat) if not name.isdecimal()]
    step = words[1] - words[0] if len(words) > 1 else 1
    if step > 1 and words == list(range(words[0], len(flat), step)):
        found.append(("is a number between names", re.compile(r"\d+")))
    return found + [(_HAS_NUMBER, pattern) for pattern in _COUNTS if _counted(flat, pattern)]


def _on_all(names: Sequence[str], pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """The matches where every name, of two at least, has one and what it leaves of them differs."""
    matches = [match for name in names if (match := pattern.fullmatch(name))]
    rests = {_name(match) for match in matches}
    return matches if 1 < len(names) == len(matches) == len(rests) else []


def _counted(names: Sequence[str], pattern: re.Pattern[str]) -> bool:
    """Whether the numbers or letters of all names are those of a table: they count from the first,
    also with some left out, or stand before three names or more. Numbers behind names count one
    by one, from 0 or before three names or more: "Formula 1" and "Boeing 737" are names."""
    matches = _on_all(names, pattern)
    if not matches:
        return False
    if pattern is _ORDINAL:
        ordinals = [match["ordinal"].lower() for match in matches]
        return any(ordinals[: len(order)] == order[: len(ordinals)] for order in _ORDINALS)
    numbers = [int(match["number"][:_DIGITS]) for match in matches]
    is_table = len(names) >= _TABLE_FROM
    if pattern is _INDEX:
        return is_table or numbers[0] in (0, 1) and numbers[0] < numbers[1]
    return (
        numbers == list(range(len(names))) or is_table and numbers == list(range(1, len(names) + 1))
    )


def _in_format(line: str, formats: Sequence[Format]) -> str | None:
    for what, pattern in formats:
        if len(line) <= _LONGEST and (match := pattern.fullmatch(_flat(line))):
            return f"{what}; {_instead(match)}"
    return None


def _damage(line: str) -> str | None:
    """What is wrong with the characters of a line: unseen ones, another encoding, half pairs."""
    for character in flags_spelled(line):
        unseen = unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        if unseen and character not in "\t\u200c\u200d":  # the joiners inside emoji are allowed
            hidden = f"U+{ord(character):04X}"
            return f"holds a character that cannot be seen ({hidden}); write the name without it"
    if "\ufffd" in line:
        return "holds U+FFFD, which stands for a letter that was lost; write the letter"
    for encoding in ("cp1252", "latin-1"):
        try:
            meant = line.encode(encoding).decode()
        except UnicodeError:
            continue
        if meant != line:
            return f"is UTF-8 that was read as {encoding}; write {meant!r}"
    return None


def _fault(line: str, apart: str) -> str | None:
    """What is wrong with a line whatever the others are."""
    if len(line) > _LONGEST:
        return None
    if _LIST.fullmatch(line):
        return f"is a list; write one class name {apart.removeprefix('one ')}"
    for what, pattern in _SURE:
        if match := pattern.fullmatch(line):
            return f"{what}; {_instead(match)}"
    if len(line) > 2 and not any(c.isalnum() or unicodedata.category(c) == "So" for c in line):
        return "is made of signs and no name; remove it"
    if _ENTITY.search(line) and (name := html.unescape(line)) != line:
        return f"holds a code of HTML; write {name!r}"
    if len(parts := _PARTED.split(line.rstrip(" ;"))) > 1:
        names = [part for part in parts if any(map(str.isalpha, part))]
        if len(names) == 1:
            return f"is a line of a table; write {names[0]!r}"
        synonyms = ""
        if apart == "one a line":
            synonyms = f"; or, if all name one class, {', '.join(names)!r}"
        return f"holds several names; write {apart}{_such_as(names)}{synonyms}"
    if match := _ENDED.fullmatch(line):
        return f"ends with {line[-1]!r}; {_instead(match)}"
    for pair in _PAIRS:
        if len(line) > 1 and line.count(pair[0]) != line.count(pair[1]):
            return f"holds one of {pair} without the other; write the name without it"
    if len(re.findall(r'(?<!\d)"', line)) % 2:  # 5" is a length
        return "holds one quote without the other; write the name without it"
    return None


def _parts(line: str) -> list[str]:
    """The names in a line that is a whole list, "cat, dog", "cat. dog." or "cat / dog"; else []."""
    for separator in (r",", r"\.(?:\s+|$)" if line.rstrip().endswith(".") else r",", r"\s/\s"):
        parts = [part.strip() for part in re.split(separator, line) if part.strip()]
        if len(parts) > 1:
            return parts
    return []


def _is_json(text: str) -> bool:
    try:
        return text.startswith(("[", "{")) and json.loads(text) is not None
    except (ValueError, RecursionError):
        return False


def _instead(match: re.Match[str]) -> str:
    name = _name(match)
    return f"write {name!r}" if name else "write a name instead, or remove it"


def _name(match: re.Match[str], layers: int = 3) -> str:
    """The name in what a pattern has found, also under some layers of quotes and the like."""
    groups = match.groupdict()
    name = groups.get("name") or groups.get("inner") or ""
    cells = [cell for cell in name.split("\t") if any(map(str.isalpha, cell))]
    name = (cells[0] if cells else name).strip(" \t:=;,|-_")
    inner = next((found for p in _WRAPS if (found := p.fullmatch(name))), None)
    return _name(inner, layers - 1) if inner and layers else name


def _flat(name: str) -> str:
    """The name with wide digits and signs, as East Asian keyboards write them, made plain."""
    return unicodedata.normalize("NFKC", name)


def _such_as(names: Sequence[str]) -> str:
    return f": {', '.join(names)[:_SHOWN]}" if names else ""
