"""Whether files outside the project have changed: what DVC cannot see by itself.

DVC depends on paths that stand in dvc.yaml, not on a folder that params.yaml or an environment
variable names. A survey stands in its place: it changes whenever a file comes, goes or changes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.fingerprint import of_value
from pipeline.data.benchmarks import BENCHMARKS
from pipeline.data.names import printable
from pipeline.data.root import data_root
from pipeline.provenance.digests import Digests

COCO = (
    "coco/train2017",
    "coco/val2017",
    "coco/stuffthingmaps",
    *(
        f"coco/annotations/{kind}_{split}2017.json"
        for kind in ("captions", "instances")
        for split in ("train", "val")
    ),
)
OWN = ("images", "masks", "captions.jsonl", "captions.json", "classes.txt", "val.txt")
NAMES = ("coco", "own", *BENCHMARKS)
"""What can be watched: the two sources that are read from files, and every benchmark."""


@dataclass(frozen=True)
class Survey:
    """What is there now. files: how many; size: bytes of all; digest: hash of names and bytes."""

    files: int
    size: int
    digest: str


def survey(name: str, root: str | None, source: str, digests: Digests) -> Survey:
    """Look through the files of one of NAMES. Missing files are no fault here: the dataset stage
    knows which are needed and where to get them.

    Args:
        root, source: `dataset.root` and `dataset.source` in params.yaml; with the source "own" the
            root is that folder and benchmarks are under $DETECTRON2_DATASETS, as in `prepare`.
        digests: remembers the hashes of files that have not changed.

    Raises:
        UserError: an unknown name; says which there are.
    """
    if name not in NAMES:
        raise UserError(f"dataset.watch: no data set {name!r}; there are {', '.join(NAMES)}")
    folder = data_root(root if name == "own" or source != "own" else None)
    found = sorted(_files(folder, _places(name)))
    entries = [(printable(path), digests.of(folder / path)) for path, _ in found]
    return Survey(len(entries), sum(size for _, size in found), of_value(entries))


def _places(name: str) -> list[str]:
    if name in ("coco", "own"):
        return list(COCO if name == "coco" else OWN)
    parts = BENCHMARKS[name].parts
    return [path for part in parts for path in (part.path, part.also) if path is not None]


def _files(root: Path, places: list[str]) -> Iterator[tuple[str, int]]:
    """Yield path relative to root and size of every file at or under these places."""
    for place in places:
        path = root / place
        if path.is_file():
            yield place, path.stat().st_size
        elif path.is_dir():
            yield from _below(str(path), place)


def _below(folder: str, name: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            below = f"{name}/{entry.name}"
            if entry.is_dir():
                yield from _below(entry.path, below)
            elif entry.is_file():
                yield below, entry.stat().st_size
