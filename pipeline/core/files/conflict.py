"""Merge conflicts that were not resolved, in the text files that people write."""

import re

from pipeline.core.errors import UserError

_MARKER = re.compile(rb"(?m)^(?:\xef\xbb\xbf)?[ \t]*(?:<{7,}|={7,}|\|{7,}|>{7,})(?:[ \t].*)?\r?$")
"""The lines by which git parts two versions of a file that it could not merge; longer ones are of a
merge in a merge, or of conflict-marker-size, and an editor may have put spaces before them."""


def refuse_conflict(path: object, content: bytes) -> None:
    """Raise UserError, with the line, if a text has a merge conflict in it.

    path: names the text.
    """
    if conflict := _MARKER.search(content):
        marker = conflict[0].decode("utf-8-sig", "backslashreplace").strip()
        raise UserError(
            f"{path}:{line_of(content, conflict)}: a merge conflict that is not resolved "
            f"({marker[:40]!r}); keep one of the two versions and remove the lines with <<<<<<<, "
            "======= and >>>>>>>"
        )


def line_of(content: bytes, match: re.Match[bytes]) -> int:
    """Return the number of the line, from 1, in which a match starts."""
    return content.count(b"\n", 0, match.start()) + 1
