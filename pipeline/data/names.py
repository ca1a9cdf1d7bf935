"""Names of files as people see them: which cannot be written, which look alike.

A file system holds any bytes as a name; Parquet, JSON and a terminal hold text. And two names may
look the same: accents composed or not, a zero-width space, a no-break space.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote

_BLANK = frozenset("\u034f\u115f\u1160\u3164\uffa0") | {chr(c) for c in range(0xFE00, 0xFE10)}
"""Characters without ink that Unicode counts among letters and marks, variation selectors too."""


def is_utf8(name: str) -> bool:
    """Whether a name the file system gave is text; Python stands in for other bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """The name with bytes that are not UTF-8 written as \\xe9, for messages and records."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def visible(name: str) -> str:
    """What is seen of a name: accents composed, invisible characters left out, spaces plain."""
    seen = []
    for character in unicodedata.normalize("NFC", name):
        kind = unicodedata.category(character)
        if kind == "Zs":
            seen.append(" ")
        elif kind not in ("Cf", "Cc", "Zl", "Zp") and character not in _BLANK:
            seen.append(character)
    return "".join(seen)


def lookalikes(names: Iterable[str]) -> list[list[str]]:
    """The groups of two or more names that look the same, each in order."""
    groups = defaultdict(list)
    for name in names:
        groups[visible(name)].append(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def loose(name: str) -> str:
    """A name without what tools change on the way: case, "%20", backslashes, "./", "images/" and
    what cannot be seen. For hints, not for reading."""
    path = visible(unquote(name)).strip().replace("\\", "/").casefold()
    return path.removeprefix("./").removeprefix("images/")


class Hints:
    """Which of these files a wrong name may mean: the one that is loosely the same, or else the
    only one with its last part, whatever folders it carries."""

    def __init__(self, files: Iterable[str]) -> None:
        self._whole, self._last = defaultdict(list), defaultdict(list)
        for file in files:
            self._whole[loose(file)].append(file)
            self._last[PurePosixPath(loose(file)).name].append(file)

    def meant(self, name: str) -> str | None:
        """The file, None where there is none or more than one."""
        wanted = loose(name)
        for found in (self._whole.get(wanted), self._last.get(PurePosixPath(wanted).name)):
            if found:
                return found[0] if len(found) == 1 else None
        return None
