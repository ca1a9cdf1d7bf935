"""Find class lists in the wrong format: numbered, JSON, all in one line.

Read as plain lists they would give classes such as "1: cat" or '["cat"', and nothing would fail:
the words would be wrong in every prompt. So what looks like another format is refused, line by
line, with what to write instead.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

_NAME = r"(?P<name>.*[^\W\d_].*)"
_NUMBERED = re.compile(rf"\d+\s*(?:[:=;,|)\t]|\.(?!\d))\s*{_NAME}|\d+\s+-\s+(?P<name2>.*)")
_COUNTED = re.compile(rf"(?P<number>\d+)[\s.-]+{_NAME}")
_COUNTED_BEHIND = re.compile(rf"{_NAME}[\s:=;,|-](?P<number>\d+)")
_LIST = re.compile(r"(?:\w+\s*[:=]\s*)?[\[{]\s*(?:['\"].*|[^\]}]*[,:].*)")
_QUOTED = re.compile(r"(?P<quote>['\"])(?P<name>.*)(?P=quote),?")
_BULLET = re.compile(r"[-*•]\s+(?P<name>.*)")
_ENDED = re.compile(r"(?P<name>.*\S)\s*[,;]")
_BETWEEN = re.compile(r"\s*[,;|\t]\s*")
_SHOWN = 80
_DIGITS = 9
"""Digits of a line number, at most: Python refuses to convert very long ones."""


def line_faults(lines: Sequence[str]) -> dict[int, str]:
    """Return what is wrong with lines of one class name each, by line number from 1.

    Empty lines are allowed here. A leading number is a fault if most lines have one: "16:9 screen"
    is a name.
    """
    stripped = [line.strip() for line in lines]
    filled = [line for line in stripped if line]
    if filled and (names := _json_names("\n".join(filled))) is not None:
        return {1: f"the file is JSON; write one class name a line{_such_as(names)}"}
    many = sum(_NUMBERED.fullmatch(line) is not None for line in filled) * 2 > len(filled)
    numbers = [_NUMBERED] * many + [p for p in (_COUNTED, _COUNTED_BEHIND) if _count(filled, p)]
    faults = {}
    for number, line in enumerate(stripped, start=1):
        if line and (fault := _fault(line, len(filled) == 1, numbers)):
            faults[number] = f"{line[:_SHOWN]!r} {fault}"
    return faults


def text_fault(text: str) -> str | None:
    """Return what is wrong with a text of comma-separated names, None if nothing is: it is JSON or
    another kind of list, it has line breaks, or most names are numbered."""
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
    matches = [match for name in names if (match := _NUMBERED.fullmatch(name))]
    if len(matches) * 2 > len(names):
        return f"is numbered; {instead}{_such_as([_name(match) for match in matches])}"
    return None


def _fault(line: str, alone: bool, numbers: Sequence[re.Pattern[str]]) -> str | None:
    if hidden := _hidden(line):
        return f"holds a character that cannot be seen ({hidden}); write the name without it"
    if _LIST.fullmatch(line):
        return "is a list; write one class name a line"
    for pattern in numbers:
        if match := pattern.fullmatch(line):
            return f"has a number, which the line gives already; write {_name(match)!r}"
    for pattern, what in ((_QUOTED, "is in quotes"), (_BULLET, "has a bullet")):
        if match := pattern.fullmatch(line):
            return f"{what}; write {match['name']!r}"
    if line.startswith("#"):
        return "is a comment, and every line is a class; remove it"
    names = [name for name in _BETWEEN.split(line) if name]
    if len(names) > 1 and (alone or "\t" in line):
        return f"holds several names; write one a line{_such_as(names)}"
    if match := _ENDED.fullmatch(line):
        return f"ends with {line[-1]!r}; write {match['name']!r}"
    return None


def _json_names(text: str) -> list[str] | None:
    """Return the names in a JSON list or object, as far as recognisable; None for other text."""
    if not text.startswith(("[", "{")):
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict):
        values = list(content.values())
        content = values if all(isinstance(value, str) for value in values) else list(content)
    return [value for value in content if isinstance(value, str)]


def _count(lines: Sequence[str], pattern: re.Pattern[str]) -> bool:
    """Whether the numbers in the lines count up from 0 or 1, gaps allowed. Those of "3 wheeler", or
    of "route 1" and "route 66", do not."""
    matches = [match for line in lines if (match := pattern.fullmatch(line))]
    if len(lines) < 2 or len(matches) < len(lines):
        return False
    numbers = [int(match["number"][:_DIGITS]) for match in matches]
    whole = numbers[-1] - numbers[0] == len(lines) - 1
    ascending = all(before < after for before, after in pairwise(numbers))
    names = {_name(match) for match in matches}
    return numbers[0] in (0, 1) and ascending and (whole or len(names) == len(lines))


def _name(match: re.Match[str]) -> str:
    names = [text for group, text in match.groupdict().items() if group != "number" and text]
    return names[0].strip(" \t:=;,|-")


def _hidden(line: str) -> str | None:
    """Return the first invisible character, as "U+200B"; joiners inside emoji are allowed."""
    for character in line:
        unseen = unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        if unseen and character not in "\t\u200c\u200d":
            return f"U+{ord(character):04X}"
    return None


def _such_as(names: Sequence[str]) -> str:
    return f": {', '.join(names)[:_SHOWN]}" if names else ""
