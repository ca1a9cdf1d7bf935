"""Short hashes of values, files and code: what decides whether earlier work can be kept."""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import MissingFileError

ROOT = Path(__file__).resolve().parents[1]
PLUMBING = {
    "atomic", "cluster", "digests", "fingerprint", "lookup", "modes", "param_errors", "params",
    "params_file", "progress", "records", "resume", "runtime", "shards", "stage", "summary",
    "workers",
}  # fmt: skip
"""Modules of pipeline/ that decide how things are read, run and written, not what comes out."""


def of_value(value: Any) -> str:
    """Hash of a value made of None, bool, int, float, str, bytes, Path, dataclasses, and lists,
    tuples and mappings of those. TypeError on anything else: its text might not tell it apart."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()[:24]


def of_files(paths: Iterable[Path | str], pattern: str = "*") -> str:
    """Hash of the names and bytes of files; a folder stands for all files in it that match."""
    digest = hashlib.sha256()
    for path in map(Path, paths):
        if not path.exists():
            raise MissingFileError(f"{path}: not found, expected a file or folder to fingerprint")
        files = [path] if path.is_file() else sorted(p for p in path.rglob(pattern) if p.is_file())
        for file in files:
            name = file.name if path.is_file() else file.relative_to(path).as_posix()
            _feed(digest, [name, of_file(file)])
    return digest.hexdigest()[:24]


def of_sizes(root: Path | str, paths: Iterable[str | None]) -> str:
    """Hash of the names and sizes of files below `root`: for pictures that are too many to read.
    A file that is missing counts as such; None is skipped."""
    sizes = []
    for path in paths:
        if path is not None:
            file = Path(root) / path
            sizes.append((path, file.stat().st_size if file.is_file() else None))
    return of_value(sizes)


def of_code(file: Path | str) -> str:
    """Hash of a Python file of this project (a module says `__file__`) and of all code of the
    project that it builds on, directly or not, PLUMBING left out."""
    return of_value(
        [(f.relative_to(ROOT).as_posix(), of_file(f)) for f in sorted(code_of(Path(file)))]
    )


def code_of(file: Path) -> set[Path]:
    """The project's files that decide what `file` computes: itself and what it imports."""
    waiting, seen = [file.resolve()], set()
    while waiting:
        found = waiting.pop()
        if found not in seen:
            seen.add(found)
            waiting += _imports(found)
    return seen


@cache
def _imports(file: Path) -> frozenset[Path]:
    """The project's files that one file imports, at any place; a package is its __init__."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            top, _, rest = name.partition(".")
            place = ROOT / name.replace(".", "/")
            if top == "pipeline" and rest not in PLUMBING:
                files = (place.with_suffix(".py"), place / "__init__.py")
                found |= {path for path in files if path.is_file()}
    return frozenset(found)


def of_file(path: Path | str) -> str:
    """sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if is_dataclass(value) and not isinstance(value, type):
        value = [type(value).__name__, *(getattr(value, f.name) for f in fields(value))]
    if isinstance(value, Mapping):
        digest.update(b"{%d" % len(value))
        for key in sorted(value, key=str):
            _feed(digest, key)
            _feed(digest, value[key])
    elif isinstance(value, list | tuple):
        digest.update(b"[%d" % len(value))
        for element in value:
            _feed(digest, element)
    else:
        if isinstance(value, Path):
            value = value.as_posix()
        if not (value is None or isinstance(value, bool | int | float | str | bytes)):
            raise TypeError(f"cannot fingerprint a {type(value).__name__}: {value!r:.100}")
        data = value if isinstance(value, bytes) else repr(value).encode()
        digest.update(b"%s:%d:" % (type(value).__name__.encode(), len(data)))
        digest.update(data)
