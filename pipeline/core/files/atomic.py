"""Files that are whole or absent: written under another name, flushed, then renamed."""

import glob
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.errors import STORAGE_ERRORS

_TEMPORARY = re.compile(r"\..+\.(\d+)-([0-9a-f]{8})-[0-9a-f]{8}\.tmp")
_PROBE_BYTES = 1024**2


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what is written there replaces `path` on success.

    After an exception `path` is unchanged and the temporary file is removed. Parent folders are
    created. An operating-system error, such as a full disk, names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    temporary = temporary_name(path)
    try:
        with naming(path, temporary):
            yield temporary
            move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_name(path: Path) -> Path:
    """Return a hidden name beside `path`, for a file or folder, that nothing else uses."""
    owner = f"{os.getpid()}-{_machine()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{owner}.tmp")


def sweep(folder: Path, name: str = "*") -> None:
    """Remove the temporary files that killed processes of this machine left in a folder (not below
    it); with `name`, only those that were to become that file."""
    for path in _temporaries(folder, name):
        owner = _TEMPORARY.fullmatch(path.name)
        if owner[2] == _machine() and not _is_alive(int(owner[1])):
            _remove(path)


def clear(folder: Path) -> None:
    """Remove everything under a temporary name in a folder (not below it), whoever wrote it.

    Only for the process that has locked the folder (`lock.py`), before it starts others.
    """
    for path in _temporaries(folder):
        _remove(path)


def move(source: Path, target: Path) -> None:
    """Rename a finished file on the same file system, surviving a power cut right after it."""
    with naming(target, source):
        with open(source, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(source, target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path`, whole or not at all. A byte of a file name that is not UTF-8 is
    written as JSON escapes it, "\\udcff", and can be read back."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def naming(path: Path, temporary: Path) -> Iterator[None]:
    """Make a disk error (see STORAGE_ERRORS) name `path`. Without this it names no file, as when a
    disk fills up, or `temporary` or something in it, which the user does not know."""
    try:
        yield
    except OSError as error:
        unnamed = error.filename is None or str(error.filename).startswith(str(temporary))
        if error.errno in STORAGE_ERRORS and unnamed:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    except RuntimeError as error:  # all that torch.save says of a full disk
        refusal = _write_more(temporary)
        if refusal is not None and refusal.errno in STORAGE_ERRORS:
            raise OSError(refusal.errno, os.strerror(refusal.errno), str(path)) from error
        raise


def _write_more(path: Path) -> OSError | None:
    """Return the error that writing more to a file raises, if any."""
    if not path.is_file():
        return None
    try:
        with open(path, "ab") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def _temporaries(folder: Path, name: str = "*") -> list[Path]:
    """List the files and folders named by `temporary_name`; other hidden files are the user's."""
    found = folder.glob(f".{name if name == '*' else glob.escape(name)}.*.tmp")
    return [path for path in found if _TEMPORARY.fullmatch(path.name)]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True
