"""Find class lists in another format than one name a line: numbered, JSON, tables, markup, damage.

Read as plain lists they would give classes such as "1: cat" or '["cat"', and nothing would fail:
the words are simply wrong in every prompt. One rule decides, wherever names come from: lines of
classes.txt, a text with commas (`--classes`, the web page), a list in Python, categories of COCO,
nouns of tars.

    refused    a line that no name looks like (`SURE`, `_damage`), two spellings of one name, and
               each line of a format that most lines have (`FORMATS`) or all of them (`_counted`)
    accepted   everything else, as it stands: "707-320", "#2 pencil", "Formula 1", "7"
    doubtful   accepted, but `name_doubts` tells why one should look: a line in a format that few
               others have, a number among names, "__ignore__"

The patterns are in pipeline/data/class_rules.py.
"""

import html
import json
import re
import unicodedata
from collections.abc import Sequence

from pipeline.data.class_rules import (
    COLUMNS,
    DOUBTFUL,
    ENDED,
    FORMATS,
    HEADER,
    INDEX,
    INDEX_BEHIND,
    LIST,
    ORDINAL,
    ORDINALS,
    SURE,
    WRAPS,
    Rule,
)
from pipeline.data.names import flags_spelled, visible

_ENTITY = re.compile(r"&(?:#\d+|#x[\da-fA-F]+|\w+);")
_PARTED = re.compile(r"\s*[;|\t，、；،؛]\s*")
_SHOWN = 80
_LONGEST = 1000
"""Characters of a line in which formats are looked for; a CLIP reads some 70 words of a name."""
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
    on_all = [rule for rule in (INDEX, INDEX_BEHIND, COLUMNS) if _on_all(stripped, rule)]
    doubts = [*on_all, *FORMATS, *DOUBTFUL]
    found = []
    for name in stripped:
        rule = next((r for r in doubts if len(name) <= _LONGEST and r.match(_flat(name))), None)
        if rule is not None:
            why = "a number on every line" if rule in (INDEX, INDEX_BEHIND) else rule.what
            found.append(f"{name[:_SHOWN]!r} ({why})")
    return found


def line_faults(lines: Sequence[str]) -> dict[int, str]:
    """Return what is wrong with the lines of a file that should hold one class name each, by line
    number from 1: as `name_faults`, or the file is JSON, begins with a header or has its names on
    one line."""
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
    elif len(filled) > 1 and HEADER.match(filled[0][:_LONGEST]):
        faults[number] = f"{filled[0][:_SHOWN]!r} {HEADER.what}; remove it"
    return faults


def name_fault(name: str) -> str | None:
    """Return what is wrong with one name by itself, as a line of a class list would be; None if
    nothing: a character that cannot be seen, a list, quotes, a comment, a comma at its end."""
    return name_faults([name]).get(1)


def text_fault(text: str) -> str | None:
    """Return what is wrong with a text that should hold names with commas between them, None if
    nothing is seen: it is JSON or another list, has line breaks, names a file, or a name in it is
    wrong."""
    text = text.strip()
    instead = "write the names alone, with commas between"
    if _is_json(text):
        return f"is JSON; {instead}"
    names = [name.strip() for name in text.split(",")]
    in_brackets = text[:1] == "[" and text[-1:] == "]" and "]" not in names[0]
    in_quotes = text[:1] in ("'", '"') and text[-1] == text[0]
    if in_brackets or in_quotes or LIST.match(text):
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
    """Return the name as a CLIP's tokenizer reads it, near enough: lower case, without ligatures,
    wide letters and double spaces. Names with the same value are one class."""
    return " ".join(visible(unicodedata.normalize("NFKC", name)).lower().split())


def _formats(names: Sequence[str]) -> list[Rule]:
    """Return the formats other than a plain list that the names are in."""
    flat = [_flat(name) for name in names if 0 < len(name) <= _LONGEST]
    found = []
    for rule in FORMATS:
        matches = sum(rule.match(name) is not None for name in flat)
        if matches >= rule.least and matches * 2 > len(flat):
            found.append(rule)
    words = [i for i, name in enumerate(flat) if not name.isdecimal()]
    step = words[1] - words[0] if len(words) > 1 else 1
    if step > 1 and len(flat) - len(words) > 1 and words == list(range(words[0], len(flat), step)):
        found.append(Rule("is a number between names", (re.compile(r"\d+"),)))
    return found + [rule for rule in (INDEX, INDEX_BEHIND, ORDINAL) if _counted(flat, rule)]


def _on_all(names: Sequence[str], rule: Rule) -> list[re.Match[str]]:
    """Return the matches where every name, of two at least, has one and what it leaves of them
    differs."""
    matches = [match for name in names if (match := rule.match(name[:_LONGEST]))]
    rests = {_name(match) for match in matches}
    return matches if 1 < len(names) == len(matches) == len(rests) else []


def _counted(names: Sequence[str], rule: Rule) -> bool:
    """Return whether the numbers or letters of all names are those of a table: they count from the
    first, also with some left out, or stand before three names or more. Numbers behind names count
    one by one, from 0 or, behind three names or more, from 1: "Formula 1" and "Boeing 737" are
    names.
    """
    matches = _on_all(names, rule)
    if not matches:
        return False
    if rule is ORDINAL:
        ordinals = [match["ordinal"].lower() for match in matches]
        return any(ordinals[: len(order)] == order[: len(ordinals)] for order in ORDINALS)
    numbers = [int(match["number"][:_DIGITS]) for match in matches]
    is_table = len(names) >= _TABLE_FROM
    if rule is INDEX:
        return is_table or numbers[0] in (0, 1) and numbers[0] < numbers[1]
    first = numbers[0]
    counts = numbers == list(range(first, first + len(numbers)))
    return counts and (first == 0 or first == 1 and is_table)


def _in_format(line: str, formats: Sequence[Rule]) -> str | None:
    for rule in formats:
        if len(line) <= _LONGEST and (match := rule.match(_flat(line))):
            return f"{rule.what}; {_instead(match)}"
    return None


def _damage(line: str) -> str | None:
    """Return what is wrong with the characters of a line: unseen ones, another encoding, half
    pairs."""
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
        if meant != line and meant.isprintable():
            return f"is UTF-8 that was read as {encoding}; write {meant!r}"
    return None


def _fault(line: str, apart: str) -> str | None:
    """Return what is wrong with a line whatever the others are."""
    if len(line) > _LONGEST:
        return None
    if LIST.match(line):
        return f"{LIST.what}; write one class name {apart.removeprefix('one ')}"
    for rule in SURE:
        if match := rule.match(line):
            return f"{rule.what}; {_instead(match)}"
    if len(line) > 2 and not any(c.isalnum() or unicodedata.category(c) == "So" for c in line):
        return "is made of signs and no name; remove it"
    if _ENTITY.search(line) and (name := html.unescape(line)) != line:
        return f"holds a code of HTML; write {name!r}"
    parts = _PARTED.split(line.rstrip(" ;"))
    if len(parts) > 1 and any(map(str.isalnum, line)):
        names = [part for part in parts if any(map(str.isalpha, part))]
        if len(names) == 1:
            return f"is a line of a table; write {names[0]!r}"
        synonyms = ""
        if apart == "one a line":
            synonyms = f"; or, if all name one class, {', '.join(names)!r}"
        return f"holds several names; write {apart}{_such_as(names)}{synonyms}"
    if match := ENDED.match(line):
        return f"ends with {line[-1]!r}; {_instead(match)}"
    for opening, closing in ("[]", "{}"):
        if len(line) > 2 and line.count(opening) != line.count(closing):
            return f"holds {opening} or {closing} without the other; write the name without it"
    plain = re.sub(r'\d"', "", line)  # 5" is a length
    for quotes in ('"', "“”„", "«»"):
        if sum(map(plain.count, quotes)) % 2:
            return "holds one quote without the other; write the name without it"
    return None


def _parts(line: str) -> list[str]:
    """Return the names in a line that is a whole list, "cat, dog", "cat. dog." or "cat / dog"; else
    []."""
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
    """Return the name in what a pattern has found, also under some layers of quotes and the
    like."""
    groups = match.groupdict()
    name = groups.get("name") or groups.get("inner") or ""
    cells = [cell for cell in name.split("\t") if any(map(str.isalpha, cell))]
    name = (cells[0] if cells else name).strip(" \t:=;,|-_")
    inner = next((found for rule in WRAPS if (found := rule.match(name))), None)
    return _name(inner, layers - 1) if inner and layers else name


def _flat(name: str) -> str:
    """Return the name with wide digits and signs, as East Asian keyboards write them, made
    plain."""
    return unicodedata.normalize("NFKC", name)


def _such_as(names: Sequence[str]) -> str:
    return f": {', '.join(names)[:_SHOWN]}" if names else ""
