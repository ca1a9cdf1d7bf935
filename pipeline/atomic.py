"""Files that are whole or absent: written under another name, flushed, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; what is written there replaces `path` on success.

    After an exception `path` is as it was and the temporary file is gone. Parent folders are
    created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove the temporary files that killed processes left in a folder (not below it); with
    `name` those of that file. Only for the one process that writes there."""
    for left in folder.glob(f".{name}.*.tmp"):
        left.unlink(missing_ok=True)


def move(source: Path, target: Path) -> None:
    """Rename a finished file on the same file system, surviving a power cut right after it."""
    with open(source, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(source, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
