"""File names as people see them: which cannot be written, which look alike.

A file system allows any bytes in a name; Parquet, JSON and a terminal need text. And two names may
look the same: accents composed or not, a zero-width space, a no-break space.
"""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from urllib.parse import unquote

PHOTOS, MAPS = (".jpg", ".jpeg"), (".png",)
"""Suffixes of the pictures and label maps of downloaded sets."""
_BLANK = frozenset("\u034f\u115f\u1160\u3164\uffa0") | {chr(c) for c in range(0xFE00, 0xFE10)}
"""Characters without ink that Unicode counts among letters and marks, variation selectors too."""

_FLAG = re.compile("\U0001f3f4(?P<region>[\U000e0020-\U000e007e]+)\U000e007f")
"""A flag such as England's: a black flag, then the region in letters that are not drawn."""


def is_utf8(name: str) -> bool:
    """Return whether a name from the file system is UTF-8; Python puts surrogates for other
    bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """Return the name with bytes that are not UTF-8 written as \\xe9, for messages and records."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def visible(name: str) -> str:
    """Return a name as it looks: accents composed, invisible characters removed, spaces plain."""
    seen = []
    for character in unicodedata.normalize("NFC", flags_spelled(name)):
        kind = unicodedata.category(character)
        if kind == "Zs":
            seen.append(" ")
        elif kind not in ("Cf", "Cc", "Zl", "Zp") and character not in _BLANK:
            seen.append(character)
    return "".join(seen)


def flags_spelled(name: str) -> str:
    """Return a name with the regions of flags in plain letters, since each is drawn otherwise."""
    return _FLAG.sub(
        lambda flag: "\U0001f3f4" + "".join(chr(ord(c) - 0xE0000) for c in flag["region"]), name
    )


def stem_of(name: str, suffixes: Sequence[str]) -> str | None:
    """Return a file's name without its suffix, None if it has none of these (in small letters or
    capitals) or is hidden, as the "._x.jpg" of macOS."""
    if name.startswith("."):
        return None
    return next((name[: -len(s)] for s in suffixes if name.lower().endswith(s)), None)


def lookalikes(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of two or more names that look the same, each sorted."""
    groups = defaultdict(list)
    for name in names:
        groups[visible(name)].append(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def loose(name: str) -> str:
    """Undo what tools change in a name: case, "%20", backslashes, "./", "images/" and invisible
    characters. For hints, not for reading."""
    path = visible(unquote(name)).strip().replace("\\", "/").casefold()
    return path.removeprefix("./").removeprefix("images/")


class Hints:
    """Guess which file a wrong name means: the one with the same `loose` name, else the only one
    with the same last part in whatever folder, else with the same last part but for the suffix."""

    def __init__(self, files: Iterable[str]) -> None:
        self._whole, self._last = defaultdict(list), defaultdict(list)
        self._stem = defaultdict(list)
        for file in files:
            path = PurePosixPath(loose(file))
            self._whole[str(path)].append(file)
            self._last[path.name].append(file)
            self._stem[path.stem].append(file)

    def meant(self, name: str) -> str | None:
        """Return the file, None if there is none or more than one."""
        path = PurePosixPath(loose(name))
        for found in (
            self._whole.get(str(path)),
            self._last.get(path.name),
            self._stem.get(path.stem),
        ):
            if found:
                return found[0] if len(found) == 1 else None
        return None
