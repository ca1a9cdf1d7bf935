"""Find class lists in the wrong format: numbered, JSON, Markdown, with ids or comments.

Read as plain lists they would give classes such as "1: cat" or '["cat"', and nothing would fail:
the words are simply wrong in every prompt. So what looks like another format is refused, name by
name, with what to write instead. `name_faults` judges the names wherever they come from: lines of
classes.txt, a text with commas (`--classes`, the web page), or a list in Python.
"""

import html
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pipeline.data.names import visible

_NAME = r"(?=.*[^\W\d_])(?P<name>.*)"
_WORD = r"(?:(?:class|id|label|index|category|no\.?|nr\.?)(?:[\s_.#:=]+|(?=\d)))?"
"""What may stand before a number: "class 3: cat"."""
_NUMBERED = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_WORD}#?(?:\d+\.)*\d+\s*(?:[-=~]*[>→⇒]|[:=,](?!\d)|[;|)\t]|\.(?!\d))\s*{_NAME}",
        rf"{_WORD}#?\d+\s+[-–—]+\s+{_NAME}",
        rf"[\[({{<]\s*{_WORD}\d+\s*[\])}}>]\s*[:=.,-]?\s*{_NAME}",
        rf"[\[(](?:[a-z]|[ivx]+)[\])]\s*{_NAME}",
        rf"#\s?\d+\s+{_NAME}",
        rf"(?:[a-z]|[ivx]+)\)\s*{_NAME}",
        rf"[\u2460-\u24ff\u2776-\u2793]\s*{_NAME}",
        rf"(?:\d+[\s,;]+){{2,}}\d+[\s,;:]+{_NAME}",
        rf"{_NAME}[\s,;:]+(?:\d+[\s,;]+){{2,}}\d+",
        rf"{_NAME}\s*(?:[-=]+>|[→⇒])\s*\d+",
    )
]
"""Numbers, letters and colours that no name begins or ends with, as most names have them."""
_COUNTED = re.compile(rf"{_WORD}#?(?P<number>\d+)[\s._/-]+{_NAME}", re.IGNORECASE)
_COUNTED_BEHIND = re.compile(rf"{_NAME}[\s:=;,|_#\[(-](?P<number>\d+)[\])]?\s*[,;]?")
_LETTERED = re.compile(rf"(?P<letter>[a-z])\s*[.:]\s*{_NAME}", re.IGNORECASE)
_LIST = re.compile(
    r"(?:\w+\s*[:=]\s*)?[\[{]\s*(?:['\"].*|[^\]}]*[,:].*)|(?P<quote>['\"]).*(?P=quote)\s*,\s*(?P=quote).*"
)
_QUOTED = re.compile(r"[bu]?(?P<quote>['\"])(?P<name>.*)(?P=quote),?|[“‘„«](?P<inner>.*)[”’“»],?")
_BULLET = re.compile(r"(?:[-*+>•·‣▪–—]|\\item)\s+(?:\[[ xX]?\]\s+)?(?P<name>.*)")
_KEYED = re.compile(
    r"(?:name|display_name|label|class|class_name|item)\s*[:=]\s*(?P<name>.*)", re.IGNORECASE
)
_MARKED = re.compile(r"(?P<mark>\*{1,3}|~~|`{1,3})(?P<name>.+)(?P=mark)")
_TAGGED = re.compile(r"<(?P<tag>\w+)[^<>]*>(?P<name>.*)</(?P=tag)\s*>|</?\w[^<>]*>")
_COMMENT = re.compile(r"(?:#|//|%|;|--|/\*|\*/|<!--|<\?|```|~~~).*")
_COMMENT_BEHIND = re.compile(r"(?P<name>.*\S)\s+(?:#|//|/\*|<!--)(?:\s.*|[^\d\s].*)?")
_LINK = re.compile(r"!?\[(?P<name>[^\[\]]+)\]\([^()]*\)")
_ENTITY = re.compile(r"&(?:#\d+|#x[\da-fA-F]+|\w+);")
_IDS = [
    re.compile(pattern)
    for pattern in (
        r"(?P<id>n\d{8})(?:[\s:=,;|_.-]+(?P<name>.*))?",
        r"(?P<name>.+?)[\s:=,;|(\[_-]+(?P<id>n\d{8})[)\]]?",
        r"(?P<name>[^\s.]+)(?P<id>\.[nvars]\.\d\d)",
        r"(?P<id>/[mg]/[\w-]+)(?:[\s:=,;|]+(?P<name>.*))?",
    )
]
"""WordNet's ids and synsets, Open Images' ids."""
_WRAPPED = (
    (_QUOTED, "is in quotes"),
    (_BULLET, "has a bullet"),
    (_KEYED, "has a key"),
    (_MARKED, "is markup"),
    (_TAGGED, "is markup"),
    (_LINK, "is markup"),
    (_COMMENT_BEHIND, "has a comment behind it"),
)
_FILE = re.compile(r"\S*\.(?:txt|json|jsonl|csv|tsv|ya?ml|names|pbtxt)", re.IGNORECASE)
_ENDED = re.compile(r"(?P<name>.*\S)\s*[,;{\[]|(?P<heading>[^:]*[^\s:])\s*:")
_PARTED = re.compile(r"\s*[;|\t，、；،؛]\s*")
_SHOWN = 80
_LONGEST = 1000
"""Characters of a line in which lists are looked for; a CLIP reads some 70 words of a name."""
_DIGITS = 9
"""Digits of a line number, at most: Python refuses to convert very long ones."""
_IDS_FROM = 5
"""Names before which numbers that differ are ids, in whatever order."""


def name_faults(names: Sequence[str], apart: str = "one a line") -> dict[int, str]:
    """Return what is wrong with texts that should be one class name each, by number from 1.

    apart: how to separate names, for the hints. Empty and repeated names are allowed here, but not
    two spellings that a CLIP reads as the same. A number is a fault if most names have one:
    "16:9 screen" is a name.
    """
    stripped = [name.strip() for name in names]
    filled = [name for name in stripped if 0 < len(name) <= _LONGEST]
    numbers = [p for p in (_COUNTED, _COUNTED_BEHIND) if _count(filled, p)]
    if sum(_numbered(name) is not None for name in filled) * 2 > len(filled):
        numbers = [*_NUMBERED, *numbers]
    if _lettered(filled):
        numbers.append(_LETTERED)
    faults: dict[int, str] = {}
    first: dict[str, tuple[int, str]] = {}
    for number, name in enumerate(stripped, start=1):
        if not name:
            continue
        before, other = first.setdefault(_as_read(name), (number, name))
        if fault := _fault(name, numbers, apart):
            faults[number] = f"{name[:_SHOWN]!r} {fault}"
        elif other != name:
            faults[number] = (
                f"{ascii(name[:_SHOWN])} reads like {ascii(other[:_SHOWN])}, name {before}: case, "
                "forms of letters and what cannot be seen make no difference; keep one"
            )
    return faults


def line_faults(lines: Sequence[str]) -> dict[int, str]:
    """What is wrong with the lines of a file that should hold one class name each, by line number
    from 1: as `name_faults`, or the file is JSON or a single line of names."""
    filled = [line.strip() for line in lines if line.strip()]
    if filled and (names := _json_names("\n".join(filled))) is not None:
        return {1: f"the file is JSON; write one class name a line{_such_as(names)}"}
    faults = name_faults(lines)
    if len(filled) == 1 and "," in filled[0] and not faults:
        parts = [part.strip() for part in filled[0].split(",") if part.strip()]
        number = next(i for i, line in enumerate(lines, start=1) if line.strip())
        if len(parts) > 1:
            several = f"holds several names; write one a line{_such_as(parts)}"
            faults[number] = f"{filled[0][:_SHOWN]!r} {several}"
    return faults


def name_fault(name: str) -> str | None:
    """What is wrong with one name by itself, as a line of a class list would be; None if nothing:
    a character that cannot be seen, a list, quotes, a bullet, a comment, a comma at its end."""
    return name_faults([name]).get(1)


def text_fault(text: str) -> str | None:
    """What is wrong with a text that should hold names with commas between them, None if nothing
    is seen: it is JSON or another list, has line breaks, names a file, or a name in it is wrong."""
    text = text.strip()
    instead = "write the names alone, with commas between"
    if (names := _json_names(text)) is not None:
        return f"is JSON; {instead}{_such_as(names)}"
    names = [name.strip() for name in text.split(",")]
    if text[:1] == "[" and text[-1:] == "]" and "]" not in names[0]:
        return f"is a list in brackets; {instead}{_such_as([text[1:-1].strip()])}"
    if _LIST.fullmatch(text) or (text[:1] in ("'", '"') and text[-1] == text[0]):
        return f"is a list of another kind, or in quotes; {instead}"
    lines = [line.strip().rstrip(",;") for line in text.splitlines() if line.strip()]
    if len(lines) > 1:
        return f"has line breaks; {instead}{_such_as(lines)}"
    filled = [name for name in names if 0 < len(name) <= _LONGEST]
    matches = [match for name in filled if (match := _numbered(name))]
    if len(matches) * 2 > len(filled):
        return f"is numbered; {instead}{_such_as([_name(match) for match in matches])}"
    faults = name_faults(names, "with commas between")
    return f"is no list of names: {faults[min(faults)]}" if faults else None


def _fault(line: str, numbers: Sequence[re.Pattern[str]], apart: str) -> str | None:
    if hidden := _hidden(line):
        return f"holds a character that cannot be seen ({hidden}); write the name without it"
    if len(line) > _LONGEST:
        return None
    if _LIST.fullmatch(line):
        return f"is a list; write one class name {apart.removeprefix('one ')}"
    for pattern in _IDS:
        if match := pattern.fullmatch(line):
            instead = repr(match["name"]) if match["name"] else "the name that it stands for"
            return f"has the id {match['id'].strip('.')!r}, which is no word; write {instead}"
    for pattern in numbers:
        if match := pattern.fullmatch(line):
            return f"has a number, which its place in the list gives; write {_name(match)!r}"
    for pattern, what in _WRAPPED:
        if match := pattern.fullmatch(line):
            name = _name(match)
            return f"{what}; write {name!r}" if name else f"{what} and no name; remove it"
    kinds = {unicodedata.category(c) for c in line}
    if not any(kind[0] == "L" or kind == "So" for kind in kinds):  # So: signs such as emoji
        if any(c.isdigit() for c in line):
            return "is a number and no name; write the class as a word"
        return "is made of signs and no name; remove it"
    if _COMMENT.fullmatch(line):
        return "is a comment, and each is taken for a class; remove it"
    if _ENTITY.search(line) and (name := html.unescape(line)) != line:
        return f"holds a code of HTML; write {name!r}"
    if _PARTED.search(line.rstrip(" ;")):
        names = [part for part in _PARTED.split(line) if any(map(str.isalpha, part))]
        if len(names) == 1:
            return f"is a line of a table; write {names[0]!r}"
        synonyms = ""
        if apart == "one a line":
            synonyms = f"; or, if all name one class, {', '.join(names)!r}"
        return f"holds several names; write {apart}{_such_as(names)}{synonyms}"
    if match := _ENDED.fullmatch(line):
        return f"ends with {line[-1]!r}; write {_name(match)!r}"
    for pair in ("[]", "{}"):
        if line.count(pair[0]) != line.count(pair[1]):
            return f"holds one of the brackets {pair} without the other; write the name without it"
    if _FILE.fullmatch(line):
        return "is the name of a file; write the class names themselves"
    return None


def _numbered(name: str) -> re.Match[str] | None:
    return next((match for p in _NUMBERED if (match := p.fullmatch(name))), None)


def _json_names(text: str) -> list[str] | None:
    """Return the names in a JSON list or object, as far as recognisable; None for other text."""
    if not text.startswith(("[", "{")):
        return None
    try:
        return _names_in(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _names_in(content: Any) -> list[str]:
    """Names of a list, of its entries with a name, or of the lists, values or keys of an object."""
    if isinstance(content, list):
        named = [_name_of(value) for value in content]
        return [name for name in named if name is not None]
    if not isinstance(content, Mapping):
        return []
    for value in content.values():
        if isinstance(value, list | dict) and (names := _names_in(value)):
            return names
    texts = [value for value in content.values() if isinstance(value, str)]
    return texts if len(texts) == len(content) else list(content)


def _name_of(value: Any) -> str | None:
    if isinstance(value, Mapping):
        keys = ("name", "label", "class", "class_name", "display_name", "title", "category")
        value = next((value[key] for key in keys if isinstance(value.get(key), str)), None)
    return value if isinstance(value, str) else None


def _count(lines: Sequence[str], pattern: re.Pattern[str]) -> bool:
    """Whether the numbers of the lines count from 0 or 1, also with some left out, or are ids
    before the names: those of "3 wheeler" do not, nor those of "route 1" and "route 66"."""
    matches = [match for line in lines if (match := pattern.fullmatch(line))]
    if len(lines) < 2 or len(matches) < len(lines):
        return False
    numbers = [int(match["number"][:_DIGITS]) for match in matches]
    ascending = all(before < after for before, after in pairwise(numbers))
    if len({_name(match) for match in matches}) < len(lines):
        return False
    if pattern is _COUNTED and len(set(numbers)) == len(lines):
        ids = len(lines) >= _IDS_FROM or (len(lines) > 2 and numbers[-1] - numbers[0] < len(lines))
    else:
        ids = False
    return ids or (numbers[0] in (0, 1) and ascending)


def _lettered(lines: Sequence[str]) -> bool:
    """Whether all lines begin with "a.", "b.", "c." ... in order."""
    matches = [_LETTERED.fullmatch(line) for line in lines]
    letters = [match["letter"].lower() if match else "" for match in matches]
    return len(lines) > 1 and letters == [chr(ord("a") + i) for i in range(len(lines))]


def _name(match: re.Match[str], layers: int = 3) -> str:
    """The name in what a pattern has found, also under some layers of quotes and the like."""
    groups = match.groupdict()
    name = next((groups[g] for g in ("name", "inner", "heading") if groups.get(g)), "")
    cells = [cell for cell in name.split("\t") if any(map(str.isalpha, cell))]
    name = (cells[0] if cells else name).strip(" \t:=;,|-_")
    inner = next((found for p, _ in _WRAPPED if (found := p.fullmatch(name))), None)
    return _name(inner, layers - 1) if inner and layers else name


def _hidden(line: str) -> str | None:
    """Return the first invisible character, as "U+200B"; joiners inside emoji are allowed."""
    for character in line:
        unseen = unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        if unseen and character not in "\t\u200c\u200d":
            return f"U+{ord(character):04X}"
    return None


def _as_read(name: str) -> str:
    """The name as a CLIP's tokenizer reads it, near enough: lower case, without ligatures, wide
    letters and double spaces."""
    return " ".join(visible(unicodedata.normalize("NFKC", name)).casefold().split())


def _such_as(names: Sequence[str]) -> str:
    return f": {', '.join(names)[:_SHOWN]}" if names else ""
