"""Check where a command or stage writes before it starts, so that no hours are lost at the end.

A function marks its outputs by annotations, which `checks_places` reads:

    def main(dataset: Path, out: OutFolder, metrics: OutFile) -> None:
"""

import inspect
import os
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pipeline.core.errors import UserError

_FOLDER, _FILE = "written as a folder", "written as a file"
OutFolder = Annotated[Path, _FOLDER]
OutFile = Annotated[Path, _FILE]
_BLOCK = bytes(4096)  # on a full disk an empty file can still be made


def checks_places(function: Callable[..., None]) -> Callable[..., None]:
    """Wrap `function` so that it raises UserError at once if an argument annotated as OutFolder or
    OutFile names a place that cannot be written."""
    hints = get_type_hints(function, include_extras=True)

    @wraps(function)
    def checked(*arguments: Any, **flags: Any) -> None:
        call = inspect.signature(function).bind(*arguments, **flags)
        call.apply_defaults()
        for name, path in call.arguments.items():
            marks = getattr(hints.get(name), "__metadata__", ())
            if _FOLDER in marks:
                check_folder(path, f"--{name}")
            elif _FILE in marks:
                check_file(path, f"--{name}")
        return function(*arguments, **flags)

    return checked


def check_folder(folder: Path, flag: str) -> None:
    """Raise UserError unless `folder`, given as `flag`, can be made and written to. Makes
    nothing."""
    # Unlike Path's methods, those of os.path raise nothing, whatever the name.
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UserError(f"{folder}: a file; {flag} expects a folder")
    _try_to_write(folder, f"{flag} {folder}")


def check_file(file: Path, flag: str) -> None:
    """Raise UserError unless `file`, given as `flag`, can be written. Makes nothing."""
    if os.path.isdir(file):
        raise UserError(f"{file}: a folder; {flag} expects a file")
    _try_to_write(file.parent, f"{flag} {file}")


def _try_to_write(folder: Path, what: str) -> None:
    """Write to an unnamed file in the nearest folder that exists."""
    try:
        there = folder
        while not _exists(there):
            there = there.parent
        if not there.is_dir():
            raise UserError(f"{what}: nothing can be written there, since {there} is no folder")
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(_BLOCK)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(f"{what}: nothing can be written to {there}: {reason}") from error


def _exists(path: Path) -> bool:
    """Return whether the path exists, if only as a dangling link. OSError for an impossible
    name."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
