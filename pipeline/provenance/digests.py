"""sha256 of files that many runs look at, computed again only for files that changed.

As git does, a file is taken for unchanged while its size, inode and both of its times are what they
were when it was read last: the time of its last change of content, which can be set by hand, and
that of its last change of anything, which cannot. The memory of that is one SQLite file, which may
be deleted at any time.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline.core.fingerprint import of_file

_TABLE = (
    "CREATE TABLE IF NOT EXISTS digests"
    " (path TEXT PRIMARY KEY, size INTEGER, inode INTEGER, mtime_ns INTEGER, ctime_ns INTEGER,"
    " sha256 TEXT)"
)


class Digests:
    """Use as a context manager; what was computed is stored at the end.

    database: the SQLite file, made where it is missing and again where it is damaged.
    """

    def __init__(self, database: Path) -> None:
        self.database = database
        self._known: dict[str, tuple[int, int, int, int, str]] = {}
        self._new: dict[str, tuple[int, int, int, int, str]] = {}

    def __enter__(self) -> "Digests":
        self.database.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._known = self._stored()
        except sqlite3.DatabaseError:
            self.database.unlink()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._new:
            with closing(sqlite3.connect(self.database, timeout=60)) as connection, connection:
                connection.execute(_TABLE)
                connection.executemany(
                    "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?)",
                    [(path, *entry) for path, entry in self._new.items()],
                )

    def of(self, path: Path) -> str:
        """Return the sha256 of the file's bytes, in hex. OSError when it cannot be read."""
        name, state = os.fsencode(path.absolute()).decode("utf-8", "backslashreplace"), path.stat()
        signature = (state.st_size, state.st_ino, state.st_mtime_ns, state.st_ctime_ns)
        known = self._new.get(name) or self._known.get(name)
        if known is not None and known[:4] == signature:
            return known[4]
        digest = of_file(path)
        self._new[name] = (*signature, digest)
        return digest

    def _stored(self) -> dict[str, tuple[int, int, int, int, str]]:
        with closing(sqlite3.connect(self.database, timeout=60)) as connection:
            connection.execute(_TABLE)
            return {path: tuple(entry) for path, *entry in connection.execute(_SELECT)}


_SELECT = "SELECT path, size, inode, mtime_ns, ctime_ns, sha256 FROM digests"
