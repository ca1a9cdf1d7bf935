"""What describes a benchmark: what to download, where its pictures are, its classes.

A benchmark is a value, not a class to inherit from: listing its pictures and decoding its label
files are plain functions in the module named after it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.records import Reject
from pipeline.data.names import stem_of

STAGE = "dataset"


@dataclass(frozen=True)
class Part:
    """Something to download: where it belongs under the data root, what it holds, its source."""

    path: str
    holds: str
    source: str
    also: str | None = None  # another path where it is looked for

    def exists(self, root: Path) -> bool:
        paths = (self.path,) if self.also is None else (self.path, self.also)
        return any((root / path).exists() for path in paths)


@dataclass(frozen=True)
class Listing:
    """The files of a set that are there, by picture name; paths are relative to the data root.

    `extra`: whatever else decoding a label file needs, JSON-able, by picture name; `rejects`:
    entries of lists that were left out.
    """

    images: dict[str, str]
    labels: dict[str, str]
    extra: Mapping[str, Any] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()

    @property
    def complete(self) -> list[str]:
        """Names of the pictures that have both files, sorted."""
        return sorted(set(self.images) & set(self.labels))


Decode = Callable[[Path, Any], np.ndarray]
"""Label file, extra -> stored values, integer (H, W). UserError names the file and the fault."""


@dataclass(frozen=True)
class Conversion:
    """How other label files become label PNGs; cached by shard under labels/<folder>.

    Two benchmarks over the same files share a folder, since stored values are kept.
    """

    folder: str
    decode: Decode
    short_side: int | None = None  # reduce pictures and labels whose short side is longer


@dataclass(frozen=True)
class Benchmark:
    """An evaluation set as downloaded."""

    name: str
    title: str
    official: int  # pictures in the official download
    parts: tuple[Part, ...]
    list_pictures: Callable[[Path], Listing]  # of a data root
    class_list: str  # in pipeline/data/classes
    ignore_label: int = 255
    unlabelled: frozenset[int] | None = None
    """Stored values that are valid but not a class of the list; None allows any (converted label
    files are checked when they are decoded)."""
    has_split: bool = False  # the class list says which classes are seen
    conversion: Conversion | None = None

    def missing(self, root: Path) -> list[Part]:
        """List the parts that are not under `root`."""
        return [part for part in self.parts if not part.exists(root)]


def files_by_stem(
    root: Path, folder: str, suffixes: Sequence[str], rejects: list[Reject] | None = None
) -> dict[str, str]:
    """Map stem -> path relative to `root` for the files of a folder, {} without the folder. Of two
    files of one stem (x.jpg, x.JPG) the first is taken and the other goes to `rejects`."""
    path = root / folder
    found: dict[str, str] = {}
    for name in sorted(f.name for f in path.iterdir()) if path.is_dir() else ():
        stem = stem_of(name, suffixes)
        if stem in found and rejects is not None:
            detail = f"{found[stem]} is there too, and used; remove one"
            rejects.append(Reject(STAGE, f"{folder}/{name}", "two files of one picture", detail))
        elif stem is not None:
            found.setdefault(stem, f"{folder}/{name}")
    return found


def read_list(path: Path) -> list[str]:
    """Read the names in a list of pictures, separated by spaces or line ends; a byte order mark is
    allowed. UserError if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig").split()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error}); save the list as UTF-8") from error
