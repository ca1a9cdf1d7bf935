"""A checksum inside a Parquet file, over every byte of it.

Parquet's own checksums cover pages, but neither page headers nor the footer. So the footer's
key-value metadata have an entry `checksum`: `sha256:` and the hex hash of the whole file, computed
with zeros in place of the hash itself. Other Parquet readers ignore the entry.
"""

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from pipeline.core.errors import RERUN, UserError

_MARK = b"sha256:"
_BLANK = b"0" * 64
_TAIL = 64 * 1024  # the key-value metadata stand at the footer's end
_CHUNK = 1024**2
METADATA = {"checksum": (_MARK + _BLANK).decode()}
"""Entry that a Parquet file must have in its metadata before it is sealed."""


def seal(path: Path) -> None:
    """Put the hash in place of the zeros of METADATA in a finished Parquet file."""
    with open(path, "rb+") as file:
        at = _find(file)
        assert at is not None, f"{path}: written without METADATA"
        digest = _digest(file, at)
        file.seek(at)
        file.write(digest)


def verify(file: BinaryIO, path: Path) -> None:
    """Check a sealed file, read from its start to its end; leaves it at its start.

    UserError, naming `path`, when a byte has changed or there is no checksum.
    """
    at = _find(file)
    if at is None:
        raise UserError(
            f"{path}: no checksum found, so it is damaged, cut short or not written by this "
            f"version; {RERUN}"
        )
    file.seek(at)
    if file.read(len(_BLANK)) != _digest(file, at):
        raise UserError(
            f"{path}: its content does not have its checksum, so it was damaged after it was "
            f"written; {RERUN}"
        )
    file.seek(0)


def _find(file: BinaryIO) -> int | None:
    """Return the offset of the hash, None if the file has no place for one."""
    start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_MARK)
    whole = at >= 0 and at + len(_MARK) + len(_BLANK) <= len(tail)
    return start + at + len(_MARK) if whole else None


def _digest(file: BinaryIO, at: int) -> bytes:
    """Return the hex sha256 of the file with _BLANK at offset `at`."""
    digest = hashlib.sha256()
    file.seek(0)
    left = at
    while left and (data := file.read(min(left, _CHUNK))):
        digest.update(data)
        left -= len(data)
    digest.update(_BLANK)
    file.seek(at + len(_BLANK))
    while data := file.read(_CHUNK):
        digest.update(data)
    return digest.hexdigest().encode()
