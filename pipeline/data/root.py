"""Where the downloaded data sets lie: one root with detectron2's folder names under it.

    coco/  ADEChallengeData2016/  ADE20K_2021_17_01/  VOCdevkit/VOC2010/  VOCdevkit/VOC2012/

The root is `dataset.root` in params.yaml or, when that is null, the environment variable
DETECTRON2_DATASETS (default `datasets`). In the second case files written by the dataset stage say
"$DETECTRON2_DATASETS/..." and so hold on any machine of a cluster.
"""

import glob
import os
from pathlib import Path

from pipeline.core.errors import MissingFileError

VARIABLE = "DETECTRON2_DATASETS"
STUFF = "stuffthingmaps"
"""COCO's folder of label maps, whose subfolders have the names of those of pictures."""


def data_root(configured: str | Path | None = None) -> Path:
    """Return the absolute root, which need not exist."""
    return Path(configured or os.environ.get(VARIABLE) or "datasets").expanduser().resolve()


def root_fault(root: Path) -> str:
    """Return what is wrong with a root as a whole, to end a sentence; "" if it exists."""
    try:
        if root.is_dir():
            return ""
    except PermissionError:
        return " (it may not be read; give yourself the permission, or name another folder)"
    return (
        f" (no such folder; set the environment variable {VARIABLE}, or dataset.root in "
        "params.yaml, to the folder that holds coco/, ADEChallengeData2016/, VOCdevkit/ ...)"
    )


def too_deep(root: Path, path: str) -> str:
    """Return a hint, to end a message, if a missing or empty `path` lies one folder too deep under
    `root`, as after unpacking an archive into a folder of its own name; else "". A folder that has
    files, whatever they are, is not empty: nothing is to be moved among them."""
    names = Path(path).parts
    folder = root / path
    if any(inside.is_file() for inside in folder.glob("[!.]*")):
        return ""
    for i in range(len(names)):
        above, below = root.joinpath(*names[:i]), "/".join(names[i:])
        for found in sorted(above.glob(f"*/{glob.escape(below)}")):
            place = found.relative_to(root)
            if STUFF not in place.parts or STUFF in names:  # pictures are not in label maps
                return f"; {place} is there: move it to {path}"
    for inside in sorted(p for p in folder.glob("*") if p.is_dir()):
        return f"; {path} holds the folder {inside.name}: move what is in it up to {path}"
    return ""


def check_pictures(root: Path, stated_in: Path) -> None:
    """Raise MissingFileError if the pictures' folder is gone or the variable points elsewhere.

    Without this check a stage would reject every single picture as unreadable.
    """
    if not root.is_dir():
        raise MissingFileError(
            f"{root}: no such folder, but the pictures of {stated_in} belong there; set {VARIABLE} "
            "as it was for the dataset stage, or run that again (dvc repro --force dataset)"
        )


def written_root(configured: str | None, folder: str = "") -> str:
    """Return how a file states the root or a folder under it: by variable if unconfigured."""
    if configured is None:
        return f"${VARIABLE}/{folder}" if folder else f"${VARIABLE}"
    return str(data_root(configured) / folder)


def read_root(stated: str, beside: Path) -> Path:
    """Return the absolute path of a root stated in a file of folder `beside` (`written_root`)."""
    if stated == f"${VARIABLE}":
        return data_root()
    if stated.startswith(f"${VARIABLE}/"):
        return data_root() / stated.removeprefix(f"${VARIABLE}/")
    return (beside / stated).resolve()
